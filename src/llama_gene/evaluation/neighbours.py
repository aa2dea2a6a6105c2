"""The nearest training item by alignment, and its answer.

Candidates share rare k-mers with the item asked (cosine of counts weighed by inverse document frequency); the
alignment score decides among them: Smith-Waterman with BLOSUM62 for proteins, with +2/-3 for DNA on either strand,
affine gaps (parasail; Daily 2016, BMC Bioinformatics 17:81). For several sequences the scores add up; two of one kind
are tried in both orders. Windows of the structure family are aligned up to their last letter, on one strand.

Axes: N items asked, M training items, F k-mers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import parasail
from scipy import sparse
from sklearn.preprocessing import normalize

from llama_gene.evaluation.baselines import Answers, most_frequent
from llama_gene.evaluation.features import kmer_counts
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.numbers import values_of
from llama_gene.progress import show_progress
from llama_gene.sequences.alphabets import reverse_complement

# Longer sequences are aligned by their first letters alone: the time of an alignment grows with the square.
ALIGNED_LETTERS = 1000
_KMER = {"dna": 8, "protein": 3}
_KMER_OF_WINDOWS = {"dna": 5, "protein": 2}
_ITEMS_AT_ONCE = 256

Array = np.ndarray[Any, np.dtype[Any]]
# One way to read an item: per sequence its strands.
Reading = tuple[tuple[str, ...], ...]


class _Scoring(NamedTuple):
    """Substitution matrix, and the cost of the first and of each further letter of a gap."""

    matrix: Any
    open: int
    extend: int


_DNA = _Scoring(parasail.matrix_create("ACGT", 2, -3), 5, 2)
_PROTEIN = _Scoring(parasail.blosum62, 11, 1)


@dataclass(frozen=True)
class Neighbours:
    """The nearest training item of each item asked: its place, -1 where none shares a k-mer; and how alike they are.

    `identities`: equal letters of the alignment as a share of the shorter sequence, 0 to 1; of several sequences the
    least.
    """

    places: tuple[int, ...]
    identities: tuple[float, ...]


def answer_by_neighbour(train: Sequence[Item], asked: Sequence[Item], found: Neighbours) -> Answers:
    """The answer (and value) of the nearest training item; the most frequent (the mean) where there is none."""
    common = most_frequent(train)
    texts = tuple(train[place].output if place >= 0 else common for place in found.places)
    method = "the answer of the best hit"
    known = values_of(train)
    if known is None or values_of(asked) is None:
        return Answers(method, texts)
    return Answers(method, texts, tuple(np.append(known, known.mean())[list(found.places)].tolist()))


def find_neighbours(train: Sequence[Item], asked: Sequence[Item], *, candidates: int) -> Neighbours:
    """The training item that aligns best with each item asked.

    Args:
        train: Training items of one task, all with the same kinds.
        asked: Items of the same task.
        candidates: Training items aligned per item asked, those with the most rare k-mers in common, >= 1.
    """
    windows = asked[0].family == "structure"
    kinds = asked[0].kinds
    known = [tuple(map(_plain, item.sequences, kinds)) for item in train]
    likeness = _Likeness(known, kinds, _KMER_OF_WINDOWS if windows else _KMER)
    aligner = _Aligner(known, kinds, windows)
    found = []
    for start in show_progress(range(0, len(asked), _ITEMS_AT_ONCE), f"{asked[0].task}: aligning"):
        readings = [read_ways(item, windows) for item in asked[start : start + _ITEMS_AT_ONCE]]
        near = likeness.nearest(readings, candidates)
        found += [aligner.best(ways, places) for ways, places in zip(readings, near, strict=True)]
    return Neighbours(tuple(place for place, _ in found), tuple(identity for _, identity in found))


def read_ways(item: Item, windows: bool) -> list[Reading]:
    """The orders in which the sequences of an item may be read, DNA on both strands; windows on one.

    >>> from types import SimpleNamespace
    >>> read_ways(SimpleNamespace(sequences=("TTG", "MK"), kinds=("dna", "protein")), windows=False)
    [(('TTG', 'CAA'), ('MK',))]
    """
    texts = list(map(_plain, item.sequences, item.kinds))
    strands = [
        (text, reverse_complement(text)) if kind == "dna" and not windows else (text,)
        for text, kind in zip(texts, item.kinds, strict=True)
    ]
    whole = tuple(range(len(texts)))
    swapped = len(texts) == 2 and item.kinds[0] == item.kinds[1]
    orders = list(permutations(whole)) if swapped else [whole]
    return [tuple(strands[place] for place in order) for order in orders]


def _plain(letters: str, kind: str) -> str:
    """Upper case, DNA for RNA, other signs as unknown letters, at least one and at most `ALIGNED_LETTERS`."""
    upper = letters[:ALIGNED_LETTERS].upper().encode("ascii", "replace").decode() or "?"
    return re.sub("[^ACGT]", "N", upper.replace("U", "T")) if kind == "dna" else upper


class _Likeness:
    """How many k-mers items share with the training items, rare ones counting most."""

    def __init__(self, known: Sequence[tuple[str, ...]], kinds: Sequence[str], sizes: dict[str, int]) -> None:
        self._kinds, self._sizes = kinds, sizes
        counts = [self._count(texts, place) for place, texts in enumerate(zip(*known, strict=True))]
        self._weights = [np.log1p(len(known) / (1 + (part > 0).sum(axis=0).A1)) for part in counts]
        self._known_MF = [self._weigh(part, place) for place, part in enumerate(counts)]

    def nearest(self, readings: Sequence[list[Reading]], candidates: int) -> list[Array]:
        """Places of the training items most alike to each item, likeness > 0, nearest first."""
        best_NM = np.maximum.reduce(
            [self._likeness([ways[way] for ways in readings]) for way in range(len(readings[0]))]
        )
        count = min(candidates, best_NM.shape[1])
        top = np.argpartition(-best_NM, count - 1, axis=1)[:, :count]
        found = []
        for row, places in zip(best_NM, top, strict=True):
            order = places[np.lexsort((places, -row[places]))]
            found.append(order[row[order] > 0])
        return found

    def _likeness(self, readings: Sequence[Reading]) -> Array:
        """Sum over the sequences, each on its better strand, (N, M)."""
        total = np.zeros((len(readings), self._known_MF[0].shape[0]), dtype=np.float32)
        for place, known_MF in enumerate(self._known_MF):
            strands = zip(*(reading[place] for reading in readings), strict=True)
            parts = [self._weigh(self._count(texts, place), place) @ known_MF.T for texts in strands]
            total += np.maximum.reduce([part.toarray() for part in parts])
        return total

    def _count(self, texts: Sequence[str], place: int) -> sparse.csr_matrix:
        kind = self._kinds[place]
        size = self._sizes.get(kind, 1)
        return kmer_counts(texts, kind, size, size)

    def _weigh(self, counts: sparse.csr_matrix, place: int) -> sparse.csr_matrix:
        weighed = counts.log1p().multiply(self._weights[place])
        return normalize(sparse.csr_matrix(weighed, dtype=np.float32))


class _Aligner:
    """Alignment scores against the training items."""

    def __init__(self, known: Sequence[tuple[str, ...]], kinds: Sequence[str], windows: bool) -> None:
        self._known = known
        self._scorings = [_DNA if kind == "dna" else _PROTEIN for kind in kinds]
        # A window is aligned to its last letter: only letters before it may stay apart.
        self._score = parasail.sg_qb_db_striped_profile_sat if windows else parasail.sw_striped_profile_sat
        self._compare = parasail.sg_qb_db_stats_striped_sat if windows else parasail.sw_stats_striped_sat

    def best(self, ways: Sequence[Reading], near: Array) -> tuple[int, float]:
        """Place and identity of the candidate with the greatest score; of equals the one that shares most k-mers."""
        found: list[tuple[int, int, list[str]]] = []
        for way in ways:
            profiles = [
                [parasail.profile_create_sat(text, scoring.matrix) for text in strands]
                for strands, scoring in zip(way, self._scorings, strict=True)
            ]
            for candidate in near.tolist():
                scores = [
                    [self._score(profile, text, scoring.open, scoring.extend).score for profile in each]
                    for each, text, scoring in zip(profiles, self._known[candidate], self._scorings, strict=True)
                ]
                strands = [texts[int(np.argmax(each))] for texts, each in zip(way, scores, strict=True)]
                found.append((sum(map(max, scores)), candidate, strands))
        if not found:
            return -1, 0.0
        _, chosen, strands = max(found, key=lambda hit: hit[0])
        return chosen, min(map(self._identity, strands, self._known[chosen], self._scorings))

    def _identity(self, text: str, other: str, scoring: _Scoring) -> float:
        matches = self._compare(text, other, scoring.open, scoring.extend, scoring.matrix).matches
        return float(matches) / min(len(text), len(other))
