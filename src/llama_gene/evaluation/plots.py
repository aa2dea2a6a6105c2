"""The plots of an evaluation report: scores against baselines, training curves, confusion matrices."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.evaluation.details import Profile
from llama_gene.evaluation.metrics import Estimate
from llama_gene.evaluation.reliability import Reliability
from llama_gene.evaluation.tasks import Comparison, TaskReport
from llama_gene.pages.drawing import FIRST, GRID, INK, ON_FIRST, SECOND, STYLE, THIRD, svg
from llama_gene.tasks.score_names import METRIC_NAMES

PROPERTY_NAMES = {
    "length": "letters of the sequences",
    "gc": "share of G and C",
    "identity": "identity to the nearest training item",
    "pairs": "training holds both partners (C1), one (C2), none (C3)",
}
_LARGE, _HUGE = 1000, 1e7


def bars(tasks: Sequence[TaskReport]) -> str:
    """The headline score of each task of one family: model and best baseline with intervals, the other baselines."""
    shown = [found for task in tasks for found in (task.headline.ours, *task.headline.baselines.values())]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.95 + 0.6 * len(tasks)))
        axes = figure.subplots()
        figure.subplots_adjust(
            left=0.36, right=0.98, top=1 - 0.35 / figure.get_figheight(), bottom=0.45 / figure.get_figheight()
        )
        for row, task in enumerate(tasks):
            _bars_of(axes, row, task)
        axes.set_yticks(range(len(tasks)), [f"{task.task}\n{METRIC_NAMES[task.headline.metric]}" for task in tasks])
        axes.set_ylim(len(tasks) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(min(-0.05, *((found.low or 0.0) - 0.03 for found in shown)), 1.02)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("headline score, with 95 % interval")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=4, columnspacing=1.2)
        words = "; ".join(f"{task.task}: {_words(task.headline)}" for task in tasks)
        return svg(
            figure, f"Headline score of each task against its baselines. {words}.", f"bars-{tasks[0].family}", box=None
        )


def _bars_of(axes: Axes, row: int, task: TaskReport) -> None:
    found, first = task.headline, row == 0
    best = found.baselines[task.best_baseline]
    for shift, estimate, colour, name in ((-0.2, found.ours, FIRST, "model"), (0.08, best, SECOND, "best baseline")):
        label = name if first else None
        if estimate.value is None or estimate.low is None or estimate.high is None:
            axes.barh(row + shift, 0, height=0.26, color=colour, label=label)
            continue
        axes.barh(
            row + shift, estimate.value, height=0.26, color=colour, label=label, xerr=_reach([estimate]),
            error_kw={"ecolor": INK, "elinewidth": 1.1, "capsize": 2.5},
        )  # fmt: skip
    others = [one.value for name, one in found.baselines.items() if name not in ("majority", task.best_baseline)]
    values = [value for value in others if value is not None]
    axes.plot(values, [row + 0.28] * len(values), "o", color=SECOND, markersize=4, label="others" if first else None)
    if found.majority.value is not None:
        axes.plot(
            [found.majority.value] * 2, [row - 0.38, row + 0.28], color=THIRD, linewidth=2.2,
            label="majority" if first else None,
        )  # fmt: skip


def _reach(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far the intervals reach below and above their scores."""
    known = [(one.value, one.low, one.high) for one in estimates]
    below = [0.0 if value is None or low is None else max(0.0, value - low) for value, low, _ in known]
    above = [0.0 if value is None or high is None else max(0.0, high - value) for value, _, high in known]
    return [below, above]


def _words(found: Comparison) -> str:
    parts = [("model", found.ours), *((BASELINE_NAMES[name], one) for name, one in found.baselines.items())]
    return ", ".join(f"{name} {number(estimate.value)}" for name, estimate in parts)


def number(value: float | None) -> str:
    """A score for a person: three decimals, fewer digits of a large one, "undefined" where there is none.

    >>> number(0.81249), number(63261.2), number(2.5e14), number(None)
    ('0.812', '63,261', '2.5e+14', 'undefined')
    """
    if value is None:
        return "undefined"
    if abs(value) < _LARGE:
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) < _HUGE else f"{value:.3g}"


