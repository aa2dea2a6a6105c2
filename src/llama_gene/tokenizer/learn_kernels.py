"""The compiled loops of `learn` that visit places: merging pairs, and keeping their counts and places.

Axes: V ids, S tracked pairs, P places; the text is that of `learn_text_kernels`. A merge writes its token over the
first of two neighbours and a gap over the second, so neighbours are found by stepping over gaps and no links are kept.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_gene.tokenizer.learn_text_kernels import Ids

_RIGHT = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
# Places are unsigned where it matters: a signed index is checked for being negative at every use.
_ONE = np.uint64(1)
_BLOCK = 128
# Places of `PairIndex.used`.
SLOTS, HEAPED, PLACES = 0, 1, 2


class PairIndex(NamedTuple):
    """The pairs worth merging in this round.

    A pair is a slot of `keys` (left id << 32 | right id), `counts` (neighbours that are this pair now), `starts` and
    `sizes` (its places, ascending, in `places`; those that are no longer the pair are passed over). `table` finds a
    slot by key (slot + 1, 0: empty). `heap` orders slots by `bounds`, the count at the last look, never below the
    count of now; ties by key. `used` says how much of each is in use.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    table: NDArray[np.int32]
    heap: NDArray[np.int32]
    bounds: NDArray[np.int64]
    places: NDArray[np.uint32]
    used: NDArray[np.int64]


class Scratch(NamedTuple):
    """Room for one merge: how often each id stood left or right before and after it, all zero between merges."""

    left_lost_V: NDArray[np.int64]
    right_lost_V: NDArray[np.int64]
    left_new_V: NDArray[np.int64]
    right_new_V: NDArray[np.int64]


@njit(cache=True, nogil=True)
def track_pairs(
    ids: Ids, first: int, ends_V: NDArray[np.int64], places: NDArray[np.uint32], least: int, room: int,
    letters_V: NDArray[np.int64], counts_V: NDArray[np.int64], index: PairIndex,
) -> None:  # fmt: skip
    """Track the pairs of some left ids that stand at least `least` times and spell at most `room` letters.

    Args:
        ids: Text without gaps.
        first: The lowest left id.
        ends_V: End of the places of each left id, as `places_by_id` leaves it.
        places: Where the left ids stand.
        least: Fewest places of a tracked pair.
        room: Longest token in letters.
        letters_V: Letters of each id.
        counts_V: All zero; is left so.
        index: Is added to.
    """
    start = 0
    for left in range(first, first + len(ends_V)):
        end = ends_V[left - first]
        _track_pairs_of(ids, left, places[start:end], least, room, letters_V, counts_V, index)
        start = end


@njit(cache=True, nogil=True)
def _track_pairs_of(
    ids: Ids, left: int, at: NDArray[np.uint32], least: int, room: int, letters_V: NDArray[np.int64],
    counts_V: NDArray[np.int64], index: PairIndex,
) -> None:  # fmt: skip
    ids_end = len(letters_V)
    rights = np.empty(len(at), np.int64)
    for number in range(len(at)):
        rights[number] = ids[at[number] + 1]
    for right in rights:
        if right < ids_end:
            counts_V[right] += 1
    for right in rights:
        if right >= ids_end or counts_V[right] <= 0:
            continue
        if counts_V[right] < least or letters_V[left] + letters_V[right] > room:
            counts_V[right] = -1
        else:
            # From here on minus the next free place of the pair, less two.
            counts_V[right] = -2 - _new_slot(index, left, right, counts_V[right])
    for number in range(len(at)):
        right = rights[number]
        if right < ids_end and counts_V[right] < -1:
            index.places[-2 - counts_V[right]] = at[number]
            counts_V[right] -= 1
    for right in rights:
        if right < ids_end:
            counts_V[right] = 0


@njit(cache=True, nogil=True)
def _new_slot(index: PairIndex, left: int, right: int, count: int) -> int:
    """A slot and places for a pair; gives its first place."""
    slot, start = index.used[SLOTS], index.used[PLACES]
    index.keys[slot] = (np.uint64(left) << _HALF) | np.uint64(right)
    index.counts[slot] = count
    index.starts[slot] = start
    index.sizes[slot] = count
    index.used[SLOTS] += 1
    index.used[PLACES] += count
    return start


@njit(cache=True, nogil=True)
def file_slots(index: PairIndex, first: int) -> None:
    """Put the slots from `first` on into the table and the heap."""
    for slot in range(first, index.used[SLOTS]):
        at = _spread(index, index.keys[slot])
        while index.table[at]:
            at = (at + 1) & (len(index.table) - 1)
        index.table[at] = slot + 1
        index.bounds[slot] = index.counts[slot]
        _push(index, slot)


