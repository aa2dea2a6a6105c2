"""The report: `report.json` holds every number, `report.md` the table, `report.html` one page with plots."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from llama_gene.artifacts import write_json, write_text
from llama_gene.evaluation.metrics import Estimate
from llama_gene.evaluation.plots import METRIC_NAMES, bars, confusion, curve, number
from llama_gene.evaluation.tasks import Comparison, TaskReport
from llama_gene.pages.render import render_page

SYNTHETIC = "Synthetic data: a made-up organism with known answers. These numbers say nothing about real biology."
VERDICTS = {
    "above": "above majority",
    "below": "below majority",
    "open": "not told apart",
    "undefined": "undefined",
}
_PAGE = Path(__file__).with_name("report_page.html")
_MOST_CLASSES_DRAWN = 16
_UNITS = {
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


def write_report(report: Report, folder: Path) -> None:
    """Write report.json, report.md and report.html into a folder."""
    write_json(folder / "report.json", report_record(report))
    write_text(folder / "report.md", report_markdown(report))
    write_text(folder / "report.html", report_page(report))


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
    }  # fmt: skip


def report_markdown(report: Report) -> str:
    """The table of all tasks, then what it was measured with."""
    lines = [f"# {report.title}", ""]
    if report.synthetic:
        lines += [f"> **{SYNTHETIC}**", ""]
    lines += [*(f"{note}\n" for note in report.notes), summary(report), ""]
    lines += [
        "| task | family | metric | n | model [95 % interval] | majority | k-mer [95 % interval] | model's interval |",
        "|---|---|---|--:|---|--:|---|---|",
    ]
    for task in report.tasks:
        for place, found in enumerate(task.comparisons):
            start = f"| {task.task} | {task.family} |" if place == 0 else "| | |"
            name = METRIC_NAMES[found.metric]
            lines.append(
                f"{start} {f'**{name}**' if place == 0 else name} | {task.n} | {interval(found.ours)} "
                f"| {number(found.majority.value)} | {interval(found.kmer)} | {VERDICTS[found.verdict]} |"
            )
    lines += [
        "",
        _generation_lines(report),
        _strata_lines(report),
        *_curve_lines(report),
        "",
        _setting_line(report),
        "",
    ]
    return "\n".join(line for line in lines if line is not None)


def report_page(report: Report) -> str:
    """One self-contained HTML page: no script, no outside request."""
    return render_page(
        _PAGE,
        report=report,
        synthetic_words=SYNTHETIC,
        summary=summary(report),
        verdicts=VERDICTS,
        metric_names=METRIC_NAMES,
        number=number,
        interval=interval,
        units=_UNITS,
        bars=[(family, Markup(bars(tasks))) for family, tasks in report.families.items()],
        curves=[(one, Markup(curve(one.steps, one.losses, one.stage)) if one.steps else "") for one in report.curves],
        confusions=[
            (task, Markup(confusion(task)))
            for task in report.tasks
            if task.closed and len(task.classes) <= _MOST_CLASSES_DRAWN
        ],
        setting=_setting_line(report),
    )


def summary(report: Report) -> str:
    """One sentence: how many tasks are above their majority baseline, and above the k-mer baseline."""
    above = sum(task.headline.verdict == "above" for task in report.tasks)
    beats = sum(_beats_kmer(task.headline) for task in report.tasks)
    items = sum(task.n for task in report.tasks)
    return (
        f"{len(report.tasks)} tasks of {len(report.families)} families, {items:,} {report.split} items. "
        f"The interval lies above the majority baseline in {above} of {len(report.tasks)} tasks, "
        f"above the k-mer baseline in {beats}."
    )


def _beats_kmer(found: Comparison) -> bool:
    known = found.kmer is not None and found.kmer.value is not None and found.ours.low is not None
    return bool(known and found.ours.low > found.kmer.value)  # type: ignore[operator, union-attr]


def interval(estimate: Estimate | None) -> str:
    """A score with its interval, for a person.

    >>> interval(Estimate(0.5, 0.41, 0.59, 100)), interval(None)
    ('0.500 [0.410, 0.590]', '–')
    """
    if estimate is None:
        return "–"
    if estimate.value is None:
        return "undefined"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def _generation_lines(report: Report) -> str:
    found = [(task.task, task.generation) for task in report.tasks if task.generation]
    if not found:
        return ""
    lines = [
        "Closed tasks answered by free generation (a sample), read by the strict rule:",
        "",
        "| task | n | accuracy [95 % interval] | names no label | same as the likeliest label |",
        "|---|--:|---|--:|--:|",
    ]
    lines += [
        f"| {task} | {one.n} | {interval(one.accuracy)} | {one.unread} | {number(one.agreement)} |"
        for task, one in found
    ]
    return "\n".join([*lines, ""])


def _strata_lines(report: Report) -> str:
    rows = [
        f"| {task.task} | {METRIC_NAMES[task.headline.metric]} | {part.name} | {part.n} | {interval(part.ours)} "
        f"| {number(part.majority.value)} | {interval(part.kmer)} |"
        for task in report.tasks
        for part in task.strata
    ]
    if not rows:
        return ""
    head = [
        "Scores by identity to the nearest training item, and by what training holds of a pair (C1 all its sequences, "
        "C2 some, C3 none); parts of 20 items and more:",
        "",
        "| task | metric | part | n | model [95 % interval] | majority | k-mer [95 % interval] |",
        "|---|---|---|--:|---|--:|---|",
    ]
    return "\n".join([*head, *rows, ""])


def _curve_lines(report: Report) -> list[str]:
    return [
        f"Stage {one.stage}: {_UNITS.get(name, name)} on validation {value:.4g}"
        + (f" (before: {one.before[name]:.4g})." if name in one.before else ".")
        for one in report.curves
        for name, value in one.validation.items()
    ]


def _setting_line(report: Report) -> str:
    model, machine = report.model, report.hardware
    return (
        f"Model: {model['type']}, {model['parameters']:,} parameters, {model['vocabulary']:,} tokens, "
        f"{model['precision']}. Machine: {machine['processor']}, {machine['cores']} cores, accelerator "
        f"{machine['accelerator']}. Seed {report.seed}; {report.config['bootstrap']} bootstrap resamples. Headline "
        f"scores (bold) decide: MCC for labels, Spearman for values, word F1 for free text."
    )
