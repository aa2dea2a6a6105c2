"""Score a file of answers, ours or anybody's: `llama-gene score FILE`. No model is needed.

Rows of different tasks are never scored together. What a task expects says how its answers are read: closed labels by
`answers.read_answer`, numbers by `answers.read_number`, other text as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.evaluation.answer_columns import Pairs, Wanted, pair_answers, pair_references, part_tasks
from llama_gene.evaluation.answer_tables import read_table
from llama_gene.evaluation.metrics import Array, Estimate, mean_score, unit_of_items
from llama_gene.evaluation.score_tasks import Rule, TaskScores, score_task
from llama_gene.tasks.steps import split_answer

RESAMPLES = 1000
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Scores:
    """Scores of a file.

    `accuracy`: share of right answers by the rule; `exact`: share of answers equal letter for letter; `mcc`: of the
    labels, None where undefined; `n`: number of answers. Of several tasks, accuracy and exact are shares of all rows,
    or None where the tasks differ in kind (a right label, an equal number and an equal text are no one thing), and mcc
    is the mean of the tasks that have one. `unread` counts answers in which nothing could be read, `empty` those
    without a letter.
    """

    accuracy: float | None
    exact: float | None
    mcc: float | None
    n: int
    unread: int
    empty: int
    rule: Rule
    expected_column: str
    answer_column: str
    intervals: Mapping[str, Interval]
    tasks_by: str
    tasks: tuple[TaskScores, ...]

    def record(self) -> dict[str, Any]:
        """Plain JSON values; of a single task, all its scores stand at the top too."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        alone = self.tasks[0].record() if len(self.tasks) == 1 else {}
        more = {name: value for name, value in alone.items() if name not in own and name != "task"}
        return own | more | {
            "intervals": {**alone.get("intervals", {}), **self.intervals},
            "tasks": [task.record() for task in self.tasks],
            "notes": [*_mixed(self.tasks), *(f"{task.task}: {note}" for task in self.tasks for note in task.notes)],
        }  # fmt: skip


def score_file(
    path: Path, rule: Rule = "strict", *, references: Path | None = None, wanted: Wanted | None = None, seed: int = 1
) -> Scores:
    """Score the answers of a file.

    Args:
        path: JSON, JSONL, CSV, TSV or text lines, maybe compressed.
        rule: "strict" reads answers as `answers` says; "paper" as the paper's scripts did.
        references: File of the expected answers, where they are not in the same one.
        wanted: Columns to take instead of those found by name.
        seed: Seed of the intervals.

    Raises:
        DataError: a file that cannot be read, a column that is missing, answers and references that differ in number,
            or a row that expects nothing.
    """
    wanted = wanted or Wanted()
    rows = read_table(path)
    if references:
        pairs = pair_references(rows, read_table(references), wanted, path, references)
    else:
        pairs = pair_answers(rows, wanted, path)
    pairs = _without_steps(pairs)
    tasks_by, places = part_tasks(pairs)
    tasks = tuple(
        score_task(name, pairs, members, rule=rule, wanted=wanted, resamples=RESAMPLES, seed=seed)
        for name, members in places.items()
    )
    units, _ = unit_of_items([str(pairs.rows[place].get("group") or "") for each in places.values() for place in each])
    shares = {
        "accuracy": _share(tasks, [task.right for task in tasks], units, seed),
        "exact": _share(tasks, [task.exact for task in tasks], units, seed),
        "mcc": _mcc(tasks),
    }
    return Scores(
        accuracy=shares["accuracy"].value,
        exact=shares["exact"].value,
        mcc=shares["mcc"].value,
        n=len(pairs.rows),
        unread=sum(task.unread for task in tasks),
        empty=sum(task.empty for task in tasks),
        rule=rule,
        expected_column=pairs.columns.expected,
        answer_column=pairs.columns.answer,
        intervals={name: (one.low, one.high) for name, one in shares.items()},
        tasks_by=tasks_by,
        tasks=tasks,
    )


def _share(tasks: Sequence[TaskScores], claims: Sequence[Sequence[bool]], units: Array, seed: int) -> Estimate:
    """Share of all rows of which something is true, rows of one group drawn together; none over several kinds."""
    values = np.array([claim for each in claims for claim in each], dtype=float)
    if _mixed(tasks):
        return Estimate(None, None, None, len(values))
    return mean_score(values, units=units, resamples=RESAMPLES, seed=seed)


def _mixed(tasks: Sequence[TaskScores]) -> list[str]:
    """What to say where the tasks expect several kinds of answers, which no share of all rows can hold."""
    kinds = sorted({task.kind for task in tasks})
    if len(kinds) == 1:
        return []
    return [f"the tasks expect {', '.join(kinds)}, so there is no accuracy or exact over all; each task has its own"]


def _mcc(tasks: Sequence[TaskScores]) -> Estimate:
    """Of one task its own; of several the mean of those defined, without an interval."""
    known = [task.scores["mcc"] for task in tasks if "mcc" in task.scores]
    if len(tasks) == 1 and known:
        return known[0]
    values = [one.value for one in known if one.value is not None]
    return Estimate(float(np.mean(values)) if values else None, None, None, sum(one.n for one in known))


def _without_steps(pairs: Pairs) -> Pairs:
    """The answers alone, of rows whose expected text shows its steps; a given text may be an answer without them."""
    both = [
        (parted[1], (split_answer(text) or ("", text))[1]) if (parted := split_answer(wanted)) else (wanted, text)
        for wanted, text in zip(pairs.expected, pairs.given, strict=True)
    ]
    return replace(pairs, expected=tuple(wanted for wanted, _ in both), given=tuple(text for _, text in both))
