"""The compiled loops of BPE-dropout: a word is merged letter by letter, and some merges are left out at random."""

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled
from llama_gene.tokenizer.encode_kernels import NONE, Merges, merged, rank_of


@compiled
def _draw(state: NDArray[np.uint64]) -> float:
    """A number from 0 up to 1; SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 9007199254740992.0


@compiled
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
        word[at] = merged(merges, word[at], word[at + 1])
        size -= 1
        for place in range(at + 1, size):
            word[place] = word[place + 1]
            ranks[place] = ranks[place + 1]
        if at > 0:
            ranks[at - 1] = _rank_or_none(merges, word[at - 1], word[at], share, state)
        ranks[at] = _rank_or_none(merges, word[at], word[at + 1], share, state) if at + 1 < size else NONE


@compiled
def _rank_or_none(merges: Merges, left: int, right: int, share: float, state: NDArray[np.uint64]) -> int:
    rank = rank_of(merges, left, right)
    return rank if rank != NONE and _draw(state) >= share else NONE
