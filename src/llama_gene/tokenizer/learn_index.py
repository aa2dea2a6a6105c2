"""The pairs of a text that are worth merging, with their places: made anew for each round of `learn`, and merged.

Memory that is never written to is never taken, so arrays are made with room for all that may come.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from llama_gene.tokenizer import learn_kernels as kernels
from llama_gene.tokenizer import learn_text_kernels as text_kernels

_CHUNK = 1 << 24
# With fewer places than this, sharing a merge out to the cores takes longer than it saves.
_LARGE_MERGE = 20_000
# Places are sorted by left id in so many batches, one at a time on each core, to keep what is sorted small.
_BATCHES = 4


def list_pairs(
    ids: npt.NDArray[Any], letters_V: npt.NDArray[np.int64], *, least: int, max_letters: int
) -> kernels.PairIndex:
    """The pairs that stand at least `least` times, with room for those that merges will make.

    Args:
        ids: Text without gaps.
        letters_V: Letters of each id.
        least: Fewest places of a pair, > 0.
        max_letters: Pairs that spell more letters are left out.
    """
    counts_V = np.zeros(len(letters_V), np.int64)
    text_kernels.count_ids(ids, counts_V)
    borders = _borders(counts_V)
    shares = np.array_split(np.array(list(pairwise(borders))), min(os.cpu_count() or 1, len(borders) - 1))
    index = _make_room(3 * len(ids), least)
    before = np.concatenate([[0], np.cumsum(counts_V)])
    views = [_view(index, int(before[share[0][0]]), least) for share in shares]

    def track(view: kernels.PairIndex, share: npt.NDArray[Any]) -> None:
        zeros_V = np.zeros(len(letters_V), np.int64)
        for first, last in share.tolist():
            ends_V = before[first:last] - before[first]
            places = np.empty(int(before[last] - before[first]), np.uint32)
            text_kernels.places_by_id(ids, first, ends_V, places)
            kernels.track_pairs(ids, first, ends_V, places, least, max_letters, letters_V, zeros_V, view)

    starts = [int(view.used[kernels.SLOTS]) for view in views]
    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(track, views, shares))
    _close_up(index, views, starts)
    index = index._replace(table=np.zeros(_table_size(int(index.used[kernels.SLOTS])), np.int32))
    kernels.file_slots(index, 0)
    return index


def _borders(counts_V: npt.NDArray[np.int64]) -> list[int]:
    """Cuts of the ids into batches that stand about equally often."""
    ends = np.cumsum(counts_V)
    cuts = np.searchsorted(ends, [ends[-1] * batch // _BATCHES for batch in range(1, _BATCHES)]).tolist()
    return sorted({0, *(cut + 1 for cut in cuts if cut + 1 < len(counts_V)), len(counts_V)})


def _make_room(places: int, least: int) -> kernels.PairIndex:
    slots = places // least + 1
    return kernels.PairIndex(
        keys=np.empty(slots, np.uint64), counts=np.empty(slots, np.int64), starts=np.empty(slots, np.int64),
        sizes=np.empty(slots, np.int64), table=np.zeros(0, np.int32), heap=np.empty(slots, np.int32),
        bounds=np.empty(slots, np.int64), places=np.empty(places, np.uint32), used=np.zeros(3, np.int64),
    )  # fmt: skip


def _view(index: kernels.PairIndex, place: int, least: int) -> kernels.PairIndex:
    """The same arrays, filled from a place on: nothing before it can reach that far."""
    return index._replace(used=np.array([place // least, 0, place], np.int64))


def _close_up(index: kernels.PairIndex, views: list[kernels.PairIndex], starts: list[int]) -> None:
    """Move the slots of all views together at the front."""
    filled = 0
    for view, start in zip(views, starts, strict=True):
        end = int(view.used[kernels.SLOTS])
        for column in (index.keys, index.counts, index.starts, index.sizes):
            column[filled : filled + end - start] = column[start:end]
        filled += end - start
    index.used[kernels.SLOTS] = filled
    index.used[kernels.PLACES] = views[-1].used[kernels.PLACES]


def with_large_table(index: kernels.PairIndex, more: int) -> kernels.PairIndex:
    """The index with a table that is at most half full after so many more slots."""
    slots = int(index.used[kernels.SLOTS]) + more
    if 2 * slots <= len(index.table):
        return index
    index = index._replace(table=np.zeros(_table_size(slots), np.int32))
    kernels.refill_table(index)
    return index


def is_full(index: kernels.PairIndex, more: int, least: int) -> bool:
    """True where there is no room for so many more places."""
    places, slots = index.used[kernels.PLACES] + more, index.used[kernels.SLOTS] + more // least
    return bool(places > len(index.places) or slots > len(index.keys))


def _table_size(slots: int) -> int:
    return 1 << max(10, int(2 * slots).bit_length())


def part_borders(ids: npt.NDArray[Any], parts: int) -> list[int]:
    """Places of separators that cut a text into about equal parts, the first and last place included; fewer parts
    where words are long.
    """
    separator = np.iinfo(ids.dtype).max
    cuts = [0]
    for number in range(1, parts):
        begin = max(len(ids) * number // parts, cuts[-1] + 1)
        for start in range(begin, len(ids) - 1, _CHUNK):
            found = np.flatnonzero(ids[start : min(start + _CHUNK, len(ids) - 1)] == separator)
            if len(found):
                cuts.append(start + int(found[0]))
                break
    return [*cuts, len(ids) - 1]


class Merger:
    """Merges pairs of a text in place, large ones on all cores; the result does not depend on their number."""

    def __init__(
        self, ids: npt.NDArray[Any], letters_V: npt.NDArray[np.int64], *, least: int, max_letters: int
    ) -> None:
        self._ids = ids
        self._gap = int(np.iinfo(ids.dtype).max) - 1
        self._limits = (least, max_letters, letters_V)
        self._borders = part_borders(ids, os.cpu_count() or 1)
        self._scratch = _make_scratch(len(self._borders) - 1, len(letters_V))
        self._alone = _make_scratch(1, len(letters_V))
        self._pool = ThreadPoolExecutor(len(self._borders) - 1)

    def __enter__(self) -> "Merger":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def merge(self, index: kernels.PairIndex, slot: int, token: int) -> None:
        """Merge a tracked pair into a token that did not exist before."""
        if index.sizes[slot] < _LARGE_MERGE or len(self._borders) == 2:
            kernels.merge_pair(self._ids, index, slot, token, self._gap, *self._limits, self._alone)
            return
        start, first = int(index.starts[slot]), int(index.used[kernels.SLOTS])
        places = index.places[start : start + int(index.sizes[slot])]
        inner = np.searchsorted(places, np.array(self._borders[1:-1], np.uint32)).tolist()
        ends = [start, *(start + cut for cut in inner), start + len(places)]
        around = [_make_around(end - begin) for begin, end in pairwise(ends)]
        parts = range(len(around))

        def merge(part: int) -> int:
            return kernels.merge_part(
                self._ids, index, slot, ends[part], ends[part + 1], token, self._gap, self._scratch, part, around[part]
            )

        def take(part: int) -> None:
            kernels.take_places(index, ends[part], merged[part], self._gap, self._scratch, part, around[part])

        merged = list(self._pool.map(merge, parts))
        kernels.settle_pairs(index, slot, token, *self._limits, self._scratch)
        list(self._pool.map(take, parts))
        kernels.file_slots(index, first)


def _make_scratch(parts: int, ids: int) -> kernels.Scratch:
    counts = [np.zeros((parts, ids), np.int64) for _ in range(3)]
    lists = [np.zeros((parts, ids), np.int32) for _ in range(3)]
    return kernels.Scratch(
        counts[0], counts[1], counts[2], lists[0], lists[1], lists[2], np.zeros((parts, 3), np.int64)
    )


def _make_around(size: int) -> kernels.Around:
    return kernels.Around(
        np.empty(size, np.int64), np.empty(size, np.uint32), np.empty(size, np.int64),
        np.empty(kernels.BLOCK, np.int64),
    )  # fmt: skip
