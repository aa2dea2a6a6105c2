"""Fixed-length words of sequences as integers, many at a time with numpy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DNA_WORD = 21
PROTEIN_WORD = 6
_INVALID = 255
_CHUNK = 1 << 15  # arrays of one step stay in the processor's cache

_BASE_CODES = np.full(256, _INVALID, dtype=np.uint8)
_BASE_CODES[np.frombuffer(b"ACGT", dtype=np.uint8)] = np.arange(4)
_RESIDUE_CODES = np.full(256, _INVALID, dtype=np.uint8)
_RESIDUE_CODES[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)] = np.arange(26)

Words = NDArray[np.uint64]


class Located(NamedTuple):
    """Words and where they start: uint64 [words], int64 [words], 0-based, ascending."""

    words: Words
    starts: NDArray[np.int64]


def dna_words(letters: str) -> Located:
    """The canonical 21-mers of a DNA sequence, in order.

    A word and its reverse complement are one number, the smaller of the two (two bits a base, A 0, C 1, G 2, T 3).

    Args:
        letters: A, C, G and T; words that hold another character are left out.

    >>> dna_words("A" * 20 + "C").words.tolist(), dna_words("G" + "T" * 20).words.tolist()
    ([1], [1])
    >>> dna_words("ACGTN" + "A" * 22).starts.tolist()
    [5, 6]
    """
    codes = _BASE_CODES[np.frombuffer(letters.encode("ascii", "replace"), dtype=np.uint8)]
    starts = range(0, len(codes) - DNA_WORD + 1, _CHUNK)
    parts = [_dna_words_of(codes[start : start + _CHUNK + DNA_WORD - 1]) for start in starts]
    words = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
    return _only_whole(words, codes, DNA_WORD)


def _dna_words_of(codes: NDArray[np.uint8]) -> Words:
    bases = codes & 3
    forward = bases.astype(np.uint64)
    backward = (3 - bases).astype(np.uint64)
    forward_4 = _double(_double(forward, 1, is_forward=True), 2, is_forward=True)
    backward_4 = _double(_double(backward, 1, is_forward=False), 2, is_forward=False)
    forward_16 = _double(_double(forward_4, 4, is_forward=True), 8, is_forward=True)
    backward_16 = _double(_double(backward_4, 4, is_forward=False), 8, is_forward=False)
    n = len(codes) - DNA_WORD + 1
    ahead = (forward_16[:n] << np.uint64(10)) | (forward_4[16 : 16 + n] << np.uint64(2)) | forward[20:]
    back = backward_16[:n] | (backward_4[16 : 16 + n] << np.uint64(32)) | (backward[20:] << np.uint64(40))
    canonical: Words = np.minimum(ahead, back)
    return canonical


def _double(words: Words, length: int, *, is_forward: bool) -> Words:
    """Words of twice the length: the left one leads forward, the right one on the other strand."""
    left, right, shift = words[:-length], words[length:], np.uint64(2 * length)
    return (left << shift) | right if is_forward else left | (right << shift)


def _only_whole(words: Words, codes: NDArray[np.uint8], length: int) -> Located:
    invalid = codes == _INVALID
    if not len(words) or not invalid.any():
        return Located(words, np.arange(len(words)))
    before = np.concatenate([[0], np.cumsum(invalid)])
    starts = np.flatnonzero(before[length:] == before[:-length])
    return Located(words[starts], starts)


def protein_words(letters: str) -> Located:
    """The 6-mers of a protein sequence, in order, five bits a residue.

    >>> len(protein_words("MKLVAW").words), len(protein_words("MKLVA").words), len(protein_words("MKL*VAWG").words)
    (1, 0, 0)
    """
    codes = _RESIDUE_CODES[np.frombuffer(letters.encode("ascii", "replace"), dtype=np.uint8)]
    n = max(0, len(codes) - PROTEIN_WORD + 1)
    words = np.zeros(n, dtype=np.uint64)
    for offset in range(PROTEIN_WORD):
        words = (words << np.uint64(5)) | codes[offset : offset + n].astype(np.uint64)
    return _only_whole(words, codes, PROTEIN_WORD)


def scramble(words: Words) -> Words:
    """A fixed pseudo-random order of words (the finaliser of splitmix64).

    >>> int(scramble(np.zeros(1, dtype=np.uint64))[0])
    0
    """
    mixed = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def distinct(words: Words) -> Words:
    """The different words, sorted.

    Not np.unique, which hashes from numpy 2.3 on and is then ten times slower on such arrays.

    >>> distinct(np.array([3, 1, 3], dtype=np.uint64)).tolist()
    [1, 3]
    """
    ordered = np.sort(words)
    return ordered[is_first(ordered)]


def is_first(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a run of equal values begins in a sorted array.

    >>> is_first(np.array([1, 1, 2])).tolist()
    [True, False, True]
    """
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first
