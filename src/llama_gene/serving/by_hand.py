"""Tools that a user of the page calls by hand: listed with their schemas, checked, bounded, run beside the engine."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import Field

from llama_gene.assistant.agent import take_step
from llama_gene.assistant.events import Conversation
from llama_gene.assistant.inputs import Typed, read_typed
from llama_gene.serving.answering import Service
from llama_gene.serving.bodies import Body
from llama_gene.serving.engine import BusyError
from llama_gene.serving.limits import check_letters
from llama_gene.serving.shown import conversation_record, sequence_record, step_record
from llama_gene.serving.turns import Before, read_before
from llama_gene.tasks.tool_calls import read_arguments
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

    async def call(body: ToolBody) -> JSONResponse:
        if gate.locked():
            raise BusyError(f"{_MOST_AT_ONCE} tools are running. Call again in a moment.")
        async with gate:
            return JSONResponse(await asyncio.to_thread(_call, service, body))

    app.add_api_route("/page/tools", listed, methods=["GET"], include_in_schema=False)
    app.add_api_route("/page/tool", call, methods=["POST"], include_in_schema=False)


def _call(service: Service, body: ToolBody) -> dict[str, Any]:
    """The step, the sequences it was about, and the conversation after it.

    Raises:
        RefusedError: a sequence is too long.
        DataError: a sequence has wrong letters.
    """
    before, _ = read_before(service, body.conversation)
    check_letters(service, [body.message], "message")
    typed = read_typed(body.message, store=service.assistant.store) if body.message.strip() else Typed("", (), ())
    records = typed.sequences or before.waiting or before.asked
    toolbox = service.toolbox
    timeout_s = min(toolbox.config.timeout_s, service.config.answer_timeout_s)
    request = read_arguments(body.tool, body.arguments)
    step = service.workplace.apart(lambda: take_step(request, records, toolbox.tools, timeout_s=timeout_s))
    told = records if INPUT in body.arguments else typed.sequences
    after: Conversation = replace(before, waiting=(), asked=records)
    return {
        "step": step_record(step),
        "notices": typed.notices,
        "sequences": [sequence_record(record) for record in told],
        "conversation": conversation_record(after),
    }
