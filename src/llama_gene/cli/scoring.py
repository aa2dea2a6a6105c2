"""The verb that scores a file of answers: score."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llama_gene.cli.options import Config, Json, Set, settings, show_json, show_table

if TYPE_CHECKING:
    from llama_gene.evaluation.score import Scores

ScoringRule = Literal["strict", "paper"]
# What stands in the table of several tasks, where any has it.
_LEADING = ("accuracy", "mcc", "spearman", "token_f1")
_COUNTS = ("ece", "ece_mass", "n", "unread", "empty")


def score(
    file: Annotated[Path, typer.Argument(help="Answers: JSON, JSONL, CSV, TSV or text lines.", show_default=False)],
    rule: Annotated[ScoringRule, typer.Option(help="strict: the documented reading; paper: its author's.")] = "strict",
    references: Annotated[
        Path | None, typer.Option(help="File of the expected answers, where FILE has none.", show_default=False)
    ] = None,
    expected: Annotated[str, typer.Option(help="Column of the expected answers.", show_default="found by name")] = "",
    answer: Annotated[str, typer.Option(help="Column of the given answers.", show_default="found by name")] = "",
    labels: Annotated[
        str, typer.Option(help="Column of the labels, or the labels with commas.", show_default="found by name")
    ] = "",
    task_column: Annotated[str, typer.Option(help="Column that tells tasks apart.", show_default="found by name")] = "",
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Score a file of answers, task by task; no model needed."""
    from llama_gene.evaluation.answer_columns import Wanted
    from llama_gene.evaluation.score import score_file

    recipe = settings(config, overrides)
    wanted = Wanted(expected=expected, answer=answer, labels=labels, task=task_column)
    found = score_file(file, rule=rule, references=references, wanted=wanted, seed=recipe.seed)
    if as_json:
        show_json(found.record())
    else:
        _show(found, file)


def _show(found: "Scores", file: Path) -> None:
    """Of one task a row a score; of several a row a task, with the scores that lead."""
    record = found.record()
    title = f"{file} · rule {found.rule}"
    if len(record["tasks"]) == 1:
        names = [*record["intervals"], *(name for name in _COUNTS if name in record)]
        show_table(title, ("score", "value"), [(name, _cell(record, name)) for name in names])
    else:
        tasks = [{**record, "task": "all"}, *record["tasks"]]
        names = ["n", *(name for name in _LEADING if any(name in task for task in tasks)), "unread", "empty"]
        rows = [(task["task"], *(_cell(task, name) for name in names)) for task in tasks]
        show_table(title, ("task", *names), rows)
    for line in _remarks(record):
        print(line)


def _cell(column: dict[str, Any], name: str) -> str:
    value = column.get(name)
    if value is None:
        return "–" if name in column else ""
    low, high = column["intervals"].get(name, (None, None))
    shown = f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
    return shown if low is None else f"{shown} [{low:.3f}, {high:.3f}]"


def _remarks(record: dict[str, Any]) -> Iterator[str]:
    yield f"expected: column {record['expected_column']!r}; given: column {record['answer_column']!r}"
    if len(record["tasks"]) > 1:
        shares = "" if record["accuracy"] is None else "shares of all rows, and "
        yield f"tasks told apart by {record['tasks_by']}; over all: {shares}the mean of the tasks' MCC"
        yield "--json holds every score of each task"
    yield from (f"note: {note}" for note in record["notes"])
