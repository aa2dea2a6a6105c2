"""Several indexes asked as one: each was built apart, maybe on another machine, and all are searched side by side.

An E-value is the hits as good expected by chance among all letters searched. Every method makes it proportional to the
size of what it searched, so that of one index times the size of all by its own is that of all together.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.retrieval.aligners import Choice
from llama_gene.retrieval.fusion import Ranked, Ranking, fuse
from llama_gene.retrieval.hits import PassageHit, SequenceHit
from llama_gene.retrieval.index import LOOKED_AT, Index, check_most, open_index, who_searches
from llama_gene.retrieval.vectors import LoadEncoder
from llama_gene.sequences.alignment import Traced

# phmmer counts sequences, the others letters.
_COUNTS_RECORDS = "phmmer"
_MOST_THREADS = 8
_RANKINGS: tuple[Ranking, ...] = ("words", "vectors")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Indexes:
    """Open indexes that answer together, as an `Index` does; made by `open_indexes`, safe to share between threads."""

    parts: tuple[Index, ...]

    @property
    def name(self) -> str:
        """What they are called beside their hits."""
        return " + ".join(part.name for part in self.parts)

    @property
    def counts(self) -> Mapping[str, int]:
        """What all hold."""
        return sum((Counter(part.counts) for part in self.parts), Counter())

    @property
    def config(self) -> IndexConfig:
        """How they are asked."""
        return self.parts[0].config

    def find_sequences(self, letters: str, kind: GeneKind, most: int = 10) -> tuple[SequenceHit, ...]:
        """The best hits of all, with E-values among all; arguments and errors as `Index.find_sequences`."""
        check_most(most)
        chosen = self.config.model_copy(update={"method": self.choose_method(letters, kind).method})
        found = self._ask_each(lambda part: replace(part, config=chosen).find_sequences(letters, kind, most))
        hits = [self._among_all(hit, part, kind) for part, each in zip(self.parts, found, strict=True) for hit in each]
        good = [hit for hit in hits if hit.e_value is None or hit.e_value <= self.config.max_e_value]
        return tuple(sorted(good, key=_goodness)[:most])

    def _among_all(self, hit: SequenceHit, part: Index, kind: GeneKind) -> SequenceHit:
        if hit.e_value is None:
            return hit
        size = f"{kind} {'records' if hit.method == _COUNTS_RECORDS else 'letters'}"
        return replace(hit, e_value=hit.e_value * self.counts[size] / part.counts[size])

    def choose_method(self, letters: str, kind: GeneKind) -> Choice:
        """Who would look for these letters in each, and why: one method for all of them, by the letters of all."""
        return who_searches(self.config, letters, kind, self.counts)

    def align(self, letters: str, hit: SequenceHit) -> Traced | None:
        """The rows of the alignment with a hit, as `Index.align` gives them."""
        drawn = [rows for part in self.parts if (rows := part.align(letters, hit)) is not None]
        return max(drawn, key=lambda rows: rows.score, default=None)

    def find_passages(self, question: str, most: int = 5) -> tuple[PassageHit, ...]:
        """The best passages of all; arguments and errors as `Index.find_passages`.

        BM25 weighs a word by how rare it is in its own index, so scores of indexes about different things are only
        roughly alike; so are the likenesses of vectors that each index fitted on itself.
        """
        check_most(most)
        found = self._ask_each(lambda part: part.rank_passages(question, max(LOOKED_AT, most)))
        rankings: dict[Ranking, Sequence[Ranked[Any]]] = {
            name: sorted(
                (
                    Ranked((place, one.place), one.score)
                    for place, rankings in enumerate(found)
                    for one in rankings[name]
                ),
                key=lambda one: (-one.score, one.place),
            )
            for name in _RANKINGS
        }
        weight = max(part.vector_weight for part in self.parts)
        return tuple(
            self.parts[place].passage(number, score, found_by)
            for (place, number), score, found_by in fuse(rankings, weight, most)
        )

    def close(self) -> None:
        """Let go of the databases."""
        for part in self.parts:
            part.close()

    def _ask_each(self, ask: Callable[[Index], Result]) -> list[Result]:
        with ThreadPoolExecutor(min(_MOST_THREADS, len(self.parts))) as pool:
            return list(pool.map(ask, self.parts))


AnyIndex = Index | Indexes


def open_indexes(
    folders: Sequence[Path], config: IndexConfig | None = None, load_encoder: LoadEncoder | None = None
) -> AnyIndex | None:
    """Open folders that `build_index` made, to be asked as one; None for none.

    Args:
        folders: The indexes.
        config: As for `open_index`, of each.
        load_encoder: As for `open_index`.

    Raises:
        ArtifactError: as `open_index`.
        ConfigError: as `open_index`.
    """
    parts = tuple(open_index(folder, config, load_encoder) for folder in folders)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Indexes(parts)


def _goodness(hit: SequenceHit) -> tuple[float, float, float, str]:
    """Best first: by E-value; without one by how much of the query is equal in the alignment."""
    equal = hit.identity * hit.coverage
    return (0.0 if hit.e_value is None else hit.e_value, -equal, -hit.coverage, hit.id)
