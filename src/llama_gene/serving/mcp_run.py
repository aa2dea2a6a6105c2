"""Offer tools over MCP, on pipes or HTTP."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from mcp.server.lowlevel import Server

from llama_gene.config import ServeConfig
from llama_gene.serving.answering import Service
from llama_gene.serving.guard import Guard, limits_of
from llama_gene.serving.keys import KeyRing
from llama_gene.serving.mcp_server import build_server, http_app, run_on_pipes
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.run import listen, open_keys, run_app
from llama_gene.serving.tools import offered_tools


def serve_mcp_pipes(service: Service) -> None:
    """Serve the program that started this one; standard output is the protocol's alone.

    Args:
        service: The served model; its engine is closed at the end.
    """
    logging.basicConfig(level=logging.WARNING)
    try:
        run_on_pipes(build_server(partial(offered_tools, service), timeout_s=service.config.answer_timeout_s))
    finally:
        service.engine.close()


def serve_mcp_http(service: Service, *, announce: Callable[[str], None]) -> None:
    """Serve at /mcp until a signal comes, behind the same guard as the API.

    Args:
        service: The served model; its engine is closed at the end.
        announce: Gets the address once it is open.
    """
    config = service.config
    keys, listening = open_keys(config), listen(config)
    server = build_server(partial(offered_tools, service), timeout_s=config.answer_timeout_s)
    try:
        run_app(guarded(server, keys, config), listening, config, announce=announce)
    finally:
        service.engine.close()


def guarded(server: "Server[Any]", keys: KeyRing, config: ServeConfig) -> Guard:
    """The HTTP app of a server behind the guard."""
    app = http_app(server, host=config.host)
    return Guard(app, keys=keys, limits=limits_of(config), metrics=Metrics(), paths=["/mcp"])
