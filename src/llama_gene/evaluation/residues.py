"""Score structure per residue or base: the same letters of the same held-out chains, whatever the tokenizer.

A question about a token is answered once, and the answer stands for each letter of the token that was drawn; a question
about a letter stands for itself. Letters of unknown state never count. So `per_residue_accuracy` is the Q3 or Q8 of the
field, of all letters of the chains where all are asked (`positions = 0`), else of a sample that is drawn evenly.

A token whose letters differ in state cannot be right for all of them: the ceiling says what right answers to all
questions would reach.

Axes: N questions, C letters that count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Measured, measure_labels, value_of


@dataclass(frozen=True)
class Residues:
    """Letters that count, chains they are of, and the accuracy and MCC that right answers to all questions would reach.

    `ceiling_mcc` is None where all letters are of one state.
    """

    n: int
    chains: int
    ceiling: float
    ceiling_mcc: float | None


def are_spans(items: Sequence[Item]) -> bool:
    """True where every item asks about a part of a chain."""
    return bool(items) and all(item.span is not None and item.labels for item in items)


def count_residues(items: Sequence[Item]) -> Residues:
    """What the items ask about.

    Args:
        items: All of one task, each with a span.

    Raises:
        DataError: no letter counts.
    """
    expected, answered, _ = _letters(items, spread(items, [item.output for item in items]))
    measured = measure_labels(expected, answered, len(items[0].labels or ()))
    return Residues(
        n=len(expected),
        chains=len({item.span.chain for item in items if item.span}),
        ceiling=float(np.mean(expected == answered)),
        ceiling_mcc=value_of(measured["mcc"]),
    )


def measure_residues(items: Sequence[Item], said: Sequence[Sequence[str]]) -> dict[str, Measured]:
    """`per_residue_mcc` and `per_residue_accuracy`.

    Args:
        items: All of one task, N of them, each with a span.
        said: Of each item the answer about each of its letters that count; what is no label is wrong.

    Raises:
        DataError: no letter counts.
    """
    expected, answered, owners = _letters(items, said)
    measured = measure_labels(expected, answered, len(items[0].labels or ()))
    letters_CK = measured["accuracy"].sums_NK
    sums_NK = np.zeros((len(items), letters_CK.shape[1]))
    np.add.at(sums_NK, owners, letters_CK)
    return {
        f"per_residue_{name}": Measured(sums_NK, measured[name].score, counted=len(expected))
        for name in ("mcc", "accuracy")
    }


def spread(items: Sequence[Item], texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The answer to each item, for each of its letters that count."""
    return [
        (text,) * sum(state is not None for state in (item.span.states if item.span else ()))
        for item, text in zip(items, texts, strict=True)
    ]


def _letters(items: Sequence[Item], said: Sequence[Sequence[str]]) -> tuple[Array, Array, Array]:
    """Expected label, answered label and question of each letter that counts, each shape (C,)."""
    labels = items[0].labels or ()
    number = {label: place for place, label in enumerate(labels)}
    expected, answered, owners = [], [], []
    for owner, (item, answers) in enumerate(zip(items, said, strict=True)):
        if item.span is None:
            raise DataError(f"task {item.task!r}, item {item.id!r}: no span. Build the instructions again.")
        counted = [number[state] for state in item.span.states if state is not None]
        expected += counted
        answered += [number.get(answer, len(labels)) for answer in answers]
        owners += [owner] * len(counted)
    if not expected:
        raise DataError(f"task {items[0].task!r}: no letter of known state is asked about. Build more test items.")
    return np.array(expected), np.array(answered), np.array(owners)
