"""Learn byte-pair merges on sequences, from scratch or going on from any tokenization.

What is learnt is classic BPE (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, section 3.2): the pair of
neighbours that stands most often becomes a token, and so on. A pair is counted at every place where it stands, so
`AAA` holds `AA` twice. Of pairs that stand equally often, the one with the lower left id goes first, then the lower
right id. That is the rule of `tokenizers`' BpeTrainer, and the merges are the same.

Sequences have few, long words and a small alphabet, so the work is laid out for that: the first merges scan the whole
text and close it up; after that only places of pairs that can still win are listed, in rounds. A round lists every
pair above a bound, merges until none is left above it, closes the text up and lowers the bound. Inside a round a
pair's places come into being once, with the younger of its two tokens, and its count only falls: that keeps the lists
short and the counts exact.

Memory: 2 bytes a letter at first (4 where there are over 65,000 ids), later about 6 a token of the text. All cores
scan, list and do the larger merges. Not done here: text that does not fit into memory (draw a sample first).
"""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from llama_gene.errors import TokenizerError
from llama_gene.progress import show_progress
from llama_gene.tokenizer import learn_kernels as kernels
from llama_gene.tokenizer import learn_text_kernels as text_kernels
from llama_gene.tokenizer.learn_index import Merger, is_full, list_pairs, part_borders, with_large_table

Word = Sequence[int] | npt.NDArray[np.integer[Any]]
Pair = tuple[int, int]

# Reading the whole text for a merge costs less than visiting its places while these are over 1 in 256.
_SCANNED_SHARE = 256
_SCANNED_MERGES = 256
_SCANNED_IDS = 1024
_CHUNK = 1 << 24
# A round tracks the pairs that stand at least this part of the bound on the most frequent one.
_BOUND_SHARE = 16


@dataclass
class _Learner:
    """The text and the tokens so far. `letters_V` holds the letters of each id, those to come included."""

    ids: npt.NDArray[Any]
    tokens: list[str]
    wanted: int
    max_letters: int
    forbidden: AbstractSet[Pair]
    letters_V: npt.NDArray[np.int64]
    id_of: dict[str, int]
    merges: dict[Pair, None] = field(default_factory=dict)

    @property
    def gap(self) -> int:
        return int(np.iinfo(self.ids.dtype).max) - 1

    def is_done(self) -> bool:
        return len(self.tokens) >= self.wanted

    def take(self, pair: Pair) -> tuple[int, bool]:
        """The token a pair merges into, and whether it is a new one."""
        self.merges[pair] = None
        spelt = self.tokens[pair[0]] + self.tokens[pair[1]]
        known = self.id_of.get(spelt)
        if known is not None:
            return known, False
        token = len(self.tokens)
        self.id_of[spelt] = token
        self.letters_V[token] = len(spelt)
        self.tokens.append(spelt)
        return token, True


def learn_merges(
    words: Iterable[Word],
    *,
    new_tokens: int,
    max_token_letters: int,
    letters_of: Sequence[str],
    forbidden: AbstractSet[Pair] = frozenset(),
) -> list[Pair]:
    """Merges that make `new_tokens` new tokens, most frequent pair first.

    Args:
        words: Token ids, 0 .. len(letters_of)-1; merges never cross the end of a word. A -1 ends a word, too, so many
            short ones may come as one array.
        new_tokens: Tokens to make, >= 0. Fewer come back where no pair stands twice any more.
        max_token_letters: Longest new token in letters.
        letters_of: Letters of each id. A pair that spells one of them merges into it and makes no new token.
        forbidden: Pairs never to merge.

    Returns:
        (left id, right id) in the order of use. The k-th new string gets id len(letters_of) + k.

    Raises:
        TokenizerError: over 4,294,967,294 tokens of text.

    >>> learn_merges([[0, 1, 0, 1, 0]], new_tokens=1, max_token_letters=4, letters_of=["A", "T"])
    [(0, 1)]
    """
    wanted = len(letters_of) + new_tokens
    letters_V = np.zeros(wanted, np.int64)
    letters_V[: len(letters_of)] = [len(spelt) for spelt in letters_of]
    learner = _Learner(
        _lay_out(words, np.uint16 if wanted < np.iinfo(np.uint16).max else np.uint32), list(letters_of), wanted,
        max_token_letters, forbidden, letters_V, {spelt: at for at, spelt in reversed(list(enumerate(letters_of)))},
    )  # fmt: skip
    for _ in show_progress(_steps(learner), "learning tokens", new_tokens):
        pass
    return list(learner.merges)


