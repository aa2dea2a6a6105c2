"""The eleven rows of the paper's Table 9 and the accuracies it prints in them.

Source: LLaMA-Gene, section 3.2: "2 to 3 specific datasets per task", not named, "best" being the best specialist
known to its authors. The rows name what a task reads, so a definition cannot stand in a wrong one.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Row = Literal[
    "DNA classification",
    "protein classification",
    "DNA structure",
    "protein structure",
    "DNA+DNA",
    "protein+protein",
    "DNA+protein",
    "DNA function",
    "protein function",
    "DNA regression",
    "protein regression",
]


class PaperScore(NamedTuple):
    """Accuracy of the paper's model and of the best specialist, as printed."""

    llama_gene: float
    best: float


TABLE9: Mapping[Row, PaperScore] = {
    "DNA classification": PaperScore(0.83, 0.84),
    "protein classification": PaperScore(0.64, 0.72),
    "DNA structure": PaperScore(0.81, 0.85),
    "protein structure": PaperScore(0.73, 0.85),
    "DNA+DNA": PaperScore(0.66, 0.78),
    "protein+protein": PaperScore(0.63, 0.87),
    "DNA+protein": PaperScore(0.71, 0.91),
    "DNA function": PaperScore(0.76, 0.81),
    "protein function": PaperScore(0.71, 0.81),
    "DNA regression": PaperScore(0.83, 0.87),
    "protein regression": PaperScore(0.82, 0.86),
}
_WRITTEN = {"dna": "DNA", "protein": "protein"}


def row_name(family: str, kinds: Sequence[str]) -> str:
    """What a row of a task of this family, reading these kinds, would be called.

    >>> row_name("regression", ["dna"]), row_name("multi-sequence", ["protein", "dna"])
    ('DNA regression', 'DNA+protein')
    """
    names = [_WRITTEN[kind] for kind in sorted(kinds)]
    return "+".join(names) if family == "multi-sequence" else f"{names[0]} {family}"
