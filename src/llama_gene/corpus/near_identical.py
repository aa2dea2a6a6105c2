"""Find genomes that are nearly the same, so that a held-out region of one is not read in the other.

A genome (a file of DNA) is sketched by its smallest scrambled 21-mers (MinHash, Ondov et al. 2016, Genome Biology
17:132). Two sketches are compared below the smaller of their largest values, where both are complete, and the
similarity is the share of the smaller set that the other holds, so a plasmid or a gene set counts as like its genome.
At 21 letters a containment of 0.5 is about 97 % identity.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from llama_gene.corpus.kmers import DNA_WORD, Words, distinct, dna_words, scramble

SKETCH_WORDS = 4096
_CHUNK = 1 << 15  # small, so that after the first chunks few words pass the bound
_WIDELY_SHARED = 64
_ENOUGH = 32


class Sketch:
    """The smallest scrambled words of one genome, at most 4,096 of them (32 kB), fed sequence by sequence.

    >>> sketch = Sketch()
    >>> sketch.add("ACGTACGGTCAATCGATCGGACT")
    >>> len(sketch.words)
    3
    """

    def __init__(self) -> None:
        self.words: Words = np.empty(0, dtype=np.uint64)

    def add(self, letters: str) -> None:
        """Take in the words of one sequence of A, C, G and T."""
        for start in range(0, len(letters), _CHUNK):
            self._merge(scramble(dna_words(letters[start : start + _CHUNK + DNA_WORD - 1]).words))

    def _merge(self, words: Words) -> None:
        if len(self.words) == SKETCH_WORDS:
            words = words[words < self.words[-1]]
        self.words = distinct(np.concatenate([self.words, words]))[:SKETCH_WORDS]


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
    for sharers in np.split(owners, edges):
        if len(sharers) > 1:
            pairs.update(_pairs_of(sharers.tolist()))
    return sorted(pairs)


def _pairs_of(sharers: list[int]) -> Sequence[tuple[int, int]]:
    """All pairs, or a chain where a word is in very many genomes: rarer words, of one species, link the rest."""
    if len(sharers) <= _WIDELY_SHARED:
        return list(combinations(sharers, 2))
    return list(pairwise(sharers))
