"""Tools that a user of the page calls by hand: listed with their schemas, checked, bounded, run beside the engine."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse
from pydantic import Field

from llama_gene.assistant.agent import take_step
from llama_gene.assistant.events import Conversation
from llama_gene.assistant.inputs import Typed, check_lengths, read_typed, readable
from llama_gene.serving.answering import Seat, Service, take_seat, unless_gone
from llama_gene.serving.bodies import Body
from llama_gene.serving.engine import BusyError
from llama_gene.serving.shown import conversation_record, sequence_record, step_record
from llama_gene.serving.turns import Before, read_before
from llama_gene.tasks.tool_calls import read_arguments
from llama_gene.tools.calling import start_thread
from llama_gene.tools.references import INPUT

_MOST_AT_ONCE = 4


class ToolBody(Body):
    """POST /page/tool. Sequences are found in `message`, else those of before; `@input` in the arguments names them."""

    tool: str = Field(min_length=1, max_length=64)
    arguments: str = Field("", description="A JSON object, as text.")
    message: str = ""
    conversation: Before = Before()


def add_tool_routes(app: FastAPI, service: Service) -> None:
    """The tools of the page, at /page/tools and /page/tool."""
    tools = service.toolbox.tools
    gate = asyncio.Semaphore(_MOST_AT_ONCE)

    async def listed() -> dict[str, Any]:
        return {
            "tools": [
                {"name": tool.name, "description": tool.description, "schema": tool.schema} for tool in tools.values()
            ]
        }

    async def call(body: ToolBody, http: HttpRequest) -> JSONResponse:
        if gate.locked():
            raise BusyError(f"{_MOST_AT_ONCE} tools are running. Call again in a moment.")
        async with gate:
            with take_seat(service) as seat:
                called = start_thread("tool by hand", partial(_call, service, seat, body))
                return JSONResponse(await unless_gone(http, asyncio.wrap_future(called)))

    app.add_api_route("/page/tools", listed, methods=["GET"], include_in_schema=False)
    app.add_api_route("/page/tool", call, methods=["POST"], include_in_schema=False)


def _call(service: Service, seat: Seat, body: ToolBody) -> dict[str, Any]:
    """The step, the sequences it was about, and the conversation after it.

    Raises:
        RefusedError: a sequence is too long.
        DataError: a sequence has wrong letters.
        TooLargeError: the message or one of its sequences is too long.
    """
    before, _ = read_before(service, body.conversation)
    typed = _typed(service, body.message) if body.message.strip() else Typed("", (), ())
    records = typed.sequences or before.waiting or before.asked
    tools, timeout_s = seat.toolbox.tools, min(seat.toolbox.config.timeout_s, service.config.answer_timeout_s)
    request = read_arguments(body.tool, body.arguments)
    step = seat.assistant.workplace.apart(lambda: take_step(request, records, tools, timeout_s=timeout_s))
    told = records if INPUT in body.arguments else typed.sequences
    after: Conversation = replace(before, waiting=(), asked=records)
    return {
        "step": step_record(step),
        "notices": typed.notices,
        "sequences": [sequence_record(record) for record in told],
        "conversation": conversation_record(after),
    }


def _typed(service: Service, message: str) -> Typed:
    """The sequences of a message."""
    assistant = service.assistant
    text, _ = readable(message, assistant.config.max_message_letters)
    typed = read_typed(text, most=assistant.config.max_sequences, store=assistant.store)
    check_lengths(typed.sequences, service.config.max_letters)
    return typed
