"""`report.md`: the tables of an evaluation as text."""

from collections.abc import Iterator

from llama_gene.evaluation.calls import OUTCOMES
from llama_gene.evaluation.controls_report import controls_lines, controls_sentence
from llama_gene.evaluation.plots import number
from llama_gene.evaluation.report import (
    AGAINST,
    SYNTHETIC,
    UNITS,
    VERDICTS,
    Report,
    interval,
    setting_line,
    signed,
    summary,
)
from llama_gene.evaluation.summaries import BEST
from llama_gene.evaluation.tasks import VALID, side_of_zero
from llama_gene.tasks.score_names import METRIC_NAMES


def report_markdown(report: Report) -> str:
    """The tables: all tasks, means, Table 9, other runs, free answers, tool calls; then what it was measured with."""
    lines = [f"# {report.title}", ""]
    if report.synthetic:
        lines += [f"> **{SYNTHETIC}**", ""]
    lines += [*(f"{note}\n" for note in report.notes), summary(report), ""]
    if report.controls:
        lines += [controls_sentence(report.controls), ""]
    parts = (
        _task_lines, _mean_lines, _table9_lines, _run_lines, _part_lines, _generation_lines, _call_lines,
        _tool_lines, _control_lines, _curve_lines,
    )  # fmt: skip
    for part in parts:
        if found := list(part(report)):
            lines += [*found, ""]
    return "\n".join([*lines, setting_line(report), ""])


def _task_lines(report: Report) -> Iterator[str]:
    names = report.baselines
    heads = ["task", "family", "metric", "n", "model [95 % interval]", *names.values(), "model's interval"]
    yield f"| {' | '.join([*heads, 'model less the best baseline'])} |"
    yield "|---|---|---|--:|---|" + "---|" * len(names) + "---|---|"
    for task in report.tasks:
        for place, found in enumerate(task.comparisons):
            name = METRIC_NAMES[found.metric]
            scores = [
                interval(found.baselines.get(method)) + (" †" if method == task.best_baseline else "")
                for method in names
            ]
            start = [task.task, task.family, f"**{name}**"] if place == 0 else ["", "", name]
            cells = [*start, str(found.ours.n), interval(found.ours), *scores]
            yield f"| {' | '.join([*cells, VERDICTS[found.verdict], signed(found.difference)])} |"
    yield ""
    yield "† the baseline that is best on validation items; the difference to it is tested on the same resamples."


def _mean_lines(report: Report) -> Iterator[str]:
    if len(report.tasks) < 2:
        return
    names = report.baselines
    yield "Means over tasks, one metric at a time:"
    yield ""
    yield f"| metric | tasks | model [95 % interval] | {' | '.join(names.values())} | best baseline |"
    yield "|---|--:|---|" + "---|" * len(names) + "---|"
    for mean in report.means:
        scores = [interval(mean.baselines.get(name)) for name in (*names, BEST)]
        start = [METRIC_NAMES[mean.metric], str(len(mean.tasks)), interval(mean.ours)]
        yield f"| {' | '.join([*start, *scores])} |"


