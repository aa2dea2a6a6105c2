"""Numbers of a regression task: back from the bins' probabilities, and scored.

A model that names bins says a number too: the mean training value of each bin (or its median), weighted by the bin's
probability. Scores: Spearman for the order, Pearson for the shape, R² for the values themselves, which is 1 less the
squared error over that of always saying the mean of the items: below 0 where the mean would be better.

Axes: N items, K sums, R resamples, L labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Estimate, Score, estimates, rank_score

Centre = Literal["mean", "median"]
VALUE_SCORES = ("spearman", "pearson", "r2")


def is_number(item: Item) -> bool:
    """True where the answer is a number alone, which a tool computes: it has a value, and no bins."""
    return item.value is not None and item.labels is None


def values_of(items: Sequence[Item]) -> Array | None:
    """The number of each item, (N,); None where one has none."""
    values = [item.value for item in items]
    return None if not values or any(value is None for value in values) else np.array(values, dtype=float)


def bin_values(train: Sequence[Item], labels: Sequence[str], centre: Centre) -> Array:
    """The number that each label stands for, (L,): the mean or median of its training items.

    A label without one stands for that of all training items: nothing more is known of it.

    Args:
        train: Training items with values.
        labels: Of the task, in order.
        centre: mean: least squared error; median: least absolute error.
    """
    middle = np.mean if centre == "mean" else np.median
    every = [item.value for item in train]
    members = {label: [item.value for item in train if item.output == label] for label in labels}
    return np.array([middle(np.array(members[label] or every, dtype=float)) for label in labels])


def expected_values(
    probabilities: Array | None, train: Sequence[Item], test: Sequence[Item], centre: Centre = "mean"
) -> tuple[float, ...] | None:
    """The number a model expects of each test item, (N,): the numbers of the bins, weighted by their probabilities.

    None where the task has no bins or no values.

    Args:
        probabilities: Of each label, (N, L); None: the model weighed none.
        train: Training items; only their values are read.
        test: Items answered.
        centre: Of each bin.
    """
    if probabilities is None or not test[0].labels or values_of(train) is None or values_of(test) is None:
        return None
    return tuple((probabilities @ bin_values(train, test[0].labels, centre)).tolist())


def value_scores(expected: Array, predicted: Array, *, units: Array, resamples: int, seed: int) -> dict[str, Estimate]:
    """Spearman, Pearson and R² of predicted numbers, with 95 % intervals; undefined where all expected are equal.

    The same number for every item orders nothing: by convention its correlations are 0, as its MCC would be.

    Args:
        expected: Shape (N,).
        predicted: Shape (N,).
        units: Unit each item is drawn with, from `unit_of_items`, (N,).
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.

    >>> right = np.array([1.0, 2.0, 3.0, 4.0])
    >>> scores = value_scores(right, right + 1, units=np.arange(4), resamples=100, seed=1)
    >>> scores["pearson"].value, round(scores["r2"].value, 6)
    (1.0, 0.2)
    """
    n = len(expected)
    centre, spread = expected.mean() if n else 0.0, expected.std() if n else 0.0
    # Centred and scaled, so that sums of squares lose no digits; R² and correlations do not change.
    a, b = (expected - centre) / (spread or 1.0), (predicted - centre) / (spread or 1.0)
    moments_NK = np.stack([np.ones(n), a, b, a * a, b * b, a * b], axis=1)
    functions: Mapping[str, Score] = {"pearson": _pearson, "r2": _r2}
    draw: Mapping[str, Any] = {"units": units, "resamples": resamples, "seed": seed}
    found = {"spearman": rank_score(expected, predicted, **draw)} | estimates(moments_NK, functions, **draw)
    if spread > 0 and np.ptp(predicted) == 0:
        found |= {name: Estimate(0.0, 0.0, 0.0, n) for name in ("spearman", "pearson")}
    return {name: found[name] for name in VALUE_SCORES}


def _pearson(moments_RK: Array) -> Array:
    n, a, b, aa, bb, ab = moments_RK.T
    spread = (aa - a * a / n) * (bb - b * b / n)
    return np.where(spread > 1e-12, (ab - a * b / n) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)


def _r2(moments_RK: Array) -> Array:
    n, a, _, aa, bb, ab = moments_RK.T
    spread = aa - a * a / n
    return np.where(spread > 1e-12, 1 - (aa - 2 * ab + bb) / np.maximum(spread, 1e-300), np.nan)
