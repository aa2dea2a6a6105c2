"""Letters in stretches of low complexity: simple repeats of DNA, biased stretches of protein.

DNA: the score of DUST (Morgulis et al. 2006, J Comput Biol 13:1028): over the triplets of a window of 64 bases, the
sum of c (c - 1) / 2 over their counts c, divided by one less than their number; low above 2, as NCBI masks it. All of
such a window counts, where symmetric DUST would look for the part of it that scores highest.

Protein: the entropy of SEG (Wootton and Federhen 1993, Comput Chem 17:149): windows of 12 residues of at most 2.2
bits. SEG's second step, which moves the ends of a stretch, is left out.

Both are the sum of a value per count, which one letter more or less changes at one place: one pass for both.
"""

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled

_NONE = 255
_DUST_BASES = 64
_DUST_LIMIT = 2
_SEG_RESIDUES = 12
_SEG_BITS = 2.2

_BASES = np.full(256, _NONE, dtype=np.uint8)
_BASES[np.frombuffer(b"ACGTacgt", dtype=np.uint8)] = [0, 1, 2, 3] * 2
_BASE_TABLE = _BASES.tobytes()
_RESIDUES = np.full(256, _NONE, dtype=np.uint8)
_RESIDUES[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)] = np.arange(26)
_RESIDUE_TABLE = _RESIDUES.tobytes()
_COUNTS = np.arange(_DUST_BASES + 1, dtype=np.float64)
_DUST_VALUES = _COUNTS * (_COUNTS - 1) / 2
_SEG_VALUES = _COUNTS * np.log2(np.maximum(_COUNTS, 1))

Flags = NDArray[np.bool_]


def low_complexity_dna(letters: bytes) -> Flags:
    """Which bases lie in a window of 64 (or in a shorter sequence) that scores above the limit of DUST.

    Args:
        letters: DNA of any case; triplets with another letter than A, C, G, T do not count.

    Returns:
        bool [letters].

    >>> int(low_complexity_dna(b"CA" * 32).sum()), int(low_complexity_dna(b"ACGGTCATTGCAAGTCTTAGC").sum())
    (64, 0)
    """
    triplets = min(_DUST_BASES, len(letters)) - 2
    if triplets < 2:
        return np.zeros(len(letters), dtype=np.bool_)
    codes = np.frombuffer(letters.translate(_BASE_TABLE), dtype=np.uint8)
    # A score above the limit, not at it; half a step, since the sums are whole numbers.
    least = _DUST_LIMIT * (triplets - 1) + 0.5
    return _low_windows(_triplets(codes), triplets, triplets + 2, _DUST_VALUES, least)


def low_complexity_protein(letters: bytes) -> Flags:
    """Which residues lie in a window of 12 with at most 2.2 bits of entropy; none in a shorter protein.

    Args:
        letters: Residues in upper case.

    Returns:
        bool [letters].

    >>> int(low_complexity_protein(b"MKSSSSSSSSSSSSTW").sum())
    16
    >>> int(low_complexity_protein(b"MKTAYIAKQRQISFVKSHF").sum())
    0
    """
    if len(letters) < _SEG_RESIDUES:
        return np.zeros(len(letters), dtype=np.bool_)
    codes = np.frombuffer(letters.translate(_RESIDUE_TABLE), dtype=np.uint8)
    # Entropy log2(L) - sum(c log2 c) / L; the last digits of the two sides may differ by rounding.
    least = _SEG_RESIDUES * (np.log2(_SEG_RESIDUES) - _SEG_BITS) - 1e-9
    return _low_windows(codes, _SEG_RESIDUES, _SEG_RESIDUES, _SEG_VALUES, float(least))


@compiled
def _triplets(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The number of each triplet, 0-63; 255 where one of its letters is none of the four."""
    found = np.empty(len(codes) - 2, dtype=np.uint8)
    for at in range(len(found)):
        first, second, third = codes[at], codes[at + 1], codes[at + 2]
        is_whole = first < 4 and second < 4 and third < 4
        found[at] = first * 16 + second * 4 + third if is_whole else 255
    return found


@compiled
def _low_windows(
    codes: NDArray[np.uint8], window: int, covered: int, values: NDArray[np.float64], least: float
) -> NDArray[np.bool_]:
    """Letters of windows of codes whose values sum up to at least `least`; a window covers so many letters."""
    letters = len(codes) + covered - window
    low = np.zeros(letters, dtype=np.bool_)
    counts = np.zeros(256, dtype=np.int64)
    total = 0.0
    reached = 0
    for at in range(len(codes)):
        code = codes[at]
        if code < 255:
            total += values[counts[code] + 1] - values[counts[code]]
            counts[code] += 1
        if at >= window:
            code = codes[at - window]
            if code < 255:
                total += values[counts[code] - 1] - values[counts[code]]
                counts[code] -= 1
        if at >= window - 1 and total >= least:
            start = at - window + 1
            for place in range(max(start, reached), start + covered):
                low[place] = True
            reached = start + covered
    return low
