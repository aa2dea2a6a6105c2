"""What each answer of a task adds to its scores, by the same functions for a model and for every baseline.

The first score decides (the headline): the one that the task's definition names, else the usual one. Usual are MCC for
closed labels, since accuracy says little where classes are unequal; MCC per residue for structure, whose questions
depend on the tokenizer; Spearman where items carry a value, beside Pearson and R²; Fmax for lists of terms; the share
of right calls where any tool may answer; F1 of words for other free text.
"""

from collections.abc import Sequence

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.answers import is_exact, rouge_l, token_f1
from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.calls import are_calls, measure_calls, outcomes
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Measured, measure_labels, measure_mean
from llama_gene.evaluation.numbers import is_number, measure_values, values_of
from llama_gene.evaluation.residues import are_spans, measure_residues, spread
from llama_gene.evaluation.terms import are_terms, first_is_true, measure_terms


def measure_answers(items: Sequence[Item], answers: Answers, metric: str = "") -> dict[str, Measured]:
    """Name of each score to what it is computed from, headline first.

    Args:
        items: All of one task, N of them.
        answers: One text each, and one value each where the method foretells values.
        metric: The score that decides; "": the usual one.

    Raises:
        DataError: the items do not have the score that should decide.
    """
    measured = _measure(items, answers)
    if not metric:
        return measured
    if metric not in measured:
        raise DataError(
            f"task {items[0].task!r}: its definition says that {metric} decides, and its items have only "
            f"{', '.join(measured)}. Name one of these as metric, then split and build the task again."
        )
    return {metric: measured[metric], **measured}


def _measure(items: Sequence[Item], answers: Answers) -> dict[str, Measured]:
    if answers.letters:
        return measure_residues(items, answers.letters)
    labels = items[0].labels
    if is_number(items[0]):
        return _measure_values(items, answers)
    if are_calls(items):
        return measure_calls(items, answers.texts)
    if labels is None:
        return measure_terms(items, answers.texts) | _measure_texts(items, answers.texts)
    closed = measure_labels(
        label_numbers([item.output for item in items], labels), label_numbers(answers.texts, labels), len(labels)
    )
    residues = measure_residues(items, spread(items, answers.texts)) if are_spans(items) else {}
    return _measure_values(items, answers) | residues | closed


def label_numbers(texts: Sequence[str], labels: Sequence[str]) -> Array:
    """Place of each text among the labels, (N,); their number where it is none of them.

    >>> label_numbers(["b", "?"], ["a", "b"]).tolist()
    [1, 2]
    """
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(text, len(labels)) for text in texts], dtype=int)


def count_confusion(items: Sequence[Item], texts: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Counts, expected by answered label, (L, L); empty for free text. An answer that is no label is in no column."""
    labels = items[0].labels or ()
    if not labels:
        return ()
    table = np.zeros((len(labels), len(labels) + 1), dtype=int)
    np.add.at(table, (label_numbers([item.output for item in items], labels), label_numbers(texts, labels)), 1)
    return tuple(tuple(row) for row in table[:, : len(labels)].tolist())


def score_each(items: Sequence[Item], texts: Sequence[str]) -> Array:
    """How right each answer is, (N,): 1 or 0 for labels, calls and the first of several terms, else F1 of words."""
    if are_terms(items):
        return np.array([float(first_is_true(text, item.terms)) for text, item in zip(texts, items, strict=True)])
    if items and are_calls(items):
        return np.array([float(found == "right") for found in outcomes(items, texts)])
    pairs = [(text, item.output) for text, item in zip(texts, items, strict=True)]
    if items and items[0].labels is None:
        return np.array([token_f1(text, wanted) for text, wanted in pairs])
    return np.array([float(text == wanted) for text, wanted in pairs])


def _measure_values(items: Sequence[Item], answers: Answers) -> dict[str, Measured]:
    wanted = values_of(items)
    if wanted is None:
        return {}
    if answers.values is None:
        # Words alone say no number: by convention they order nothing, as MCC, and their squared error is undefined.
        none = measure_mean(np.zeros(len(items)))
        return {"spearman": none, "pearson": none, "r2": measure_mean(np.full(len(items), np.nan))}
    return measure_values(wanted, np.array(answers.values))


def _measure_texts(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Measured]:
    pairs = [(text, item.output) for text, item in zip(texts, items, strict=True)]
    measures = {"token_f1": token_f1, "rouge_l": rouge_l, "exact": is_exact}
    return {
        name: measure_mean(np.array([float(measure(text, wanted)) for text, wanted in pairs]))
        for name, measure in measures.items()
    }
