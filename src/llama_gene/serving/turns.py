"""What the web page asks: what is served, one turn of a conversation as events, and the tokens of a sequence.

The server keeps nothing between two turns: the page sends back what the turn before left. All of it is read as text
from outside again, so a page that lies gains nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from llama_gene.assistant.conversation import SYNTHETIC
from llama_gene.assistant.events import Conversation, Manner, Notice
from llama_gene.assistant.inputs import checked_record
from llama_gene.prompts import Message, defuse
from llama_gene.retrieval.several import AnyIndex
from llama_gene.sequences.records import Record
from llama_gene.serving.answering import Service, unless_gone
from llama_gene.serving.bodies import Body
from llama_gene.serving.events import first_piece, send_events
from llama_gene.serving.limits import check_letters
from llama_gene.serving.messages import defused_question
from llama_gene.serving.refusals import RefusedError
from llama_gene.serving.shown import MOST_TURNS, event_record
from llama_gene.serving.spans import gene_ranges, token_spans
from llama_gene.serving.talk import talk
from llama_gene.serving.tasks import list_tasks, task_named

# Beyond this many letters per token of context no turn is read: the model could hardly see it.
_LETTERS_PER_TOKEN = 16
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
    tools: bool = Field(False, description="Call tools, even if the model was not tuned to.")
    conversation: Before = Before()


class TokensBody(Body):
    """POST /page/tokens."""

    text: str


def add_page_routes(app: FastAPI, service: Service) -> None:
    """What the page asks, at /page/."""
    ranges = gene_ranges(service.assistant.tokenizer)

    async def about() -> dict[str, Any]:
        return _about(service)

    async def turn(body: TurnBody, http: HttpRequest) -> Response:
        events = await unless_gone(http, first_piece(_turn_events(service, body)))
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


def _index_record(index: AnyIndex | None) -> dict[str, Any] | None:
    if index is None:
        return None
    return {"name": index.name, "counts": {kind: index.counts.get(kind, 0) for kind in _HELD}}


async def _turn_events(service: Service, body: TurnBody) -> AsyncGenerator[dict[str, Any]]:
    """The events of a turn as JSON values.

    Raises:
        BusyError: as many turns run as may, or the engine's line is full.
        RefusedError: unknown task, too much sent, or no time.
        DataError: what was said cannot be asked.
    """
    task = task_named(service.assistant, body.task) if body.task else None
    manner = Manner(task, toolbox=service.toolbox, tools="on" if body.tools else "auto")
    before, forgotten = await asyncio.to_thread(read_before, service, body.conversation)
    if forgotten:
        turns = "turn was" if forgotten == 1 else f"{forgotten} turns were"
        yield event_record(Notice(f"The oldest {turns} forgotten: the model cannot read so far back."))
    async for event in talk(service, body.message, before, manner):
        yield event_record(event)


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
