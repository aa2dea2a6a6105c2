"""Weigh the kinds against each other by tokens: which share of each kind's documents a phase of training takes.

The documents of a corpus are shuffled, so any share of those of one kind in one shard is a random part of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import KINDS, Kind, Phase


@dataclass(frozen=True)
class Mixture:
    """What training takes of each kind.

    Attributes:
        available: Tokens there are, estimated.
        wanted: Tokens that the weights and the budget ask for, per phase.
        spans: Per phase and kind the stretch of its documents, as (start, end) in 0..1.
    """

    available: Mapping[Kind, float]
    wanted: Sequence[Mapping[Kind, float]]
    spans: Sequence[Mapping[Kind, tuple[float, float]]]

    def facts(self) -> dict[str, Any]:
        """What there is, what was asked for, and what each kind falls short of it, in tokens."""
        found: dict[str, Any] = {}
        for kind in KINDS:
            wanted = sum(phase[kind] for phase in self.wanted)
            if self.available[kind] or wanted:
                found[kind] = {
                    "available_tokens": round(self.available[kind]),
                    "wanted_tokens": round(wanted),
                    "short_tokens": round(max(0.0, wanted - self.available[kind])),
                }
        return found


def choose_mixture(available: Mapping[Kind, float], phases: Sequence[Phase], max_tokens: int | None) -> Mixture:
    """Share the budget out by weight among the kinds that there are.

    A kind takes the smaller of what it has and its share of the budget; one that falls short is not made up for by
    another. Without weights, kinds stand as they are there. Without a budget, the budget is all tokens there are. A
    later phase takes what earlier ones left.

    Args:
        available: Tokens of each kind.
        phases: Mixtures in order.
        max_tokens: The budget.

    >>> both = Phase(share=1, weights={"dna": 3, "protein": 1, "text": 4})
    >>> mixture = choose_mixture({"dna": 60_000, "protein": 20_000, "text": 0}, [both], 40_000)
    >>> mixture.spans[0]["dna"], mixture.wanted[0]["protein"], mixture.wanted[0]["text"]
    ((0.0, 0.5), 10000.0, 0.0)
    """
    available = {kind: available.get(kind, 0.0) for kind in KINDS}
    budget = sum(available.values()) if max_tokens is None else max_tokens
    whole = sum(phase.share for phase in phases)
    taken: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
    wanted, spans = [], []
    for phase in phases:
        weights = {kind: phase.weights.get(kind, 0.0) if available[kind] else 0.0 for kind in KINDS}
        weights = weights if phase.weights else dict(available)
        tokens = budget * phase.share / whole
        asked = {kind: tokens * weights[kind] / (sum(weights.values()) or 1.0) for kind in KINDS}
        ends = {kind: min(1.0, taken[kind] + asked[kind] / max(1.0, available[kind])) for kind in KINDS}
        wanted.append(asked)
        spans.append({kind: (taken[kind], ends[kind]) for kind in KINDS})
        taken = ends
    return Mixture(available, wanted, spans)


def take_span(letters: NDArray[Any], span: tuple[float, float], rng: np.random.Generator) -> NDArray[np.intp]:
    """The documents in one stretch of a random order of them all, measured in letters.

    Stretches that follow each other share no document, and together are all of them.

    Args:
        letters: Of each document.
        span: Start and end of the stretch, in 0..1.
        rng: Source of the order: the same for all stretches.

    Returns:
        Places of the documents, ascending.

    >>> letters = np.array([5, 5, 5, 5])
    >>> first, rest = (take_span(letters, span, np.random.default_rng(1)) for span in ((0.0, 0.5), (0.5, 1.0)))
    >>> len(first), len(rest), sorted([*first.tolist(), *rest.tolist()])
    (2, 2, [0, 1, 2, 3])
    """
    order = rng.permutation(len(letters))
    middles = np.cumsum(letters[order]) - letters[order] / 2
    start, end = np.searchsorted(middles, np.array(span) * letters.sum())
    return np.sort(order[start:end])
