"""Scores with 95 % bootstrap intervals, and the difference of two methods on the same items.

Every score here is a function of sums over items, so a resample is a vector of weights and all resamples are one
matrix product. Items that share a group (leakage cluster) are drawn together, since they are not independent; where
there are fewer than `FEWEST_GROUPS` groups, or each item has its own, items are drawn one by one. Spearman resamples
keep the ranks of the whole sample.

The test of a difference is paired: both methods are scored on each resample of the same items (Efron and Tibshirani
1993, chapter 16; Koehn 2004).

Axes: N items, K sums, U units drawn together, R resamples, L labels.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy.stats import rankdata

Key = TypeVar("Key", bound=Hashable)
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


@dataclass(frozen=True)
class Difference:
    """One method's score less another's on the same items, with its 95 % interval; None where it is undefined.

    `p`: two-sided, the share of resamples in which the difference has the other sign or none, counted twice.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Measured:
    """What a score is computed from: the sums each item adds, (N, K), and the score of such sums, (R, K) -> (R,).

    `counted`: how many things the score is over, where that is not the number of items.
    """

    sums_NK: Array
    score: Score
    counted: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A score of n items, and of each resample of them, (R,); nan where it is undefined."""

    value: float
    resamples_R: Array
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


def measure_labels(expected: Array, predicted: Array, labels: int) -> dict[str, Measured]:
    """MCC, accuracy and macro F1 of closed answers; accuracy is never given without MCC.

    Args:
        expected: Index of the right label, shape (N,), 0 <= index < labels.
        predicted: Index of the answer, shape (N,); `labels` stands for no answer.
        labels: Number of labels.
    """
    # Three counts a label are all that the scores need of the confusion table, which would be its square.
    expected_NL, predicted_NL = np.eye(labels)[expected], np.eye(labels + 1)[predicted]
    right_NL = expected_NL * predicted_NL[:, :labels]
    counts_NK = np.concatenate([expected_NL, right_NL, predicted_NL], axis=1)
    return {
        "mcc": Measured(counts_NK, lambda sums: _mcc(_counts(sums, labels))),
        "accuracy": Measured(counts_NK, lambda sums: _accuracy(_counts(sums, labels))),
        "macro_f1": Measured(counts_NK, lambda sums: _macro_f1(_counts(sums, labels))),
    }


def measure_ranks(expected: Array, predicted: Array) -> Measured:
    """Spearman's rank correlation of two values per item, shape (N,); undefined where either is constant."""
    a, b = (_standard_ranks(values) for values in (expected, predicted))
    return Measured(np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1), _correlation)


def measure_pearson(expected: Array, predicted: Array) -> Measured:
    """Pearson's correlation of two values per item, shape (N,); undefined where either is constant."""
    return Measured(_moments(expected, predicted), _correlation)


def measure_r2(expected: Array, predicted: Array) -> Measured:
    """R² of two values per item, shape (N,): 1 less the squared error over that of the mean of the items.

    Undefined where all expected are equal.
    """
    return Measured(_moments(expected, predicted), _r2)


def measure_mean(values: Array) -> Measured:
    """The mean of one number per item, shape (N,)."""
    return Measured(np.stack([np.ones(len(values)), values], axis=1), lambda sums: sums[:, 1] / sums[:, 0])


