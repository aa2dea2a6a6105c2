"""Find genomes that are nearly the same, so that a held-out region of one is not read in the other.

A genome (a file of DNA, or the DNA of a file of coding pairs) is sketched by its smallest 21-mers in a pseudo-random
order (MinHash, Ondov et al. 2016, Genome Biology 17:132). Two sketches are compared below the smaller of their largest
values, where both are complete, and the similarity is the share of the smaller set that the other holds, so a plasmid
or a gene set counts as like its genome. At 21 letters a containment of 0.5 is about 97 % identity.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import sparse

from llama_gene.config import Kind
from llama_gene.corpus.kmers import DNA_WORD, LARGEST, Words, distinct, join, words_in

GENOMIC: tuple[Kind, ...] = ("dna", "coding")
"""Kinds of which a file is a genome; those of one kind are compared."""

SKETCH_WORDS = 4096
_CHUNK = 1 << 15
_LARGEST_CHUNK = 1 << 20  # 16 bytes of room a letter
_WIDELY_SHARED = 64
_ENOUGH = 32
_ROWS_AT_ONCE = 1024


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
        """Take in the words of one sequence of A, C, G and T, in either case."""
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
    one, other = _common_range(one, other)
    smaller = min(len(one), len(other))
    if smaller < _ENOUGH:
        return 0.0
    return len(np.intersect1d(one, other, assume_unique=True)) / smaller


def _common_range(one: Words, other: Words) -> tuple[Words, Words]:
    """The words up to the smaller of the last ones of full sketches: there, both are complete."""
    bounds = [words[-1] for words in (one, other) if len(words) == SKETCH_WORDS]
    if not bounds:
        return one, other
    least = min(bounds)
    return one[: one.searchsorted(least, "right")], other[: other.searchsorted(least, "right")]


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

    for one, other, most in _candidates(sketches, least=similarity * _ENOUGH):
        first, second = sorted((find(one), find(other)))
        if first == second or most < similarity * min(map(len, _common_range(sketches[one], sketches[other]))):
            continue
        if containment(sketches[one], sketches[other]) >= similarity:
            leader[second] = first
    groups: dict[int, list[int]] = {}
    for number in sorted(sketches):
        groups.setdefault(find(number), []).append(number)
    return [tuple(group) for _, group in sorted(groups.items()) if len(group) > 1]


def _candidates(sketches: Mapping[int, Words], least: float) -> Iterator[tuple[int, int, int]]:
    """Pairs that may share `least` words, and how many at most; those that may share most first.

    Thousands of unrelated genomes need no all-against-all comparison, and of many strains of one species few pairs are
    left to compare once the nearest are linked.
    """
    numbers = np.array(sorted(number for number, words in sketches.items() if len(words)), np.int64)
    if len(numbers) < 2:
        return
    owners = np.repeat(np.arange(len(numbers)), [len(sketches[number]) for number in numbers])
    words, places = np.unique(np.concatenate([sketches[number] for number in numbers]), return_inverse=True)
    held_GW = sparse.csr_array((np.ones(len(places), np.int32), (owners, places)), shape=(len(numbers), len(words)))
    is_wide = np.bincount(places) > _WIDELY_SHARED
    rare_GW, wide_WG = held_GW[:, ~is_wide], held_GW[:, is_wide].T.tocsr()
    wide_of = np.bincount(wide_WG.indices, minlength=len(numbers))
    chained_GG = _chain(wide_WG, len(numbers))
    found = []
    for start in range(0, len(numbers), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        shared = (rare_GW[rows] @ rare_GW.T + chained_GG[rows]).tocoo()
        one, other = shared.row + start, shared.col
        # Beside the rare words a pair may share all those that very many have.
        most = shared.data + np.minimum(wide_of[one], wide_of[other])
        may = (one < other) & (most >= least)
        found.append(np.stack([-most[may], numbers[one[may]], numbers[other[may]]]))
    pairs = np.concatenate(found, axis=1)
    for most, one, other in pairs[:, np.lexsort(pairs[::-1])].T.tolist():
        yield one, other, -most


def _chain(wide_WG: sparse.csr_array, genomes: int) -> sparse.csr_array:
    """Each genome with the next one that has the same word, for words in so many that all pairs would be too many.

    Rarer words, of one species, link the rest.
    """
    word_of = np.repeat(np.arange(wide_WG.shape[0]), np.diff(wide_WG.indptr))
    is_same = np.diff(word_of) == 0
    pairs = np.sort(np.stack([wide_WG.indices[:-1], wide_WG.indices[1:]]), axis=0)[:, is_same]
    return sparse.csr_array((np.ones(pairs.shape[1], np.int32), tuple(pairs)), shape=(genomes, genomes))