def _lay_out(words: Iterable[Word], dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    """All words in one array, each between two separators (the highest value of the type)."""
    chunks, chunk, filled = [], np.empty(_CHUNK, dtype), 1
    separator = np.iinfo(dtype).max
    chunk[0] = separator
    for word in words:
        # -1 becomes the separator: all bits set.
        rest = np.asarray(word, np.int64).astype(dtype)
        while len(rest) >= _CHUNK - filled:
            chunk[filled:], rest = rest[: _CHUNK - filled], rest[_CHUNK - filled :]
            chunks.append(chunk)
            chunk, filled = np.empty(_CHUNK, dtype), 0
        chunk[filled : filled + len(rest)] = rest
        chunk[filled + len(rest)] = separator
        filled += len(rest) + 1
    size = len(chunks) * _CHUNK + filled
    if size > np.iinfo(np.uint32).max:
        raise TokenizerError(f"{size:,} tokens of text are too many to learn from. Draw fewer letters: sample_letters.")
    ids = np.empty(size, dtype)
    ids[size - filled :] = chunk[:filled]
    while chunks:
        # Freed one by one, so the text never stands in memory twice.
        last = chunks.pop()
        ids[len(chunks) * _CHUNK : (len(chunks) + 1) * _CHUNK] = last
    return ids


def _steps(learner: _Learner) -> Iterator[Pair]:
    """Learn, yielding each pair that gave a new token."""
    bound = len(learner.ids)
    if len(learner.tokens) <= _SCANNED_IDS and not learner.is_done():
        bound = yield from _scan(learner)
    while bound >= 2 and not learner.is_done():
        bound = yield from _round(learner, max(2, bound // _BOUND_SHARE))


def _scan(learner: _Learner) -> Generator[Pair, None, int]:
    """The first merges, on the whole text; returns a count that no pair exceeds."""
    ids_end = min(len(learner.tokens) + _SCANNED_MERGES, learner.wanted)
    counts_VV = np.zeros((ids_end, ids_end), np.int64)
    parts = _parts(learner.ids)
    changes = [np.zeros_like(counts_VV) for _ in parts]
    blocked = tuple(np.array([pair for pair in learner.forbidden if max(pair) < ids_end], int).reshape(-1, 2).T)
    top = len(learner.ids)
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(text_kernels.count_pairs, parts, changes))
        while len(learner.tokens) < ids_end:
            for change in changes:
                counts_VV += change
                change[:] = 0
            letters_V = learner.letters_V[:ids_end]
            may_merge = np.add.outer(letters_V, letters_V) <= learner.max_letters
            may_merge[blocked] = False
            left, right = divmod(int(np.argmax(np.where(may_merge, counts_VV, 0))), ids_end)
            top = int(counts_VV[left, right]) if may_merge[left, right] else 0
            if top < max(2, sum(map(len, parts)) // _SCANNED_SHARE):
                break
            token, is_new = learner.take((left, right))
            pair_in_parts = ([value] * len(parts) for value in (left, right, token))
            sizes = pool.map(text_kernels.scan_merge, parts, *pair_in_parts, changes)
            parts = [part[:size] for part, size in zip(parts, sizes, strict=True)]
            if is_new:
                yield left, right
    learner.ids = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
    return top


def _parts(ids: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The text in as many parts as there are cores, cut at separators; two parts share the one between them."""
    return [ids[start : end + 1] for start, end in pairwise(part_borders(ids, os.cpu_count() or 1))]


def _round(learner: _Learner, least: int) -> Generator[Pair, None, int]:
    """Merge the pairs that stand at least `least` times; returns a count that no pair exceeds now."""
    gap = learner.gap
    learner.ids = learner.ids[: text_kernels.close_gaps(learner.ids, gap)].copy()
    index = list_pairs(learner.ids, learner.letters_V, least=least, max_letters=learner.max_letters)
    with Merger(learner.ids, learner.letters_V, least=least, max_letters=learner.max_letters) as merger:
        while not learner.is_done():
            slot = kernels.pop_most_frequent(index, least)
            if slot < 0:
                return least - 1
            pair = divmod(int(index.keys[slot]), 1 << 32)
            count = int(index.counts[slot])
            if pair in learner.forbidden:
                continue
            if is_full(index, 2 * count, least):
                return count
            index = with_large_table(index, 2 * count // least)
            token, is_new = learner.take(pair)
            if not is_new:
                # Places of a token that was there before: the next round lists its pairs again.
                kernels.rewrite_places(learner.ids, index, slot, token, gap)
                return count
            merger.merge(index, slot, token)
            yield pair
    return 0
