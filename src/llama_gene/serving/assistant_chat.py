"""NAME:assistant, the second model of /v1/chat/completions: a turn of `converse` in OpenAI's form.

The bare model goes on with the prompt it is given. The assistant finds the sequences in the last message, leads the
question to the task it resembles, windows what is too long, and says how sure it is and how often it was right. An
OpenAI client shows nothing but the content, so all of that is said there: first the answers, and below a line the
remarks about them, which the model is not shown again when the client sends them back.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from llama_gene.assistant.conversation import SYNTHETIC, Assistant
from llama_gene.assistant.display import Answer, comparable, describe_sureness, percent
from llama_gene.assistant.events import Answered, Begun, Conversation, Event, Manner, Piece, Reply, reply_record
from llama_gene.assistant.found import describe_found
from llama_gene.assistant.inputs import check_lengths, read_typed
from llama_gene.assistant.measured import describe_measured
from llama_gene.config import ChatConfig
from llama_gene.errors import DataError
from llama_gene.prompts import Message
from llama_gene.sequences.records import Record
from llama_gene.serving.answering import Service, unless_gone
from llama_gene.serving.bodies import ChatBody
from llama_gene.serving.chat import usage_of
from llama_gene.serving.events import first_piece, send_events
from llama_gene.serving.messages import turns_of
from llama_gene.serving.talk import talk
from llama_gene.serving.turns import recent_turns

_REMARKS = "\n\n---\n"
_UNSUPPORTED = ("logprobs", "top_logprobs", "response_format", "tools", "tool_choice")
_MOST_SHARES = 8


@dataclass(frozen=True)
class _Asked:
    """A checked request."""

    message: str
    before: Conversation
    manner: Manner
    config: ChatConfig
    stops: tuple[str, ...]
    head: dict[str, Any]
    prompt_tokens: int


async def answer_as_assistant(service: Service, body: ChatBody, http: HttpRequest) -> Response:
    """The answer, or its stream; its last event, or the whole, has `reply`: all that is known of it, as JSON.

    Raises:
        RefusedError: no time.
        DataError: the messages cannot be asked, or an option has no meaning here.
        TooLargeError: the last message or one of its sequences is too long.
        BusyError: the line is full.
    """
    asked = await asyncio.to_thread(_check, service, body)
    written = _written(service, asked)
    if not body.stream:
        return JSONResponse(await unless_gone(http, _whole(service, asked, written)))
    usage = body.stream_options is not None and body.stream_options.include_usage
    return send_events(_chunks(service, asked, await unless_gone(http, first_piece(written)), usage))


def _check(service: Service, body: ChatBody) -> _Asked:
    for name in _UNSUPPORTED:
        if getattr(body, name):
            raise DataError(f"{name}: {body.model!r} answers in words alone. Leave it out, or ask {service.name!r}.")
    if any(message.role == "tool" or message.tool_calls for message in body.messages):
        raise DataError(f"messages: {body.model!r} takes no calls of tools. Leave them out, or ask {service.name!r}.")
    special = service.assistant.tokenizer.special_tokens
    *earlier, last = turns_of(body.messages, special)
    system = earlier.pop(0).content if earlier and earlier[0].role == "system" else ""
    wanted = {
        "temperature": body.temperature, "top_p": body.top_p, "seed": body.seed,
        "max_new_tokens": body.max_completion_tokens or body.max_tokens,
    }  # fmt: skip
    changes = {name: value for name, value in wanted.items() if value is not None}
    config, tokenizer = service.assistant.config.model_copy(update=changes), service.assistant.tokenizer
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model,
        "system_fingerprint": tokenizer.fingerprint,
    }  # fmt: skip
    tokens = sum(len(tokenizer.encode(turn.content)) for turn in (*earlier, last))
    manner = Manner(system=system)
    return _Asked(last.content, _before(service, earlier), manner, config, body.stops, head, tokens)


def _before(service: Service, turns: Sequence[Message]) -> Conversation:
    """What the turns before the last message left, told by their texts alone, as `converse` would have left it."""
    history, waiting, asked = list[tuple[str, str]](), tuple[Record, ...](), tuple[Record, ...]()
    for question, answer in zip(turns[::2], turns[1::2], strict=True):
        words, records = _read(service, question.content, beside=len(waiting))
        if not words:
            waiting = (*waiting, *records)
            continue
        waiting, asked = (), (*waiting, *records) or asked
        said = answer.content.partition(_REMARKS)[0]
        history.append((question.content, said))
    return Conversation(recent_turns(service, history), waiting, asked)


def _read(service: Service, text: str, *, beside: int) -> tuple[str, tuple[Record, ...]]:
    """The question and the sequences of an earlier message; one that was refused then has no sequences.

    Args:
        service: Whose limits count.
        text: The message.
        beside: Sequences that waited for a question when it came.
    """
    assistant = service.assistant
    with suppress(DataError):
        typed = read_typed(text, most=assistant.config.max_sequences - beside, store=assistant.store)
        check_lengths(typed.sequences, service.config.max_letters)
        return typed.question, typed.sequences
    return text, ()


async def _written(service: Service, asked: _Asked) -> AsyncGenerator[str | Reply]:
    """The content in pieces, and at last the reply."""
    is_first = True
    turn = talk(service, asked.message, asked.before, asked.manner, config=asked.config, stops=asked.stops)
    async with aclosing(turn) as events:
        async for event in events:
            if isinstance(event, Reply):
                remarks = "\n".join(_remarks(service.assistant, event))
                yield remarks if is_first else f"{_REMARKS}{remarks}"
                yield event
            elif text := _text_of(event):
                gap = "\n\n" if isinstance(event, Begun) and not is_first else ""
                yield f"{gap}{text}"
                is_first = False


def _text_of(event: Event) -> str:
    match event:
        case Piece(text):
            return text
        case Begun(names, items=items) if items > 1:
            return f"{' and '.join(names)}: "
        case Answered(closed=Answer() as closed):
            return f"{closed.steps}\n{closed.reply}" if closed.steps else closed.reply
        case _:
            return ""


def _remarks(assistant: Assistant, reply: Reply) -> Iterator[str]:
    """What has to be said about the answers, a line each."""
    named = len(reply.answers) > 1
    for one in reply.answers:
        if one.closed is not None:
            name = f"{' and '.join(one.names)}: " if named else ""
            yield f"{name}{describe_sureness(one.closed)} {_shares(one.closed)}"
    closed = [one.closed for one in reply.answers if one.closed is not None]
    yield from dict.fromkeys(describe_measured(one.measured, comparable(one)) for one in closed)
    if reply.found is not None:
        yield describe_found(reply.found)
    yield from reply.notices
    yield from reply.based_on
    if assistant.is_synthetic:
        yield SYNTHETIC


def _shares(closed: Answer) -> str:
    """The probability of each label, the likeliest first.

    >>> _shares(Answer("b", {"a": 0.25, "b": 0.75}))
    'b 75 %, a 25 %.'
    """
    ordered = sorted(closed.probabilities.items(), key=lambda pair: -pair[1])
    more = f" and {len(ordered) - _MOST_SHARES} more" if len(ordered) > _MOST_SHARES else ""
    shown = ", ".join(f"{label} {percent(share)}" for label, share in ordered[:_MOST_SHARES])
    return f"{shown}{more}."


async def _whole(service: Service, asked: _Asked, written: AsyncGenerator[str | Reply]) -> dict[str, Any]:
    content, told, finish = "", dict[str, Any](), ""
    async for piece in written:
        if isinstance(piece, Reply):
            told, finish = {"reply": reply_record(piece)}, _finish(piece)
        else:
            content += piece
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        **asked.head, "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(service, asked, content), **told,
    }  # fmt: skip


async def _chunks(
    service: Service, asked: _Asked, written: AsyncGenerator[str | Reply], usage: bool
) -> AsyncGenerator[dict[str, Any]]:
    head, content = {**asked.head, "object": "chat.completion.chunk"}, ""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    async for piece in written:
        if isinstance(piece, Reply):
            yield {**chunk({}, finish=_finish(piece)), "reply": reply_record(piece)}
        else:
            content += piece
            yield chunk({"content": piece})
    if usage:
        yield {**head, "choices": [], "usage": _usage(service, asked, content)}


def _finish(reply: Reply) -> str:
    """OpenAI's word for how the answers ended; calls of tools were made here, and are none for the client to make."""
    return "length" if any(answer.is_cut for answer in reply.answers) else "stop"


def _usage(service: Service, asked: _Asked, content: str) -> dict[str, int]:
    """Tokens of the messages and of the content; how many the model read to answer is not told."""
    return usage_of(asked.prompt_tokens, len(service.assistant.tokenizer.encode(content)))
