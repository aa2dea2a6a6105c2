"""The compiled loops of `encode`: byte-pair encoding of runs of letters.

Letters are codes 0 .. A-1, tokens local numbers 0 .. V-1; a single letter's number is its code. `rank` is the place of
a merge in the tokenizer's list: of the pairs that stand in a word, the lowest rank merges first, the leftmost of those
that share it.

A word is encoded in two steps. First with the merges of lowest rank alone, those of the `Start`: the tokens they make
are so few that it is known of every two whether they can stand side by side, and a word is read once from left to
right, going back where nothing fits (after van Antwerpen and Neubeck 2024, https://github.blog/ai-and-ml/llms/
so-many-tokens-so-little-time-introducing-a-faster-more-flexible-byte-pair-tokenizer/). That is four letters a token of
DNA. Then come the other merges, for many words at once: each pair of neighbours that merges waits in a list of its own,
and the lists are gone through once, by rank. Both are right where every token is ranked below its parts: what a merge
gives can only take part in later ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled, compiled_bare

NONE = np.int64(1) << np.int64(62)
HALF = np.int64(32)
LOW = np.int64(0xFFFFFFFF)
SPREAD = np.uint64(0x9E3779B97F4A7C15)
MAKER_BITS, MAKER_MASK = np.uint64(21), np.uint64((1 << 21) - 1)
_BORDER, _GAP = np.int32(-1), np.int32(-2)
# In place of the number of its tokens, what is known of a text: it may be a run, it is none, it is being encoded.
WAITS, NO_RUN, _IN_WORK = np.int64(-1), np.int64(-2), np.int64(-3)
_FIRST_CAPITAL, _LAST_CAPITAL = np.uint8(65), np.uint8(90)
NO_CODE = np.uint8(255)
# Letters merged together: enough for the way through all lists to be worth it, few enough for the fast caches.
_CHUNK = 1 << 15
# What is looked up at once: eight bases of two bits, three of other letters of five bits.
BASES_AT_ONCE, LETTERS_AT_ONCE = 8, 3
BASE_KEYS, LETTER_KEYS = 1 << 16, 1 << 15


class Merges(NamedTuple):
    """Rank and result of each mergeable pair.

    `slots_S2` is a hash table of left << 32 | right (-1: empty) and rank << 32 | token. Most pairs that are asked for
    do not merge: `filter_W` has a bit set for each that may, so that those others cost one look at a small array.
    """

    slots_S2: NDArray[np.int64]
    filter_W: NDArray[np.uint64]


class Lexicon(NamedTuple):
    """The tokens that runs are encoded as, and the one merge that makes each.

    A token's number rises with the rank of that merge, and is below 2 ** 21. `parts_V2`: what it merges (letters: -1).
    `letters_V`: how many letters it has. `makers_S` finds it by its parts: a hash table of left, right and token in one
    number of 21 bits each (0: empty), half as large as a table of `Merges`, since what is looked up for every pair of a
    text should stay in the fast caches.
    """

    parts_V2: NDArray[np.int32]
    letters_V: NDArray[np.int32]
    makers_S: NDArray[np.uint64]


class Start(NamedTuple):
    """The first `len(shorter_V)` tokens of a lexicon, and what reading with them alone needs.

    Their letters lead through a trie: from node N with letter A to `next_NA`, 0 where no token goes on so; `token_N` is
    the token that ends there, or -1. `shorter_V` is the longest token that another begins with, or -1. `beside_B` has
    a bit for each two tokens, at left * V + right: set where they can stand side by side. `longest_K` is the longest
    token that eight bases begin with, two bits a base, or -1 where that takes more of them; for alphabets of more than
    four letters that three letters begin with, five bits a letter.
    """

    next_NA: NDArray[np.int32]
    token_N: NDArray[np.int32]
    shorter_V: NDArray[np.int32]
    beside_B: NDArray[np.uint8]
    longest_K: NDArray[np.int32]


class Spelling(NamedTuple):
    """How letters become codes.

    `code_of` has 256 entries, 255 where a byte is no letter; `prefix` is 1 where the letter `prefix_code` stands before
    every run, else 0; `shortest` is the least number of letters of a run.
    """

    code_of: NDArray[np.uint8]
    prefix: int
    prefix_code: int
    shortest: int


class Waiting(NamedTuple):
    """Places of pairs that wait to be merged: a linked list for each token.

    `heads_V` and `next_E` hold entries, 0 at the end; `places_E` their places. Places that are no longer the pair are
    passed over.
    """

    heads_V: NDArray[np.int32]
    places_E: NDArray[np.int32]
    next_E: NDArray[np.int32]


@compiled_bare
def find(slots_S2: NDArray[np.int64], filter_W: NDArray[np.uint64], left: int, right: int) -> int:
    """Rank << 32 | token of a pair that merges, else 0."""
    key = (np.int64(left) << HALF) | np.int64(right)
    spread = np.uint64(key) * SPREAD
    bit = (spread >> np.uint64(20)) & np.uint64(64 * len(filter_W) - 1)
    if not (filter_W[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
        return np.int64(0)
    mask = np.uint64(len(slots_S2) - 1)
    slot = (spread >> np.uint64(32)) & mask
    while slots_S2[slot, 0] != key and slots_S2[slot, 0] != -1:
        slot = (slot + np.uint64(1)) & mask
    return slots_S2[slot, 1]


@compiled_bare
def make(makers_S: NDArray[np.uint64], left: int, right: int) -> int:
    """The token of the lexicon that two tokens merge into, or 0."""
    key = (np.uint64(left) << MAKER_BITS) | np.uint64(right)
    mask = np.uint64(len(makers_S) - 1)
    slot = ((key * SPREAD) >> np.uint64(32)) & mask
    while makers_S[slot]:
        if makers_S[slot] >> MAKER_BITS == key:
            return np.int64(makers_S[slot] & MAKER_MASK)
        slot = (slot + np.uint64(1)) & mask
    return np.int64(0)


@compiled
def rank_of(merges: Merges, left: int, right: int) -> int:
    found = find(merges.slots_S2, merges.filter_W, left, right)
    return found >> HALF if found else NONE


@compiled
def merged(merges: Merges, left: int, right: int) -> int:
    """The token a pair merges into; it must be a pair that does."""
    return find(merges.slots_S2, merges.filter_W, left, right) & LOW


@compiled_bare
def _longest(
    next_NA: NDArray[np.int32], token_N: NDArray[np.int32], longest_K: NDArray[np.int32], codes: NDArray[np.uint8],
    place: int,
) -> int:  # fmt: skip
    """The longest token of the start that the letters at a place begin with; there always is one."""
    key = 0
    if len(longest_K) == LETTER_KEYS:
        if place + LETTERS_AT_ONCE <= len(codes):
            for at in range(place, place + LETTERS_AT_ONCE):
                key = (key << 5) | codes[at]
            if longest_K[key] >= 0:
                return longest_K[key]
    elif place + BASES_AT_ONCE <= len(codes):
        for at in range(place, place + BASES_AT_ONCE):
            key = (key << 2) | codes[at]
        # A prefix stands before the first base only, and is no base.
        if key < len(longest_K) and longest_K[key] >= 0:
            return longest_K[key]
    node, token = np.int32(0), np.int32(-1)
    for at in range(place, len(codes)):
        node = next_NA[node, codes[at]]
        if not node:
            break
        if token_N[node] >= 0:
            token = token_N[node]
    return token


@compiled_bare
def _read(
    start: Start, letters_V: NDArray[np.int32], codes: NDArray[np.uint8], tokens: NDArray[np.int32],
    stack: NDArray[np.int32], dead: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Encode one word with the tokens of the start; they are written over their first and last letters.

    At each place the longest token is tried first, then the ones it begins with; where none fits beside the one before,
    that one is taken back, and no token may end at this place any more.
    """
    next_NA, token_N, shorter_V, beside_B, longest_K = start
    size, end = np.int64(len(shorter_V)), len(codes)
    dead[: end + 1] = 0
    place, top, goes_on = 0, 0, True
    token = np.int32(-1)
    while place < end:
        if goes_on:
            token = _longest(next_NA, token_N, longest_K, codes, place)
        while token >= 0:
            if not dead[place + letters_V[token]]:
                if not top:
                    break
                bit = stack[top - 1] * size + token
                if (beside_B[bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1):
                    break
            token = shorter_V[token]
        goes_on = bool(token >= 0)
        if goes_on:
            stack[top] = token
            top += 1
            place += letters_V[token]
        else:
            dead[place] = 1
            top -= 1
            place -= letters_V[stack[top]]
            token = shorter_V[stack[top]]
    place = 0
    for at in range(top):
        tokens[place] = stack[at]
        place += letters_V[stack[at]]
        tokens[place - 1] = stack[at]


@compiled
def find_runs(letters: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
    """Say of each text whether it waits for an encoder of runs: whether it is capital letters alone."""
    for run in range(len(sizes)):
        word = letters[starts[run] : starts[run + 1]]
        sizes[run] = WAITS if len(word) else NO_RUN
        for letter in word:
            if letter < _FIRST_CAPITAL or letter > _LAST_CAPITAL:
                sizes[run] = NO_RUN
                break


@compiled
def _spell(spelling: Spelling, letters: NDArray[np.uint8], word: NDArray[np.uint8]) -> bool:
    """Write the codes of a run behind its prefix; false where a letter has none, or the run is too short."""
    if len(letters) < spelling.shortest:
        return False
    for at in range(len(letters)):
        code = spelling.code_of[letters[at]]
        if code == NO_CODE:
            return False
        word[spelling.prefix + at] = code
    return True


@compiled
def encode_runs(
    start: Start, lexicon: Lexicon, spelling: Spelling, letters: NDArray[np.uint8], starts: NDArray[np.int64],
    id_of_V: NDArray[np.int32], out: NDArray[np.int32], places: NDArray[np.int64], sizes: NDArray[np.int64],
) -> None:  # fmt: skip
    """Encode the runs that wait, of texts that stand back to back; those with a letter that has no code go on waiting.

    Args:
        start: The first of the tokens.
        lexicon: Tokens and their merges.
        spelling: Code of each letter.
        letters: The letters of all texts.
        starts: Where each text starts, and the end of the last.
        id_of_V: Id of each token.
        out: Gets the ids; room for one a letter, and one for a prefix.
        places: Where those of each text start in `out`.
        sizes: Gets the ids of each run that waited.
    """
    room = _CHUNK
    for run in range(len(sizes)):
        room = max(room, starts[run + 1] - starts[run] + spelling.prefix + 2)
    tokens, stack, dead = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.uint8)
    codes = np.empty(room, np.uint8)
    codes[0] = spelling.prefix_code
    # An entry for each letter at first; a merge uses up one and adds up to two.
    heads_V = np.zeros(len(lexicon.letters_V), np.int32)
    waiting = Waiting(heads_V, np.empty(2 * room + 1, np.int32), np.empty(2 * room + 1, np.int32))
    first = 0
    while first < len(sizes):
        end, last = 1, first
        tokens[0] = _BORDER
        while last < len(sizes) and end + starts[last + 1] - starts[last] + spelling.prefix < room:
            if sizes[last] == WAITS and _spell(spelling, letters[starts[last] : starts[last + 1]], codes):
                word = codes[: starts[last + 1] - starts[last] + spelling.prefix]
                _read(start, lexicon.letters_V, word, tokens[end:], stack, dead)
                end += len(word) + 1
                tokens[end - 1] = _BORDER
                sizes[last] = _IN_WORK
            last += 1
        _merge_all(lexicon, waiting, len(start.shorter_V), tokens, end)
        place = 1
        for run in range(first, last):
            if sizes[run] != _IN_WORK:
                continue
            size = 0
            while tokens[place] != _BORDER:
                out[places[run] + size] = id_of_V[tokens[place]]
                size += 1
                place += lexicon.letters_V[tokens[place]]
            sizes[run] = size
            place += 1
        first = last


@compiled
def _list_pairs(lexicon: Lexicon, waiting: Waiting, tokens: NDArray[np.int32], end: int) -> None:
    """Let every pair wait that merges; its entry is its place."""
    letters_V = lexicon.letters_V
    makers_S = lexicon.makers_S
    heads_V, places_E, next_E = waiting
    place = 1
    while place < end - 1:
        following = place + letters_V[tokens[place]] if tokens[place] >= 0 else place + 1
        if tokens[place] >= 0 and tokens[following] >= 0:
            token = make(makers_S, tokens[place], tokens[following])
            if token:
                places_E[place] = place
                next_E[place] = heads_V[token]
                heads_V[token] = place
        place = following


@compiled
def _merge_all(lexicon: Lexicon, waiting: Waiting, first: int, tokens: NDArray[np.int32], end: int) -> None:
    """Merge words in place, from the token `first` on.

    A token is written over its first and its last letter and its length is known, so both neighbours of a token are
    reached from it. Where a right part began, a gap is left, so that what waited there finds its pair gone.
    """
    # Arrays that are taken from tuples or handed to functions in a loop have their uses counted there, which costs
    # more than the work: so they are taken out first, and the loop is one.
    parts_V2, letters_V, makers_S = lexicon
    heads_V, places_E, next_E = waiting
    free, highest = np.int32(0), np.int32(end)
    _list_pairs(lexicon, waiting, tokens, end)
    for token in range(first, len(letters_V)):
        entry, heads_V[token] = heads_V[token], 0
        left, right = parts_V2[token, 0], parts_V2[token, 1]
        step, whole = letters_V[left], letters_V[token]
        while entry:
            place = np.int64(places_E[entry])
            following = next_E[entry]
            next_E[entry] = free
            free = entry
            entry = following
            if tokens[place] != left or tokens[place + step] != right:
                continue
            if left == right:
                # Of overlapping pairs the leftmost merges first, and then the one after it.
                while tokens[place - 1] == left:
                    place -= step
            while tokens[place] == left and tokens[place + step] == right:
                tokens[place] = token
                tokens[place + step] = _GAP
                tokens[place + whole - 1] = token
                before, after, at = tokens[place - 1], np.int32(token), place
                if before >= 0:
                    at -= letters_V[before]
                for _ in range(2):
                    if before >= 0 and after >= 0:
                        made = make(makers_S, before, after)
                        if made:
                            added = free
                            if added:
                                free = next_E[added]
                            else:
                                highest += 1
                                added = highest
                            places_E[added] = at
                            next_E[added] = heads_V[made]
                            heads_V[made] = added
                    before, after, at = np.int32(token), tokens[place + whole], place
                place += whole
