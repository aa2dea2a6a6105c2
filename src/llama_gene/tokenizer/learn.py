"""Learn byte-pair merges that continue any tokenization.

The one rule of merging, here and in `vocabulary`: once a token exists, any two neighbours that spell it merge. That is
how SentencePiece applies its pieces, so what is learnt is what is later done.

Positions of every pair are kept in arrays and checked when the pair comes to the top of the heap, so a merge costs
what it changes and nothing else (the idea: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, section 3.2).
Memory: about 70 bytes a token of the text. Not done here: several processes, text that does not fit.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_END = -1
_GONE = -2

Positions = npt.NDArray[np.int32]
Word = Sequence[int] | npt.NDArray[np.int32]


@dataclass
class _Text:
    """All words as one array of ids with `_END` between them, and the living neighbours of each place."""

    ids: npt.NDArray[np.int32]
    following: npt.NDArray[np.int32]
    preceding: npt.NDArray[np.int32]


@dataclass
class _Search:
    """Where each pair stands, and the pairs by an upper bound of their count."""

    letters: list[str]
    id_of: dict[str, int]
    max_letters: int
    places: dict[tuple[int, int], list[Positions]] = field(default_factory=dict)
    heap: list[tuple[int, int, int]] = field(default_factory=list)

    def note(self, pair: tuple[int, int], positions: Positions) -> None:
        """Remember places of a pair that may become a token."""
        if len(self.letters[pair[0]]) + len(self.letters[pair[1]]) <= self.max_letters:
            places = self.places.setdefault(pair, [])
            places.append(positions)
            heapq.heappush(self.heap, (-sum(map(len, places)), *pair))

    def spelt(self, pair: tuple[int, int]) -> str:
        return self.letters[pair[0]] + self.letters[pair[1]]


def learn_merges(
    words: Iterable[Word], *, new_tokens: int, max_token_letters: int, letters_of: Sequence[str]
) -> list[tuple[int, int]]:
    """Merges that make `new_tokens` new tokens, most frequent pair first.

    Args:
        words: Token ids; merges never cross the end of a word.
        new_tokens: Tokens to make, >= 0. Fewer come back where no pair stands twice any more.
        max_token_letters: Longest new token in letters.
        letters_of: Letters of each id. A pair that spells one of them merges into it and makes no new token.

    Returns:
        (left id, right id) in the order of use. The k-th new string gets id len(letters_of) + k.

    >>> learn_merges([[0, 1, 0, 1, 0]], new_tokens=1, max_token_letters=4, letters_of=["A", "T"])
    [(0, 1)]
    """
    text = _lay_out(words)
    letters = list(letters_of)
    search = _Search(letters, {spelt: index for index, spelt in reversed(list(enumerate(letters)))}, max_token_letters)
    _note_all_pairs(text, search)
    merges: list[tuple[int, int]] = []
    wanted = len(letters) + new_tokens
    while len(letters) < wanted and (pair := _most_frequent(text, search)):
        due = deque([pair])
        spelt = search.spelt(pair)
        if spelt not in search.id_of:
            due.extend(_other_splits(search, spelt))
            search.id_of[spelt] = len(letters)
            letters.append(spelt)
        merges.extend(_merge_due(text, search, due))
    return merges


def _lay_out(words: Iterable[Word]) -> _Text:
    pieces: list[npt.NDArray[np.int32]] = [np.array([_END], np.int32)]
    end = np.array([_END], np.int32)
    for word in words:
        pieces += [np.asarray(word, np.int32), end]
    ids = np.concatenate(pieces)
    places = np.arange(len(ids), dtype=np.int32)
    return _Text(ids, places + 1, places - 1)


def _note_all_pairs(text: _Text, search: _Search) -> None:
    left, right = text.ids[:-1], text.ids[1:]
    positions = np.flatnonzero((left >= 0) & (right >= 0)).astype(np.int32)
    keys = left[positions].astype(np.int64) << 32 | right[positions]
    for key, group in _groups(keys, positions):
        search.note((key >> 32, key & 0xFFFFFFFF), group)


def _groups(keys: npt.NDArray[np.integer[Any]], positions: Positions) -> Iterator[tuple[int, Positions]]:
    """Positions of each key that stands at least twice; keys ascending, positions ascending."""
    order = np.argsort(keys, kind="stable")
    keys, positions = keys[order], positions[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.empty(0, np.int64)
    ends = np.r_[starts[1:], len(keys)]
    often = np.flatnonzero(ends - starts > 1)
    for key, start, end in zip(keys[starts[often]].tolist(), starts[often].tolist(), ends[often].tolist(), strict=True):
        yield key, positions[start:end]


def _most_frequent(text: _Text, search: _Search) -> tuple[int, int] | None:
    """The pair that stands most often now (ties: lower ids), or None where none stands twice."""
    while search.heap:
        _, *ids = heapq.heappop(search.heap)
        pair = (ids[0], ids[1])
        positions = _living(text, pair, search.places.pop(pair, []))
        count = len(_apart(text, pair, positions))
        if count < 2:
            continue
        search.places[pair] = [positions]
        entry = (-count, *pair)
        if not search.heap or entry <= search.heap[0]:
            return pair
        heapq.heappush(search.heap, entry)
    return None


def _other_splits(search: _Search, spelt: str) -> Iterator[tuple[int, int]]:
    for cut in range(1, len(spelt)):
        left, right = search.id_of.get(spelt[:cut]), search.id_of.get(spelt[cut:])
        if left is not None and right is not None:
            yield left, right


def _merge_due(text: _Text, search: _Search, due: deque[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Merge pairs, and those they bring about that spell a token there is; give each pair that stood somewhere."""
    while due:
        pair = due.popleft()
        positions = _apart(text, pair, _living(text, pair, search.places.pop(pair, [])))
        if len(positions):
            due.extend(_merge(text, search, positions, search.id_of[search.spelt(pair)]))
            yield pair


