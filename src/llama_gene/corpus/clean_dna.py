"""The rules for DNA: which letters of a record leave, and as what the others stay.

Every letter is marked with the reason why it leaves, or with 0; runs are what lies between marks. So each letter is
in one run or counted under one reason, whatever rules are on. All steps are whole-array operations.
"""

import hashlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import CleanConfig
from llama_gene.corpus.complexity import low_complexity_dna
from llama_gene.sequences.alphabets import DNA, IUPAC_BASES
from llama_gene.tokenizer.compiled import compiled

Runs = tuple[tuple[int, str], ...]
Flags = NDArray[np.bool_]
Marks = NDArray[np.uint8]

_UNKNOWN, _AMBIGUOUS, _MASKED, _LOW = 1, 2, 3, 4
_REASONS = {_UNKNOWN: "unknown base N", _AMBIGUOUS: "ambiguous base", _MASKED: "soft-masked", _LOW: "low complexity"}

_UPPER = bytes(range(256)).upper()
_IS_LOWER = bytes(97 <= byte <= 122 for byte in range(256))
_IS_UNKNOWN = bytes(byte in b"Nn" for byte in range(256))
_IS_PLAIN = bytes(byte in b"ACGTacgt" for byte in range(256))
_MARK_OF = bytes(0 if byte in b"ACGTacgt" else _UNKNOWN if byte in b"Nn" else _AMBIGUOUS for byte in range(256))
_CASE_BIT = 0x20
# The bases each letter stands for, repeated to 12 places, which 1, 2, 3 and 4 divide.
_CHOICES = np.zeros((256, 12), dtype=np.uint8)
for _letter, _bases in IUPAC_BASES.items():
    _CHOICES[ord(_letter)] = _CHOICES[ord(_letter.lower())] = np.frombuffer(
        (_bases * (12 // len(_bases))).encode(), dtype=np.uint8
    )


def clean_dna(letters: str, name: str, rules: CleanConfig) -> tuple[Runs, Counter[str]]:
    """The runs of a DNA record that stay, and the letters that leave by reason.

    Args:
        letters: IUPAC letters; lower case is soft-masked, unless there is no upper case: old files are all lower.
        name: Identifier of the record: decides, with the place, which base an ambiguous letter becomes.
        rules: What leaves.

    Returns:
        (start, letters) with start 0-based in the record; and numbers of letters.

    >>> clean_dna("ACGTNNNNRacg", "x", CleanConfig())
    (((0, 'ACGT'), (9, 'ACG')), Counter({'unknown base N': 4, 'ambiguous base': 1}))
    """
    raw = letters.encode("ascii", "replace")
    others = DNA.rest(raw)
    is_measured = rules.max_low_complexity_dna < 1
    if not others and not is_measured:
        return (((0, letters),) if letters else ()), Counter()
    lower = others.translate(_UPPER) != others
    data = raw if not lower or rules.soft_mask == "keep" else raw.translate(_UPPER)
    marks = _mark_ambiguous(raw, rules)
    if lower and (rules.soft_mask == "drop" or rules.max_masked_share < 1):
        _mark_masked(marks, raw, rules)
    if is_measured:
        low = low_complexity_dna(raw)
        _mark_windows(marks, low, _LOW, rules.max_low_complexity_dna, rules.window_bp)
    if rules.ambiguous == "resolve":
        data = _resolve(data, marks, name)
    removed = Counter({reason: int(np.count_nonzero(marks == mark)) for mark, reason in _REASONS.items()})
    text = data.decode("ascii")
    return tuple((start, text[start:end]) for start, end in _stretches(marks == 0)), +removed


def _stretches(flags: Flags) -> list[tuple[int, int]]:
    """(start, end) of the stretches that are true, half-open."""
    if not len(flags):
        return []
    edges = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    borders = [0, *edges.tolist(), len(flags)]
    first = 0 if flags[0] else 1
    return list(zip(borders[first:-1:2], borders[first + 1 :: 2], strict=True))


def _flags(data: bytes, table: bytes) -> Flags:
    return np.frombuffer(data.translate(table), dtype=np.bool_)


def _mark_ambiguous(raw: bytes, rules: CleanConfig) -> Marks:
    if rules.ambiguous == "split":
        return np.frombuffer(bytearray(raw.translate(_MARK_OF)), dtype=np.uint8)
    marks = np.zeros(len(raw), dtype=np.uint8)
    for start, end in _stretches(_flags(raw, _IS_UNKNOWN)):
        if end - start >= rules.n_run_min:
            marks[start:end] = _UNKNOWN
    return marks


def _mark_masked(marks: Marks, raw: bytes, rules: CleanConfig) -> None:
    masked = _flags(raw, _IS_LOWER)
    if masked.all():
        return
    if rules.max_masked_share < 1:
        _mark_windows(marks, masked, _MASKED, rules.max_masked_share, rules.window_bp)
    if rules.soft_mask == "drop":
        for start, end in _stretches(masked):
            if end - start >= rules.soft_mask_min_bp:
                stretch = marks[start:end]
                stretch[stretch == 0] = _MASKED


@compiled
def _mark_windows(marks: Marks, flags: Flags, mark: int, most: float, window: int) -> None:
    """Mark what is left of windows in which more than a share of it is flagged.

    Windows are laid from the start of the record; the last one may be short. A whole chromosome is so judged piece by
    piece, about as long as the fragments it will be cut into.
    """
    for start in range(0, len(marks), window):
        end = min(start + window, len(marks))
        left = hits = 0
        for at in range(start, end):
            if marks[at] == 0:
                left += 1
                hits += flags[at]
        if hits > most * left:
            for at in range(start, end):
                if marks[at] == 0:
                    marks[at] = mark


def _resolve(data: bytes, marks: Marks, name: str) -> bytes:
    """The letters with a base in place of each ambiguous one that stays."""
    places = np.flatnonzero(~_flags(data, _IS_PLAIN) & (marks == 0))
    if not len(places):
        return data
    letters = np.frombuffer(bytearray(data), dtype=np.uint8)
    seed = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
    chosen = _CHOICES[letters[places], _scatter(places.astype(np.uint64) + seed) % np.uint64(12)]
    letters[places] = chosen | (letters[places] & _CASE_BIT)
    return letters.tobytes()


def _scatter(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that look random and depend on the given ones alone: SplitMix64 (Steele et al. 2014)."""
    numbers = numbers * np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