@njit(cache=True, nogil=True)
def refill_table(index: PairIndex) -> None:
    """Fill an empty table with all slots."""
    for slot in range(index.used[SLOTS]):
        at = _spread(index, index.keys[slot])
        while index.table[at]:
            at = (at + 1) & (len(index.table) - 1)
        index.table[at] = slot + 1


@njit(cache=True, nogil=True, inline="always")
def _spread(index: PairIndex, key: np.uint64) -> int:
    return np.int64((key * _SPREAD) >> _HALF) & (len(index.table) - 1)


@njit(cache=True, nogil=True)
def _lose(index: PairIndex, left: int, right: int, number: int) -> None:
    """Take from the count of a pair, where it is tracked."""
    key = (np.uint64(left) << _HALF) | np.uint64(right)
    at = _spread(index, key)
    while index.table[at]:
        slot = index.table[at] - 1
        if index.keys[slot] == key:
            index.counts[slot] -= number
            return
        at = (at + 1) & (len(index.table) - 1)


@njit(cache=True, nogil=True)
def _beats(index: PairIndex, one: int, other: int) -> bool:
    if index.bounds[one] != index.bounds[other]:
        return index.bounds[one] > index.bounds[other]
    return index.keys[one] < index.keys[other]


@njit(cache=True, nogil=True)
def _push(index: PairIndex, slot: int) -> None:
    at = index.used[HEAPED]
    index.used[HEAPED] += 1
    while at > 0 and _beats(index, slot, index.heap[(at - 1) >> 1]):
        index.heap[at] = index.heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    index.heap[at] = slot


@njit(cache=True, nogil=True)
def _sink_top(index: PairIndex, slot: int) -> None:
    """Put a slot at the top of the heap and let it sink to where it belongs."""
    size, at = index.used[HEAPED], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _beats(index, index.heap[child + 1], index.heap[child]):
            child += 1
        if not _beats(index, index.heap[child], slot):
            break
        index.heap[at] = index.heap[child]
        at = child
    index.heap[at] = slot


@njit(cache=True, nogil=True)
def pop_most_frequent(index: PairIndex, least: int) -> int:
    """The tracked pair with the highest count of now (ties: lower ids), or -1 where none reaches `least`."""
    while index.used[HEAPED]:
        slot = index.heap[0]
        count = index.counts[slot]
        if count >= least and count < index.bounds[slot]:
            index.bounds[slot] = count
            _sink_top(index, slot)
            continue
        index.used[HEAPED] -= 1
        if index.used[HEAPED]:
            _sink_top(index, index.heap[index.used[HEAPED]])
        if count >= least:
            return int(slot)
    return -1


@njit(cache=True, nogil=True, inline="always")
def _after(ids: Ids, place: np.uint64, gap: int) -> np.uint64:
    place += _ONE
    while ids[place] == gap:
        place += _ONE
    return place


@njit(cache=True, nogil=True, inline="always")
def _before(ids: Ids, place: np.uint64, gap: int) -> np.uint64:
    place -= _ONE
    while ids[place] == gap:
        place -= _ONE
    return place


@njit(cache=True, nogil=True)
def rewrite_places(ids: Ids, index: PairIndex, slot: int, token: int, gap: int) -> None:
    """Write a token over every place of a pair, left to right; the counts of its neighbours are not kept."""
    left, right = np.int64(index.keys[slot] >> _HALF), np.int64(index.keys[slot] & _RIGHT)
    start = index.starts[slot]
    for at in range(start, start + index.sizes[slot]):
        place = np.uint64(index.places[at])
        other = _after(ids, place, gap)
        if ids[place] == left and ids[other] == right:
            ids[place] = token
            ids[other] = gap


