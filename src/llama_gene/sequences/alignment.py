"""Align two sequences, through parasail (Daily 2016, BMC Bioinformatics 17:81).

parasail, because its wheels hold vector code for every processor and score proteins by a substitution matrix, which
edlib and rapidfuzz (edit distance) do not: below 60 % identity an edit distance no longer tells kin from chance.
Alignments are local (Smith-Waterman) with the usual scores: BLOSUM62, gaps 11 + 1 for proteins; +5/-4, gaps 25 + 10 for
DNA, where an ambiguous base scores 0.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import parasail

from llama_gene.config import GeneKind


class Scoring(NamedTuple):
    """Substitution matrix, cost of a gap's first letter and of each further one."""

    matrix: parasail.Matrix
    gap_open: int
    gap_extend: int


_SCORING: dict[GeneKind, Scoring] = {
    "dna": Scoring(parasail.matrix_create("ACGT", 5, -4), 25, 10),
    "protein": Scoring(parasail.blosum62, 11, 1),
}

# No alignment is worth more than 11 a letter, and each letter of a gap costs 1 or more.
_FURTHEST = 12


class Alignment(NamedTuple):
    """The best local alignment of two sequences.

    Attributes:
        identity: Equal letters by the letters of the shorter sequence, 0 to 1 (as CD-HIT counts).
        coverage: Columns of the alignment by the letters of the first sequence, 0 to 1.
    """

    identity: float
    coverage: float


class Located(NamedTuple):
    """The best local alignment of two sequences, and where it lies in them.

    Attributes:
        score: Its score.
        matches: Columns with equal letters.
        columns: All of them.
        first: Start and end in the first sequence, 0-based and half-open.
        second: The same in the second.
    """

    score: int
    matches: int
    columns: int
    first: tuple[int, int]
    second: tuple[int, int]


def align(first: str, second: str, kind: GeneKind) -> Alignment:
    """Identity and coverage of the best local alignment.

    Args:
        first: Upper-case letters, at least one.
        second: The same; only the strand given is looked at.
        kind: What both are.

    >>> align("ACGTACGTTT", "ACGTACGTTTGGGG", "dna")
    Alignment(identity=1.0, coverage=1.0)
    >>> align("MKTAYIAKQR", "GGGGMKTAY", "protein")
    Alignment(identity=0.5555555555555556, coverage=0.5)
    """
    found = parasail.sw_stats_striped_sat(first, second, *_costs(kind))
    shorter = min(len(first), len(second))
    return Alignment(found.matches / shorter, min(1.0, found.length / len(first)))


Mode = Literal["global", "local", "semi-global"]
_TRACERS = {
    "global": parasail.nw_trace_striped_sat,
    "local": parasail.sw_trace_striped_sat,
    "semi-global": parasail.sg_trace_striped_sat,
}


class Traced(NamedTuple):
    """The two rows of an alignment, of one length, with `-` for gaps; spans are 0-based, half-open."""

    first: str
    second: str
    first_span: tuple[int, int]
    second_span: tuple[int, int]
    score: int


def trace(first: str, second: str, kind: GeneKind, mode: Mode) -> Traced:
    """The letters of the best alignment, by the scores of the module.

    Args:
        first: Upper-case letters, at least one.
        second: The same; only the strand given is looked at.
        kind: What both are.
        mode: global: both from end to end; local: the best parts, none where nothing scores above 0; semi-global: from
            end to end, gaps at the ends free.

    >>> trace("TTACGTACGT", "ACGTACGTCC", "dna", "local")
    Traced(first='ACGTACGT', second='ACGTACGT', first_span=(2, 10), second_span=(0, 8), score=40)
    """
    found = _TRACERS[mode](first, second, *_costs(kind))
    rows = found.traceback
    if not rows.query or (mode == "local" and found.score <= 0):
        return Traced("", "", (0, 0), (0, 0), 0)
    first_end, second_end = found.end_query + 1, found.end_ref + 1
    if mode != "local":
        first_end, second_end = len(first), len(second)
    first_start = first_end - sum(letter != "-" for letter in rows.query)
    second_start = second_end - sum(letter != "-" for letter in rows.ref)
    return Traced(rows.query, rows.ref, (first_start, first_end), (second_start, second_end), found.score)


def locate(first: str, second: str, kind: GeneKind) -> Located:
    """Where the best local alignment lies; memory grows with the square of the first, not with the second.

    Args:
        first: Upper-case letters, at least one.
        second: The same, of any length; only the strand given is looked at.
        kind: What both are.

    >>> locate("ACGTAC", "TTTTACGTACTTTT", "dna")
    Located(score=30, matches=6, columns=6, first=(0, 6), second=(4, 10))
    """
    best = parasail.sw_striped_sat(first, second, *_costs(kind))
    begin = max(0, best.end_ref + 1 - _FURTHEST * len(first))
    found = trace(first, second[begin : best.end_ref + 1], kind, "local")
    matches = sum(one == other for one, other in zip(found.first, found.second, strict=True))
    start, end = found.second_span
    return Located(found.score, matches, len(found.first), found.first_span, (begin + start, begin + end))


def gap_costs(kind: GeneKind) -> tuple[int, int]:
    """What the first letter of a gap costs, and each further one.

    >>> gap_costs("protein")
    (11, 1)
    """
    return _SCORING[kind].gap_open, _SCORING[kind].gap_extend


def score_all(letters: str, others: Sequence[str], kind: GeneKind) -> list[int]:
    """Score of the best local alignment with each of other sequences.

    Args:
        letters: Upper-case letters, at least one.
        others: Upper-case letters.
        kind: What all are.

    >>> score_all("MKTAYIAKQR", ["GGGG", "MKTAYIAKQR", "MKTAY"], "protein")
    [0, 49, 26]
    """
    scoring = _SCORING[kind]
    profile = parasail.profile_create_sat(letters, scoring.matrix)
    return [
        parasail.sw_striped_profile_sat(profile, other, scoring.gap_open, scoring.gap_extend).score for other in others
    ]


def _costs(kind: GeneKind) -> tuple[int, int, parasail.Matrix]:
    scoring = _SCORING[kind]
    return scoring.gap_open, scoring.gap_extend, scoring.matrix
