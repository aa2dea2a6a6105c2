"""Cut long DNA into pieces of random length without losing a letter. Coordinates are 0-based and half-open."""

import numpy as np
from numpy.typing import NDArray

from llama_gene.errors import ConfigError


def fragment_borders(length: int, rng: np.random.Generator, min_bp: int, max_bp: int) -> NDArray[np.int64]:
    """Where to cut a sequence into pieces of random length, from left to right.

    Lengths are uniform in min_bp..max_bp, but a piece is never cut so that less than `min_bp` would be left: what
    is left in the end is one piece of min_bp..max_bp. Where that cannot be (between max_bp and 2 * min_bp letters
    are left) the rest is cut into equal halves. Only a sequence shorter than `min_bp` gives a shorter piece: itself.

    Args:
        length: Letters of the sequence, >= 0.
        rng: Source of the lengths.
        min_bp: Shortest piece, >= 1.
        max_bp: Longest piece, >= min_bp.

    Returns:
        0-based borders, ascending, 0 first and `length` last: one more than there are pieces.

    Raises:
        ConfigError: the limits are not 1 <= min_bp <= max_bp.

    >>> borders = fragment_borders(40, np.random.default_rng(0), 5, 9)
    >>> int(borders[0]), int(borders[-1]), {5 <= size <= 9 for size in np.diff(borders).tolist()}
    (0, 40, {True})
    """
    if not 1 <= min_bp <= max_bp:
        raise ConfigError(f"fragments of {min_bp} to {max_bp} letters: expected 1 <= min <= max. Mend the limits.")
    # While this much is left, no rule but the limits bears on the length: such lengths are drawn all at once.
    free = min_bp + max_bp
    ends = np.cumsum(rng.integers(min_bp, max_bp + 1, size=max(0, length - free) // min_bp + 1))
    bound = int(np.searchsorted(ends, length - free, side="right")) + 1 if length >= free else 0
    borders = [0, *ends[:bound].tolist()]
    while borders[-1] < length:
        borders.append(borders[-1] + _next_length(length - borders[-1], rng, min_bp, max_bp))
    return np.array(borders, dtype=np.int64)


def _next_length(left: int, rng: np.random.Generator, min_bp: int, max_bp: int) -> int:
    if left <= max_bp:
        return left
    if left < 2 * min_bp:
        return (left + 1) // 2
    return int(rng.integers(min_bp, min(max_bp, left - min_bp) + 1))
