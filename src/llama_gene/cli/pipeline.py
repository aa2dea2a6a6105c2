"""Verbs that chain everything: demo, run, doctor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_gene.cli.options import Config, Json, Set, settings, show_json, show_table

if TYPE_CHECKING:
    from llama_gene.config import Recipe

_PANEL = "0 · Everything"


def add_pipeline_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("demo", rich_help_panel=_PANEL)(demo)
    app.command("run", rich_help_panel=_PANEL)(run_recipe)
    app.command("doctor", rich_help_panel=_PANEL)(doctor)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")] = Path("runs/demo"),
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """The whole pipeline on a synthetic organism: CPU, offline, minutes."""
    from llama_gene.cli.showcase import ask_one_question, results_table
    from llama_gene.demo import RECIPE

    recipe = settings(config or RECIPE, overrides)
    folders = _run(recipe, output, as_json=as_json)
    report = folders["evaluate"] / "report.html"
    if as_json:
        return
    show_table("Results on synthetic data: they say nothing about real biology", *results_table(folders["evaluate"]))
    for line in ask_one_question(folders["finetune"], folders["tasks build"]):
        print(line)
    print(report)


def run_recipe(
    recipe: Annotated[Path, typer.Argument(help="recipe.toml, or the folder that holds one.")],
    check: Annotated[bool, typer.Option("--check", help="Validate, print the plan, and stop.")] = False,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop after this stage, such as 'tokenizer extend' [default: all].")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run [default: runs/NAME].")
    ] = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Run every stage of a recipe; what is up to date is skipped."""
    chosen = settings(recipe, overrides)
    place = output or Path("runs") / chosen.name
    if check:
        _show_plan(chosen, place, as_json=as_json)
        return
    folders = _run(chosen, place, until=until, as_json=as_json)
    if not as_json:
        print(folders[until] if until else folders["evaluate"] / "report.html")


def doctor(config: Config = None, overrides: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Show versions, accelerators, memory, disk and optional parts."""
    from llama_gene.model.machine import examine

    settings(config, overrides)
    found = examine(Path.cwd())
    if as_json:
        show_json(found)
    else:
        show_table("this machine", ("what", "value"), list(found.items()))


def _run(recipe: "Recipe", place: Path, *, until: str | None = None, as_json: bool) -> dict[str, Path]:
    """Run the stages, a line for each on standard error; give their folders."""
    from dataclasses import asdict

    from rich.console import Console

    from llama_gene.recipe import run

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    folders: dict[str, Path] = {}
    documents: dict[str, Any] = {}
    for done in run(recipe, place, until=until):
        state = f"{done.manifest.seconds:7.1f} s" if done.ran else "up to date"
        console.print(f"{done.name:18} {state:>10}  {done.folder}")
        folders[done.name] = done.folder
        documents[done.name] = asdict(done.manifest) | {"folder": str(done.folder), "ran": done.ran}
    if as_json:
        show_json(documents)
    return folders


def _show_plan(recipe: "Recipe", place: Path, *, as_json: bool) -> None:
    from llama_gene.plan import make_plan

    plan = make_plan(recipe, place)
    if as_json:
        show_json(plan)
        return
    for title, rows in plan.items():
        show_table(title, ("what", "value"), list(rows.items()))
