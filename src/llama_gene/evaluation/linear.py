"""Linear models of k-mers: logistic regression of labels, ridge regression of values, and for free text the answer of
the training item with the nearest k-mers.

Fitted on the training split alone; the strength of the penalty is chosen on validation items where there are some.
"""

import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import matthews_corrcoef
from sklearn.preprocessing import normalize

from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.features import item_features, kmer_counts, longest_kmer
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.numbers import is_number, values_of

_LOGISTIC_C = (0.3, 3.0, 30.0)
_RIDGE_ALPHA = (0.1, 1.0, 10.0)
_MOST_STEPS = 300
# A class this many times its equal share is too frequent for the plain model to leave it.
_UNEQUAL = 1.4
_NEIGHBOURS_AT_ONCE = 256


class _Features(NamedTuple):
    """Rows of each split; None where there are no items."""

    train: sparse.csr_matrix
    valid: sparse.csr_matrix | None
    test: sparse.csr_matrix


def answer_by_kmers(train: Sequence[Item], valid: Sequence[Item], test: Sequence[Item], *, kmer_max: int) -> Answers:
    """The answers of the k-mer model that suits the task.

    Args:
        train: Training items of one task.
        valid: Validation items, to choose the penalty; may be empty.
        test: Items to answer.
        kmer_max: Longest DNA k-mer.
    """
    if test[0].labels is None and not is_number(test[0]):
        return _nearest(train, test, kmer_max)
    features = _Features(
        *(
            item_features(items, kmer_max=kmer_max, family=test[0].family) if items else None
            for items in (train, valid, test)
        )
    )
    if is_number(test[0]):
        return Answers("k-mer ridge regression", ("",) * len(test), _ridge(features, train, valid))
    texts, method = _logistic(features, train, valid)
    if values_of(train) is None or values_of(test) is None:
        return Answers(method, texts)
    return Answers(f"{method}; values by k-mer ridge regression", texts, _ridge(features, train, valid))


def _logistic(features: _Features, train: Sequence[Item], valid: Sequence[Item]) -> tuple[tuple[str, ...], str]:
    """Answers, and the method in words; where classes are unequal, weighing them equally is tried as well."""
    y_train = np.array([item.output for item in train])
    y_valid = np.array([item.output for item in valid])
    classes, counts = np.unique(y_train, return_counts=True)
    if len(classes) == 1:
        return (str(classes[0]),) * features.test.shape[0], "the only training label"
    weights = (None, "balanced") if counts.max() > _UNEQUAL * len(y_train) / len(classes) else (None,)

    def fit(strength: float, weight: str | None) -> LogisticRegression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LogisticRegression(C=strength, class_weight=weight, max_iter=_MOST_STEPS).fit(
                features.train, y_train
            )

    if not valid:
        return tuple(fit(_LOGISTIC_C[1], None).predict(features.test).tolist()), _in_words(_LOGISTIC_C[1], None)
    fitted = {choice: fit(*choice) for choice in product(_LOGISTIC_C, weights)}
    best = max(fitted, key=lambda choice: validation_mcc(y_valid, fitted[choice].predict(features.valid)))
    return tuple(fitted[best].predict(features.test).tolist()), _in_words(*best)


def validation_mcc(expected_N: ArrayLike, given_N: ArrayLike) -> float:
    """MCC of answers of any kind, by which a method chooses its settings; 0 where it is undefined.

    >>> validation_mcc(["low", "high"], ["low", "high"]), validation_mcc(["low", "low"], ["low", "low"])
    (1.0, 0.0)
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A single label was found")  # answers are all alike: no news to a user
        return float(matthews_corrcoef(expected_N, given_N))


def _in_words(strength: float, weight: str | None) -> str:
    return f"k-mer logistic regression (C = {strength:g}{', classes weighed equally' if weight else ''})"


def _ridge(features: _Features, train: Sequence[Item], valid: Sequence[Item]) -> tuple[float, ...]:
    y_train = np.array([item.value for item in train], dtype=float)
    y_valid = np.array([item.value for item in valid if item.value is not None], dtype=float)
    choose = len(y_valid) == len(valid) > 2
    fitted = {
        strength: Ridge(alpha=strength, solver="lsqr").fit(features.train, y_train)
        for strength in (_RIDGE_ALPHA if choose else _RIDGE_ALPHA[1:2])
    }

    def rank_correlation(strength: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(
                np.nan_to_num(spearmanr(y_valid, fitted[strength].predict(features.valid)).statistic, nan=-1.0)
            )

    best = max(fitted, key=rank_correlation) if choose else _RIDGE_ALPHA[1]
    return tuple(fitted[best].predict(features.test).tolist())


def _nearest(train: Sequence[Item], test: Sequence[Item], kmer_max: int) -> Answers:
    known, asked = _longest_kmers(train, kmer_max), _longest_kmers(test, kmer_max)
    texts: list[str] = []
    for start in range(0, len(test), _NEIGHBOURS_AT_ONCE):
        likeness: Any = (asked[start : start + _NEIGHBOURS_AT_ONCE] @ known.T).toarray()
        texts.extend(train[place].output for place in likeness.argmax(axis=1))
    return Answers("answer of the nearest training item by k-mers", tuple(texts))


def _longest_kmers(items: Sequence[Item], kmer_max: int) -> sparse.csr_matrix:
    """Only the longest k: short ones occur everywhere and say little about kinship."""
    blocks = []
    for place, kind in enumerate(items[0].kinds):
        k = longest_kmer(kind, kmer_max)
        blocks.append(normalize(kmer_counts([item.sequences[place] for item in items], kind, k, k)))
    return normalize(sparse.hstack(blocks, format="csr"))
