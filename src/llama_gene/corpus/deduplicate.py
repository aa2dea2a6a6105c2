"""Exact de-duplication by 64-bit digests: about 16 bytes of memory per distinct record, whatever its length.

At 100 million records the chance that two different ones share a digest is 0.03 % in all (birthday bound).
Near-duplicates are not looked for here: `near_identical.py` keeps like genomes together instead.
"""

import hashlib

import numpy as np

from llama_gene.config import Kind
from llama_gene.sequences.alphabets import reverse_complement

_PENDING = 1 << 18


def digest(letters: str, kind: Kind) -> int:
    """A 64-bit name of the letters; for DNA both strands have the same.

    >>> digest("AACG", "dna") == digest("CGTT", "dna")
    True
    >>> digest("AACG", "protein") == digest("CGTT", "protein")
    False
    """
    if kind == "dna":
        letters = min(letters, reverse_complement(letters))
    return int.from_bytes(hashlib.blake2b(letters.encode(), digest_size=8).digest(), "little")


class Seen:
    """The digests met so far.

    >>> seen = Seen()
    >>> seen.is_new(7), seen.is_new(7)
    (True, False)
    """

    def __init__(self) -> None:
        self._pending: set[int] = set()
        self._settled = np.empty(0, dtype=np.uint64)

    def is_new(self, name: int) -> bool:
        """True at the first meeting."""
        if name in self._pending or self._is_settled(name):
            return False
        self._pending.add(name)
        # In step with what is settled, so that all the sorting together stays near linear.
        if len(self._pending) >= max(_PENDING, len(self._settled) // 8):
            self._settle()
        return True

    def _is_settled(self, name: int) -> bool:
        if not len(self._settled):
            return False
        place = int(np.searchsorted(self._settled, np.uint64(name)))
        return place < len(self._settled) and int(self._settled[place]) == name

    def _settle(self) -> None:
        new = np.fromiter(self._pending, dtype=np.uint64, count=len(self._pending))
        self._settled = np.sort(np.concatenate([self._settled, new]))
        self._pending.clear()
