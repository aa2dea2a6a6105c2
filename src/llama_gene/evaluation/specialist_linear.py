"""A linear specialist: ridge or logistic regression of the logarithms of k-mer counts, through scikit-learn.

Axes: N items, F features, K outputs (1 number, or one per label).
"""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import normalize

from llama_gene.evaluation.features import kmer_counts, longest_kmer
from llama_gene.evaluation.metrics import Array

# The first of each is taken where no validation item tells them apart.
RIDGE_PENALTIES = (1.0, 0.1, 0.3, 3.0, 10.0)
LOGISTIC_STRENGTHS = (3.0, 0.3, 30.0)
_MOST_STEPS = 300


def kmer_features(items: Sequence[Sequence[str]], kinds: Sequence[str], kmer_max: int) -> sparse.csr_matrix:
    """log(1 + count) of every k-mer up to `kmer_max` (proteins: 3), at unit length for each sequence, (N, F).

    Args:
        items: The letters of each item, one string per input.
        kinds: "dna" or "protein", per input.
        kmer_max: Longest DNA k-mer.

    >>> kmer_features([["ACGT"]], ["dna"], 1).toarray().tolist()
    [[0.5, 0.5, 0.5, 0.5]]
    """
    blocks = [
        normalize(kmer_counts([item[place] for item in items], kind, 1, longest_kmer(kind, kmer_max)).log1p())
        for place, kind in enumerate(kinds)
    ]
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def fit_values(features_NF: sparse.csr_matrix, values: Array, penalty: float) -> dict[str, Array]:
    """Ridge regression; coefficients (1, F) and intercept (1,).

    Args:
        features_NF: Of the training items.
        values: Their standardised numbers, (N,).
        penalty: Strength of the penalty on large coefficients, > 0.
    """
    fitted = Ridge(alpha=penalty, solver="lsqr").fit(features_NF, values)
    return _arrays(fitted.coef_[None], np.array([fitted.intercept_]))


def fit_labels(features_NF: sparse.csr_matrix, numbers: Array, labels: int, strength: float) -> dict[str, Array]:
    """Logistic regression; coefficients (L, F) and intercept (L,), whose softmax are the probabilities.

    A label without a training item gets a probability near 0.

    Args:
        features_NF: Of the training items.
        numbers: Number of each item's label, (N,), with at least two labels among them.
        labels: Number of labels.
        strength: Inverse of the penalty on large coefficients, > 0.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=strength, max_iter=_MOST_STEPS).fit(features_NF, numbers)
    rows, shift = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two labels
        rows, shift = np.concatenate([np.zeros_like(rows), rows]), np.concatenate([np.zeros_like(shift), shift])
    coefficients, intercept = np.zeros((labels, rows.shape[1])), np.full(labels, -1e4)
    coefficients[fitted.classes_], intercept[fitted.classes_] = rows, shift
    return _arrays(coefficients, intercept)


def _arrays(coefficients_KF: Array, intercept_K: Array) -> dict[str, Array]:
    return {"coefficients": coefficients_KF.astype(np.float32), "intercept": intercept_K.astype(np.float32)}