def curve(steps: Sequence[int], losses: Sequence[float], stage: str) -> str:
    """Training loss over steps."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.7))
        axes = figure.subplots()
        axes.plot(steps, losses, color=FIRST, linewidth=1.6, marker="o" if len(steps) < 3 else None)
        axes.set_xlabel("step")
        axes.set_ylabel("training loss, nats per token")
        return svg(
            figure,
            f"Training loss of {stage}: {losses[0]:.3f} at step {steps[0]}, {losses[-1]:.3f} at step {steps[-1]}.",
            f"curve-{stage}",
        )


def confusion(task: TaskReport) -> str:
    """Expected against answered labels, shaded by the share of each expected label."""
    size = len(task.classes)
    names = [label if len(label) <= 22 else f"{label[:21]}…" for label in task.classes]
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(1.9 + 0.55 * size, 1.5 + 0.42 * size))
        axes = figure.subplots()
        for row, counts in enumerate(task.confusion):
            for column, count in enumerate(counts):
                share = count / max(1, sum(counts))
                axes.barh(row, 0.94, left=column - 0.47, height=0.94, color=FIRST, alpha=0.06 + 0.94 * share)
                axes.text(column, row, str(count), ha="center", va="center", color=ON_FIRST if share > 0.5 else INK)
        axes.set_xticks(range(size), names, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(size), names)
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(size - 0.5, -0.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("answered")
        axes.set_ylabel("expected")
        words = "; ".join(
            f"expected {label}: " + ", ".join(f"{count} {other}" for count, other in zip(row, names, strict=True))
            for label, row in zip(names, task.confusion, strict=True)
        )
        return svg(figure, f"Confusion matrix of {task.task}. {words}.", f"confusion-{task.task}")


def reliability_plot(found: Reliability, task: str, before: Reliability | None = None) -> str:
    """Share of right answers over the probability that the model gave them; on the diagonal it can be believed.

    `before`: of the same answers before their probabilities were calibrated.
    """
    shown = [(before, SECOND, "before")] if before else []
    shown.append((found, FIRST, "calibrated" if before else "as answered"))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 3.6))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=1.4)
        for one, colour, name in shown:
            means, rights, counts = zip(*((each.mean, each.right, each.n) for each in one.bins), strict=True)
            axes.plot(means, rights, color=colour, linewidth=1.4, label=name)
            axes.scatter(means, rights, color=colour, s=[18 + 110 * n / max(counts) for n in counts], zorder=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlabel("probability of the answer")
        axes.set_ylabel("share of right answers")
        if before:
            axes.legend(loc="upper left")
        words = "; ".join(
            f"{name}, ECE {one.ece:.3f}: "
            + ", ".join(f"{each.n} items at {each.mean:.2f}: {each.right:.2f} right" for each in one.bins)
            for one, _, name in shown
        )
        return svg(figure, f"Reliability of {task}. {words}.", f"reliability-{task}")


def profile_plot(found: Profile, task: TaskReport) -> str:
    """Scores by bands of one property: the model's and the best baseline's, with intervals."""
    names = [found.name_of(band) for band in found.bands]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.0))
        axes = figure.subplots()
        places = range(len(found.bands))
        sides = (
            (-0.08, [band.ours for band in found.bands], FIRST, "model"),
            (0.08, [band.best for band in found.bands], SECOND, BASELINE_NAMES[task.best_baseline]),
        )
        for shift, estimates, colour, name in sides:
            axes.errorbar(
                [place + shift for place in places], [one.value or 0.0 for one in estimates],
                yerr=_reach(estimates),
                fmt="o", color=colour, ecolor=colour, elinewidth=1.2, capsize=2.5, markersize=5, label=name,
            )  # fmt: skip
        axes.set_xticks(places, names, rotation=20, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(names) - 0.5)
        # Shares reach from 0 to 1; an error is as large as the values are.
        axes.set_ylim(*((0, None) if found.measured == "absolute error" else (-0.02, 1.04)))
        axes.set_xlabel(PROPERTY_NAMES[found.property])
        axes.set_ylabel(found.measured)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        words = "; ".join(
            f"{name} ({band.n} items): model {number(band.ours.value)}, baseline {number(band.best.value)}"
            for name, band in zip(names, found.bands, strict=True)
        )
        return svg(
            figure, f"{found.measured.capitalize()} of {task.task} by {PROPERTY_NAMES[found.property]}. {words}.",
            f"{found.property}-{task.task}",
        )  # fmt: skip
