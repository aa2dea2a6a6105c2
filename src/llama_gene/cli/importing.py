"""The verb that adds tasks: tasks add."""

from pathlib import Path
from typing import Annotated

import typer

from llama_gene.cli.options import Config, Json, Output, Set, settings, show_json, show_table
from llama_gene.tasks.importers.formats import FORMATS

# Blank lines keep each format on a line of its own.
FORMATS_EPILOG = "Formats\n\n" + "\n\n".join(f"{name}  {what}" for name, what in FORMATS.items())


def add(
    path: Annotated[Path, typer.Argument(help="File or folder, as it was published.", show_default=False)],
    output: Output,
    format: Annotated[
        str, typer.Option("--format", "-f", help="Layout of PATH, one of those listed below.", show_default=False)
    ],
    reference: Annotated[
        list[Path],
        typer.Option("--reference", "-r", help="File that PATH refers to: genome, FASTA, ontology. May be repeated."),
    ] = [],  # noqa: B006
    name: Annotated[str, typer.Option("--name", help="Beginning of the tasks' names; none: the format.")] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="Write paths in this folder relative to it, as a recipe's `data`.")
    ] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Make tasks of what others published: a definition each, and a table where no reader of ours reads the files.

    OUTPUT becomes a folder of definitions: name it in tasks.definitions of a recipe, or with --definitions.
    """
    from dataclasses import asdict

    from llama_gene.tasks.importers.add import add_published

    recipe = settings(config, overrides)
    made = add_published(
        path, format=format, output=output, references=reference, name=name, data=data,
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
