"""Where in a genome a query may align: stretches that share many words of eight bases with it, near one diagonal.

Each stretch is then aligned exactly (`exact.py`), so that words decide only what is worth it. The number of stretches
has a bound, by what it costs to align them; those with the most shared words are taken. Words that come up again and
again in the query (repeats) are left out, since they are everywhere.

Axes: P positions of a text, W words of the query, H shared words.
"""

from collections.abc import Iterator, Mapping
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.retrieval.found import Strand, Window, cut_windows, list_batches

WORD = 8
_WORDS = 4**WORD
_REPEATED = 3
# Diagonals of a band; words are counted in two neighbours together.
_BAND = 16
_FEWEST_SHARED = 2
_WINDOW_BP = 1 << 20
# Cells of alignment matrices, about a second's worth; and stretches at least and at most.
_CELLS, _FEWEST, _MOST = 2_000_000_000, 50, 5_000
_OTHER = 4
_CODES = np.full(256, _OTHER, np.uint8)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)

Numbers = NDArray[np.int32]


class Place(NamedTuple):
    """A stretch of a sequence, and how many words it shares with the query of a strand."""

    shared: int
    strand: Strand
    window: Window


class _Words(NamedTuple):
    """The words of a query: the places of word w are `places[first[w] : first[w] + counts[w]]`."""

    places: Numbers
    first: Numbers
    counts: Numbers


def find_places(strands: Mapping[Strand, str], fasta: Path) -> list[Place]:
    """The stretches that share most words with a query, those with more of them first.

    Args:
        strands: The query, by strand.
        fasta: Sequences named by number.
    """
    length = max(map(len, strands.values()))
    margin = 2 * _BAND + length // 8
    most = min(_MOST, max(_FEWEST, _CELLS // (length * (length + 2 * margin))))
    words = {strand: _index_words(query) for strand, query in strands.items()}
    kept: list[Place] = []
    least = _FEWEST_SHARED
    for batch in list_batches(fasta):
        for window in cut_windows(batch, _WINDOW_BP, 2 * length):
            codes_P = encode_words(window.text)
            for strand, own in words.items():
                for start, shared in _bands(codes_P, own, length, least):
                    begin = max(0, start - margin)
                    text = window.text[begin : start + length + margin]
                    kept.append(Place(shared, strand, Window(window.number, window.start + begin, text)))
        if len(kept) > most:
            kept = nlargest(most, kept, key=lambda one: one.shared)
            least = kept[-1].shared + 1
    return nlargest(most, kept, key=lambda one: one.shared)


def encode_words(text: str) -> Numbers:
    """The word that starts at each place, as a number below 4^8, or 4^8 where it holds another letter than ACGT.

    >>> encode_words("AAAAAAAACN").tolist()
    [0, 1, 65536]
    """
    codes = _CODES[np.frombuffer(text.encode("ascii"), np.uint8)]
    if len(codes) < WORD:
        return np.zeros(0, np.int32)
    words = codes.astype(np.int32)
    for half in (1, 2, 4):
        words = (words[:-half] << 2 * half) + words[half:]
    is_other = np.concatenate(([0], np.cumsum(codes == _OTHER)))
    words[is_other[WORD:] > is_other[:-WORD]] = _WORDS
    return words


def _index_words(query: str) -> _Words:
    codes_W = encode_words(query)
    counts = np.bincount(codes_W, minlength=_WORDS + 1)
    counts[counts >= _REPEATED] = 0
    counts[_WORDS] = 0
    order = np.argsort(codes_W, kind="stable")
    order = order[counts[codes_W[order]] > 0]
    return _Words(order.astype(np.int32), (np.cumsum(counts) - counts).astype(np.int32), counts.astype(np.int32))


def _bands(codes_P: Numbers, words: _Words, length: int, least: int) -> Iterator[tuple[int, int]]:
    """Where the query would start at each peak of shared words (maybe before the text), and how many they are."""
    counts_P = words.counts[codes_P]
    (at,) = np.nonzero(counts_P)
    counts = counts_P[at]
    before = np.cumsum(counts) - counts
    nth_H = np.arange(counts.sum()) - np.repeat(before, counts)
    query_H = words.places[np.repeat(words.first[codes_P[at]], counts) + nth_H]
    diagonals_H = np.repeat(at, counts) - query_H + length
    single = np.bincount(diagonals_H // _BAND, minlength=(len(codes_P) + length) // _BAND + 2)
    pairs = np.concatenate(([0], single[:-1] + single[1:], [0]))
    inner = pairs[1:-1]
    (peaks,) = np.nonzero((inner >= least) & (inner >= pairs[:-2]) & (inner > pairs[2:]))
    yield from zip((peaks * _BAND - length).tolist(), inner[peaks].tolist(), strict=True)
