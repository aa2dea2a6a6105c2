"""Calibrate the probabilities of labels on validation items, never on the items that are scored.

Two corrections, fitted by log loss: a temperature (Guo et al. 2017), which makes all answers more or less sure and
changes none, and label priors, a bias for each label, which takes back what a model prefers whatever the question
(Zhao et al. 2021). The loss is convex in 1 / temperature and the biases, so there is one best fit; a ridge of one
item's weight keeps the biases finite where a label is always right or always wrong.

A tuned model is trained on this very loss, and a temperature fitted to few items is often noise alone. So a correction
is taken only where it lowers the log loss of validation items left out of its fit by more than the standard error of
that gain (after the one-standard-error rule of Breiman et al. 1984).

Axes: N items, L labels, U units of like items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from llama_gene.evaluation.metrics import Array

Correction = Literal["temperature", "priors"]

_INVERSE_TEMPERATURES = (0.02, 50.0)
_ITEMS_PER_LABEL = 10
_FOLDS = 10


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
class Attempt:
    """What was fitted to the validation items of a task, or why nothing was; `refused` is empty where it was."""

    correction: Correction
    fitted: Calibration | None
    refused: str


def calibrate(
    correction: Correction, logits_NL: Array, expected_N: Array, *, groups: Sequence[str], fewest: int
) -> Attempt:
    """Fit a calibration where the validation items can carry one, and show that it helps.

    Args:
        correction: "temperature" alone, or "priors": temperature and a bias for each label.
        logits_NL: Log-likelihoods of the labels of validation items.
        expected_N: Index of the right label of each, shape (N,).
        groups: Leakage cluster of each item; items of one are left out of a fit together.
        fewest: Least number of items; priors need ten a label too, and each label once.

    >>> calibrate("temperature", np.zeros((2, 2)), np.array([0, 1]), groups=["a", "b"], fewest=50).refused
    '2 validation items, at least 50 are needed'
    """
    labels = logits_NL.shape[1]
    needed = max(fewest, _ITEMS_PER_LABEL * labels) if correction == "priors" else fewest
    missing = labels - len(np.unique(expected_N))
    if len(expected_N) < needed:
        return Attempt(correction, None, f"{len(expected_N)} validation items, at least {needed} are needed")
    if correction == "priors" and missing:
        return Attempt(correction, None, f"{missing} of {labels} labels are never right in the validation items")
    if len(set(groups)) < _FOLDS:
        return Attempt(correction, None, f"the validation items are of {len(set(groups))} groups, {_FOLDS} are needed")
    gain_U = _gains_left_out(correction, logits_NL, expected_N, groups)
    gain, error = gain_U.sum() / len(expected_N), np.sqrt(len(gain_U)) * gain_U.std(ddof=1) / len(expected_N)
    if gain <= error:
        told = f"log loss of validation items left out of its fit falls by {gain:.3f} ± {error:.3f} nats, no sure gain"
        return Attempt(correction, None, told)
    return Attempt(correction, fit_calibration(correction, logits_NL, expected_N), "")


def _gains_left_out(correction: Correction, logits_NL: Array, expected_N: Array, groups: Sequence[str]) -> Array:
    """How many nats the items of each group gain by a calibration fitted to other groups, summed, (U,)."""
    units_N = np.unique(groups, return_inverse=True)[1]
    fold_N = np.random.default_rng(0).permutation(units_N.max() + 1)[units_N] % _FOLDS
    gain_N = _losses(logits_NL, expected_N)
    for fold in range(_FOLDS):
        out_N = fold_N == fold
        fitted = fit_calibration(correction, logits_NL[~out_N], expected_N[~out_N])
        gain_N[out_N] -= _losses(logits_NL[out_N] / fitted.temperature + np.array(fitted.bias), expected_N[out_N])
    return np.bincount(units_N, weights=gain_N)


def _losses(logits_NL: Array, expected_N: Array) -> Array:
    """Negative log-probability of the right label of each item, (N,), in nats."""
    return -log_softmax(logits_NL, axis=1)[np.arange(len(expected_N)), expected_N]


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
