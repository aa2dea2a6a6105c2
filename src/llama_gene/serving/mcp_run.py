"""Open a model and offer its tools over MCP."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.server.lowlevel import Server

from llama_gene.config import ChatConfig, ServeConfig
from llama_gene.serving.guard import Guard, Limits, own_names
from llama_gene.serving.keys import KeyRing
from llama_gene.serving.mcp_server import build_server, http_app, run_on_pipes
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.run import listen, open_keys, open_service, run_app
from llama_gene.serving.tools import model_tools


def serve_mcp_pipes(folder: Path, config: ServeConfig, chat: ChatConfig, definitions: Sequence[Path] = ()) -> None:
    """Serve the program that started this one; standard output is the protocol's alone.

    Args:
        folder: Tuned model folder.
        config: Limits and times.
        chat: How the model is loaded and tasks are asked.
        definitions: Folders of further task definitions.
    """
    logging.basicConfig(level=logging.WARNING)
    service = open_service(folder, config, chat, definitions)
    try:
        run_on_pipes(build_server(model_tools(service), timeout_s=config.answer_timeout_s))
    finally:
        service.engine.close()


def serve_mcp_http(
    folder: Path,
    config: ServeConfig,
    chat: ChatConfig,
    definitions: Sequence[Path] = (),
    *,
    announce: Callable[[str], None],
) -> None:
    """Serve at /mcp until a signal comes, behind the same guard as the API.

    Args:
        folder: Tuned model folder.
        config: Address, keys, limits and times.
        chat: How the model is loaded and tasks are asked.
        definitions: Folders of further task definitions.
        announce: Gets the address once it is open.
    """
    keys, listening = open_keys(config), listen(config)
    service = open_service(folder, config, chat, definitions)
    server = build_server(model_tools(service), timeout_s=config.answer_timeout_s)
    try:
        run_app(guarded(server, keys, config), listening, config, announce=announce)
    finally:
        service.engine.close()


def guarded(server: "Server[Any]", keys: KeyRing, config: ServeConfig) -> Guard:
    """The HTTP app of a server behind the guard."""
    limits = Limits(int(config.max_body_mb * 1e6), config.body_timeout_s, own_names(config.host, config.hosts))
    return Guard(http_app(server, host=config.host), keys=keys, limits=limits, metrics=Metrics(), paths=["/mcp"])
