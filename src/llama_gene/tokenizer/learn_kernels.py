"""The compiled loops of `learn` that visit places: merging pairs, and keeping their counts and places.

Axes: V ids, S tracked pairs, P places; the text is that of `learn_text_kernels`. A merge writes its token over the
first of two neighbours and a gap over the second, so neighbours are found by stepping over gaps and no links are kept.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled, compiled_bare, inlined
from llama_gene.tokenizer.learn_text_kernels import Ids

_RIGHT = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
# Places are unsigned where it matters: a signed index is checked for being negative at every use.
_ONE = np.uint64(1)
BLOCK = 128
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
    """What stands around the places of one merge, counted by id; all zero between merges.

    Big merges are done by several parts of the text at once: axis K. `left_KV` counts the ids left of the new token,
    which lose their old right neighbour and get the new one; `right_lost_KV` what stood right of the pair and
    `right_KV` what stands right of the token now. While places are handed out, a count becomes minus the next free
    place, less two, or -1 where the pair is not tracked. Each has a list of the ids it counts, and `listed_K3` how
    many these are.
    """

    left_KV: NDArray[np.int64]
    right_lost_KV: NDArray[np.int64]
    right_KV: NDArray[np.int64]
    left_ids_KV: NDArray[np.int32]
    right_lost_ids_KV: NDArray[np.int32]
    right_ids_KV: NDArray[np.int32]
    listed_K3: NDArray[np.int64]


class Around(NamedTuple):
    """The ids before and after each new token, and the places of those before, in the order of the tokens; and what
    stands at the places looked at next.
    """

    before: NDArray[np.int64]
    before_at: NDArray[np.uint32]
    after: NDArray[np.int64]
    here: NDArray[np.int64]


@compiled
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
        rights = np.empty(end - start, np.int64)
        _track_pairs_of(ids, left, places[start:end], rights, least, room, letters_V, counts_V, index)
        start = end


@compiled_bare
def _track_pairs_of(
    ids: Ids, left: int, at: NDArray[np.uint32], rights: NDArray[np.int64], least: int, room: int,
    letters_V: NDArray[np.int64], counts_V: NDArray[np.int64], index: PairIndex,
) -> None:  # fmt: skip
    ids_end = len(letters_V)
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


@compiled_bare
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


@compiled_bare
def file_slots(index: PairIndex, first: int) -> None:
    """Put the slots from `first` on into the table and the heap."""
    for slot in range(first, index.used[SLOTS]):
        _enter(index, slot)
        index.bounds[slot] = index.counts[slot]
        _push(index, slot)


@compiled_bare
def refill_table(index: PairIndex) -> None:
    """Fill an empty table with all slots."""
    for slot in range(index.used[SLOTS]):
        _enter(index, slot)


@compiled_bare
def _enter(index: PairIndex, slot: int) -> None:
    at = _spread(index, index.keys[slot])
    while index.table[at]:
        at = (at + 1) & (len(index.table) - 1)
    index.table[at] = slot + 1


@inlined
def _spread(index: PairIndex, key: np.uint64) -> int:
    return np.int64((key * _SPREAD) >> _HALF) & (len(index.table) - 1)


@compiled_bare
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


@compiled_bare
def _beats(index: PairIndex, one: int, other: int) -> bool:
    if index.bounds[one] != index.bounds[other]:
        return index.bounds[one] > index.bounds[other]
    return index.keys[one] < index.keys[other]


@compiled_bare
def _push(index: PairIndex, slot: int) -> None:
    at = index.used[HEAPED]
    index.used[HEAPED] += 1
    while at > 0 and _beats(index, slot, index.heap[(at - 1) >> 1]):
        index.heap[at] = index.heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    index.heap[at] = slot


@compiled_bare
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


@compiled_bare
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


@inlined
def _after(ids: Ids, place: np.uint64, gap: int) -> np.uint64:
    place += _ONE
    while ids[place] == gap:
        place += _ONE
    return place


@inlined
def _before(ids: Ids, place: np.uint64, gap: int) -> np.uint64:
    place -= _ONE
    while ids[place] == gap:
        place -= _ONE
    return place


@compiled_bare
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


@compiled
def merge_pair(
    ids: Ids, index: PairIndex, slot: int, token: int, gap: int, least: int, room: int,
    letters_V: NDArray[np.int64], scratch: Scratch,
) -> None:  # fmt: skip
    """Merge a tracked pair into a token that did not exist before, all parts of the text in one.

    Arguments as in `track_pairs`. The text is visited once; what stands around each new token is kept in lists.
    """
    size, first = index.sizes[slot], index.used[SLOTS]
    around = Around(
        np.empty(size, np.int64), np.empty(size, np.uint32), np.empty(size, np.int64), np.empty(BLOCK, np.int64)
    )
    begin = index.starts[slot]
    merged = merge_part(ids, index, slot, begin, begin + size, token, gap, scratch, 0, around)
    settle_pairs(index, slot, token, least, room, letters_V, scratch)
    take_places(index, begin, merged, gap, scratch, 0, around)
    file_slots(index, first)


@compiled_bare
def merge_part(
    ids: Ids, index: PairIndex, slot: int, begin: int, end: int, token: int, gap: int, scratch: Scratch, part: int,
    around: Around,
) -> int:  # fmt: skip
    """Write a token over the pair at its places `begin` to `end` of `index.places`; gives the number of merges.

    The places of the merges come first among these; `around` and `scratch` get what stands beside them.
    """
    left, right = np.int64(index.keys[slot] >> _HALF), np.int64(index.keys[slot] & _RIGHT)
    before, before_at, after, here = around
    merged = 0
    for number in range(end - begin):
        if number % BLOCK == 0:
            # Reads that wait for nothing: the memory of a whole block is fetched at once, not place by place.
            for ahead in range(min(BLOCK, end - begin - number)):
                here[ahead] = ids[index.places[begin + number + ahead]]
        place = np.uint64(index.places[begin + number])
        if here[number % BLOCK] != left or ids[place] != left:
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
            _count(scratch.left_KV[part], scratch.left_ids_KV[part], scratch.listed_K3[part], 0, before[merged])
        if after[merged] < gap:
            lost_V, lost_ids_V = scratch.right_lost_KV[part], scratch.right_lost_ids_KV[part]
            _count(lost_V, lost_ids_V, scratch.listed_K3[part], 1, after[merged])
        ids[place] = token
        ids[other] = gap
        index.places[begin + merged] = place
        merged += 1
    for number in range(merged):
        if after[number] < gap:
            _count(scratch.right_KV[part], scratch.right_ids_KV[part], scratch.listed_K3[part], 2, after[number])
    return merged


@inlined
def _count(
    counts_V: NDArray[np.int64], listed_V: NDArray[np.int32], listed: NDArray[np.int64], which: int, token: int
) -> None:
    if counts_V[token] == 0:
        listed_V[listed[which]] = token
        listed[which] += 1
    counts_V[token] += 1


@compiled_bare
def settle_pairs(
    index: PairIndex, slot: int, token: int, least: int, room: int, letters_V: NDArray[np.int64], scratch: Scratch
) -> None:
    """Take from the tracked pairs what they lost, and make room for those of the new token that are worth it."""
    left, right = np.int64(index.keys[slot] >> _HALF), np.int64(index.keys[slot] & _RIGHT)
    index.counts[slot] = 0
    spare = room - letters_V[token]
    for part in range(len(scratch.listed_K3)):
        for number in range(scratch.listed_K3[part, 1]):
            other = scratch.right_lost_ids_KV[part, number]
            _lose(index, right, other, scratch.right_lost_KV[part, other])
            scratch.right_lost_KV[part, other] = 0
        scratch.listed_K3[part, 1] = 0
    for part in range(len(scratch.listed_K3)):
        for number in range(scratch.listed_K3[part, 0]):
            other = scratch.left_ids_KV[part, number]
            if scratch.left_KV[part, other] > 0:
                total = scratch.left_KV[:, other].sum()
                _lose(index, other, left, total)
                tracked = total >= least and letters_V[other] <= spare
                _share_out(scratch.left_KV[:, other], _new_slot(index, other, token, total) if tracked else -1)
        for number in range(scratch.listed_K3[part, 2]):
            other = scratch.right_ids_KV[part, number]
            if scratch.right_KV[part, other] > 0:
                total = scratch.right_KV[:, other].sum()
                tracked = total >= least and letters_V[other] <= spare
                _share_out(scratch.right_KV[:, other], _new_slot(index, token, other, total) if tracked else -1)


@compiled_bare
def _share_out(counts_K: NDArray[np.int64], start: int) -> None:
    """Turn each part's count of a pair into its first place, from `start` on; -1: the pair is not tracked."""
    for part in range(len(counts_K)):
        count = counts_K[part]
        if count > 0:
            counts_K[part] = -1 if start < 0 else -2 - start
            start += count if start >= 0 else 0


@compiled_bare
def take_places(
    index: PairIndex, begin: int, merged: int, gap: int, scratch: Scratch, part: int, around: Around
) -> None:
    """Write the places of the new token's pairs to where `settle_pairs` made room, and clear this part's counts."""
    left_V, right_V = scratch.left_KV[part], scratch.right_KV[part]
    for number in range(merged):
        other = around.before[number]
        # Only a neighbour that is not the token itself was counted.
        if other < gap and left_V[other] < -1:
            index.places[-2 - left_V[other]] = around.before_at[number]
            left_V[other] -= 1
        other = around.after[number]
        if other < gap and right_V[other] < -1:
            index.places[-2 - right_V[other]] = index.places[begin + number]
            right_V[other] -= 1
    for number in range(scratch.listed_K3[part, 0]):
        left_V[scratch.left_ids_KV[part, number]] = 0
    for number in range(scratch.listed_K3[part, 2]):
        right_V[scratch.right_ids_KV[part, number]] = 0
    scratch.listed_K3[part, :] = 0
