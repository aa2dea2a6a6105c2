"""Scores with 95 % bootstrap intervals.

Every score here is a function of sums over items, so a resample is a vector of weights and all resamples are one
matrix product. Items that share a group (leakage cluster) are drawn together, since they are not independent; where
there are fewer than `FEWEST_GROUPS` groups, or each item has its own, items are drawn one by one. Spearman resamples
keep the ranks of the whole sample.

Axes: N items, K sums, U units drawn together, R resamples, L labels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

Array = np.ndarray[Any, np.dtype[Any]]
Score = Callable[[Array], Array]

FEWEST_GROUPS = 20
_WEIGHTS_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval and the number of items; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def unit_of_items(groups: Sequence[str]) -> tuple[Array, str]:
    """The unit each item is drawn with, shape (N,), and what a unit is: "groups" or "items".

    >>> unit_of_items(["a", "a", "b"])[1]
    'items'
    """
    alone = np.arange(len(groups))
    if any(not group for group in groups):
        return alone, "items"
    names, units = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if FEWEST_GROUPS <= len(names) < len(groups):
        return units, "groups"
    return alone, "items"


def label_scores(
    expected: Array, predicted: Array, labels: int, *, units: Array, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Accuracy, MCC and macro F1 of closed answers.

    Args:
        expected: Index of the right label, shape (N,), 0 <= index < labels.
        predicted: Index of the answer, shape (N,); `labels` stands for no answer.
        labels: Number of labels.
        units: From `unit_of_items`, shape (N,).
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.

    Returns:
        "accuracy", "mcc", "macro_f1"; the last two are undefined where only one label is expected.

    >>> right = np.array([0, 0, 1, 1])
    >>> scores = label_scores(right, np.array([0, 1, 1, 1]), 2, units=np.arange(4), resamples=100, seed=1)
    >>> scores["accuracy"].value, round(scores["mcc"].value, 4)
    (0.75, 0.5774)
    """
    width = labels + 1
    cells_NK = np.zeros((len(expected), width * width))
    cells_NK[np.arange(len(expected)), expected * width + predicted] = 1
    functions: Mapping[str, Score] = {
        "accuracy": lambda sums: _accuracy(_tables(sums, width)),
        "mcc": lambda sums: _mcc(_tables(sums, width)),
        "macro_f1": lambda sums: _macro_f1(_tables(sums, width)),
    }
    return estimates(cells_NK, functions, units=units, resamples=resamples, seed=seed)


def rank_score(expected: Array, predicted: Array, *, units: Array, resamples: int, seed: int) -> Estimate:
    """Spearman's rank correlation; undefined where either side is constant.

    >>> rank_score(np.arange(5.0), np.arange(5.0) ** 3, units=np.arange(5), resamples=100, seed=1).value
    1.0
    """
    a, b = (_standard_ranks(values) for values in (expected, predicted))
    moments_NK = np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1)
    return estimates(moments_NK, {"spearman": _correlation}, units=units, resamples=resamples, seed=seed)["spearman"]


def mean_score(values: Array, *, units: Array, resamples: int, seed: int) -> Estimate:
    """The mean of one number per item, shape (N,)."""
    sums_NK = np.stack([np.ones(len(values)), values], axis=1)
    functions: Mapping[str, Score] = {"mean": lambda sums: sums[:, 1] / sums[:, 0]}
    return estimates(sums_NK, functions, units=units, resamples=resamples, seed=seed)["mean"]


def estimates(
    sums_NK: Array, functions: Mapping[str, Score], *, units: Array, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Scores that are functions of sums over items, with percentile intervals.

    Args:
        sums_NK: What each item adds to the sums.
        functions: Name to a function from sums (R, K) to scores (R,), nan where undefined.
        units: Unit of each item, shape (N,), 0 .. U-1.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.
    """
    n = len(sums_NK)
    if n == 0:
        return {name: Estimate(None, None, None, 0) for name in functions}
    sums_UK = np.zeros((int(units.max()) + 1, sums_NK.shape[1]))
    np.add.at(sums_UK, units, sums_NK)
    drawn_RK = _resample(sums_UK, resamples, np.random.default_rng(seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: _estimate(float(function(sums_UK.sum(axis=0, keepdims=True))[0]), function(drawn_RK), n)
            for name, function in functions.items()
        }


def _resample(sums_UK: Array, resamples: int, rng: np.random.Generator) -> Array:
    count = len(sums_UK)
    at_once = max(1, _WEIGHTS_AT_ONCE // count)
    drawn = [
        rng.multinomial(count, np.full(count, 1 / count), size=min(at_once, resamples - start)) @ sums_UK
        for start in range(0, resamples, at_once)
    ]
    return np.concatenate(drawn)


def _estimate(value: float, drawn: Array, n: int) -> Estimate:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return Estimate(None, None, None, n)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)


def _tables(sums_RK: Array, width: int) -> Array:
    """Confusion tables (R, L + 1, L + 1): expected by predicted, the last column no answer."""
    return sums_RK.reshape(len(sums_RK), width, width)


def _accuracy(tables: Array) -> Array:
    return np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))


def _mcc(tables: Array) -> Array:
    """Gorodkin 2004, as scikit-learn: 0 where every answer is the same, nan where every expectation is."""
    expected, predicted, total = tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2))
    covariance = np.trace(tables, axis1=1, axis2=2) * total - (expected * predicted).sum(axis=1)
    spread_expected = total**2 - (expected**2).sum(axis=1)
    spread_predicted = total**2 - (predicted**2).sum(axis=1)
    found = covariance / np.sqrt(spread_expected * spread_predicted)
    found = np.where(spread_predicted > 0, found, 0.0)
    return np.where(spread_expected > 0, found, np.nan)


def _macro_f1(tables: Array) -> Array:
    """Mean F1 of the labels that are expected somewhere."""
    right = np.diagonal(tables, axis1=1, axis2=2)
    expected, predicted = tables.sum(axis=2), tables.sum(axis=1)
    f1 = np.where(expected + predicted > 0, 2 * right / np.maximum(expected + predicted, 1), 0.0)
    occurring = expected > 0
    found = np.where(occurring, f1, 0.0).sum(axis=1) / occurring.sum(axis=1)
    return np.where(occurring.sum(axis=1) > 1, found, np.nan)


def _standard_ranks(values: Array) -> Array:
    """Centred ranks, so that the sums of squares stay small."""
    ranks = rankdata(values)
    return (ranks - ranks.mean()) / max(1, len(ranks))


def _correlation(moments_RK: Array) -> Array:
    n, a, b, aa, bb, ab = moments_RK.T
    spread = (aa - a * a / n) * (bb - b * b / n)
    return np.where(spread > 1e-12, (ab - a * b / n) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)
