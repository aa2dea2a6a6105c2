"""The plots of an audit page: letters per token by source, and how long tokens are."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from llama_gene.config import Kind
from llama_gene.pages.drawing import FIRST, INK, SECOND, STYLE, THIRD, svg
from llama_gene.tokenizer.audit.records import Audit
from llama_gene.tokenizer.audit.summary import KIND_NAMES, LETTERS

_MOST_SOURCES = 30
_LONGEST_NAME = 34


def letters_by_source(found: Audit, kind: Kind) -> str:
    """Letters per token of each source of a kind: the tokenizer, the base, the tokenizer beside it."""
    sources = dict(list(found.kinds[kind].sources.items())[:_MOST_SOURCES])
    other = found.beside.kinds[kind].sources if found.beside else {}
    series: list[tuple[str, str, list[float | None]]] = [
        ("tokenizer", FIRST, [one.letters_per_token for one in sources.values()])
    ]
    if found.base:
        series.append(("base", SECOND, [one.base_letters_per_token for one in sources.values()]))
    if found.beside:
        series.append(("beside", THIRD, [other[name].letters_per_token for name in sources]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 1.0 + (0.16 + 0.2 * len(series)) * len(sources)))
        axes = figure.subplots()
        height = 0.84 / len(series)
        for place, (name, colour, values) in enumerate(series):
            rows = [row + (place - (len(series) - 1) / 2) * height for row in range(len(sources))]
            numbers = [value or 0.0 for value in values]
            axes.barh(rows, numbers, height=0.9 * height, color=colour, label=name)
            for row, value in zip(rows, numbers, strict=True):
                axes.text(value, row, f" {value:.2f}", va="center", ha="left", fontsize=8, color=INK)
        axes.set_yticks(range(len(sources)), [_shown(name) for name in sources])
        axes.set_ylim(len(sources) - 0.4, -0.6)
        axes.margins(x=0.1)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{LETTERS[kind]} per token")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        words = "; ".join(
            f"{source}: " + ", ".join(f"{name} {values[place]}" for name, _, values in series)
            for place, source in enumerate(sources)
        )
        return svg(figure, f"{KIND_NAMES[kind]}: {LETTERS[kind]} per token by source. {words}.", f"letters-{kind}")


def range_lengths(found: Audit, name: str) -> str:
    """How many new tokens of a range have each length."""
    other = found.beside.ranges.get(name) if found.beside else None
    series = {"tokenizer": found.ranges[name].lengths} | ({"beside": other.lengths} if other else {})
    return _lengths(series, "letters of a token", "new tokens", f"New {name} tokens by length", f"range-{name}")


def used_lengths(found: Audit, kind: Kind) -> str:
    """Which share of the tokens written in texts of a kind has each length."""
    audits = {"tokenizer": found} | ({"beside": found.beside} if found.beside else {})
    series = {}
    for side, one in audits.items():
        times = one.kinds[kind].lengths_used
        series[side] = {length: 100 * number / max(sum(times.values()), 1) for length, number in times.items()}
    title = f"Tokens written in {KIND_NAMES[kind]} by length"
    return _lengths(series, f"{LETTERS[kind]} of a token", "% of tokens written", title, f"used-{kind}")


def _lengths(series: Mapping[str, Mapping[str, float]], across: str, up: str, title: str, salt: str) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.9))
        axes = figure.subplots()
        width = 0.84 / len(series)
        for place, ((name, numbers), colour) in enumerate(zip(series.items(), (FIRST, THIRD), strict=False)):
            at = [int(length) + (place - (len(series) - 1) / 2) * width for length in numbers]
            axes.bar(at, list(numbers.values()), width=0.92 * width, color=colour, label=name)
        axes.grid(visible=False, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        if len(series) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        words = "; ".join(
            f"{name}: " + ", ".join(f"{length} letters {number:,.4g}" for length, number in numbers.items())
            for name, numbers in series.items()
        )
        return svg(figure, f"{title}. {words}.", salt)


def _shown(name: str) -> str:
    # matplotlib would read what stands between two dollar signs as a formula.
    cut = name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
    return cut.replace("$", r"\$")
