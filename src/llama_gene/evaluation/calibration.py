"""Calibrate the probabilities of labels on validation items, and say how far probabilities can be believed.

A model that gives a label 0.9 should be right nine times in ten. Two corrections, fitted by log loss on validation
items alone: a temperature (Guo et al. 2017), which makes all answers more or less sure and changes none, and label
priors, a bias for each label, which takes back what a model prefers whatever the question (Zhao et al. 2021). The loss
is convex in 1 / temperature and the biases, so there is one best fit; a ridge of one item's weight keeps the biases
finite where a label is always right or always wrong.

Axes: N items, L labels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from llama_gene.evaluation.metrics import Array, Estimate, mean_score

Correction = Literal["temperature", "priors"]

_INVERSE_TEMPERATURES = (0.02, 50.0)
_ITEMS_PER_LABEL = 10
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Calibration:
    """Probabilities are softmax(log-likelihood / temperature + bias); fitted on so many validation items."""

    temperature: float
    bias: tuple[float, ...]
    items: int

    def apply(self, logits_NL: Array) -> Array:
        """Calibrated probabilities, (N, L), from the log-likelihoods of labels."""
        return softmax(logits_NL / self.temperature + np.array(self.bias), axis=1)


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence: the mean probability of the answers, the share that is right, and how many."""

    confidence: float
    right: float
    n: int


@dataclass(frozen=True)
class Reliability:
    """How far the probabilities of closed answers can be believed.

    `ece_width`, `ece_mass`: expected calibration error, the mean distance of confidence from the share of right
    answers, over bins of equal width and over bins of equally many items; 0 is best. `brier`: mean square distance of
    the probabilities from the truth, summed over labels, 0 to 2. `log_loss`: mean negative log-probability of the
    right label, in nats. `bins`: the bins of equal width that hold items; `bins_mass`: those of equal size.
    """

    ece_width: float
    ece_mass: float
    brier: Estimate
    log_loss: Estimate
    bins: tuple[Bin, ...]
    bins_mass: tuple[Bin, ...]


@dataclass(frozen=True)
class CalibrationReport:
    """What calibration did to the probabilities of a task; `refused` says why it was not done, else it is empty."""

    correction: Correction | Literal["none"]
    refused: str
    fitted: Calibration | None
    before: Reliability
    after: Reliability | None


def why_not(correction: Correction, expected_N: Array, labels: int, *, fewest: int) -> str:
    """Why validation items cannot carry a calibration; empty where they can.

    Args:
        correction: What is to be fitted.
        expected_N: Index of the right label of each validation item.
        labels: Number of labels.
        fewest: Least number of validation items.

    >>> why_not("temperature", np.array([0, 1]), 2, fewest=50)
    'not calibrated: 2 validation items, at least 50 are needed'
    """
    needed = max(fewest, _ITEMS_PER_LABEL * labels) if correction == "priors" else fewest
    if len(expected_N) < needed:
        return f"not calibrated: {len(expected_N)} validation items, at least {needed} are needed"
    missing = labels - len(np.unique(expected_N))
    if correction == "priors" and missing:
        return f"not calibrated: {missing} of {labels} labels are never right in the validation items"
    return ""


def fit_calibration(correction: Correction, logits_NL: Array, expected_N: Array) -> Calibration:
    """The calibration of least log loss.

    Args:
        correction: "temperature" alone, or "priors": temperature and a bias for each label.
        logits_NL: Log-likelihoods of the labels of validation items.
        expected_N: Index of the right label, shape (N,).

    >>> sure = np.log([[0.99, 0.01]] * 10)
    >>> fitted = fit_calibration("temperature", sure, np.array([0] * 8 + [1] * 2))
    >>> fitted.apply(sure)[0].round(3).tolist()
    [0.8, 0.2]
    """
    items, labels = logits_NL.shape
    truth_NL = np.eye(labels)[expected_N]
    centred_NL = logits_NL - logits_NL.max(axis=1, keepdims=True)

    def loss(values: Array) -> tuple[float, Array]:
        scale, bias = values[0], values[1:]
        logs_NL = log_softmax(centred_NL * scale + bias, axis=1)
        distance_NL = (np.exp(logs_NL) - truth_NL) / items
        slope_L = distance_NL.sum(axis=0) + bias / items
        value = -(logs_NL * truth_NL).sum() / items + (bias**2).sum() / (2 * items)
        return float(value), np.concatenate([[(distance_NL * centred_NL).sum()], slope_L])

    free = (None, None) if correction == "priors" else (0.0, 0.0)
    found = minimize(
        loss, np.array([1.0, *[0.0] * labels]), jac=True, method="L-BFGS-B",
        bounds=[_INVERSE_TEMPERATURES, *[free] * labels], options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-8},
    )  # fmt: skip
    return Calibration(1 / float(found.x[0]), tuple(float(one) for one in found.x[1:]), items)


def reliability(
    probabilities_NL: Array, expected_N: Array, *, units: Array, resamples: int, seed: int, bins: int = 10
) -> Reliability:
    """How far probabilities can be believed.

    Args:
        probabilities_NL: Rows sum to 1.
        expected_N: Index of the right label, shape (N,), N >= 1.
        units: Of the resamples, from `metrics.unit_of_items`.
        resamples: Bootstrap resamples of the intervals.
        seed: Seed of the resamples.
        bins: Number of bins, > 0.

    >>> half = np.full((4, 2), 0.5)
    >>> found = reliability(half, np.array([0, 0, 1, 1]), units=np.arange(4), resamples=100, seed=1)
    >>> found.ece_width, found.brier.value, round(found.log_loss.value, 4)
    (0.0, 0.5, 0.6931)
    """
    items = np.arange(len(expected_N))
    confidence_N = probabilities_NL.max(axis=1)
    right_N = (probabilities_NL.argmax(axis=1) == expected_N).astype(float)
    by_width = np.minimum((confidence_N * bins).astype(int), bins - 1)
    order = np.argsort(confidence_N, kind="stable")
    by_mass = np.empty(len(items), dtype=int)
    by_mass[order] = items * min(bins, len(items)) // len(items)
    widths, masses = (_bins(confidence_N, right_N, place) for place in (by_width, by_mass))
    truth_NL = np.eye(probabilities_NL.shape[1])[expected_N]
    chosen_N = probabilities_NL[items, expected_N]
    losses = ((probabilities_NL - truth_NL) ** 2).sum(axis=1), -np.log(np.maximum(chosen_N, _SMALLEST))
    brier, log_loss = (mean_score(one, units=units, resamples=resamples, seed=seed) for one in losses)
    return Reliability(_error(widths), _error(masses), brier, log_loss, widths, masses)


def _bins(confidence_N: Array, right_N: Array, place_N: Array) -> tuple[Bin, ...]:
    counts = np.bincount(place_N)
    sums = np.bincount(place_N, weights=confidence_N), np.bincount(place_N, weights=right_N)
    return tuple(
        Bin(confidence / n, right / n, int(n))
        for confidence, right, n in zip(*(part.tolist() for part in (*sums, counts)), strict=True)
        if n
    )


def _error(bins: tuple[Bin, ...]) -> float:
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.confidence - one.right) for one in bins) / total
