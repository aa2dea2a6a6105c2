"""Which sequences of a task count as alike: a share of k-mers in common, or the identity of an alignment.

`similarity` compares bottom-k sketches (Broder 1997) of k-mer hashes; pairs that share no sketch value are never
compared. It takes a second for a hundred thousand sequences and finds what is nearly the same; `identity` aligns
(`identity`) and finds kin as well.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from llama_gene.config import GeneKind, SplitRule
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.identity import identical_pairs

_KMER = {"dna": 16, "protein": 5}
_SKETCH = 64
_POSTING = 50
_BLOCK_ROWS = 2000
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def alike_pairs(sequences: Sequence[str], kind: GeneKind, rule: SplitRule) -> Iterator[tuple[int, int]]:
    """Pairs of positions that a split rule keeps together; links chain, so not every alike pair is named.

    >>> list(alike_pairs(["MKTAYIAKQRQISF", "MKTAYIAKQRQISW"], "protein", SplitRule()))
    []
    """
    if rule.similarity is not None:
        yield from near_identical(sequences, kind, rule.similarity)
    if rule.identity is not None:
        yield from identical_pairs(sequences, kind, rule.identity, rule.identity_by)


def near_identical(sequences: Sequence[str], kind: str, similarity: float) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose sketches share at least `similarity` of their values (a Jaccard estimate).

    Args:
        sequences: Upper-case letters.
        kind: dna (k = 16, either strand) or protein (k = 5).
        similarity: 0 < similarity <= 1.

    >>> list(near_identical(["MKTAYIAKQRQISF", "MKTAYIAKQRQISW", "GGGSSSGGGSSS"], "protein", 0.5))
    [(0, 1)]
    """
    sketches = [_sketch(letters, kind) for letters in sequences]
    lengths = np.array([len(sketch) for sketch in sketches])
    rows = np.repeat(np.arange(len(sketches)), lengths)
    _, columns = np.unique(np.concatenate(sketches), return_inverse=True)
    order = np.argsort(columns, kind="stable")
    rows, columns = rows[order], columns[order]
    # A k-mer that is everywhere would make every pair a candidate: its first holders stand for the rest.
    rank = np.arange(len(columns)) - np.searchsorted(columns, columns)
    few = rank < _POSTING
    shape = (len(sketches), int(columns[-1]) + 1)
    holds = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)
    first_holders = csr_matrix((np.ones(int(few.sum()), np.int32), (rows[few], columns[few])), shape=shape).T.tocsr()
    for start in range(0, len(sketches), _BLOCK_ROWS):
        shared = (holds[start : start + _BLOCK_ROWS] @ first_holders).tocoo()
        first, second = shared.col, shared.row + start
        union = np.minimum(_SKETCH, lengths[first] + lengths[second] - shared.data)
        alike = (first != second) & (shared.data >= similarity * union)
        yield from sorted(
            {(min(a, b), max(a, b)) for a, b in zip(first[alike].tolist(), second[alike].tolist(), strict=True)}
        )


def _sketch(letters: str, kind: str) -> npt.NDArray[np.uint64]:
    """The smallest distinct hashes of the k-mers, of both strands for DNA."""
    hashes = _kmer_hashes(letters, _KMER[kind])
    if kind == "dna":
        hashes = np.minimum(hashes, _kmer_hashes(reverse_complement(letters), _KMER[kind])[::-1])
    return np.unique(hashes)[:_SKETCH]


def _kmer_hashes(letters: str, size: int) -> npt.NDArray[np.uint64]:
    codes = np.frombuffer(letters.encode("ascii"), dtype=np.uint8).astype(np.uint64)
    size = min(size, len(codes))
    hashes = np.zeros(len(codes) - size + 1, dtype=np.uint64)
    for offset in range(size):
        hashes = (hashes ^ codes[offset : len(codes) - size + 1 + offset]) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return hashes