def _table9_lines(report: Report) -> Iterator[str]:
    if not report.table9:
        return
    yield "The paper's Table 9 (accuracy on its own items) beside the means of this run's tasks:"
    yield ""
    yield (
        "| row | paper | its specialist | metric | this run [95 % interval] | best baseline | MCC | its MCC | tasks |"
    )
    yield "|---|--:|--:|---|---|---|---|---|---|"
    for row in report.table9:
        cells = [
            row.row, f"{row.paper:.2f}", f"{row.specialist:.2f}", METRIC_NAMES[row.metric], interval(row.ours),
            interval(row.best), interval(row.mcc), interval(row.best_mcc), ", ".join(row.tasks) or "none",
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _run_lines(report: Report) -> Iterator[str]:
    for place, run in enumerate(report.runs):
        yield f"Against {run}, item by item:"
        yield ""
        yield "| task | metric | this run [95 % interval] | other run [95 % interval] | difference | this run is |"
        yield "|---|---|---|---|---|---|"
        for task in report.tasks:
            rival = task.rivals[place]
            for found in (one for one in task.comparisons if one.metric in rival.scores):
                apart = rival.differences[found.metric]
                yield (
                    f"| {task.task} | {METRIC_NAMES[found.metric]} | {interval(found.ours)} "
                    f"| {interval(rival.scores[found.metric])} | {signed(apart)} | {AGAINST[side_of_zero(apart)]} |"
                )
        yield ""


def _generation_lines(report: Report) -> Iterator[str]:
    found = [(task.task, task.generation) for task in report.tasks if task.generation]
    if not found:
        return
    if report.config["decoding"] == "constrained":
        yield "Closed tasks answered by generation that may write nothing but a label (a sample):"
    else:
        yield "Closed tasks answered by free generation (a sample), read by the strict rule:"
    yield ""
    yield "| task | n | MCC [95 % interval] | accuracy [95 % interval] | names no label | same as the likeliest label |"
    yield "|---|--:|---|---|--:|--:|"
    for task, one in found:
        cells = [task, str(one.n), interval(one.mcc), interval(one.accuracy), str(one.unread), number(one.agreement)]
        yield f"| {' | '.join(cells)} |"


def _call_lines(report: Report) -> Iterator[str]:
    found = [task for task in report.tasks if task.calls]
    if not found:
        return
    yield "Tasks answered by a tool; an item whose call is wrong gets the mean training value:"
    yield ""
    yield "| task | n | valid calls | wrong calls |"
    yield "|---|--:|--:|---|"
    for task in found:
        wrong = ", ".join(f"{reason}: {count}" for reason, count in task.calls.items() if reason != VALID)
        yield f"| {task.task} | {task.n} | {task.calls.get(VALID, 0)} | {wrong} |"


def _tool_lines(report: Report) -> Iterator[str]:
    found = [task for task in report.tasks if task.outcomes]
    if not found:
        return
    yield "Questions for any tool, in words and with values of no training question, and plain ones that want no call:"
    yield ""
    yield f"| task | n | {' | '.join(OUTCOMES)} |"
    yield "|---|--:|" + "--:|" * len(OUTCOMES)
    for task in found:
        yield f"| {task.task} | {task.n} | {' | '.join(str(task.outcomes.get(name, 0)) for name in OUTCOMES)} |"


def _part_lines(report: Report) -> Iterator[str]:
    """Scores near to training and far from it; lengths and GC stand on the pages of the tasks."""
    found = [
        (task, one)
        for task in report.tasks
        for one in task.profiles
        if one.property in ("identity", "pairs") and len(one.bands) > 1
    ]
    if not found:
        return
    yield "Answers by identity to the nearest training item, and by whether training holds both partners of a pair"
    yield "(C1), one (C2) or none (C3):"
    yield ""
    heads = ["mean of", "model [95 % interval]", "best baseline [95 % interval]", "model's MCC", "baseline's MCC"]
    yield f"| task | part | n | {' | '.join(heads)} |"
    yield "|---|---|--:|---|---|---|--:|--:|"
    for task, one in found:
        for band in one.bands:
            kind = f"identity {one.name_of(band)}" if one.property == "identity" else f"pairs {one.name_of(band)}"
            cells = [task.task, kind, str(band.n), one.measured, interval(band.ours), interval(band.best)]
            of_labels = [number(value) if task.closed else "" for value in (band.mcc, band.best_mcc)]
            yield f"| {' | '.join([*cells, *of_labels])} |"


def _control_lines(report: Report) -> Iterator[str]:
    return controls_lines(report.controls) if report.controls else iter(())


def _curve_lines(report: Report) -> Iterator[str]:
    for one in report.curves:
        for name, value in one.validation.items():
            before = f" (before: {one.before[name]:.4g})" if name in one.before else ""
            yield f"Stage {one.stage}: {UNITS.get(name, name)} on validation {value:.4g}{before}."
