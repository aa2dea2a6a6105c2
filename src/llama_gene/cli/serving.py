"""The verbs that let programs ask a model: serve, mcp."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_gene.cli.options import Config, Set, settings
from llama_gene.cli.registry import Definitions

_NEEDED = ("fastapi", "llguidance", "mcp", "prometheus_client", "uvicorn")
_PANEL = "5 · Answers"
Model = Annotated[Path, typer.Argument(help="Tuned model folder.", show_default=False)]
Host = Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1, this machine alone].")]
Port = Annotated[int | None, typer.Option(help="Port; 0: any free one [default: 8000].")]
Indexes = Annotated[
    list[Path], typer.Option("--index", help="Folder of `index`, to search in; several are asked as one.")
]
Specialists = Annotated[
    list[Path], typer.Option("--specialist", help="Folder of `tasks specialist`; each becomes a tool.")
]
Keys = Annotated[Path | None, typer.Option(help="File of hashed API keys; without it no key is asked for.")]


def add_serving_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("serve", rich_help_panel=_PANEL)(serve_model)
    app.command("mcp", rich_help_panel=_PANEL)(serve_tools)


def serve_model(
    model: Model,
    host: Host = None,
    port: Port = None,
    keys: Keys = None,
    add_key: Annotated[
        str | None, typer.Option("--add-key", metavar="NAME", help="Make a key, note its hash in --keys, show it, end.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="auto, batch or vllm [default: auto].")] = None,
    index: Indexes = [],  # noqa: B006
    specialist: Specialists = [],  # noqa: B006
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
) -> None:
    """Answer many clients over HTTP: OpenAI's API, tasks, embeddings, metrics.

    It listens on this machine alone unless told otherwise, and ends after SIGTERM once running answers are done.
    """
    from llama_gene.errors import ConfigError

    chosen = _chosen(host, port, keys, engine)
    recipe = settings(config, [*overrides, *chosen])
    _need_extra()
    if add_key is not None:
        from llama_gene.serving.keys import add_key as make_key

        if not recipe.serve.keys:
            raise ConfigError("--add-key: no file to note its hash in. Name one with --keys FILE.")
        print(make_key(Path(recipe.serve.keys), add_key))
        return
    from llama_gene.serving.run import Equipment, serve

    planner = None
    if recipe.agent.planner == "api":
        # Its client takes a second to import.
        from llama_gene.assistant.api_planner import open_planner

        planner = open_planner(recipe.agent)
    equipment = Equipment(_opened(index, recipe.index), tuple(specialist), recipe.agent, planner)
    serve(model, recipe.serve, recipe.chat, definitions, equipment=equipment, announce=_announce)


def serve_tools(
    model: Model,
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP at /mcp instead of the pipes.")] = False,
    host: Host = None,
    port: Port = None,
    keys: Keys = None,
    index: Indexes = [],  # noqa: B006
    specialist: Specialists = [],  # noqa: B006
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
) -> None:
    """Offer tools, search, tasks and scores to clients of the Model Context Protocol, over its pipes."""
    recipe = settings(config, [*overrides, *_chosen(host, port, keys, None)])
    _need_extra()
    from llama_gene.serving.mcp_run import serve_mcp_http, serve_mcp_pipes
    from llama_gene.serving.offered import offered_tools
    from llama_gene.serving.run import Equipment, open_service

    equipment = Equipment(_opened(index, recipe.index), tuple(specialist), recipe.agent)
    service = open_service(model, recipe.serve, recipe.chat, definitions, equipment=equipment)
    tools = offered_tools(service, specialist)
    if http:
        serve_mcp_http(service, tools, announce=_announce)
    else:
        serve_mcp_pipes(service, tools)


def _opened(folders: list[Path], search: Any) -> Any:
    """The indexes, where any is named."""
    if not folders:
        return None
    from llama_gene.model.encoder import load_encoder
    from llama_gene.retrieval.several import open_indexes

    return open_indexes(folders, search, load_encoder)


def _chosen(host: str | None, port: int | None, keys: Path | None, engine: str | None) -> list[str]:
    """Options as settings."""
    options = {"host": host, "port": port, "keys": None if keys is None else str(keys), "engine": engine}
    return [f"serve.{name}={json.dumps(value)}" for name, value in options.items() if value is not None]


def _need_extra() -> None:
    """Raises:
    ConfigError: a library of the extra is missing.
    """
    from importlib.util import find_spec

    from llama_gene.errors import ConfigError

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} not installed, needed to serve. Run: pip install 'llama-gene[serve]'")


def _announce(line: str) -> None:
    print(line)
    sys.stdout.flush()
