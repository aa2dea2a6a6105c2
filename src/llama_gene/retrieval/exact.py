"""Find sequences by exact local alignment (parasail): with all letters of an index, or where seeds say it is worth it.

E-values are those of Karlin and Altschul (1990, PNAS 87:2264): K m n exp(-lambda S). For proteins with the published
parameters of BLOSUM62 and gaps of 11 + 1. For DNA lambda follows from the bases of query and index, so that an index
rich in A and T does not look alike all over; K was measured on random DNA: 0.15 at 50 % A and T, 0.14 at 65, 0.13 at
75. A query so short that its exact copy has no significant E-value by that is judged by its equal letters: the places
where chance alone makes as many of them equal (a binomial sum, gaps aside). One whose exact copy is to be expected by
chance even so is too short to search (`shortest_query`): a copy of it says nothing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.retrieval.found import Found, Strand, Window, cut_windows, list_batches
from llama_gene.retrieval.seeds import find_places
from llama_gene.sequences.alignment import locate, score_all
from llama_gene.sequences.alphabets import reverse_complement

# Below these an exact copy in a small index has no significant E-value by its score.
SHORT: dict[GeneKind, int] = {"protein": 20, "dna": 40}
# Chance that two letters of unrelated sequences are equal: of residues as frequent as in Swiss-Prot, of bases alike.
_EQUAL: dict[GeneKind, float] = {"protein": 0.06, "dna": 0.25}
_PROTEIN_LAMBDA, _PROTEIN_K = 0.267, 0.041
_DNA_K = 0.15
_MATCH, _MISMATCH = 5, -4
# Windows of DNA, so that several places of one genome are found; proteins are one window each.
_WINDOW_BP = 1 << 14
_WHOLE = 1 << 30
# Windows are fewer than places where they overlap or come from repeats.
_SPARE, _FEWEST_KEPT = 4, 100


class _Scored(NamedTuple):
    """A window and the score of the query (of that strand) with it."""

    score: int
    strand: Strand
    window: Window


def find_by_parasail(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Align with everything; best hits first, of places that overlap the better.

    A hit of a query under `SHORT` has `least_equal` of the letters of the shorter sequence equal, too. Arguments as
    `find_by_hmmer`.
    """
    size = max(_WINDOW_BP, 8 * len(query)) if kind == "dna" else _WHOLE
    strands, letters = strands_of(query, kind), Counter[str]()
    kept: list[_Scored] = []
    for batch in list_batches(fasta):
        _count_letters(batch, kind, letters)
        kept = _keep_best([*kept, *_score(strands, cut_windows(batch, size, 2 * len(query)), kind)], most)
    return _settle(kept, strands, kind, letters, config, most, "parasail")


