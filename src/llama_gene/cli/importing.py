"""Tasks of published layouts, as `tasks add --format` makes and shows them."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_gene.cli.options import show_json, show_table
from llama_gene.tasks.importers.formats import FORMATS

if TYPE_CHECKING:
    from llama_gene.config import Recipe

# Blank lines keep each format on a line of its own.
FORMATS_EPILOG = "Published formats (--format)\n\n" + "\n\n".join(f"{name}  {what}" for name, what in FORMATS.items())


def add_layout(
    paths: list[Path],
    layout: str,
    recipe: "Recipe",
    *,
    output: Path | None,
    references: list[Path],
    name: str,
    data: Path | None,
    unused: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Make tasks of a published layout and show what was found; options that it has no use for are refused."""
    from llama_gene.errors import ConfigError
    from llama_gene.tasks.importers.add import add_published
    from llama_gene.tasks.importers.catalogue import find_importer

    find_importer(layout)
    given = [option for option, value in unused.items() if value]
    if given:
        raise ConfigError(f"{given[0]}: not used with --format {layout}, which says it all. Leave it out.")
    if len(paths) != 1 or output is None:
        raise ConfigError(f"--format {layout}: expected one file or folder, and --output FOLDER for the tasks found.")
    made = add_published(
        paths[0], format=layout, output=output, references=references, name=name, data=data,
        on_invalid=recipe.tasks.on_invalid,
    )  # fmt: skip
    if as_json:
        show_json(asdict(made) | {"folder": str(output)})
        return
    rows = [(task, fact["family"], fact["inputs"], fact["rows"]) for task, fact in made.facts.items()]
    show_table(f"tasks found · {made.seconds:.1f} s", ("name", "family", "reads", "rows"), rows)
    if made.counts:
        show_table("counted", ("what", "times"), list(made.counts.items()))
    print(output)
