"""The compiled loops that fill the tables of `encode_kernels`, once for each vocabulary."""

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled, compiled_bare
from llama_gene.tokenizer.encode_kernels import (
    BASE_KEYS,
    BASES_AT_ONCE,
    HALF,
    LETTERS_AT_ONCE,
    MAKER_BITS,
    NONE,
    SPREAD,
    Lexicon,
    Merges,
    Start,
    make,
    merged,
    rank_of,
)  # fmt: skip


@compiled
def fill_merges(merges: Merges, pairs: NDArray[np.int64]) -> None:
    """Put rows of left, right, rank, token into an empty table; of a pair listed twice the later row counts."""
    mask = np.uint64(len(merges.slots_S2) - 1)
    for at in range(len(pairs)):
        key = (pairs[at, 0] << HALF) | pairs[at, 1]
        spread = np.uint64(key) * SPREAD
        slot = (spread >> np.uint64(32)) & mask
        while merges.slots_S2[slot, 0] != key and merges.slots_S2[slot, 0] != -1:
            slot = (slot + np.uint64(1)) & mask
        merges.slots_S2[slot, 0] = key
        merges.slots_S2[slot, 1] = (pairs[at, 2] << HALF) | pairs[at, 3]
        bit = (spread >> np.uint64(20)) & np.uint64(64 * len(merges.filter_W) - 1)
        merges.filter_W[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@compiled
def fill_makers(makers_S: NDArray[np.uint64], parts_V2: NDArray[np.int32]) -> None:
    """Put the merge that makes each token into an empty table."""
    mask = np.uint64(len(makers_S) - 1)
    for token in range(len(parts_V2)):
        if parts_V2[token, 0] < 0:
            continue
        key = (np.uint64(parts_V2[token, 0]) << MAKER_BITS) | np.uint64(parts_V2[token, 1])
        slot = ((key * SPREAD) >> np.uint64(32)) & mask
        while makers_S[slot]:
            slot = (slot + np.uint64(1)) & mask
        makers_S[slot] = (key << MAKER_BITS) | np.uint64(token)


@compiled
def find_makers(
    merges: Merges, codes: NDArray[np.uint8], starts: NDArray[np.int64], makers_V3: NDArray[np.int64]
) -> None:
    """Fill in rank, left and right part of the last merge of each token's own letters.

    The rank is -1 for letters, `NONE` for tokens that their letters are not encoded as. These never come out, and no
    other pair ever makes a token: what happens inside its letters happens wherever they stand.
    """
    for token in range(len(makers_V3)):
        word = codes[starts[token] : starts[token + 1]].astype(np.int32)
        size = len(word)
        while size > 2 and _merge_first(merges, word, size):
            size -= 1
        makers_V3[token] = -1
        if size == 2 and rank_of(merges, word[0], word[1]) != NONE and merged(merges, word[0], word[1]) == token:
            makers_V3[token, 0] = rank_of(merges, word[0], word[1])
            makers_V3[token, 1:] = word[:2]
        elif size > 1:
            makers_V3[token, 0] = NONE


@compiled
def _merge_first(merges: Merges, word: NDArray[np.int32], size: int) -> bool:
    """Make the first merge due among the first `size` tokens of a word, in place; false where there is none."""
    best, at = NONE, -1
    for place in range(size - 1):
        rank = rank_of(merges, word[place], word[place + 1])
        if rank < best:
            best, at = rank, place
    if at < 0:
        return False
    word[at] = merged(merges, word[at], word[at + 1])
    word[at + 1 : size - 1] = word[at + 2 : size].copy()
    return True


@compiled_bare
def fill_beside(start: Start, lexicon: Lexicon, letters: int) -> None:
    """Set the bits of tokens that can stand side by side."""
    size = len(start.shorter_V)
    for left in range(size):
        for right in range(size):
            if _stand(lexicon.parts_V2, lexicon.makers_S, letters, size, left, right):
                bit = left * size + right
                start.beside_B[bit >> 3] |= np.uint8(1) << np.uint8(bit & 7)


@compiled_bare
def fill_longest(start: Start) -> None:
    """Look up the longest token of all that is looked up at once."""
    bits, letters = (2, BASES_AT_ONCE) if len(start.longest_K) == BASE_KEYS else (5, LETTERS_AT_ONCE)
    for key in range(len(start.longest_K)):
        node, longest = np.int32(0), np.int32(-1)
        for place in range(letters):
            code = (key >> (bits * (letters - 1 - place))) & ((1 << bits) - 1)
            node = start.next_NA[node, code] if code < start.next_NA.shape[1] else np.int32(0)
            if not node:
                break
            if start.token_N[node] >= 0:
                longest = start.token_N[node]
        start.longest_K[key] = longest
        if node:
            for letter in range(start.next_NA.shape[1]):
                if start.next_NA[node, letter]:
                    start.longest_K[key] = -1


@compiled_bare
def _stand(
    parts_V2: NDArray[np.int32], makers_S: NDArray[np.uint64], letters: int, limit: int, left: int, right: int
) -> bool:  # fmt: skip
    """Whether the letters of two tokens are encoded as these two, by merges that make tokens below `limit`.

    Goes back in time from what the two became: whenever the later of both was made, the pair that stood at the border
    before must not have been one that merges earlier still. Of merges of one rank the left one comes first.
    """
    while True:
        made = make(makers_S, left, right)
        if made and made < limit:
            return False
        if max(left, right) < letters:
            return True
        if left > right:
            limit, left = left, parts_V2[left, 1]
        else:
            limit, right = right + 1, parts_V2[right, 0]