@njit(cache=True, nogil=True)
def merge_pair(
    ids: Ids, index: PairIndex, slot: int, token: int, gap: int, least: int, room: int,
    letters_V: NDArray[np.int64], scratch: Scratch,
) -> None:  # fmt: skip
    """Merge a tracked pair into a token that did not exist before; arguments as in `track_pairs`.

    The text is visited once; what stands around each new token is kept in three lists from then on.
    """
    size = index.sizes[slot]
    before, after = np.empty(size, np.int64), np.empty(size, np.int64)
    before_at = np.empty(size, np.uint32)
    merged = _merge_places(ids, index, slot, token, gap, scratch, before, before_at, after)
    before, before_at, after = before[:merged], before_at[:merged], after[:merged]
    left, right = np.int64(index.keys[slot] >> _HALF), np.int64(index.keys[slot] & _RIGHT)
    _settle_losses(index, left, right, token, gap, scratch, before, after)
    at = index.places[index.starts[slot] : index.starts[slot] + merged]
    first = index.used[SLOTS]
    for place in range(merged):
        if before[place] < gap and before[place] != token:
            spare = room - letters_V[token] - letters_V[before[place]]
            _take_place(index, scratch.left_new_V, before[place], before[place], token, before_at[place], least, spare)
        if after[place] < gap:
            spare = room - letters_V[token] - letters_V[after[place]]
            _take_place(index, scratch.right_new_V, after[place], token, after[place], at[place], least, spare)
    for place in range(merged):
        if before[place] < gap:
            scratch.left_new_V[before[place]] = 0
        if after[place] < gap:
            scratch.right_new_V[after[place]] = 0
    file_slots(index, first)


@njit(cache=True, nogil=True)
def _merge_places(
    ids: Ids, index: PairIndex, slot: int, token: int, gap: int, scratch: Scratch, before: NDArray[np.int64],
    before_at: NDArray[np.uint32], after: NDArray[np.int64],
) -> int:  # fmt: skip
    """Write a token over every place of a pair, left to right; gives the number of merges.

    The places of the merges come first among those of the slot; `before`, `before_at` and `after` get the ids and the
    place around each, `scratch` what the neighbours lose.
    """
    left, right = np.int64(index.keys[slot] >> _HALF), np.int64(index.keys[slot] & _RIGHT)
    start, merged, size = index.starts[slot], 0, index.sizes[slot]
    here = np.empty(_BLOCK, np.int64)
    for number in range(size):
        if number % _BLOCK == 0:
            # Reads that wait for nothing: the memory of a whole block is fetched at once, not place by place.
            for ahead in range(min(_BLOCK, size - number)):
                here[ahead] = ids[index.places[start + number + ahead]]
        place = np.uint64(index.places[start + number])
        if here[number % _BLOCK] != left or ids[place] != left:
            continue
        other = _after(ids, place, gap)
        if ids[other] != right:
            continue
        before_at[merged] = _before(ids, place, gap)
        before[merged] = ids[before_at[merged]]
        after[merged] = ids[_after(ids, other, gap)]
        if before[merged] == token:
            # Made a moment ago: what it took for its right neighbour is now this token, and that loss is noted.
            after[merged - 1] = token
        elif before[merged] < gap:
            scratch.left_lost_V[before[merged]] += 1
        if after[merged] < gap:
            scratch.right_lost_V[after[merged]] += 1
        ids[place] = token
        ids[other] = gap
        index.places[start + merged] = place
        merged += 1
    index.counts[slot] = 0
    return merged


@njit(cache=True, nogil=True)
def _settle_losses(
    index: PairIndex, left: int, right: int, token: int, gap: int, scratch: Scratch, before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> None:  # fmt: skip
    """Count the neighbours of a new token and take what its parts lost from the tracked pairs."""
    for place in range(len(before)):
        neighbour = before[place]
        if neighbour < gap and neighbour != token:
            scratch.left_new_V[neighbour] += 1
            if scratch.left_lost_V[neighbour]:
                _lose(index, neighbour, left, scratch.left_lost_V[neighbour])
                scratch.left_lost_V[neighbour] = 0
        neighbour = after[place]
        if neighbour < gap:
            scratch.right_new_V[neighbour] += 1
            # What stands right of a place now may be the token itself, made of what stood there before.
            lost = left if neighbour == token else neighbour
            if scratch.right_lost_V[lost]:
                _lose(index, right, lost, scratch.right_lost_V[lost])
                scratch.right_lost_V[lost] = 0


@njit(cache=True, nogil=True, inline="always")
def _take_place(
    index: PairIndex, new_V: NDArray[np.int64], other: int, left: int, right: int, place: int, least: int,
    room_left: int,
) -> None:  # fmt: skip
    """Keep a place of a pair that has enough of them; `new_V[other]` turns from a count to a place, as above."""
    if new_V[other] > 0:
        new_V[other] = -1 if new_V[other] < least or room_left < 0 else -2 - _new_slot(index, left, right, new_V[other])
    if new_V[other] < -1:
        index.places[-2 - new_V[other]] = place
        new_V[other] -= 1