def draw_scores(measured: Mapping[Key, Measured], *, units: Array, resamples: int, seed: int) -> dict[Key, Drawn]:
    """Each score on the whole sample and on each resample; the same resamples for all, so that they can be paired.

    Args:
        measured: By any key; all of the same N items in the same order.
        units: Unit of each item, shape (N,), 0 .. U-1.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.
    """
    n = len(units)
    if n == 0 or not measured:
        return {key: Drawn(float("nan"), np.zeros(0), 0) for key in measured}
    # Scores of one method share their sums, and are drawn once.
    distinct = {id(one.sums_NK): one.sums_NK for one in measured.values()}
    whole_K, drawn_RK = _resample(np.concatenate(list(distinct.values()), axis=1), units, resamples, seed)
    ends = np.cumsum([sums_NK.shape[1] for sums_NK in distinct.values()])
    part = {
        key: slice(int(end) - sums_NK.shape[1], int(end))
        for (key, sums_NK), end in zip(distinct.items(), ends, strict=True)
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            key: Drawn(
                float(one.score(whole_K[:, part[id(one.sums_NK)]])[0]),
                one.score(drawn_RK[:, part[id(one.sums_NK)]]),
                n if one.counted is None else one.counted,
            )
            for key, one in measured.items()
        }


def estimate(drawn: Drawn) -> Estimate:
    """A score with its percentile interval."""
    return Estimate(*_interval(drawn.value, drawn.resamples_R), drawn.n)


def difference(ours: Drawn, theirs: Drawn) -> Difference:
    """How much one method scores above another on the same items, by a paired bootstrap.

    Args:
        ours: Of one method.
        theirs: Of another, from the same call of `draw_scores`.

    >>> right = {"a": measure_mean(np.ones(40)), "b": measure_mean(np.arange(40) % 2)}
    >>> drawn = draw_scores(right, units=np.arange(40), resamples=999, seed=1)
    >>> found = difference(drawn["a"], drawn["b"])
    >>> found.value, found.low > 0, found.p
    (0.5, True, 0.002)
    """
    drawn = ours.resamples_R - theirs.resamples_R
    value, low, high = _interval(ours.value - theirs.value, drawn)
    if value is None:
        return Difference(None, None, None, None)
    drawn = drawn[np.isfinite(drawn)]
    # One more on either side: with R resamples no p is below 2 / (R + 1).
    tail = 1 + min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return Difference(value, low, high, p=min(1.0, 2 * float(tail) / (len(drawn) + 1)))


