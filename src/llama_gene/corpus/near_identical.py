"""Find genomes that are nearly the same, so that a held-out region of one is not read in the other.

A genome (a file of DNA) is sketched by its smallest 21-mers in a pseudo-random order (MinHash, Ondov et al. 2016,
Genome Biology 17:132). Two sketches are compared below the smaller of their largest values, where both are complete,
and the similarity is the share of the smaller set that the other holds, so a plasmid or a gene set counts as like its
genome. At 21 letters a containment of 0.5 is about 97 % identity.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from llama_gene.corpus.kmers import DNA_WORD, LARGEST, Words, distinct, join, words_in

SKETCH_WORDS = 4096
_CHUNK = 1 << 15
_LARGEST_CHUNK = 1 << 20  # 16 bytes of room a letter
_WIDELY_SHARED = 64
_ENOUGH = 32


class Sketch:
    """The smallest words of one genome, at most 4,096 of them (32 kB), fed sequence by sequence.

    >>> sketch = Sketch()
    >>> sketch.add("ACGTACGGTCAATCGATCGGACT")
    >>> len(sketch.words)
    3
    """

    def __init__(self) -> None:
        self._smallest: Words = np.empty(0, dtype=np.uint64)
        self._waiting: list[Words] = []
        self._waiting_words = 0
        self._letters = 0

    @property
    def words(self) -> Words:
        """The smallest different words so far, sorted."""
        self._settle()
        return self._smallest

    def add(self, letters: str) -> None:
        """Take in the words of one sequence of A, C, G and T."""
        codes = join([letters], "dna").letters
        start = 0
        while start < len(codes):
            # A piece as long as all before it holds about as many words under the bound as the sketch has.
            end = start + min(_LARGEST_CHUNK, max(_CHUNK, self._letters))
            bound = self._smallest[-1] if len(self._smallest) == SKETCH_WORDS else LARGEST
            self._take(words_in(codes[start : end + DNA_WORD - 1], "dna", DNA_WORD, most=bound).words)
            self._letters += min(end, len(codes)) - start
            start = end

    def _take(self, words: Words) -> None:
        """Many short sequences share one sorting."""
        if len(words):
            self._waiting.append(words.copy())  # a copy, or the room for all words of the piece would stay in use
            self._waiting_words += len(words)
        if self._waiting_words >= SKETCH_WORDS:
            self._settle()

    def _settle(self) -> None:
        if self._waiting:
            self._smallest = distinct(np.concatenate([self._smallest, *self._waiting]))[:SKETCH_WORDS]
            self._waiting, self._waiting_words = [], 0


def containment(one: Words, other: Words) -> float:
    """Share of the smaller genome's words that the other genome has, 0 to 1, from two sketches.

    Sketches too small to say (under 32 words in common range) count as unlike.

    >>> words = np.arange(100, dtype=np.uint64)
    >>> containment(words, words), containment(words, words + np.uint64(50))
    (1.0, 0.5)
    """
    if not len(one) or not len(other):
        return 0.0
    bounds = [int(words[-1]) for words in (one, other) if len(words) == SKETCH_WORDS]
    if bounds:
        one, other = (words[words <= np.uint64(min(bounds))] for words in (one, other))
    smaller = min(len(one), len(other))
    if smaller < _ENOUGH:
        return 0.0
    return len(np.intersect1d(one, other, assume_unique=True)) / smaller


def group_near_identical(sketches: Mapping[int, Words], similarity: float) -> list[tuple[int, ...]]:
    """Groups of two or more genomes linked by a containment of at least `similarity`.

    Args:
        sketches: Number of the genome to its sketch.
        similarity: Least containment that links two, in (0, 1].

    Returns:
        Sorted groups of sorted numbers; genomes that are alone are in none.

    >>> words = np.arange(100, dtype=np.uint64)
    >>> group_near_identical({1: words, 2: words + np.uint64(20), 3: words + np.uint64(500)}, 0.5)
    [(1, 2)]
    """
    leader = {number: number for number in sketches}

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for one, other in _candidates(sketches):
        first, second = sorted((find(one), find(other)))
        if first != second and containment(sketches[one], sketches[other]) >= similarity:
            leader[second] = first
    groups: dict[int, list[int]] = {}
    for number in sorted(sketches):
        groups.setdefault(find(number), []).append(number)
    return [tuple(group) for _, group in sorted(groups.items()) if len(group) > 1]


def _candidates(sketches: Mapping[int, Words]) -> Sequence[tuple[int, int]]:
    """Pairs that share a word, so that thousands of unrelated genomes need no all-against-all comparison."""
    numbers = [number for number in sorted(sketches) if len(sketches[number])]
    if len(numbers) < 2:
        return []
    words = np.concatenate([sketches[number] for number in numbers])
    owners = np.concatenate([np.full(len(sketches[number]), number, dtype=np.int64) for number in numbers])
    order = np.argsort(words, kind="stable")
    words, owners = words[order], owners[order]
    edges = np.flatnonzero(np.diff(words)) + 1
    pairs: Counter[tuple[int, int]] = Counter()
    starts, ends = np.concatenate([[0], edges]), np.append(edges, len(words))
    shared = ends - starts > 1
    for start, end in zip(starts[shared].tolist(), ends[shared].tolist(), strict=True):
        pairs.update(_pairs_of(owners[start:end].tolist()))
    return sorted(pairs)


def _pairs_of(sharers: list[int]) -> Sequence[tuple[int, int]]:
    """All pairs, or a chain where a word is in very many genomes: rarer words, of one species, link the rest."""
    if len(sharers) <= _WIDELY_SHARED:
        return list(combinations(sharers, 2))
    return list(pairwise(sharers))
