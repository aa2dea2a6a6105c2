"""The compiled loops of `encode`: byte-pair encoding of runs of letters.

Letters are codes 0 .. A-1, tokens local numbers 0 .. V-1; a single letter's number is its code. `rank` is the place of
a merge in the tokenizer's list: of the pairs that stand in a word, the lowest rank merges first, the leftmost of those
that share it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

NONE = np.int64(1) << np.int64(62)
_HALF = np.int64(32)
_LOW = np.int64(0xFFFFFFFF)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Merges(NamedTuple):
    """Rank and result of each mergeable pair.

    `slots_S2` is a hash table of left << 32 | right (-1: empty) and rank << 32 | token. Most pairs that are asked for
    do not merge: `filter_W` has a bit set for each that may, so that those others cost one look at a small array.
    """

    slots_S2: NDArray[np.int64]
    filter_W: NDArray[np.uint64]


class Lexicon(NamedTuple):
    """Tokens that their own letters are encoded as, ready for matching.

    Columns of `makers_V5`: rank of the merge that made the token (-1: a letter), its left part, its right part, and the
    ranks of the merges that made these. Those of `spans_V2`: the longest other token it begins with (-1: none), its
    letters. `trie_NA` gives the node after each letter (0: none; node 0 is the root) and in its last column one more
    than the token that ends at the node.
    """

    makers_V5: NDArray[np.int32]
    spans_V2: NDArray[np.int32]
    trie_NA: NDArray[np.int32]


@njit(cache=True, nogil=True)
def fill_merges(merges: Merges, pairs: NDArray[np.int64]) -> None:
    """Put rows of left, right, rank, token into an empty table; of a pair listed twice the later row counts."""
    for at in range(len(pairs)):
        key = (pairs[at, 0] << _HALF) | pairs[at, 1]
        slot = _slot(merges, key)
        merges.slots_S2[slot, 0] = key
        merges.slots_S2[slot, 1] = (pairs[at, 2] << _HALF) | pairs[at, 3]
        bit = _filter_bit(merges, key)
        merges.filter_W[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@njit(cache=True, nogil=True, inline="always")
def _filter_bit(merges: Merges, key: int) -> np.uint64:
    return ((np.uint64(key) * _SPREAD) >> np.uint64(20)) & np.uint64(64 * len(merges.filter_W) - 1)


@njit(cache=True, nogil=True, inline="always")
def _slot(merges: Merges, key: int) -> int:
    """Where a pair is, or would go."""
    mask = np.uint64(len(merges.slots_S2) - 1)
    slot = ((np.uint64(key) * _SPREAD) >> np.uint64(32)) & mask
    while merges.slots_S2[slot, 0] != key and merges.slots_S2[slot, 0] != -1:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True, inline="always")
def _rank(merges: Merges, left: int, right: int) -> int:
    key = (np.int64(left) << _HALF) | np.int64(right)
    bit = _filter_bit(merges, key)
    if not (merges.filter_W[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
        return NONE
    slot = _slot(merges, key)
    return merges.slots_S2[slot, 1] >> _HALF if merges.slots_S2[slot, 0] != -1 else NONE


@njit(cache=True, nogil=True, inline="always")
def _merged(merges: Merges, left: int, right: int) -> int:
    """The token a pair merges into; it must be a pair that does."""
    slot = _slot(merges, (np.int64(left) << _HALF) | np.int64(right))
    return merges.slots_S2[slot, 1] & _LOW


@njit(cache=True, nogil=True)
def find_makers(
    merges: Merges, codes: NDArray[np.uint8], starts: NDArray[np.int64], makers_V5: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Fill in the last merge of each token's own letters; gives which tokens these letters are encoded as."""
    usable = np.zeros(len(makers_V5), np.bool_)
    for token in range(len(makers_V5)):
        word = codes[starts[token] : starts[token + 1]].astype(np.int32)
        size = len(word)
        while size > 2 and _merge_first(merges, word, size):
            size -= 1
        if size == 1:
            makers_V5[token, 0] = -1
            usable[token] = True
        elif size == 2 and _rank(merges, word[0], word[1]) != NONE and _merged(merges, word[0], word[1]) == token:
            makers_V5[token, 0] = _rank(merges, word[0], word[1])
            makers_V5[token, 1] = word[0]
            makers_V5[token, 2] = word[1]
            usable[token] = True
    for token in range(len(makers_V5)):
        for part in range(2):
            makers_V5[token, 3 + part] = makers_V5[makers_V5[token, 1 + part], 0]
    return usable


