"""How far the probabilities of closed answers can be believed.

A model that gives its answers 0.9 should be right nine times in ten. The expected calibration error is the mean over
items of |mean probability - share right| of their bin (Guo et al. 2017, ICML); it is given over bins of equal width and
over bins of equally many items, since models are often sure and most items then share one bin. Brier score and log loss
judge all probabilities of an item, and fall where any of them comes nearer the truth.

Axes: N items, L labels.
"""

from dataclasses import dataclass

import numpy as np

from llama_gene.evaluation.metrics import Array, Estimate, mean_score

_BINS = 10
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Confidence:
    """Items whose answer got a probability in low <= p < high: mean of it, and the share of right answers."""

    low: float
    high: float
    n: int
    mean: float
    right: float


@dataclass(frozen=True)
class Reliability:
    """Expected calibration error over `bins` (of equal width) and `bins_mass` (of equally many items); 0 is best.

    `brier`: mean square distance of the probabilities from the truth, summed over labels, 0 to 2. `log_loss`: mean
    negative log-probability of the right label, in nats.
    """

    ece: float
    ece_mass: float
    brier: Estimate
    log_loss: Estimate
    bins: tuple[Confidence, ...]
    bins_mass: tuple[Confidence, ...]


def reliability(probabilities_NL: Array, expected_N: Array, *, units: Array, resamples: int, seed: int) -> Reliability:
    """Compare the probabilities of labels with the labels that are right.

    Args:
        probabilities_NL: Rows sum to 1.
        expected_N: Index of the right label, shape (N,), N >= 1.
        units: Unit each item is drawn with, from `metrics.unit_of_items`.
        resamples: Bootstrap resamples of the intervals.
        seed: Seed of the resamples.

    >>> half = np.full((4, 2), 0.5)
    >>> found = reliability(half, np.array([0, 0, 1, 1]), units=np.arange(4), resamples=100, seed=1)
    >>> found.ece, found.brier.value, round(found.log_loss.value, 4)
    (0.0, 0.5, 0.6931)
    """
    sure_N = probabilities_NL.max(axis=1)
    right_N = probabilities_NL.argmax(axis=1) == expected_N
    widths = np.arange(_BINS + 1) / _BINS
    # Items of one probability are never parted: the bins between them are empty.
    masses = np.unique([0.0, *np.quantile(sure_N, widths[1:-1], method="higher"), 1.0])
    by_width, by_mass = (_bins(sure_N, right_N, edges) for edges in (widths, masses))
    truth_NL = np.eye(probabilities_NL.shape[1])[expected_N]
    chosen_N = probabilities_NL[np.arange(len(expected_N)), expected_N]
    losses = ((probabilities_NL - truth_NL) ** 2).sum(axis=1), -np.log(np.maximum(chosen_N, _SMALLEST))
    brier, log_loss = (mean_score(one, units=units, resamples=resamples, seed=seed) for one in losses)
    return Reliability(_error(by_width), _error(by_mass), brier, log_loss, by_width, by_mass)


def _bins(sure_N: Array, right_N: Array, edges: Array) -> tuple[Confidence, ...]:
    place = np.minimum(np.searchsorted(edges, sure_N, side="right") - 1, len(edges) - 2)
    return tuple(
        Confidence(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            n=int(here.sum()),
            mean=float(sure_N[here].mean()),
            right=float(right_N[here].mean()),
        )
        for number in np.unique(place).tolist()
        for here in [place == number]
    )


def _error(bins: tuple[Confidence, ...]) -> float:
    return sum(abs(one.mean - one.right) * one.n for one in bins) / sum(one.n for one in bins)
