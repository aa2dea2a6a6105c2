"""Words of sequences and texts as numbers: fixed-length words of DNA and protein, runs of words of text.

A number is a pseudo-random one, always the same for the same word. The loops are in `word_kernels.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import Kind
from llama_gene.corpus.word_kernels import Wanted, dna_kernel, fill_filter, protein_kernel, text_kernel

DNA_WORD = 21
PROTEIN_WORD = 6
LARGEST = np.uint64(2**64 - 1)
_BITS_PER_WORD = 16
_KERNELS = {"dna": dna_kernel, "protein": protein_kernel, "text": text_kernel}

Words = NDArray[np.uint64]
EVERY = np.full(1, LARGEST, dtype=np.uint64)  # a filter that lets every word pass


class Located(NamedTuple):
    """Words and where they start: uint64 [words], int64 [words], 0-based, ascending."""

    words: Words
    starts: NDArray[np.int64]


class Joined(NamedTuple):
    """Many texts as bytes with a zero byte between them, and where each begins: uint8 [bytes], int64 [texts]."""

    letters: NDArray[np.uint8]
    begins: NDArray[np.int64]


def join(texts: Sequence[str], kind: Kind) -> Joined:
    r"""Put texts of one kind into one array of bytes; letters of text become lower case.

    >>> joined = join(["ACGT", "GG"], "dna")
    >>> joined.letters.tobytes(), joined.begins.tolist()
    (b'ACGT\x00GG', [0, 5])
    """
    if kind == "text":
        parts = [text.lower().encode("utf-8", "surrogatepass") for text in texts]
    else:
        parts = [text.encode("ascii", "replace") for text in texts]
    sizes = np.fromiter((len(part) + 1 for part in parts), dtype=np.int64, count=len(parts))
    return Joined(np.frombuffer(b"\0".join(parts), dtype=np.uint8), np.cumsum(sizes) - sizes)


def words_in(
    letters: NDArray[np.uint8], kind: Kind, length: int, *, passing: Words = EVERY, most: np.uint64 = LARGEST
) -> Located:
    """The words of joined letters, in order, none over the border of two texts.

    A word of DNA, its reverse complement and either of them soft-masked are one number. Words that hold a letter other
    than A, C, G and T, or in a protein other than A to Z, are left out. A word of text is a run of letters and digits.

    Args:
        letters: uint8 [bytes], what `join` gave.
        kind: What they are.
        length: Bases (at most 31), residues (at most 12) or words of text.
        passing: Bloom filter (`make_filter`); words that it does not hold are mostly left out.
        most: Larger numbers are left out.

    >>> words_in(join(["ACGTT", "AACGT"], "dna").letters, "dna", 4).starts.tolist()
    [0, 1, 6, 7]
    >>> words = words_in(join(["To be, or not...", "TO BE OR"], "text").letters, "text", 3).words.tolist()
    >>> len(words), words[0] == words[2]
    (3, True)
    """
    return Located(*_KERNELS[kind](letters, length, Wanted(most, passing)))


def make_filter(words: Words) -> Words:
    """A Bloom filter that holds these words, 2 to 4 bytes each; about 1 in 300 other words pass it.

    >>> len(make_filter(np.arange(1000, dtype=np.uint64)))
    256
    """
    elements = max(1, _BITS_PER_WORD * len(words) // 64)
    table = np.zeros(1 << (elements - 1).bit_length(), dtype=np.uint64)
    fill_filter(words, table)
    return table


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
