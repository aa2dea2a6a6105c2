"""Options every verb shares, and how results are shown."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_gene.artifacts import Manifest
from llama_gene.config import AgentConfig, Recipe, load_recipe
from llama_gene.errors import ConfigError
from llama_gene.storage import to_path

if TYPE_CHECKING:
    from llama_gene.assistant.agent import Planner

_PIPED_COLUMNS = 160
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="recipe.toml, or the folder that holds one.", show_default=False)
]
Set = Annotated[
    list[str],
    typer.Option("--set", help="Change a setting: section.key=value. Repeat for more.", show_default=False),
]


def to_local_path(place: str) -> Path:
    """The path of a folder that has to lie on this machine.

    Raises:
        ConfigError: it lies in object storage.

    >>> to_local_path("runs/demo").as_posix()
    'runs/demo'
    """
    if "://" in place:
        raise ConfigError(
            f"{place}: only `corpus build` and `corpus pack` write to object storage. Choose a folder of this machine."
        )
    return to_path(place)


Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Stage folder to write.", show_default=False, parser=to_local_path, metavar="<path>"
    ),
]
OutputAnywhere = Annotated[
    Path,
    typer.Option("--output", "-o", help="Stage folder to write.", show_default=False, parser=to_path, metavar="<path>"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]


def settings(config: Path | None, overrides: list[str] | None) -> Recipe:
    """The resolved settings of a command."""
    return load_recipe(config, overrides or ())


def chosen_planner(config: AgentConfig) -> "Planner | None":
    """Who plans the calls of tools; None: the tuned model itself."""
    if config.planner == "local":
        return None
    # Its client takes a second to import.
    from llama_gene.assistant.api_planner import open_planner

    return open_planner(config)


def show(manifest: Manifest, folder: Path, *, as_json: bool) -> None:
    """A finished stage: what was counted and measured, and where it is."""
    if as_json:
        show_json(asdict(manifest) | {"folder": str(folder)})
        return
    table = [*manifest.counts.items(), *((name, fact) for name, fact in manifest.facts.items() if _is_short(fact))]
    show_table(f"{manifest.stage} · {manifest.seconds:.1f} s", ("what", "value"), table)
    print(folder)


def show_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def show_table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A plain table; columns that hold numbers to the right, words to the left."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        is_words = index == 0 or all(isinstance(row[index], str) for row in rows)
        table.add_column(column, justify="left" if is_words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    # What is piped or logged has no width of its own: keep each row on its line. A label such as [/b] is no markup.
    width = None if Console().is_terminal else _PIPED_COLUMNS
    Console(width=width, markup=False, emoji=False).print(table)


def _is_short(fact: Any) -> bool:
    if isinstance(fact, Mapping):
        return len(fact) <= 8 and all(isinstance(value, int | float | str) for value in fact.values())
    return isinstance(fact, int | float | str)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(part)}" for name, part in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
