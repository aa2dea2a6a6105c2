"""Tools as a server of the Model Context Protocol, over standard input and output or streamable HTTP.

What a tool says is data for the client's model. A tool that fails, or takes too long, answers with an error; the
server goes on. A call that its client takes back, or whose client is gone, is given up.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from starlette.applications import Starlette

from llama_gene import __version__
from llama_gene.errors import LlamaGeneError
from llama_gene.serving.tools import Tool
from llama_gene.tools.calling import start_call, too_late

_log = logging.getLogger(__name__)
_INSTRUCTIONS = "Gene tasks, scores and tools of a local gene model. Ask list_tasks what it learnt."


def build_server(offer: Callable[[], AbstractContextManager[Mapping[str, Tool]]], *, timeout_s: float) -> "Server[Any]":
    """The server of some tools.

    Args:
        offer: Gives the tools by name for one call, and takes them back when it is over or nobody waits any more.
        timeout_s: Longest time of one call.
    """

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        with offer() as tools:
            listed = [
                types.Tool(name=tool.name, description=tool.description, input_schema=dict(tool.schema))
                for tool in tools.values()
            ]
        return types.ListToolsResult(tools=listed)

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        with offer() as tools:
            tool = tools.get(params.name)
            if tool is None:
                raise MCPError(INVALID_PARAMS, f"no tool {params.name!r}. Here are: {', '.join(tools)}.")
            return await _called(tool, params.arguments or {}, timeout_s)

    return Server(
        "llama-gene", version=__version__, instructions=_INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


async def _called(tool: Tool, arguments: Mapping[str, Any], timeout_s: float) -> types.CallToolResult:
    """What a tool gives, or what went wrong."""
    outcome = start_call(tool.name, partial(tool.call, arguments))
    try:
        async with asyncio.timeout(timeout_s):
            return _result(await asyncio.wrap_future(outcome))
    except TimeoutError:
        return _failure(too_late(tool.name, timeout_s, "serve.answer_timeout_s"))
    except LlamaGeneError as error:
        if error.__cause__ is not None:
            _log.error("tool %r failed", tool.name, exc_info=error.__cause__)
        return _failure(error)


def _result(value: Any) -> types.CallToolResult:
    """Values as structured content, and as text for clients that read no other."""
    structured = value if isinstance(value, dict) else {"result": value}
    text = json.dumps(structured, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=structured)


def _failure(error: LlamaGeneError) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)


def run_on_pipes(server: "Server[Any]") -> None:
    """Serve one client over standard input and output until it closes them."""

    async def run() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    asyncio.run(run())


def http_app(server: "Server[Any]", *, host: str) -> Starlette:
    """The server as an ASGI app at /mcp."""
    return server.streamable_http_app(streamable_http_path="/mcp", host=host)
