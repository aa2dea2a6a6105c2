"""The compiled loops of `learn` that read the whole text: counting, merging by scanning, closing gaps, sorting places.

Axes: V ids. The text is one array of ids; the two highest values of its type are no ids: `sep` (the highest) stands
before, between and after words, `gap` (one below) where a merge left a hole. Written for Numba, which compiles each
function at its first use and keeps the result on disk.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled

Ids = NDArray[np.unsignedinteger[Any]]
# Places are unsigned where it matters: a signed index is checked for being negative at every use.
_ONE = np.uint64(1)


@compiled
def count_pairs(ids: Ids, counts_VV: NDArray[np.int64]) -> None:
    """Add the neighbours of a text without gaps to a table of left by right id."""
    ids_end = counts_VV.shape[0]
    for place in range(len(ids) - 1):
        left, right = ids[place], ids[place + 1]
        if left < ids_end and right < ids_end:
            counts_VV[left, right] += 1


@compiled
def scan_merge(ids: Ids, left: int, right: int, token: int, change_VV: NDArray[np.int64]) -> int:
    """Merge a pair everywhere in a text without gaps, close the holes, note what changed; gives the new length."""
    sep = change_VV.shape[0]
    read, write, length = np.uint64(0), np.uint64(0), np.uint64(len(ids))
    while read < length:
        here = ids[read]
        if here != left or ids[read + _ONE] != right:
            ids[write] = here
            read += _ONE
            write += _ONE
            continue
        before, after = ids[write - _ONE], ids[read + _ONE + _ONE]
        change_VV[left, right] -= 1
        if before < sep:
            change_VV[before, left] -= 1
            change_VV[before, token] += 1
        if after < sep:
            change_VV[right, after] -= 1
            change_VV[token, after] += 1
        ids[write] = token
        read += _ONE + _ONE
        write += _ONE
    return np.int64(write)


@compiled
def close_gaps(ids: Ids, gap: int) -> int:
    """Move the text together where merges left holes; gives the new length."""
    write = 0
    for read in range(len(ids)):
        if ids[read] != gap:
            ids[write] = ids[read]
            write += 1
    return write


@compiled
def count_ids(ids: Ids, counts_V: NDArray[np.int64]) -> None:
    """Add how often each id stands in a text."""
    for place in range(len(ids)):
        if ids[place] < len(counts_V):
            counts_V[ids[place]] += 1


@compiled
def places_by_id(ids: Ids, first: int, ends_V: NDArray[np.int64], places: NDArray[np.uint32]) -> None:
    """Places of the ids `first` to `first + len(ends_V) - 1`, grouped by id, ascending in each group.

    `ends_V` comes in as the start of each group and goes out as its end.
    """
    last = first + len(ends_V)
    for place in range(len(ids)):
        token = ids[place]
        if first <= token < last:
            places[ends_V[token - first]] = place
            ends_V[token - first] += 1
