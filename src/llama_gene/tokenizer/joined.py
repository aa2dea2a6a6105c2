"""Many texts as one array of bytes, and their tokens as one array of ids, so that nothing is made for each of them.

Axes: N texts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.encode_kernels import WAITS

Ids = NDArray[np.int32]


class Texts(NamedTuple):
    """UTF-8 texts back to back: text n is letters[starts[n]:starts[n + 1]].

    Attributes:
        letters: uint8 [bytes].
        starts: int64 [N + 1], ascending; the first need not be 0.
    """

    letters: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each text, [N]."""
        return np.diff(self.starts)

    def text(self, place: int) -> str:
        """One of them."""
        return self.letters[self.starts[place] : self.starts[place + 1]].tobytes().decode("utf-8", "surrogatepass")


def join_texts(texts: Sequence[str]) -> Texts:
    """Texts back to back.

    >>> join_texts(["ACGT", "", "é"]).starts.tolist()
    [0, 4, 4, 6]
    """
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    starts = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=starts[1:])
    return Texts(np.frombuffer(b"".join(parts), np.uint8), starts)


class Encoded(NamedTuple):
    """The ids of many texts: those of text n are ids[starts[n]:starts[n] + sizes[n]]; between them may be gaps.

    Attributes:
        ids: int32.
        starts: int64 [N].
        sizes: int64 [N], tokens; while texts are being encoded also the negative numbers of `encode_kernels`.
    """

    ids: Ids
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def with_room(cls, texts: Texts) -> "Encoded":
        """Nothing encoded yet; room for a token a letter, and one for a prefix."""
        number = len(texts.starts) - 1
        starts = texts.starts[:-1] - texts.starts[0] + np.arange(number)
        room = int(texts.starts[-1] - texts.starts[0]) + number
        return cls(np.empty(room, np.int32), starts, np.full(number, WAITS))

    @classmethod
    def of(cls, found: Sequence[Ids]) -> "Encoded":
        """The ids of each text, put one behind the other."""
        sizes = np.fromiter(map(len, found), np.int64, len(found))
        return cls(np.concatenate([np.empty(0, np.int32), *found]), np.cumsum(sizes) - sizes, sizes)

    def filled(self, places: NDArray[np.int64], found: Sequence[Ids]) -> "Encoded":
        """With the ids of these texts in place of what is there."""
        if not len(places):
            return self
        sizes = np.fromiter(map(len, found), np.int64, len(found))
        self.starts[places] = len(self.ids) + np.cumsum(sizes) - sizes
        self.sizes[places] = sizes
        return Encoded(np.concatenate([self.ids, *found]), self.starts, self.sizes)

    def split(self) -> list[Ids]:
        """The ids of each text."""
        return [
            self.ids[start : start + size]
            for start, size in zip(self.starts.tolist(), self.sizes.tolist(), strict=True)
        ]
