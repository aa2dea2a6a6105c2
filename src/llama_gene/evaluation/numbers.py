"""Numbers of a regression task: back from the bins' probabilities, and scored.

A model that names bins says a number too: the mean training value of each bin (or its median), weighted by the bin's
probability. Scores: Spearman for the order, Pearson for the shape, R² for the values themselves, which is 1 less the
squared error over that of always saying the mean of the items: below 0 where the mean would be better.

Axes: N items, L labels.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import (
    Array,
    Estimate,
    Measured,
    draw_scores,
    estimate,
    measure_mean,
    measure_pearson,
    measure_r2,
    measure_ranks,
)

Centre = Literal["mean", "median"]


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


def measure_values(expected: Array, predicted: Array) -> dict[str, Measured]:
    """What Spearman, Pearson and R² of predicted numbers are computed from; undefined where all expected are equal.

    The same number for every item orders nothing: by convention its correlations are 0, as its MCC would be.

    Args:
        expected: Shape (N,).
        predicted: Shape (N,).
    """
    ranks, shape = measure_ranks(expected, predicted), measure_pearson(expected, predicted)
    if len(expected) and np.ptp(expected) > 0 and np.ptp(predicted) == 0:
        ranks = shape = measure_mean(np.zeros(len(expected)))
    return {"spearman": ranks, "pearson": shape, "r2": measure_r2(expected, predicted)}


def value_scores(expected: Array, predicted: Array, *, units: Array, resamples: int, seed: int) -> dict[str, Estimate]:
    """The scores of `measure_values` with 95 % intervals; the other arguments are those of `draw_scores`.

    >>> right = np.array([1.0, 2.0, 3.0, 4.0])
    >>> scores = value_scores(right, right + 1, units=np.arange(4), resamples=100, seed=1)
    >>> scores["pearson"].value, round(scores["r2"].value, 6)
    (1.0, 0.2)
    """
    drawn = draw_scores(measure_values(expected, predicted), units=units, resamples=resamples, seed=seed)
    return {name: estimate(one) for name, one in drawn.items()}
