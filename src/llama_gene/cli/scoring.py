"""The verb that scores a file of answers: score."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llama_gene.cli.options import Config, Json, Set, settings, show_json, show_table

if TYPE_CHECKING:
    from llama_gene.evaluation.score import Scores

ScoringRule = Literal["strict", "paper"]


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
    """A table of scores, one row each, one column a task."""
    record = found.record()
    columns = [record, *record["tasks"]] if len(record["tasks"]) > 1 else [record]
    names = ["score", *(["all", *(task["task"] for task in record["tasks"])] if len(columns) > 1 else ["value"])]
    scores = list(dict.fromkeys(name for column in columns for name in column["intervals"]))
    counts = [name for name in ("ece", "ece_mass", "n", "unread", "empty") if any(name in one for one in columns)]
    rows = [(name, *(_cell(column, name) for column in columns)) for name in (*scores, *counts)]
    show_table(f"{file} · rule {found.rule}", tuple(names), rows)
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
    yield from (f"note: {note}" for note in record["notes"])
