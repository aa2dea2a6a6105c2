"""Weigh the kinds against each other: how many training letters of each, and which documents those are.

Every training document draws a priority when it is made. When all are made, each kind keeps the documents of lowest
priority up to its quota: a random share of all of them, whatever file they come from, chosen without a second reading
and never over the quota.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import KINDS, Kind

PRIORITIES = 1 << 16


@dataclass(frozen=True)
class Mixture:
    """What the corpus takes of each kind.

    Attributes:
        available: Training letters there are.
        wanted: Letters that the weights and the budget ask for.
        limits: Documents of this kind whose priority is below the limit are kept.
        kept: Letters kept.
    """

    available: Mapping[Kind, int]
    wanted: Mapping[Kind, int]
    limits: Mapping[Kind, int]
    kept: Mapping[Kind, int]

    def facts(self) -> dict[str, Any]:
        """The mixture in words: shares asked and reached, and what each kind falls short of its share."""
        total = sum(self.kept.values())
        return {
            kind: {
                "available_letters": self.available[kind],
                "wanted_letters": self.wanted[kind],
                "kept_letters": self.kept[kind],
                "kept_share": round(self.kept[kind] / total, 4) if total else 0.0,
                "short_letters": max(0, self.wanted[kind] - self.available[kind]),
            }
            for kind in KINDS
            if self.available[kind] or self.wanted[kind]
        }


def choose_mixture(
    letters: Mapping[Kind, NDArray[np.int64]], weights: Mapping[Kind, float], max_letters: int | None
) -> Mixture:
    """Share the budget out by weight among the kinds that have letters.

    A kind takes the smaller of what it has and its share of the budget; a kind that falls short is not made up for
    by another. Without a budget, the budget is all letters there are.

    Args:
        letters: Training letters of each kind by priority, int64 [PRIORITIES].
        weights: Share per kind; a kind that is not named has none.
        max_letters: The budget.

    >>> one_each = np.ones(PRIORITIES, dtype=np.int64)
    >>> mixture = choose_mixture({"dna": one_each, "protein": one_each}, {"dna": 3, "protein": 1, "text": 4}, 40_000)
    >>> mixture.kept["dna"], mixture.kept["protein"], mixture.wanted["text"]
    (30000, 10000, 0)
    """
    available = {kind: int(letters[kind].sum()) if kind in letters else 0 for kind in KINDS}
    present = {kind: weights.get(kind, 0.0) if available[kind] else 0.0 for kind in KINDS}
    budget = sum(available.values()) if max_letters is None else max_letters
    whole = sum(present.values()) or 1.0
    wanted = {kind: round(budget * present[kind] / whole) for kind in KINDS}
    limits, kept = {}, {}
    for kind in KINDS:
        reached = np.cumsum(letters[kind]) if available[kind] else np.zeros(1, dtype=np.int64)
        limits[kind] = int(np.searchsorted(reached, wanted[kind], side="right")) if wanted[kind] else 0
        kept[kind] = int(reached[limits[kind] - 1]) if limits[kind] else 0
    return Mixture(available, wanted, limits, kept)