def ranks_grow(lexicon: Lexicon) -> bool:
    """True where every token that can come out is ranked below the tokens it is made of."""
    usable = lexicon.makers_V5[lexicon.spans_V2[:, 1] > 0]
    made = usable[usable[:, 0] >= 0]
    return bool((made[:, 3:].max(axis=1, initial=-1) < made[:, 0]).all())


@njit(cache=True, nogil=True)
def _merge_first(merges: Merges, word: NDArray[np.int32], size: int) -> bool:
    """Make the first merge due among the first `size` tokens of a word, in place; false where there is none."""
    best, at = NONE, -1
    for place in range(size - 1):
        rank = _rank(merges, word[place], word[place + 1])
        if rank < best:
            best, at = rank, place
    if at < 0:
        return False
    word[at] = _merged(merges, word[at], word[at + 1])
    word[at + 1 : size - 1] = word[at + 2 : size].copy()
    return True


@njit(cache=True, nogil=True)
def grow_trie(
    codes: NDArray[np.uint8], starts: NDArray[np.int64], tokens: NDArray[np.int64], trie_NA: NDArray[np.int32]
) -> int:
    """Put the letters of tokens into an empty trie; gives the number of nodes."""
    nodes = 1
    for token in tokens:
        node = 0
        for place in range(starts[token], starts[token + 1]):
            if trie_NA[node, codes[place]] == 0:
                trie_NA[node, codes[place]] = nodes
                nodes += 1
            node = trie_NA[node, codes[place]]
        trie_NA[node, -1] = token + 1
    return nodes


@njit(cache=True, nogil=True)
def find_shorter(
    codes: NDArray[np.uint8], starts: NDArray[np.int64], tokens: NDArray[np.int64], lexicon: Lexicon
) -> None:
    """Fill `spans_V2` from the trie."""
    for token in tokens:
        lexicon.spans_V2[token, 0] = _longest(lexicon, codes, starts[token], starts[token + 1] - 1)
        lexicon.spans_V2[token, 1] = starts[token + 1] - starts[token]


@njit(cache=True, nogil=True)
def _longest(lexicon: Lexicon, codes: NDArray[np.uint8], place: int, end: int) -> int:
    """The longest token that begins at a place and ends by `end`, or -1."""
    node, found = np.uint32(0), np.int32(0)
    last = np.uint32(lexicon.trie_NA.shape[1] - 1)
    while place < end:
        node = np.uint32(lexicon.trie_NA[node, codes[np.uint64(place)]])
        if node == 0:
            break
        token = lexicon.trie_NA[node, last]
        if token:
            found = token
        place += 1
    return found - 1


@njit(cache=True, nogil=True)
def stay_apart(merges: Merges, lexicon: Lexicon, left: int, right: int) -> bool:
    """True where no merge crosses the border of two tokens while their letters are encoded.

    Goes back in time, undoing the younger of the two tokens that touch the border. While two tokens touch it, a merge
    of both happens if its rank is below that of the merge that ends this state; at equal rank the one further left
    comes first. (The idea of looking only at pairs: https://github.com/github/rust-gems, crate bpe, README.)
    """
    limit = NONE
    left_at, right_at = np.uint32(left), np.uint32(right)
    left_made, right_made = lexicon.makers_V5[left_at, 0], lexicon.makers_V5[right_at, 0]
    while True:
        if _rank(merges, left_at, right_at) < limit:
            return False
        if max(left_made, right_made) < 0:
            return True
        limit = max(np.int64(left_made), np.int64(right_made) + 1)
        # Both sides by selection: which one is younger cannot be foretold, and a branch would be guessed wrong.
        is_left = left_made > right_made
        younger, part = (left_at, np.uint32(2)) if is_left else (right_at, np.uint32(1))
        token, made = lexicon.makers_V5[younger, part], lexicon.makers_V5[younger, part + np.uint32(2)]
        left_at, left_made = (np.uint32(token), made) if is_left else (left_at, left_made)
        right_at, right_made = (right_at, right_made) if is_left else (np.uint32(token), made)


