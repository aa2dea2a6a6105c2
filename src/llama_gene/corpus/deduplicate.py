"""Exact de-duplication: which records come earlier in the corpus already.

Records are compared by 64-bit digests. At 100 million records the chance that two different ones share a digest is
0.03 % in all (birthday bound). What the first pass writes down of a record is 24 bytes, in files; finding the repeated
ones takes half a gigabyte of memory and one byte a record.
"""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import Kind
from llama_gene.corpus.arrays import load_array
from llama_gene.sequences.alphabets import reverse_complement

RECORD = np.dtype([("digest", "u8"), ("letters", "i8"), ("regions", "i4"), ("file", "i4")])
"""A record: the digest of its letters, how many it has, regions it spans, the number of its file."""

# Digests looked at together: half a gigabyte, whatever the corpus.
_AT_ONCE = 1 << 24
_FEW = 64


def digests(texts: Iterable[str], kind: Kind) -> NDArray[np.uint64]:
    """A 64-bit name of the letters of each, in the case they have; for DNA both strands have the same.

    >>> len(set(digests(["AACG", "CGTT"], "dna").tolist())), len(set(digests(["AACG", "CGTT"], "protein").tolist()))
    (1, 2)
    """
    named = map(_one_strand, texts) if kind == "dna" else texts
    return digests_of_bytes(text.encode() for text in named)


def digests_of_bytes(texts: Iterable[bytes | memoryview]) -> NDArray[np.uint64]:
    """The same for what is held as bytes: proteins, pairs or texts.

    >>> digests_of_bytes([b"AACG"]).tolist() == digests(["AACG"], "protein").tolist()
    True
    """
    return np.frombuffer(b"".join(hashlib.sha256(text, usedforsecurity=False).digest()[:8] for text in texts), "<u8")


def _one_strand(dna: str) -> str:
    """The strand that sorts first; its first letters tell nearly always, so the other need not be made."""
    first, other = dna[:_FEW], reverse_complement(dna[-_FEW:])
    if first != other:
        return dna if first < other else reverse_complement(dna)
    return min(dna, reverse_complement(dna))


def find_repeated(books: Sequence[Path]) -> list[NDArray[np.bool_]]:
    """Which records of each book come earlier in the same list of books already, by their digests.

    Args:
        books: .npy files of `RECORD`s, in order.

    Returns:
        bool [records of the book], one array per book.
    """
    sizes = [len(load_array(book)) for book in books]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    repeated = np.zeros(starts[-1], dtype=np.bool_)
    shares = -(-int(starts[-1]) // _AT_ONCE)
    for share in range(shares):
        digests, places = _share_of(books, starts, share, shares)
        order = np.argsort(digests, kind="stable")
        same = digests[order][1:] == digests[order][:-1]
        repeated[places[order[1:][same]]] = True
    return [repeated[start:end] for start, end in pairwise(starts.tolist())]


def _share_of(
    books: Sequence[Path], starts: NDArray[np.int64], share: int, shares: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Digests of one remainder, and their places among all records."""
    digests, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for book, start in zip(books, starts.tolist(), strict=False):
        all_of_book = np.ascontiguousarray(load_array(book)["digest"])
        chosen = np.flatnonzero(all_of_book % np.uint64(shares) == share)
        digests.append(all_of_book[chosen])
        places.append(chosen + start)
    return np.concatenate(digests), np.concatenate(places)
