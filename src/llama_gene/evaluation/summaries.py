"""Many tasks in few numbers: means over tasks, one metric at a time, and the rows of the paper's Table 9.

A mean never mixes metrics: an MCC and a rank correlation have no common scale. Accuracy stands beside MCC, on the same
tasks: where a task's MCC is undefined, its accuracy is in no mean. The interval of a mean is put together from those of
the tasks, which are independent (Zou and Donner 2008, Statistics in Medicine 27:1693).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.evaluation.metrics import Estimate
from llama_gene.evaluation.tasks import Comparison, TaskReport
from llama_gene.tasks.score_names import MCC_OF
from llama_gene.tasks.table9 import TABLE9, PaperScore

BEST = "best"
# The first that a task has is what the paper calls its accuracy.
_AS_ACCURACY = ("per_residue_accuracy", "accuracy", "first_term", "exact")


@dataclass(frozen=True)
class Mean:
    """The mean of one metric over the tasks that have it, of the model and of each baseline that answered them all.

    `baselines` also holds "best": in each task the one that is best on validation.
    """

    metric: str
    tasks: tuple[str, ...]
    ours: Estimate
    baselines: Mapping[str, Estimate]


@dataclass(frozen=True)
class Table9Row:
    """A row of Table 9: the paper's accuracies, and the means over this run's tasks of that row.

    `metric` is what stands for accuracy: that of labels, per residue for structure; "first_term" for lists of terms;
    "exact" for other free text. `mcc` is that of the same labels.
    """

    row: str
    paper: float
    specialist: float
    tasks: tuple[str, ...]
    metric: str
    ours: Estimate | None
    best: Estimate | None
    mcc: Estimate | None
    best_mcc: Estimate | None


def means_by_metric(tasks: Sequence[TaskReport]) -> tuple[Mean, ...]:
    """One mean for each metric, in order of first appearance."""
    metrics = dict.fromkeys(found.metric for task in tasks for found in task.comparisons)
    return tuple(_mean(metric, tasks) for metric in metrics)


def _mean(metric: str, tasks: Sequence[TaskReport]) -> Mean:
    pairs = [(task, found) for task in tasks if (found := _defined(task, metric))]
    methods = {
        name: [found.baselines[name] for _, found in pairs]
        for name in BASELINE_NAMES
        if pairs and all(name in found.baselines for _, found in pairs)
    }
    methods[BEST] = [found.baselines[task.best_baseline] for task, found in pairs]
    return Mean(
        metric=metric,
        tasks=tuple(task.task for task, _ in pairs),
        ours=mean_of([found.ours for _, found in pairs]),
        baselines={name: mean_of(each) for name, each in methods.items()},
    )


def _defined(task: TaskReport, metric: str) -> Comparison | None:
    """A task's score of this name, where it is a number for the model; accuracy, where its MCC is one too."""
    if metric in MCC_OF and _defined(task, MCC_OF[metric]) is None:
        return None
    found = task.comparison(metric)
    return found if found is not None and found.ours.value is not None else None


def mean_of(estimates: Iterable[Estimate]) -> Estimate:
    """The mean of independent estimates; an undefined one makes it undefined. `n` is the items of all.

    >>> mean_of([Estimate(0.5, 0.4, 0.6, 80), Estimate(0.7, 0.6, 0.8, 20)])
    Estimate(value=0.6, low=0.529289..., high=0.670710..., n=100)
    """
    each = list(estimates)
    n = sum(one.n for one in each)
    known = [(one.value, one.low, one.high) for one in each if None not in (one.value, one.low, one.high)]
    if not each or len(known) < len(each):
        return Estimate(None, None, None, n)
    values, lows, highs = (np.array(side, dtype=float) for side in zip(*known, strict=True))
    value = float(values.mean())
    below, above = (float(np.sqrt(((values - side) ** 2).sum())) / len(each) for side in (lows, highs))
    return Estimate(value, value - below, value + above, n)


def table9(tasks: Sequence[TaskReport]) -> tuple[Table9Row, ...]:
    """The rows of Table 9 in the paper's order, one for each metric of its tasks; a row without tasks holds none."""
    rows = []
    for row, paper in TABLE9.items():
        found = [(task, one) for task in tasks if task.note.table9 == row and (one := _accuracy(task))]
        metrics = dict.fromkeys(one.metric for _, one in found) or {"accuracy": None}
        for metric in metrics:
            members = [task for task, one in found if one.metric == metric]
            rows.append(_row(row, paper, metric, members))
    return tuple(rows)


def _row(row: str, paper: PaperScore, metric: str, tasks: Sequence[TaskReport]) -> Table9Row:
    def means(name: str) -> tuple[Estimate | None, Estimate | None]:
        found = [(task, one) for task in tasks if (one := _defined(task, name))]
        if not found:
            return None, None
        return mean_of([one.ours for _, one in found]), mean_of(
            [one.baselines[task.best_baseline] for task, one in found]
        )

    (ours, best), (mcc, best_mcc) = means(metric), means(MCC_OF[metric]) if metric in MCC_OF else (None, None)
    return Table9Row(
        row, paper.llama_gene, paper.best, tuple(task.task for task in tasks), metric, ours, best, mcc, best_mcc
    )


def _accuracy(task: TaskReport) -> Comparison | None:
    """What the paper calls accuracy of such a task."""
    return next((found for metric in _AS_ACCURACY if (found := task.comparison(metric))), None)