def _living(text: _Text, pair: tuple[int, int], places: list[Positions]) -> Positions:
    """Places where the pair still stands, ascending; those of `AA` in `AAA` overlap."""
    if not places:
        return np.empty(0, np.int32)
    positions = places[0] if len(places) == 1 else np.unique(np.concatenate(places))
    return positions[(text.ids[positions] == pair[0]) & (text.ids[text.following[positions]] == pair[1])]


def _apart(text: _Text, pair: tuple[int, int], positions: Positions) -> Positions:
    """The places without overlaps: first, third, fifth … of each run of places that follow each other."""
    if pair[0] != pair[1] or not len(positions):
        return positions
    starts_run = np.r_[True, text.following[positions[:-1]] != positions[1:]]
    index = np.arange(len(positions))
    return positions[(index - np.maximum.accumulate(np.where(starts_run, index, 0))) % 2 == 0]


def _merge(text: _Text, search: _Search, positions: Positions, token: int) -> Iterator[tuple[int, int]]:
    """Put the token in; give the new pairs that spell a token there is."""
    gone = text.following[positions]
    after = text.following[gone]
    text.ids[positions] = token
    text.ids[gone] = _GONE
    text.following[positions] = after
    text.preceding[after] = positions
    before = text.preceding[positions]
    left, right = text.ids[before], text.ids[after]
    # A pair of two new tokens is noted from its left one only.
    has_left, has_right = (left >= 0) & (left != token), right >= 0
    pairs = [((other, token), places) for other, places in _groups(left[has_left], before[has_left])]
    pairs += [((token, other), places) for other, places in _groups(right[has_right], positions[has_right])]
    for pair, places in pairs:
        search.note(pair, places)
        if search.spelt(pair) in search.id_of:
            yield pair


def spell_merges(
    merges: Iterable[tuple[int, int]], letters_of: Sequence[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """What `learn_merges` gave, in letters.

    Returns:
        All tokens, new ones after `letters_of`; each merge as a pair of strings.

    >>> spell_merges([(0, 1), (2, 0)], ["A", "T"])
    (['A', 'T', 'AT', 'ATA'], [('A', 'T'), ('AT', 'A')])
    """
    tokens = list(letters_of)
    known = set(tokens)
    pairs = []
    for left, right in merges:
        pairs.append((tokens[left], tokens[right]))
        spelt = tokens[left] + tokens[right]
        if spelt not in known:
            known.add(spelt)
            tokens.append(spelt)
    return tokens, pairs