@njit(cache=True, nogil=True)
def encode_run(
    merges: Merges, lexicon: Lexicon, codes: NDArray[np.uint8], out: NDArray[np.int32], dead: NDArray[np.bool_]
) -> int:
    """Encode one run; gives the number of tokens written to `out`, -1 where a letter has none.

    The encoding is the only one whose neighbours all stay apart, so it is found from the left: the longest token that
    fits, else the next shorter, else one step back. A place from which there was no way on is never tried again, so
    the time is linear.

    Args:
        merges: Every mergeable pair.
        lexicon: Every token that can come out.
        codes: The letters.
        out: Room for as many tokens as letters.
        dead: Room for one more than letters; all false, and left so.
    """
    size, place, number = len(codes), 0, 0
    for code in codes:
        if code >= lexicon.trie_NA.shape[1] - 1:
            return -1
    token = _longest(lexicon, codes, 0, size)
    while place < size:
        while token >= 0:
            end = place + lexicon.spans_V2[token, 1]
            if not dead[end] and (number == 0 or stay_apart(merges, lexicon, out[number - 1], token)):
                break
            token = lexicon.spans_V2[token, 0]
        if token >= 0:
            out[number] = token
            number += 1
            place = end
            token = _longest(lexicon, codes, place, size)
        elif number == 0:
            return -1
        else:
            dead[place] = True
            number -= 1
            token = out[number]
            place -= lexicon.spans_V2[token, 1]
    dead[: size + 1] = False
    return number


@njit(cache=True, nogil=True)
def encode_runs(
    merges: Merges, lexicon: Lexicon, codes: NDArray[np.uint8], starts: NDArray[np.int64], id_of_V: NDArray[np.int32],
    out: NDArray[np.int32], sizes: NDArray[np.int64],
) -> None:  # fmt: skip
    """Encode runs that stand back to back; the ids of each go to `out` from its own start on.

    `starts` has one entry more than runs; `sizes` gets the ids of each run, -1 where a letter has no token.
    """
    longest = 0
    for run in range(len(sizes)):
        longest = max(longest, starts[run + 1] - starts[run])
    dead = np.zeros(longest + 1, np.bool_)
    for run in range(len(sizes)):
        begin, end = starts[run], starts[run + 1]
        number = encode_run(merges, lexicon, codes[begin:end], out[begin:end], dead)
        for place in range(begin, begin + number):
            out[place] = id_of_V[out[place]]
        sizes[run] = number


@njit(cache=True, nogil=True)
def _draw(state: NDArray[np.uint64]) -> float:
    """A number from 0 up to 1; SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True, nogil=True)
def encode_with_dropout(merges: Merges, word: NDArray[np.int32], share: float, seed: int) -> int:
    """Merge the letters of a word in place, each merge left out with probability `share`; gives the new size.

    Whether two neighbours may merge is drawn when they become neighbours. In BPE-dropout as published (Provilkov et al.
    2020, https://arxiv.org/abs/1910.13267, section 3.1) it is drawn anew at every step: in a word of hundreds of
    letters, where there is always another merge to make first, that would only put a merge off.
    """
    state = np.full(1, np.uint64(seed), np.uint64)
    size = len(word)
    ranks = np.full(size, NONE)
    for place in range(size - 1):
        ranks[place] = _rank_or_none(merges, word[place], word[place + 1], share, state)
    while True:
        best, at = NONE, -1
        for place in range(size - 1):
            if ranks[place] < best:
                best, at = ranks[place], place
        if at < 0:
            return size
        word[at] = _merged(merges, word[at], word[at + 1])
        size -= 1
        for place in range(at + 1, size):
            word[place] = word[place + 1]
            ranks[place] = ranks[place + 1]
        if at > 0:
            ranks[at - 1] = _rank_or_none(merges, word[at - 1], word[at], share, state)
        ranks[at] = _rank_or_none(merges, word[at], word[at + 1], share, state) if at + 1 < size else NONE


@njit(cache=True, nogil=True)
def _rank_or_none(merges: Merges, left: int, right: int, share: float, state: NDArray[np.uint64]) -> int:
    rank = _rank(merges, left, right)
    return rank if rank != NONE and _draw(state) >= share else NONE