def find_by_seeds(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Align with the stretches of DNA that share most short words with the query; arguments as `find_by_hmmer`."""
    strands, letters = strands_of(query, kind), Counter[str]()
    for batch in list_batches(fasta):
        _count_letters(batch, kind, letters)
    places = find_places(strands, fasta)
    kept: list[_Scored] = []
    for strand, letters_asked in strands.items():
        windows = [place.window for place in places if place.strand == strand]
        kept += _score({strand: letters_asked}, windows, kind)
    return _settle(_keep_best(kept, most), strands, kind, letters, config, most, "seeds")


def shortest_query(kind: GeneKind, letters: int, max_e_value: float) -> int:
    """Letters that a query needs so that its exact copy is not expected by chance more often than an E-value allows.

    Args:
        kind: What is searched; DNA on both strands.
        letters: Of that kind in the index, >= 1.
        max_e_value: > 0.

    >>> shortest_query("protein", 1_000_000, 1e-3), shortest_query("dna", 5_000_000, 1e-3)
    (8, 17)
    """
    places = letters * len(strands_of("", kind))
    return max(1, math.ceil(math.log(places / max_e_value) / -math.log(_EQUAL[kind])))


def strands_of(query: str, kind: GeneKind) -> dict[Strand, str]:
    """What is looked for in the letters of an index: of DNA both strands."""
    return {"+": query, "-": reverse_complement(query)} if kind == "dna" else {"": query}


def dna_lambda(match: float) -> float:
    """Scale of the scores of unrelated DNA whose letters are equal with this chance; 0 where they have none.

    >>> round(dna_lambda(0.25), 3), dna_lambda(0.5)
    (0.192, 0.0)
    """
    if _MATCH * match + _MISMATCH * (1 - match) >= 0:
        return 0.0
    low, high = 1e-6, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        total = match * math.exp(_MATCH * middle) + (1 - match) * math.exp(_MISMATCH * middle)
        low, high = (middle, high) if total < 1 else (low, middle)
    return low


def _count_letters(batch: Sequence[tuple[int, str]], kind: GeneKind, letters: Counter[str]) -> None:
    """Add the bases of a batch, or for proteins its length."""
    for _, text in batch:
        letters.update({base: text.count(base) for base in "ACGT"} if kind == "dna" else {"": len(text)})


def _score(strands: Mapping[Strand, str], windows: Iterable[Window], kind: GeneKind) -> Iterator[_Scored]:
    held = list(windows)
    for strand, letters in strands.items():
        scores = score_all(letters, [window.text for window in held], kind)
        yield from map(_Scored, scores, [strand] * len(held), held)


def _keep_best(scored: Iterable[_Scored], most: int) -> list[_Scored]:
    number = max(_FEWEST_KEPT, _SPARE * most)
    return nlargest(number, scored, key=lambda one: (one.score, -one.window.number, -one.window.start))


def _settle(
    kept: Sequence[_Scored],
    strands: Mapping[Strand, str],
    kind: GeneKind,
    letters: Counter[str],
    config: IndexConfig,
    most: int,
    method: str,
) -> list[Found]:
    """The hits among the best windows, where they lie, each place once."""
    found: list[Found] = []
    for one in kept:
        query = strands[one.strand]
        if one.score <= 0:
            continue
        is_short = len(query) < SHORT[kind]
        e_value = 0.0 if is_short else _e_value(one.score, query, kind, letters)
        if e_value > config.max_e_value:
            continue
        at = locate(query, one.window.text, kind)
        if is_short:
            e_value = _e_value_of_equal(at.matches, query, kind, letters)
            enough = at.matches >= config.least_equal * min(len(query), len(one.window.text))
            if e_value > config.max_e_value or not enough:
                continue
        start, end = (one.window.start + place for place in at.second)
        coverage = (at.first[1] - at.first[0]) / len(query)
        place = Found(one.window.number, at.matches / at.columns, coverage, e_value, method, one.strand, start, end)
        if not any(_is_same(place, other) for other in found):
            found.append(place)
        if len(found) == most:
            break
    return found


def _is_same(one: Found, other: Found) -> bool:
    """Whether two places of one sequence and strand overlap by half of the shorter."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    is_near = 2 * shared >= min(one.end - one.start, other.end - other.start)
    return (one.number, one.strand) == (other.number, other.strand) and is_near


def _e_value(score: int, query: str, kind: GeneKind, letters: Counter[str]) -> float:
    total = letters.total()
    if kind == "protein":
        return _PROTEIN_K * len(query) * total * math.exp(-_PROTEIN_LAMBDA * score)
    match = _match(query, letters)
    return _DNA_K * len(query) * 2 * total * math.exp(-dna_lambda(match) * score)


def _e_value_of_equal(matches: int, query: str, kind: GeneKind, letters: Counter[str]) -> float:
    """Places where chance makes so many letters of a query equal, or more."""
    match = _match(query, letters) if kind == "dna" else _EQUAL[kind]
    size = len(query)
    chance = sum(
        math.comb(size, equal) * match**equal * (1 - match) ** (size - equal) for equal in range(matches, size + 1)
    )
    return letters.total() * len(strands_of("", kind)) * chance


def _match(query: str, letters: Counter[str]) -> float:
    """Chance that a base of the query and one of the index are equal."""
    return sum(query.count(base) * letters[base] for base in "ACGT") / (len(query) * max(1, letters.total()))
