"""The BSD checksum of `sum`, byte by byte, compiled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


def add_bytes(data: bytes, value: int) -> int:
    """The checksum after more bytes, from the checksum before them (0 at the start).

    >>> add_bytes(b"ACGT", 0)
    24720
    """
    return int(_rotate_and_add(np.frombuffer(data, dtype=np.uint8), value))


@njit(cache=True)
def _rotate_and_add(data: NDArray[np.uint8], value: int) -> int:
    for byte in data:
        value = ((value >> 1) + ((value & 1) << 15) + byte) & 0xFFFF
    return value
