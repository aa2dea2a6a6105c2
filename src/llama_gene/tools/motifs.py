"""Motifs in DNA: IUPAC words, and position weight matrices with log-odds scores."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from Bio.motifs.matrix import FrequencyPositionMatrix, PositionSpecificScoringMatrix
from pydantic import Field

from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import IUPAC_BASES, reverse_complement
from llama_gene.tools.letters import Dna, Most, Strand, Strands

_BASES = "ACGT"
_MOST_COLUMNS = 100

Motif = Annotated[Dna, Field(max_length=_MOST_COLUMNS, description="DNA word with IUPAC letters, for example TATAWAW.")]
Column = Annotated[tuple[Annotated[float, Field(ge=0, le=1e9)], ...], Field(min_length=1, max_length=_MOST_COLUMNS)]
Matrix = Annotated[
    dict[str, Column],
    Field(
        description="For each of A, C, G and T a list with its count at each position. "
        "Probabilities do as well; then set pseudocount to 0 or a small number."
    ),
]
Background = Annotated[
    dict[str, Annotated[float, Field(gt=0, lt=1)]] | None,
    Field(description="Share of A, C, G and T expected by chance; they sum to 1. Default: 0.25 each."),
]
Pseudocount = Annotated[
    float, Field(ge=0, le=1000, description="Added to each position in all, shared out by the background.")
]
Bits = Annotated[float, Field(ge=-1000, le=1000, description="Lowest score reported, bits.")]


@dataclass(frozen=True)
class MotifHit:
    """A match, 0-based half-open on the strand given; `letters` are as read on `strand`."""

    start: int
    end: int
    strand: Strand
    letters: str


@dataclass(frozen=True)
class MotifHits:
    """How many matches there are, and the first of them, left to right."""

    total: int
    hits: tuple[MotifHit, ...]


@dataclass(frozen=True)
class MatrixHit:
    """A match of a matrix and its log-odds score."""

    start: int
    end: int
    strand: Strand
    letters: str
    score_bits: float


@dataclass(frozen=True)
class MatrixHits:
    """How many matches reach the lowest score, the best of them first, and the best score that any word gets.

    `skipped` windows held an ambiguous letter.
    """

    total: int
    best_possible_bits: float
    skipped: int
    hits: tuple[MatrixHit, ...]


def find_motif(dna: Dna, motif: Motif, strands: Strands = "both", most: Most = 100) -> MotifHits:
    """Where a word with IUPAC letters occurs in DNA, overlapping matches included.

    A letter of the DNA that stands for several bases matches where the motif takes all of them. A motif that is its own
    reverse complement is given once, on +.

    >>> [(hit.start, hit.strand) for hit in find_motif("TATAAAGGTTTATA", "TATAWA").hits]
    [(0, '+'), (8, '-')]
    """
    found = sorted(occurrences(dna, motif, strands))
    hits = []
    for start, strand in found[:most]:
        letters = dna[start : start + len(motif)]
        read = letters if strand == "+" else reverse_complement(letters)
        hits.append(MotifHit(start, start + len(motif), strand, read))
    return MotifHits(len(found), tuple(hits))


def occurrences(dna: str, motif: str, strands: Literal["forward", "both"]) -> Iterator[tuple[int, Strand]]:
    """Start on the strand given, and strand, of every match of an IUPAC word; those of + come first."""
    for match in _pattern(motif).finditer(dna):
        yield match.start(), "+"
    backward = reverse_complement(motif)
    if strands == "both" and backward != motif:
        for match in _pattern(backward).finditer(dna):
            yield match.start(), "-"


@lru_cache(maxsize=256)
def _pattern(motif: str) -> re.Pattern[str]:
    """Looks ahead, so that matches may overlap."""
    bases = dict.fromkeys(_BASES) | IUPAC_BASES
    stand_for = {letter: set(several or letter) for letter, several in bases.items()}
    taken = {letter: "".join(one for one in stand_for if stand_for[one] <= stand_for[letter]) for letter in stand_for}
    return re.compile(f"(?={''.join(f'[{taken[letter]}]' for letter in motif)})")


def scan_matrix(
    dna: Dna,
    matrix: Matrix,
    background: Background = None,
    pseudocount: Pseudocount = 1.0,
    min_score_bits: Bits = 0.0,
    strands: Strands = "both",
    most: Most = 50,
) -> MatrixHits:
    """Where a position weight matrix scores high in DNA, by log-odds in bits against a background.

    The score of a window is the sum over its positions of log2(p / b), where b is the background's share of the base
    and p = (count + pseudocount * b) / (total + pseudocount).

    Raises:
        DataError: the matrix has not four rows of one length, a position without counts, or a background that does not
            sum to 1.

    >>> hits = scan_matrix("GGTAGG", {"A": [0, 1], "C": [0, 0], "G": [0, 0], "T": [1, 0]}, pseudocount=0).hits
    >>> hits[0].start, hits[0].strand, hits[0].score_bits
    (2, '+', 4.0)
    """
    shares = _checked_background(background)
    profile = _profile(matrix, shares, pseudocount)
    width = profile.length
    hits = []
    total = skipped = 0
    if len(dna) >= width:
        sides: tuple[Strand, ...] = ("+", "-") if strands == "both" else ("+",)
        for strand in sides:
            matrix_here = profile if strand == "+" else profile.reverse_complement()
            scores = np.atleast_1d(matrix_here.calculate(dna))
            skipped = int(np.isnan(scores).sum())
            good = np.flatnonzero(scores >= min_score_bits)
            total += len(good)
            best = good[np.argsort(-scores[good], kind="stable")][:most]
            hits += [_hit(dna, int(start), width, strand, float(scores[start])) for start in best]
    hits.sort(key=lambda hit: (-hit.score_bits, hit.start, hit.strand))
    return MatrixHits(total, round(float(profile.max), 4), skipped, tuple(hits[:most]))


def _hit(dna: str, start: int, width: int, strand: Strand, bits: float) -> MatrixHit:
    letters = dna[start : start + width]
    return MatrixHit(
        start, start + width, strand, letters if strand == "+" else reverse_complement(letters), round(bits, 4)
    )


def _checked_background(background: Mapping[str, float] | None) -> dict[str, float]:
    shares = dict(background) if background is not None else dict.fromkeys(_BASES, 0.25)
    if sorted(shares) != list(_BASES) or abs(sum(shares.values()) - 1) > 1e-6:
        raise DataError(
            f"scan_matrix: background = {shares}. Expected shares of A, C, G and T that sum to 1; mend the numbers."
        )
    return shares


def _profile(
    matrix: Mapping[str, tuple[float, ...]], shares: Mapping[str, float], pseudocount: float
) -> PositionSpecificScoringMatrix:
    widths = {len(column) for column in matrix.values()}
    if sorted(matrix) != list(_BASES) or len(widths) != 1:
        raise DataError(
            f"scan_matrix: matrix has rows {sorted(matrix)} of {sorted(widths)} positions. Expected A, C, G and T, "
            "all of one length; mend the rows."
        )
    totals = [sum(column) for column in zip(*matrix.values(), strict=True)]
    if (empty := next((place for place, total in enumerate(totals) if total <= 0), None)) is not None:
        raise DataError(
            f"scan_matrix: matrix has no counts at position {empty} (0-based). Expected one at least; mend it."
        )
    counted = FrequencyPositionMatrix(_BASES, {base: list(matrix[base]) for base in _BASES})
    weighted = counted.normalize(pseudocounts={base: pseudocount * shares[base] for base in _BASES})
    return weighted.log_odds(dict(shares))
