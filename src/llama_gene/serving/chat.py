"""POST /v1/chat/completions: one answer to a conversation, whole or as server-sent events."""

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from llama_gene.errors import DataError
from llama_gene.serving.answering import Answered, Service, check_model, collect, stream, to_request, unless_gone
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.bodies import ChatBody, ChosenTool
from llama_gene.serving.choose import Choice
from llama_gene.serving.constrain import json_grammar
from llama_gene.serving.events import first_piece, send_events
from llama_gene.serving.limits import check_size
from llama_gene.serving.messages import call_of, call_schema, letters_of, prompt_of
from llama_gene.tokenizer.load import GeneTokenizer


@dataclass(frozen=True)
class _Asked:
    """A checked request: what the engine is asked, and the tools an answer may call."""

    request: Request
    tools: Mapping[str, Mapping[str, Any]]
    id: str
    created: int


async def answer_chat(service: Service, body: ChatBody, http: HttpRequest) -> Response:
    """The answer, or its stream.

    Raises:
        RefusedError: another model, too long a prompt, or no time.
        DataError: messages, tools or schema are wrong.
        BusyError: the line is full.
    """
    check_model(service, body.model)
    # Encoding a long conversation must not hold up the others.
    asked = await asyncio.to_thread(_check, service, body)
    if not body.stream:
        return JSONResponse(_whole(service, asked, await unless_gone(http, collect(service, asked.request))))
    usage = body.stream_options is not None and body.stream_options.include_usage
    pieces = await unless_gone(http, first_piece(stream(service, asked.request)))
    return send_events(_chunks(service, asked, pieces, usage))


def _check(service: Service, body: ChatBody) -> _Asked:
    tokenizer = service.assistant.tokenizer
    check_size(service, letters_of(body.messages), "messages")
    tools, is_forced = _tools(body)
    if body.top_logprobs and not body.logprobs:
        raise DataError("top_logprobs: asks for log-probabilities, but logprobs is not true. Set it.")
    schema = _schema(body)
    if schema is not None and is_forced:
        raise DataError("response_format: a call of a tool is asked for as well (tool_choice). Leave one of them out.")
    request = to_request(
        service,
        prompt_of(tokenizer, body.messages),
        body,
        most=body.max_completion_tokens or body.max_tokens,
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
    )
    schema = call_schema(tools) if is_forced else schema
    if schema is not None:
        request = dataclasses.replace(request, grammar=json_grammar(tokenizer, schema))
    return _Asked(request, tools, f"chatcmpl-{uuid.uuid4().hex}", int(time.time()))


def _tools(body: ChatBody) -> tuple[Mapping[str, Mapping[str, Any]], bool]:
    """The tools an answer may call, and whether it must call one."""
    tools = {tool.function.name: tool.function.parameters for tool in body.tools or ()}
    choice = body.tool_choice
    if isinstance(choice, ChosenTool):
        name = choice.function.name
        if name not in tools:
            raise DataError(f"tool_choice: no tool {name!r} among tools. Expected one of {', '.join(tools) or 'none'}.")
        return {name: tools[name]}, True
    if choice == "required" and not tools:
        raise DataError("tool_choice: asks for a call, but tools is empty. Add a tool.")
    return ({} if choice == "none" else tools), choice == "required"


def _schema(body: ChatBody) -> Mapping[str, Any] | None:
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None:
        raise DataError("response_format.json_schema: missing. Expected a name and a schema.")
    return wanted.json_schema.schema_


def _whole(service: Service, asked: _Asked, answered: Answered) -> dict[str, Any]:
    tokenizer = service.assistant.tokenizer
    told = asked.request.top_logprobs is not None
    message, finish = _message(asked, answered.text, answered.finish)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "refusal": None, **message},
        "logprobs": {"content": _logprobs(tokenizer, answered.choices), "refusal": None} if told else None,
        "finish_reason": finish,
    }
    return {
        **_head(service, asked, "chat.completion"),
        "choices": [choice],
        "usage": usage_of(len(asked.request.prompt), answered.tokens),
    }


def _message(asked: _Asked, text: str, finish: str) -> tuple[dict[str, Any], str]:
    """Content, or the call of a tool, and why the answer ended."""
    called = call_of(text, asked.tools) if asked.tools else None
    if called is None:
        return {"content": text}, finish
    name, arguments = called
    call = {"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}, "tool_calls"


async def _chunks(
    service: Service, asked: _Asked, pieces: AsyncGenerator[Piece], usage: bool
) -> AsyncGenerator[dict[str, Any]]:
    """The events of a stream. Where tools may be called, text waits for the end: only then is it known for no call."""
    tokenizer, held, tokens = service.assistant.tokenizer, [], 0
    head = _head(service, asked, "chat.completion.chunk")

    def chunk(delta: Mapping[str, Any], choices: Sequence[Choice] = (), finish: str | None = None) -> dict[str, Any]:
        told = {"content": _logprobs(tokenizer, choices), "refusal": None} if choices else None
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": told, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    async for piece in pieces:
        tokens = piece.tokens
        if asked.tools:
            held.append(piece)
        elif piece.text or piece.choices:
            yield chunk({"content": piece.text}, piece.choices)
        if piece.finish and not asked.tools:
            yield chunk({}, finish=piece.finish)
    if held:
        message, finish = _message(asked, "".join(piece.text for piece in held), held[-1].finish)
        calls = [{"index": number, **call} for number, call in enumerate(message.pop("tool_calls", ()))]
        choices = tuple(choice for piece in held for choice in piece.choices)
        yield chunk({**message, "tool_calls": calls} if calls else message, choices)
        yield chunk({}, finish=finish)
    if usage:
        yield {**head, "choices": [], "usage": usage_of(len(asked.request.prompt), tokens)}


def _head(service: Service, asked: _Asked, kind: str) -> dict[str, Any]:
    return {
        "id": asked.id, "object": kind, "created": asked.created, "model": service.name,
        "system_fingerprint": service.assistant.tokenizer.fingerprint,
    }  # fmt: skip


def usage_of(read: int, written: int) -> dict[str, int]:
    """Tokens of a request and its answer."""
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _logprobs(tokenizer: GeneTokenizer, choices: Sequence[Choice]) -> list[dict[str, Any]]:
    return [
        {
            **_token(tokenizer, choice.token, choice.log_probability),
            "top_logprobs": [_token(tokenizer, token, nats) for token, nats in choice.likeliest],
        }
        for choice in choices
    ]


def _token(tokenizer: GeneTokenizer, token: int, nats: float) -> dict[str, Any]:
    text = token_text(tokenizer, token)
    return {"token": text, "logprob": nats, "bytes": list(text.encode())}


def token_text(tokenizer: GeneTokenizer, token: int) -> str:
    """A token as text; the end token as the vocabulary writes it."""
    return tokenizer.eos if token == tokenizer.eos_id else tokenizer.decode([token])
