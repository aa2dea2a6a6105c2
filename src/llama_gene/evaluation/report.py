"""All numbers of one evaluation, as they are written to `report.json`, and the words that pages and tables share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.evaluation.controls import ControlsReport
from llama_gene.evaluation.metrics import Difference, Estimate
from llama_gene.evaluation.plots import number
from llama_gene.evaluation.summaries import Mean, Table9Row, means_by_metric, table9
from llama_gene.evaluation.tasks import TaskReport, side_of_zero

SYNTHETIC = "Synthetic data: a made-up organism with known answers. These numbers say nothing about real biology."
VERDICTS = {
    "above": "above majority",
    "below": "below majority",
    "open": "not told apart",
    "undefined": "undefined",
}
AGAINST = {"above": "better", "below": "worse", "open": "not told apart", "undefined": "undefined"}
UNITS = {
    "bits_per_base": "bits per base",
    "bits_per_residue": "bits per residue",
    "bits_per_byte": "bits per byte of text",
    "nats_per_answer_token": "nats per answer token",
}


@dataclass(frozen=True)
class TrainingCurve:
    """What a training stage noted: loss by step, and validation figures before and after."""

    stage: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    validation: Mapping[str, float]
    before: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Report:
    """All numbers of one evaluation."""

    title: str
    synthetic: bool
    notes: tuple[str, ...]
    split: str
    seed: int
    tasks: tuple[TaskReport, ...]
    curves: tuple[TrainingCurve, ...]
    model: Mapping[str, Any]
    config: Mapping[str, Any]
    hardware: Mapping[str, Any]
    controls: ControlsReport | None = None

    @property
    def families(self) -> dict[str, list[TaskReport]]:
        """Tasks by family, in order of first appearance."""
        found: dict[str, list[TaskReport]] = {}
        for task in self.tasks:
            found.setdefault(task.family, []).append(task)
        return found

    @property
    def families_above_majority(self) -> tuple[str, ...]:
        """Families all of whose tasks have a headline interval above the majority's score."""
        return tuple(
            family for family, tasks in self.families.items() if all(task.headline.verdict == "above" for task in tasks)
        )

    @property
    def means(self) -> tuple[Mean, ...]:
        """Means over tasks, one for each metric."""
        return means_by_metric(self.tasks)

    @property
    def table9(self) -> tuple[Table9Row, ...]:
        """The rows of the paper's Table 9; none where no task of this run is of one."""
        return table9(self.tasks) if any(task.note.table9 for task in self.tasks) else ()

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the other runs on the same items."""
        return tuple(rival.run for rival in self.tasks[0].rivals) if self.tasks else ()

    @property
    def baselines(self) -> dict[str, str]:
        """Name and title of each baseline that answered some task."""
        return {
            name: title
            for name, title in BASELINE_NAMES.items()
            if any(name in task.headline.baselines for task in self.tasks)
        }


def report_record(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    families = {
        family: {
            "tasks": [task.task for task in tasks],
            "above_majority": [task.task for task in tasks if task.headline.verdict == "above"],
            "all_above_majority": family in report.families_above_majority,
        }
        for family, tasks in report.families.items()
    }
    tasks = [{**task.record(), "headline": task.headline.metric} for task in report.tasks]
    return {
        **asdict(report), "tasks": tasks, "families": families,
        "families_above_majority": list(report.families_above_majority),
        "means": [asdict(mean) for mean in report.means],
        "table9": [asdict(row) for row in report.table9],
    }  # fmt: skip


def summary(report: Report) -> str:
    """Two sentences: how many tasks are above their majority baseline, and above the best baseline."""
    above = sum(task.headline.verdict == "above" for task in report.tasks)
    sides = [side_of_zero(task.headline.difference) for task in report.tasks]
    items = sum(task.n for task in report.tasks)
    return (
        f"{len(report.tasks)} tasks of {len(report.families)} families, {items:,} {report.split} items. "
        f"The interval lies above the majority baseline in {above} of {len(report.tasks)} tasks. Paired with the best "
        f"baseline, the model is better in {sides.count('above')} and worse in {sides.count('below')}."
    )


def interval(estimate: Estimate | None) -> str:
    """A score with its interval, for a person.

    >>> interval(Estimate(0.5, 0.41, 0.59, 100)), interval(Estimate(1.0, None, None, 1)), interval(None)
    ('0.500 [0.410, 0.590]', '1.000', '–')
    """
    if estimate is None:
        return "–"
    if estimate.value is None or estimate.low is None:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def signed(found: Difference) -> str:
    """A difference with its interval and p, for a person.

    >>> signed(Difference(-0.05, -0.1, 0.01, 0.08)), signed(Difference(61234.5, 51000.2, 71000.9, 0.0005))
    ('-0.050 [-0.100, +0.010], p = 0.080', '+61,234 [+51,000, +71,001], p < 0.001')
    """
    if found.value is None or found.low is None or found.high is None or found.p is None:
        return "undefined"
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    value, low, high = (f"{'+' if one >= 0 else ''}{number(one)}" for one in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}], {p}"


def setting_line(report: Report) -> str:
    """What the numbers were measured with."""
    model, machine = report.model, report.hardware
    return (
        f"Model: {model['type']}, {model['parameters']:,} parameters, {model['vocabulary']:,} tokens, "
        f"{model['precision']}. Machine: {machine['processor']}, {machine['cores']} cores, accelerator "
        f"{machine['accelerator']}. Seed {report.seed}; {report.config['bootstrap']} bootstrap resamples. Headline "
        f"scores (bold) decide: those that the definitions of the tasks name."
    )
