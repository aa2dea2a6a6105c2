"""Cut long DNA into pieces of random length without losing a letter. Coordinates are 0-based and half-open."""

import re
from collections.abc import Iterator

import numpy as np

from llama_gene.errors import ConfigError


def fragment(letters: str, rng: np.random.Generator, min_bp: int, max_bp: int) -> Iterator[tuple[int, str]]:
    """Cover a sequence from left to right with pieces of random length.

    Lengths are uniform in min_bp..max_bp, but a piece is never cut so that less than `min_bp` would be left: what
    is left in the end is one piece of min_bp..max_bp. Where that cannot be (between max_bp and 2 * min_bp letters
    are left) the rest is cut into equal halves. Only a sequence shorter than `min_bp` gives a shorter piece: itself.

    Args:
        letters: The sequence.
        rng: Source of the lengths.
        min_bp: Shortest piece, >= 1.
        max_bp: Longest piece, >= min_bp.

    Yields:
        (start, piece); the pieces joined are the sequence.

    Raises:
        ConfigError: the limits are not 1 <= min_bp <= max_bp.

    >>> rng = np.random.default_rng(0)
    >>> pieces = list(fragment("ACGT" * 10, rng, 5, 9))
    >>> "".join(piece for _, piece in pieces) == "ACGT" * 10, {5 <= len(piece) <= 9 for _, piece in pieces}
    (True, {True})
    """
    if not 1 <= min_bp <= max_bp:
        raise ConfigError(f"fragments of {min_bp} to {max_bp} letters: expected 1 <= min <= max. Mend the limits.")
    start, left = 0, len(letters)
    while left > 0:
        length = _next_length(left, rng, min_bp, max_bp)
        yield start, letters[start : start + length]
        start, left = start + length, left - length


def _next_length(left: int, rng: np.random.Generator, min_bp: int, max_bp: int) -> int:
    if left <= max_bp:
        return left
    if left < 2 * min_bp:
        return (left + 1) // 2
    return int(rng.integers(min_bp, min(max_bp, left - min_bp) + 1))


def split_on_n(dna: str, min_run: int = 1) -> Iterator[tuple[int, str]]:
    """The stretches between runs of unknown bases.

    Args:
        dna: Upper-case DNA.
        min_run: Shorter runs of N stay inside a stretch, >= 1.

    Yields:
        (start, stretch) without the runs, left to right; none is empty.

    >>> list(split_on_n("NNACNGTNNNA", min_run=2))
    [(2, 'ACNGT'), (10, 'A')]
    """
    start = 0
    for run in re.finditer(f"N{{{max(1, min_run)},}}", dna):
        if run.start() > start:
            yield start, dna[start : run.start()]
        start = run.end()
    if start < len(dna):
        yield start, dna[start:]
