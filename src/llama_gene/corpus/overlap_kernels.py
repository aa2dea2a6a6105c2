"""The compiled loops that look words up in the index of items and count how many a document and an item share."""

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled


@compiled
def find_rows(
    words: NDArray[np.uint64], known: NDArray[np.uint64], directory: NDArray[np.int32], shift: np.uint64
) -> NDArray[np.int64]:
    """The place of each word among the known ones, or -1.

    Args:
        words: What is looked up.
        known: Sorted, each once. They are spread evenly, so their first bits lead to a few of them.
        directory: int32 [2 ** bits + 1], how many of the known have smaller first bits.
        shift: 64 - bits.
    """
    rows = np.full(len(words), -1, dtype=np.int64)
    for at in range(len(words)):
        word = words[at]
        bucket = word >> shift
        for row in range(directory[bucket], directory[bucket + np.uint64(1)]):
            if known[row] == word:
                rows[at] = row
    return rows


@compiled
def count_shared(
    rows: NDArray[np.int64],
    documents: NDArray[np.int64],
    first: NDArray[np.int64],
    owners: NDArray[np.int32],
    needed: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pairs of a document and an item that share enough words.

    Args:
        rows: int64 [hits], place in the index of each word of a document that is in it.
        documents: int64 [hits], the document of each, ascending.
        first: int64 [words + 1], where the owners of each word begin.
        owners: int32 [entries], the items of each word.
        needed: int64 [items], fewer different shared words are not enough.

    Returns:
        int64 [pairs, 3]: document, item, different words that they share; by document.
    """
    shared = np.zeros(len(needed), dtype=np.int32)
    touched = np.empty(len(needed), dtype=np.int64)
    pairs = np.empty((16, 3), dtype=np.int64)
    written = start = 0
    while start < len(rows):
        end = start + 1
        while end < len(rows) and documents[end] == documents[start]:
            end += 1
        met = 0
        mine = np.sort(rows[start:end])
        for at in range(len(mine)):
            if at and mine[at] == mine[at - 1]:
                continue
            for entry in range(first[mine[at]], first[mine[at] + 1]):
                item = owners[entry]
                if shared[item] == 0:
                    touched[met] = item
                    met += 1
                shared[item] += 1
        for place in range(met):
            item = touched[place]
            if shared[item] >= needed[item]:
                if written == len(pairs):
                    wider = np.empty((2 * written, 3), dtype=np.int64)
                    wider[:written] = pairs
                    pairs = wider
                pairs[written, 0], pairs[written, 1], pairs[written, 2] = documents[start], item, shared[item]
                written += 1
            shared[item] = 0
        start = end
    return pairs[:written]


@compiled
def count_distinct(words: NDArray[np.uint64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Different words between each bound and the next: int64 [bounds - 1]."""
    counts = np.zeros(len(bounds) - 1, dtype=np.int64)
    for text in range(len(counts)):
        mine = np.sort(words[bounds[text] : bounds[text + 1]])
        for at in range(len(mine)):
            counts[text] += at == 0 or mine[at] != mine[at - 1]
    return counts
