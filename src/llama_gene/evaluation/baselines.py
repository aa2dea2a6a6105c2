"""What a simple method reaches on the same items: the majority answer, and linear models of k-mers.

Closed tasks: logistic regression (also of the bins of a regression task, whose value is read with ridge regression).
Free text: the answer of the training item with the nearest k-mers. Fitted on the training split alone; the strength
of the penalty is chosen on the validation split where there is one.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import normalize

from llama_gene.errors import DataError
from llama_gene.evaluation.features import item_features, kmer_counts, longest_kmer
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.numbers import is_number

_LOGISTIC_C = (0.3, 3.0, 30.0)
_RIDGE_ALPHA = (0.1, 1.0, 10.0)
_MOST_STEPS = 300
_NEIGHBOURS_AT_ONCE = 256


@dataclass(frozen=True)
class Answers:
    """A method's answer to each test item, and the value it foretells where the task has values."""

    method: str
    texts: tuple[str, ...]
    values: tuple[float, ...] | None = None


class _Features(NamedTuple):
    """Rows of each split; None where there are no items."""

    train: sparse.csr_matrix
    valid: sparse.csr_matrix | None
    test: sparse.csr_matrix


def majority(train: Sequence[Item], test: Sequence[Item]) -> Answers:
    """The most frequent training answer, for every item.

    Raises:
        DataError: no training items.
    """
    if not train:
        task = test[0].task if test else "?"
        raise DataError(f"task {task!r}: no training items to compare with. Build the instructions with a train split.")
    counts = Counter(item.output for item in train)
    common = min(counts, key=lambda answer: (-counts[answer], answer))
    return Answers("most frequent answer", (common,) * len(test))


def kmer_baseline(
    train: Sequence[Item], valid: Sequence[Item], test: Sequence[Item], *, kmer_max: int
) -> Answers | None:
    """The k-mer model that suits the task; None where its items hold no sequences.

    Args:
        train: Training items of one task.
        valid: Validation items, to choose the penalty; may be empty.
        test: Items to answer.
        kmer_max: Longest DNA k-mer.
    """
    if not all(item.sequences and item.kinds == test[0].kinds for item in (*train, *valid, *test)):
        return None
    if test[0].labels is None and not is_number(test[0]):
        return _nearest(train, test, kmer_max)
    features = _Features(
        *(
            item_features(items, kmer_max=kmer_max, family=test[0].family) if items else None
            for items in (train, valid, test)
        )
    )
    if is_number(test[0]):
        if not _have_values(train):
            return None
        return Answers("k-mer ridge regression", ("",) * len(test), _ridge(features, train, valid))
    texts, penalty = _logistic(features, train, valid)
    values = _ridge(features, train, valid) if _have_values(train) and _have_values(test) else None
    return Answers(f"k-mer logistic regression (C = {penalty:g})", texts, values)


def _have_values(items: Sequence[Item]) -> bool:
    return all(item.value is not None for item in items)


def _logistic(features: _Features, train: Sequence[Item], valid: Sequence[Item]) -> tuple[tuple[str, ...], float]:
    y_train = np.array([item.output for item in train])
    y_valid = np.array([item.output for item in valid])
    if len(set(y_train)) == 1:
        return (str(y_train[0]),) * features.test.shape[0], _LOGISTIC_C[1]

    def fit(strength: float) -> LogisticRegression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LogisticRegression(C=strength, max_iter=_MOST_STEPS).fit(features.train, y_train)

    fitted = {strength: fit(strength) for strength in (_LOGISTIC_C if valid else _LOGISTIC_C[1:2])}
    best = max(fitted, key=lambda c: fitted[c].score(features.valid, y_valid) if valid else 0.0)
    return tuple(fitted[best].predict(features.test).tolist()), best


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
