"""The compiled loops of near-duplicate removal.

Axes: R records in corpus order, C candidates (records that share a bucket with another) and K a few of them, P numbers
of a signature, B bands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled

NO_WORD = np.uint32(0xFFFFFFFF)
ALONE = -1
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Room(NamedTuple):
    """The kept members of all buckets.

    Attributes:
        begins: int64 [buckets], where the members of each begin.
        kept: int32 [members], candidates.
        sizes: int32 [buckets], how many of each bucket are kept so far.
    """

    begins: NDArray[np.int64]
    kept: NDArray[np.int32]
    sizes: NDArray[np.int32]


@compiled
def hash_band(
    signatures_RP: NDArray[np.uint32], columns: tuple[int, int], first: int, bits: int, keys_R: NDArray[np.uint64]
) -> None:
    """A key for a band of each signature: a hash of its columns, and in the last `bits` the record's number.

    So one sorting in place brings records with equal bands together. The few that meet by chance are verified later.
    """
    start, end = columns
    low = np.uint64(bits)
    for record in range(len(signatures_RP)):
        mixed = np.uint64(end)
        for column in range(start, end):
            mixed = (mixed ^ np.uint64(signatures_RP[record, column])) * _PRIME
            mixed ^= mixed >> _SHIFT
        keys_R[record] = ((mixed >> low) << low) | np.uint64(first + record)


@compiled
def number_buckets(
    keys_R: NDArray[np.uint64], bits: int, has_words_R: NDArray[np.bool_], bucket_R: NDArray[np.int32]
) -> int:
    """Give records with equal hashes the number of their bucket, and those that are alone `ALONE`.

    Args:
        keys_R: Sorted keys of all records.
        bits: As for `hash_band`.
        has_words_R: Records without words are alone.
        bucket_R: Is filled.

    Returns:
        How many buckets there are.
    """
    low = np.uint64(bits)
    mask = (np.uint64(1) << low) - np.uint64(1)
    buckets = start = 0
    while start < len(keys_R):
        end, size = start, 0
        while end < len(keys_R) and keys_R[end] >> low == keys_R[start] >> low:
            size += has_words_R[keys_R[end] & mask]
            end += 1
        for place in range(start, end):
            record = keys_R[place] & mask
            bucket_R[record] = buckets if size > 1 and has_words_R[record] else ALONE
        if size > 1:
            buckets += 1
        start = end
    return buckets


@compiled
def _are_similar(one_P: NDArray[np.uint32], other_P: NDArray[np.uint32], needed: int) -> bool:
    equal = 0
    for column in range(len(one_P)):
        equal += one_P[column] == other_P[column]
    return equal >= needed


@compiled
def drop_repeats(
    signatures_CP: NDArray[np.uint32],
    start: int,
    buckets_KB: NDArray[np.int64],
    room: Room,
    needed: int,
    is_repeat_K: NDArray[np.bool_],
) -> None:
    """Go through some candidates in order and drop each that is similar to an earlier one that was kept.

    Args:
        signatures_CP: Signatures of all candidates.
        start: The first of these candidates.
        buckets_KB: Bucket of these in each band, or `ALONE`.
        room: What earlier calls left there; is added to.
        needed: Equal numbers from which two signatures are similar.
        is_repeat_K: Is filled.
    """
    for at in range(len(buckets_KB)):
        found = False
        for band in range(buckets_KB.shape[1]):
            bucket = buckets_KB[at, band]
            if bucket == ALONE or found:
                continue
            for place in range(room.begins[bucket], room.begins[bucket] + room.sizes[bucket]):
                if _are_similar(signatures_CP[start + at], signatures_CP[room.kept[place]], needed):
                    found = True
                    break
        is_repeat_K[at] = found
        if found:
            continue
        for band in range(buckets_KB.shape[1]):
            bucket = buckets_KB[at, band]
            if bucket != ALONE:
                room.kept[room.begins[bucket] + room.sizes[bucket]] = start + at
                room.sizes[bucket] += 1
