"""Put documents into blocks of fixed size, whole, so that little space is left over.

Best fit in order of falling length (Johnson et al. 1974, SIAM Journal on Computing 3:299): each document goes into the
fullest block that still has room, and of equally full ones into the one filled last.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from llama_gene.errors import ConfigError
from llama_gene.tokenizer.compiled import compiled


class Blocks(NamedTuple):
    """Which documents share a block: block b holds documents[borders[b]:borders[b + 1]], the longest first.

    Attributes:
        documents: int64 [documents], each once.
        borders: int64 [blocks + 1].
    """

    documents: NDArray[np.int64]
    borders: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.borders) - 1

    def split(self) -> list[list[int]]:
        """The documents of each block."""
        return [part.tolist() for part in np.split(self.documents, self.borders[1:-1])] if len(self) else []

    def take(self, order: NDArray[np.int64]) -> "Blocks":
        """The blocks in another order."""
        sizes = np.diff(self.borders)[order]
        borders = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(self.borders[order] - borders[:-1], sizes) + np.arange(len(self.documents))
        return Blocks(self.documents[places], borders)


def best_fit(lengths: npt.ArrayLike, block: int) -> Blocks:
    """Put documents into blocks.

    Args:
        lengths: Tokens of each document, 1 to `block`.
        block: Tokens of a block.

    Raises:
        ConfigError: a document does not fit into a block.

    >>> best_fit([3, 6, 7, 4], block=10).split()
    [[2, 0], [1, 3]]
    """
    sizes = np.asarray(lengths, np.int64)
    outside = sizes[(sizes < 1) | (sizes > block)]
    if len(outside):
        raise ConfigError(f"a document of {outside[0]} tokens does not fit into a block of {block}. Cut it first.")
    order = np.argsort(-sizes, kind="stable")
    block_of = np.empty(len(sizes), np.int64)
    number = _fill(sizes[order], block, block_of)
    borders = np.concatenate([[0], np.cumsum(np.bincount(block_of, minlength=number))])
    return Blocks(order[np.argsort(block_of, kind="stable")], borders)


@compiled
def _fill(lengths: NDArray[np.int64], block: int, block_of: NDArray[np.int64]) -> int:
    """Give each document, in this order, its block; gives their number.

    Blocks with the same space are a stack, linked by `below`; a space that some block has is one bit of `in_use`.
    """
    top, below = np.full(block + 1, -1, np.int64), np.empty(len(lengths), np.int64)
    in_use = np.zeros((block >> 6) + 1, np.uint64)
    number = 0
    for at in range(len(lengths)):
        space = _least_space(in_use, lengths[at])
        if space < 0:
            space, chosen = block, number
            number += 1
        else:
            chosen = top[space]
            top[space] = below[chosen]
            if top[space] < 0:
                in_use[space >> 6] &= ~(np.uint64(1) << np.uint64(space & 63))
        block_of[at] = chosen
        left = space - lengths[at]
        if left:
            below[chosen] = top[left]
            top[left] = chosen
            in_use[left >> 6] |= np.uint64(1) << np.uint64(left & 63)
    return number


@compiled
def _least_space(in_use: NDArray[np.uint64], least: int) -> int:
    """The smallest space in use that is at least so large, or -1."""
    word = least >> 6
    bits = in_use[word] >> np.uint64(least & 63)
    if bits:
        space = least
    else:
        word += 1
        while word < len(in_use) and not in_use[word]:
            word += 1
        if word == len(in_use):
            return -1
        bits, space = in_use[word], word << 6
    while not bits & np.uint64(1):
        bits >>= np.uint64(1)
        space += 1
    return space