def estimates(
    sums_NK: Array, functions: Mapping[str, Score], *, units: Array, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Scores of the same sums, (N, K), each with its interval; the other arguments are those of `draw_scores`."""
    measured = {name: Measured(sums_NK, function) for name, function in functions.items()}
    drawn = draw_scores(measured, units=units, resamples=resamples, seed=seed)
    return {name: estimate(one) for name, one in drawn.items()}


def value_of(measured: Measured) -> float | None:
    """The score of all items together, without an interval; None where it is undefined.

    >>> value_of(measure_labels(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2)["mcc"])
    1.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(measured.score(measured.sums_NK.sum(axis=0, keepdims=True))[0])
    return found if np.isfinite(found) else None


def label_scores(
    expected: Array, predicted: Array, labels: int, *, units: Array, resamples: int, seed: int
) -> dict[str, Estimate]:
    """MCC, accuracy and macro F1 with intervals; the arguments are those of `measure_labels` and `draw_scores`.

    >>> right = np.array([0, 0, 1, 1])
    >>> scores = label_scores(right, np.array([0, 1, 1, 1]), 2, units=np.arange(4), resamples=100, seed=1)
    >>> scores["accuracy"].value, round(scores["mcc"].value, 4)
    (0.75, 0.5774)
    """
    drawn = draw_scores(measure_labels(expected, predicted, labels), units=units, resamples=resamples, seed=seed)
    return {name: estimate(one) for name, one in drawn.items()}


def rank_score(expected: Array, predicted: Array, *, units: Array, resamples: int, seed: int) -> Estimate:
    """Spearman's rank correlation with its interval.

    >>> rank_score(np.arange(5.0), np.arange(5.0) ** 3, units=np.arange(5), resamples=100, seed=1).value
    1.0
    """
    return estimate(
        draw_scores({0: measure_ranks(expected, predicted)}, units=units, resamples=resamples, seed=seed)[0]
    )


def mean_score(values: Array, *, units: Array, resamples: int, seed: int) -> Estimate:
    """The mean of one number per item, shape (N,), with its interval."""
    return estimate(draw_scores({0: measure_mean(values)}, units=units, resamples=resamples, seed=seed)[0])


def _resample(sums_NK: Array, units: Array, resamples: int, seed: int) -> tuple[Array, Array]:
    """Sums over all items, (1, K), and over each resample of the units, (R, K)."""
    sums_UK = np.zeros((int(units.max()) + 1, sums_NK.shape[1]))
    np.add.at(sums_UK, units, sums_NK)
    count = len(sums_UK)
    at_once = max(1, _WEIGHTS_AT_ONCE // count)
    rng = np.random.default_rng(seed)
    drawn = [
        rng.multinomial(count, np.full(count, 1 / count), size=min(at_once, resamples - start)) @ sums_UK
        for start in range(0, resamples, at_once)
    ]
    return sums_UK.sum(axis=0, keepdims=True), np.concatenate(drawn)


def _interval(value: float, drawn: Array) -> tuple[float | None, float | None, float | None]:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return None, None, None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return value, float(low), float(high)


class _Counts(NamedTuple):
    """How often each label is expected, is rightly answered, (R, L), and is answered, (R, L + 1), last no answer."""

    expected: Array
    right: Array
    predicted: Array


def _counts(sums_RK: Array, labels: int) -> _Counts:
    return _Counts(sums_RK[:, :labels], sums_RK[:, labels : 2 * labels], sums_RK[:, 2 * labels :])


def _accuracy(counts: _Counts) -> Array:
    return counts.right.sum(axis=1) / counts.expected.sum(axis=1)


def _mcc(counts: _Counts) -> Array:
    """Gorodkin 2004, as scikit-learn: 0 where every answer is the same, nan where every expectation is."""
    expected, right, predicted = counts
    total = expected.sum(axis=1)
    covariance = right.sum(axis=1) * total - (expected * predicted[:, :-1]).sum(axis=1)
    spread_expected = total**2 - (expected**2).sum(axis=1)
    spread_predicted = total**2 - (predicted**2).sum(axis=1)
    found = covariance / np.sqrt(spread_expected * spread_predicted)
    found = np.where(spread_predicted > 0, found, 0.0)
    return np.where(spread_expected > 0, found, np.nan)


def _macro_f1(counts: _Counts) -> Array:
    """Mean F1 of the labels that are expected somewhere."""
    occurring = counts.expected > 0
    f1 = 2 * counts.right / np.maximum(counts.expected + counts.predicted[:, :-1], 1)
    found = np.where(occurring, f1, 0.0).sum(axis=1) / occurring.sum(axis=1)
    return np.where(occurring.sum(axis=1) > 1, found, np.nan)


def _standard_ranks(values: Array) -> Array:
    """Centred ranks, so that the sums of squares stay small."""
    ranks = rankdata(values)
    return (ranks - ranks.mean()) / max(1, len(ranks))


def _moments(expected: Array, predicted: Array) -> Array:
    """Sums of both values and their products, (N, 6), of the expected ones centred and scaled.

    So sums of squares lose no digits; correlations and R² do not change.
    """
    centre, spread = (expected.mean(), expected.std()) if len(expected) else (0.0, 0.0)
    a, b = (expected - centre) / (spread or 1.0), (predicted - centre) / (spread or 1.0)
    return np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1)


def _correlation(moments_RK: Array) -> Array:
    n, a, b, aa, bb, ab = moments_RK.T
    spread = (aa - a * a / n) * (bb - b * b / n)
    return np.where(spread > 1e-12, (ab - a * b / n) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)


def _r2(moments_RK: Array) -> Array:
    n, a, _, aa, bb, ab = moments_RK.T
    spread = aa - a * a / n
    return np.where(spread > 1e-12, 1 - (aa - 2 * ab + bb) / np.maximum(spread, 1e-300), np.nan)
