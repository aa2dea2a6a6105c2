"""What the web page asks: what is served, one turn of a conversation as events, and the tokens of a sequence.

The server keeps nothing between two turns: the page sends back what the turn before left. All of it is read as text
from outside again, so a page that lies gains nothing. The model is used in the engine's thread, one event at a time,
so that the answers of others go on.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from llama_gene.assistant.agent import Step
from llama_gene.assistant.conversation import SYNTHETIC
from llama_gene.assistant.found import Searching
from llama_gene.assistant.inputs import checked_record
from llama_gene.assistant.tool_turn import converse_with_tools
from llama_gene.assistant.turn import Conversation, Event, Manner, Notice, converse
from llama_gene.prompts import Message, defuse
from llama_gene.retrieval.index import Index
from llama_gene.sequences.records import Record
from llama_gene.serving.answering import Service, unless_gone
from llama_gene.serving.bodies import Body
from llama_gene.serving.engine import BusyError
from llama_gene.serving.events import first_piece, send_events
from llama_gene.serving.limits import check_letters
from llama_gene.serving.messages import defused_question
from llama_gene.serving.refusals import RefusedError
from llama_gene.serving.shown import MOST_TURNS, event_record
from llama_gene.serving.spans import gene_ranges, token_spans
from llama_gene.serving.tasks import list_tasks, task_named

# Beyond this many letters per token of context no turn is read: the model could hardly see it.
_LETTERS_PER_TOKEN = 16
_MOST_APART = 2
_HELD = ("protein records", "dna records", "passages")


class Said(Body):
    """A turn of before."""

    role: Literal["user", "assistant"]
    content: str


class KnownSequence(Body):
    """A sequence of before."""

    id: str = Field(max_length=1000)
    kind: Literal["dna", "protein"]
    letters: str = Field(min_length=1)


class Before(Body):
    """What the turn before left (`conversation` of its reply)."""

    history: Annotated[list[Said], Field(max_length=MOST_TURNS)] = Field(default_factory=list)
    waiting: Annotated[list[KnownSequence], Field(max_length=64)] = Field(default_factory=list)
    asked: Annotated[list[KnownSequence], Field(max_length=64)] = Field(default_factory=list)


class TurnBody(Body):
    """POST /page/turn."""

    message: str
    task: str | None = Field(None, min_length=1, description="Ask this task; none: the question decides.")
    tools: bool = Field(False, description="The model may call tools before it answers.")
    conversation: Before = Before()


class TokensBody(Body):
    """POST /page/tokens."""

    text: str


def add_page_routes(app: FastAPI, service: Service) -> None:
    """What the page asks, at /page/."""
    gate, apart = asyncio.Semaphore(service.config.max_running), asyncio.Semaphore(_MOST_APART)
    ranges = gene_ranges(service.assistant.tokenizer)

    async def about() -> dict[str, Any]:
        return _about(service)

    async def turn(body: TurnBody, http: HttpRequest) -> Response:
        events = await unless_gone(http, first_piece(_turn_events(service, body, gate, apart)))
        return send_events(events)

    async def tokens(body: TokensBody) -> JSONResponse:
        check_letters(service, [body.text], "text")
        spans = await asyncio.to_thread(token_spans, service.assistant.tokenizer, body.text, ranges)
        return JSONResponse({"spans": [span._asdict() for span in spans]})

    app.add_api_route("/page/about", about, methods=["GET"], include_in_schema=False)
    app.add_api_route("/page/turn", turn, methods=["POST"], include_in_schema=False)
    app.add_api_route("/page/tokens", tokens, methods=["POST"], include_in_schema=False)


def _about(service: Service) -> dict[str, Any]:
    assistant = service.assistant
    return {
        "model": service.name,
        "note": SYNTHETIC if assistant.is_synthetic else "",
        "context_tokens": assistant.context_tokens,
        "max_message_letters": min(assistant.config.max_message_letters, int(service.config.max_body_mb * 1e6) // 2),
        "tasks": list_tasks(assistant),
        "index": _index_record(assistant.index),
    }


def _index_record(index: Index | None) -> dict[str, Any] | None:
    if index is None:
        return None
    return {"name": index.folder.name, "counts": {kind: index.counts.get(kind, 0) for kind in _HELD}}


async def _turn_events(
    service: Service, body: TurnBody, gate: asyncio.Semaphore, apart: asyncio.Semaphore
) -> AsyncGenerator[dict[str, Any]]:
    """The events of a turn as JSON values.

    Each is made in the model's thread, but searches and turns with tools run apart, a few at a time: they would hold up
    the answers of others.

    Raises:
        BusyError: as many turns run as may, or the engine's line is full.
        RefusedError: unknown task, too much sent, or no time.
        DataError: what was said cannot be asked.
    """
    if gate.locked():
        raise BusyError(f"{service.config.max_running} conversations are being answered. Ask again in a moment.")
    manner = Manner(task=task_named(service.assistant, body.task) if body.task else None)
    before, forgotten = await asyncio.to_thread(read_before, service, body.conversation)
    deadline = asyncio.get_running_loop().time() + service.config.answer_timeout_s
    events = _answer(service, body, before, manner)
    async with gate:
        try:
            if forgotten:
                turns = "turn was" if forgotten == 1 else f"{forgotten} turns were"
                yield event_record(Notice(f"The oldest {turns} forgotten: the model cannot read so far back."))
            event: Event | Step | None = None
            while event := await _step(
                service, events, deadline, apart=apart if body.tools or isinstance(event, Searching) else None
            ):
                yield event_record(event)
        finally:
            # Closed where it runs, so after the step in work; a closing engine has ended its answers already. What runs
            # apart cannot be closed in the middle of a step, and ends after it, as nobody holds it any more.
            with suppress(BusyError):
                service.engine.call(events.close)


def _answer(service: Service, body: TurnBody, before: Conversation, manner: Manner) -> Generator[Event | Step]:
    if body.tools:
        return converse_with_tools(service.assistant, service.toolbox, body.message, before, manner)
    return converse(service.assistant, body.message, before, manner)


async def _step(
    service: Service, events: Generator[Event | Step], deadline: float, *, apart: asyncio.Semaphore | None
) -> Event | Step | None:
    try:
        async with asyncio.timeout_at(deadline):
            if apart is not None:
                async with apart:
                    return await asyncio.to_thread(next, events, None)
            return await asyncio.wrap_future(service.engine.call(lambda: next(events, None)))
    except TimeoutError:
        raise RefusedError(
            504, f"no whole answer within {service.config.answer_timeout_s:g} s.", code="timeout"
        ) from None


def read_before(service: Service, given: Before) -> tuple[Conversation, int]:
    """What the page sent of the turns before, made harmless, and how many turns of it are too far back to be read.

    Raises:
        RefusedError: a sequence is too long.
        DataError: a sequence has wrong letters.
    """
    special = service.assistant.tokenizer.special_tokens
    room, kept = service.assistant.context_tokens * _LETTERS_PER_TOKEN, list[Message]()
    for asked, said in reversed(list(zip(given.history[::2], given.history[1::2], strict=False))):
        room -= len(asked.content) + len(said.content)
        if room < 0:
            break
        if (asked.role, said.role) != ("user", "assistant"):
            raise RefusedError(400, "conversation.history: user and assistant speak in turn, the user first.")
        kept[:0] = [
            Message("user", defused_question(asked.content, special)),
            Message("assistant", defuse(said.content, special).text),
        ]
    waiting, asked_about = (_records(service, sequences) for sequences in (given.waiting, given.asked))
    return Conversation(tuple(kept), waiting, asked_about), len(given.history) // 2 - len(kept) // 2


def _records(service: Service, sequences: Iterable[KnownSequence]) -> tuple[Record, ...]:
    found = []
    for sequence in sequences:
        check_letters(service, [sequence.letters], sequence.id)
        found.append(checked_record(sequence.letters, sequence.kind, sequence.id)[0])
    return tuple(found)
