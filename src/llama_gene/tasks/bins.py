"""Numbers as words: the median, quantiles or fixed edges; quantiles are fitted on training values alone.

The paper, section 2.2.2.5: values from the median on are "high", those below "low": one on an edge belongs above.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pydantic import Field, model_validator

from llama_gene.config import Section, TaskChoice
from llama_gene.errors import DataError

_RANKS = {
    2: ("low", "high"),
    3: ("low", "medium", "high"),
    4: ("lowest", "low", "high", "highest"),
    5: ("lowest", "low", "medium", "high", "highest"),
}


class NumberRule(Section):
    """Regression: how a number is asked for in words, and what the tool is called that computes it."""

    bins: int = Field(2, ge=2, le=20, description="Quantile bins of the training values; 2 is the median.")
    edges: tuple[float, ...] = Field((), max_length=19, description="Fixed, rising edges; they replace the quantiles.")
    names: tuple[str, ...] = Field((), description="Answers from the lowest bin to the highest; none: by rank.")
    tool: str = Field(
        "", pattern=r"^([a-z][a-z0-9_]{0,39})?$", description="Name of the tool; none: predict_ and the task's name."
    )
    unit: str = Field("", max_length=40, description="Unit of the number, in the answer of a tool.")

    @model_validator(mode="after")
    def _check(self) -> "NumberRule":
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must rise")
        bins = len(self.edges) + 1 if self.edges else self.bins
        if self.names and len(self.names) != bins:
            raise ValueError(f"names holds {len(self.names)} names for {bins} bins")
        if len({name.strip().casefold() for name in self.names}) < len(self.names) or any(
            not name.strip() or ", " in name or "\n" in name for name in self.names
        ):
            raise ValueError("names must differ, in more than case, and hold no ', ' and no line feed")
        return self


@dataclass(frozen=True)
class Bins:
    """Rising inner edges, and the name of each bin from low to high: one more than edges."""

    edges: tuple[float, ...]
    names: tuple[str, ...]

    def name_of(self, value: float) -> str:
        """The bin of a value.

        >>> Bins((2.5,), ("low", "high")).name_of(2.5)
        'high'
        """
        return self.names[bin_of(value, self.edges)]


def bin_names(bins: int) -> tuple[str, ...]:
    """Names of the bins, from low to high; two are the paper's.

    >>> bin_names(2), bin_names(6)[-1]
    (('low', 'high'), 'level F')
    """
    return _RANKS.get(bins) or tuple(f"level {chr(ord('A') + place)}" for place in range(bins))


def bin_of(value: float, edges: Sequence[float]) -> int:
    """0-based bin of a value.

    >>> bin_of(2.4, [2.5]), bin_of(2.5, [2.5])
    (0, 1)
    """
    return int(np.searchsorted(edges, value, side="right"))


def chosen_rule(rule: NumberRule, choice: TaskChoice) -> NumberRule:
    """The rule of a definition with what the run chooses instead; names stay only with the bins they were given for.

    >>> chosen_rule(NumberRule(names=("weak", "strong")), TaskChoice(name="t", edges=(0.5, 1.5)))
    NumberRule(bins=2, edges=(0.5, 1.5), names=(), tool='', unit='')
    """
    if choice.edges:
        return rule.model_copy(update={"edges": choice.edges, "names": ()})
    if choice.bins is not None and (rule.edges or choice.bins != rule.bins):
        return rule.model_copy(update={"edges": (), "bins": choice.bins, "names": ()})
    return rule


def fit_bins(task: str, rule: NumberRule, values: Sequence[float], counts: Counter[str]) -> Bins:
    """The bins of a task.

    Quantiles that fall on equal values are merged and counted, so that no bin is empty.

    Args:
        task: Its name, for messages.
        rule: Number of quantiles, or fixed edges.
        values: Training values, finite.
        counts: Receives the number of bins merged.

    Raises:
        DataError: no values, one value only, or fewer than two bins would hold a training value.

    >>> fit_bins("t", NumberRule(bins=3), [1, 2, 3, 4, 5, 6], Counter()).names
    ('low', 'medium', 'high')
    >>> fit_bins("t", NumberRule(bins=4), [0, 0, 0, 1, 2, 3], merged := Counter()).edges, sum(merged.values())
    ((0.5, 1.75), 1)
    """
    if not len(values):
        raise DataError(f"task {task!r}: no training values. Check the column of the value and the split.")
    if min(values) == max(values):
        raise DataError(
            f"task {task!r}: all {len(values)} training values are {min(values):g}, so there is nothing to tell apart. "
            "Check the column of the value."
        )
    if rule.edges:
        return _fixed_bins(task, rule, values)
    edges = _quantiles(task, values, rule.bins)
    if merged := rule.bins - 1 - len(edges):
        counts["bins merged, since values are equal"] += merged
    if rule.names and merged:
        raise DataError(
            f"task {task!r}: {len(rule.names)} names, but equal training values leave {len(edges) + 1} bins. "
            "Ask for fewer bins or set edges."
        )
    return Bins(edges, rule.names or bin_names(len(edges) + 1))


def _fixed_bins(task: str, rule: NumberRule, values: Sequence[float]) -> Bins:
    names = rule.names or bin_names(len(rule.edges) + 1)
    filled = {bin_of(value, rule.edges) for value in values}
    borders = (-math.inf, *rule.edges, math.inf)
    for place, name in enumerate(names):
        if place not in filled:
            raise DataError(
                f"task {task!r}: no training value lies in bin {name!r}, from {borders[place]:g} to below "
                f"{borders[place + 1]:g}; they go from {min(values):g} to {max(values):g}. Move the edges."
            )
    return Bins(rule.edges, names)


def _quantiles(task: str, values: Sequence[float], bins: int) -> tuple[float, ...]:
    """The inner quantiles with a training value below each and above the one before."""
    kept: list[float] = []
    ordered = np.sort(np.asarray(values, dtype=float))
    for edge in np.quantile(ordered, [place / bins for place in range(1, bins)]):
        below = np.searchsorted(ordered, edge, side="left")
        if below > (np.searchsorted(ordered, kept[-1], side="left") if kept else 0):
            kept.append(float(edge))
    if not kept:
        low, high = ordered[0], ordered[np.searchsorted(ordered, ordered[0], side="right")]
        raise DataError(
            f"task {task!r}: {np.searchsorted(ordered, low, side='right'):,} of {len(ordered):,} training values are "
            f"{low:g}, so quantiles cannot part them. Set a fixed edge, such as edges = [{high:g}]."
        )
    return tuple(kept)
