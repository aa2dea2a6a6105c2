"""Score answers that are lists of terms: `term name(GO:0000000)`, EC numbers, names of products.

Two terms are the same if both carry a GO identifier and these are equal; or, where one carries none, if their names are
equal after `normalise`. EC numbers are equal if all four parts are: `1.1.1.-` is not `1.1.1.1`.

`first_term` is the share of items whose first term is among the true ones (the accuracy of LLaMA-Gene, Table 9);
an empty answer is wrong.

`fmax` is CAFA's protein-centric measure (Radivojac et al. 2013, Nature Methods 10:221): at each threshold, precision
is the mean over items that have a term at or above it, recall the mean over all items; Fmax is the largest F1 of the
two. Answers that are written have no scores: each written term scores 1, and Fmax is the F1 of that one point. No
ontology is read, so terms are not propagated to their ancestors, as CAFA does: a parent of the true term is wrong here.

Axes: N items, T thresholds, R resamples.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from llama_gene.evaluation.answers import normalise
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Measured, measure_mean
from llama_gene.sequences.terms import split_terms

_GO = re.compile(r"\(?\bGO:\s?(\d{7})\b\)?", re.IGNORECASE)
_EC = re.compile(r"(?:\(?\bEC[\s:=]*)?\b(\d+(?:\.(?:\d+|-)){2}\.(?:n?\d+|-))(?![\w.])\)?", re.IGNORECASE)
_MOST_THRESHOLDS = 101


class Term(NamedTuple):
    """What a term is known by: a GO identifier or EC number, or ""; and its normalised name, which may be ""."""

    number: str
    name: str


def read_term(text: str) -> Term:
    """One term of an answer.

    >>> read_term(" DNA  Binding(GO:0003677)."), read_term("EC 1.1.1.1"), read_term("ATP synthase")
    (Term(number='GO:0003677', name='dna binding'), Term(number='EC:1.1.1.1', name=''), Term(number='', name='atp
    synthase'))
    """
    if found := _GO.search(text):
        return Term(f"GO:{found[1]}", normalise(text[: found.start()] + text[found.end() :]))
    if found := _EC.search(text):
        return Term(f"EC:{found[1].lower()}", normalise(text[: found.start()] + text[found.end() :]))
    return Term("", normalise(text))


def read_terms(text: str) -> tuple[Term, ...]:
    """The terms of an answer in order; "; " parts them.

    >>> [term.number for term in read_terms("nucleus(GO:0005634); DNA binding(GO:0003677)")]
    ['GO:0005634', 'GO:0003677']
    """
    return tuple(term for part in split_terms(text) if any(term := read_term(part)))


def is_same(one: Term, other: Term) -> bool:
    """Whether two terms mean the same: by their numbers where both have one, else by their names.

    >>> is_same(Term("GO:0005634", "nucleus"), Term("", "nucleus")), is_same(Term("GO:1", "a"), Term("GO:2", "a"))
    (True, False)
    """
    if one.number and other.number:
        return one.number == other.number
    return bool(one.name) and one.name == other.name


def first_is_true(text: str, true: Sequence[str]) -> bool:
    """Whether the first term of an answer is among the true ones.

    >>> first_is_true("nucleus; cytosol", ["cytosol(GO:0005829)", "nucleus(GO:0005634)"]), first_is_true("", ["a"])
    (True, False)
    """
    given = read_terms(text)
    return bool(given) and any(is_same(given[0], read_term(other)) for other in true)


def are_terms(items: Sequence[Item]) -> bool:
    """True where the answer of every item is a list of terms."""
    return bool(items) and all(item.terms for item in items)


def measure_terms(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Measured]:
    """`fmax` and `first_term` of written answers; nothing where they are no lists of terms.

    Args:
        items: All of one task, N of them.
        texts: The answer to each.
    """
    if not are_terms(items):
        return {}
    true = [item.terms for item in items]
    right = [float(first_is_true(text, wanted)) for text, wanted in zip(texts, true, strict=True)]
    return {"fmax": measure_fmax([written(text) for text in texts], true), "first_term": measure_mean(np.array(right))}


def measure_fmax(answers: Sequence[Mapping[str, float]], true: Sequence[Sequence[str]]) -> Measured:
    """CAFA's Fmax of terms with scores.

    Args:
        answers: Of each item, the terms and their scores, 0 to 1; of written terms each 1.
        true: The true terms of each item, at least one.

    >>> found = measure_fmax([{"a": 0.9, "b": 0.2}, {"c": 0.9}], [["a"], ["d"]])
    >>> float(found.score(found.sums_NK.sum(axis=0, keepdims=True))[0])
    0.5
    """
    thresholds = _thresholds(answers)
    precision_NT, recall_NT, answers_NT = _sums(answers, true, thresholds)
    width = len(thresholds)

    def score(sums_RK: Array) -> Array:
        precision_RT = sums_RK[:, :width] / np.maximum(sums_RK[:, 2 * width : 3 * width], 1e-12)
        recall_RT = sums_RK[:, width : 2 * width] / sums_RK[:, -1:]
        both = precision_RT + recall_RT
        found: Array = np.where(both > 0, 2 * precision_RT * recall_RT / np.maximum(both, 1e-12), 0.0).max(axis=1)
        return found

    return Measured(np.concatenate([precision_NT, recall_NT, answers_NT, np.ones((len(answers), 1))], axis=1), score)


def written(text: str) -> dict[str, float]:
    """The terms of a written answer, each with score 1.

    >>> written("nucleus(GO:0005634); cytosol(GO:0005829)")
    {'nucleus(GO:0005634)': 1.0, 'cytosol(GO:0005829)': 1.0}
    """
    return dict.fromkeys(split_terms(text), 1.0)


def _thresholds(answers: Sequence[Mapping[str, float]]) -> Array:
    """Every score that occurs; of very many, quantiles."""
    scores = np.unique([score for answer in answers for score in answer.values()] or [1.0])
    if len(scores) <= _MOST_THRESHOLDS:
        return scores
    return np.unique(np.quantile(scores, np.linspace(0, 1, _MOST_THRESHOLDS), method="nearest"))


def _sums(
    answers: Sequence[Mapping[str, float]], true: Sequence[Sequence[str]], thresholds: Array
) -> tuple[Array, Array, Array]:
    """Precision, recall, and whether there is a term at all, of each item at each threshold, each (N, T)."""
    shape = (len(answers), len(thresholds))
    precision, recall, has_terms = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row, (answer, wanted) in enumerate(zip(answers, true, strict=True)):
        known = [read_term(text) for text in wanted]
        given = [(term, score) for text, score in answer.items() if any(term := read_term(text))]
        for column, threshold in enumerate(thresholds):
            kept = [term for term, score in given if score >= threshold]
            if kept:
                has_terms[row, column] = 1
                right = sum(any(is_same(term, other) for other in known) for term in kept)
                found = sum(any(is_same(term, other) for term in kept) for other in known)
                precision[row, column], recall[row, column] = right / len(kept), found / max(1, len(known))
    return precision, recall, has_terms
