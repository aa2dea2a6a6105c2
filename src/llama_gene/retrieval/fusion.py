"""One ranking of passages out of several: by the weighted sum of reciprocal ranks (Cormack et al. 2009, SIGIR)."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

Ranking = Literal["words", "vectors"]
Place = TypeVar("Place", bound=Hashable)
# The constant of its authors.
_FUSION = 60


class Ranked(NamedTuple, Generic[Place]):
    """A passage in one ranking; a greater score is better, and says nothing in another ranking."""

    place: Place
    score: float


class Fused(NamedTuple, Generic[Place]):
    """A passage, the sum of weight / (60 + rank), and the rankings that hold it."""

    place: Place
    score: float
    found_by: tuple[Ranking, ...]


def fuse(rankings: Mapping[Ranking, Sequence[Ranked[Any]]], vector_weight: float, most: int) -> list[Fused[Any]]:
    """The best passages of several rankings together, best first; of equal ones the lower place.

    Args:
        rankings: Each best first.
        vector_weight: What a rank among the vectors counts, where one among the words counts 1.
        most: Passages at most.

    >>> words, vectors = [Ranked(7, 2.5), Ranked(3, 1.0)], [Ranked(3, 0.9)]
    >>> [one.place for one in fuse({"words": words, "vectors": vectors}, vector_weight=1.0, most=2)]
    [3, 7]
    """
    scores: dict[Any, float] = {}
    found_by: dict[Any, tuple[Ranking, ...]] = {}
    for name, ranked in rankings.items():
        weight = vector_weight if name == "vectors" else 1.0
        for rank, one in enumerate(ranked, start=1):
            scores[one.place] = scores.get(one.place, 0.0) + weight / (_FUSION + rank)
            found_by[one.place] = (*found_by.get(one.place, ()), name)
    best = sorted(scores, key=lambda place: (-scores[place], place))[:most]
    return [Fused(place, scores[place], found_by[place]) for place in best]
