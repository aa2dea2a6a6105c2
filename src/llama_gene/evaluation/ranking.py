"""How well probabilities rank: area under the ROC curve, and average precision, with bootstrap intervals.

Both are computed for whole-number weights of the items, so that a resample is a row of weights; items of one
probability are taken together. Axes: N items, R resamples, G groups of items with one probability.
"""

from collections.abc import Callable

import numpy as np

from llama_gene.evaluation.metrics import Array, Drawn, Estimate, estimate

_WEIGHTS_AT_ONCE = 20_000_000


def rank_labels(
    probabilities_NL: Array, expected_N: Array, *, units: Array, resamples: int, seed: int
) -> dict[str, Estimate]:
    """ "auroc" and "auprc": means over the labels that are right for some items and not for all.

    Each label is taken against the others. A guess has an auroc of 0.5 and an auprc of the label's share.

    Args:
        probabilities_NL: Of each label.
        expected_N: Index of the right label, shape (N,).
        units: Unit each item is drawn with, 0 .. U-1, shape (N,).
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.

    >>> sure = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    >>> found = rank_labels(sure, np.array([0, 0, 1, 1]), units=np.arange(4), resamples=100, seed=1)
    >>> found["auroc"].value
    0.75
    """
    n, labels = probabilities_NL.shape
    drawn = {
        name: np.stack([_drawn(area, probabilities_NL[:, label], expected_N == label, units, resamples, seed)
                        for label in range(labels)])
        for name, area in (("auroc", _roc), ("auprc", _precision))
    }  # fmt: skip
    return {name: estimate(Drawn(*_over_labels(values_LR), n)) for name, values_LR in drawn.items()}


def _over_labels(values_LR: Array) -> tuple[float, Array]:
    """The mean over labels that have a score; the first column is that of the items themselves."""
    known_LR = values_LR[np.isfinite(values_LR[:, 0])]
    if not len(known_LR):
        return float("nan"), np.zeros(0)
    # A resample that misses a label has no score.
    means_R = known_LR.mean(axis=0)
    return float(means_R[0]), means_R[1:]


def _drawn(
    area: Callable[[Array, Array], Array], sure_N: Array, right_N: Array, units: Array, resamples: int, seed: int
) -> Array:
    """The area for the items as they are, then for each resample, (1 + R,)."""
    order = np.argsort(-sure_N, kind="stable")
    starts = np.flatnonzero(np.diff(sure_N[order], prepend=np.inf))
    right, unit = right_N[order].astype(float), units[order]
    count = int(units.max()) + 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // len(sure_N))
    found = [_area(area, np.ones((1, len(sure_N))), right, starts)]
    for start in range(0, resamples, at_once):
        weights_RU = rng.multinomial(count, np.full(count, 1 / count), size=min(at_once, resamples - start))
        found.append(_area(area, weights_RU[:, unit].astype(float), right, starts))
    return np.concatenate(found)


def _area(area: Callable[[Array, Array], Array], weights_RN: Array, right_N: Array, starts: Array) -> Array:
    right_RG = np.add.reduceat(weights_RN * right_N, starts, axis=1)
    wrong_RG = np.add.reduceat(weights_RN * (1 - right_N), starts, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return area(right_RG, wrong_RG)


def _roc(right_RG: Array, wrong_RG: Array) -> Array:
    """The share of pairs of a right and a wrong item in which the right one is surer; a tie counts half."""
    below_RG = wrong_RG.sum(axis=1, keepdims=True) - wrong_RG.cumsum(axis=1)
    return (right_RG * (below_RG + wrong_RG / 2)).sum(axis=1) / (right_RG.sum(axis=1) * wrong_RG.sum(axis=1))


def _precision(right_RG: Array, wrong_RG: Array) -> Array:
    """The mean, over right items, of the share of right items among those at least as sure."""
    found_RG = right_RG.cumsum(axis=1)
    precision_RG = found_RG / (found_RG + wrong_RG.cumsum(axis=1))
    shares_R = np.where(right_RG > 0, right_RG * precision_RG, 0.0).sum(axis=1) / right_RG.sum(axis=1)
    return np.where(wrong_RG.sum(axis=1) > 0, shares_R, np.nan)
