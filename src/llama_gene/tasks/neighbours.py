"""The nearest of many sequences to each of others: few candidates by shared words, then real alignments.

Candidates share words on one diagonal (`neighbour_kernels`); the 20 best are aligned and the one with the highest
score is the nearest. What is searched is indexed in blocks of a few million letters, so the index does not grow with
it. What the candidates miss is measured in `benchmarks/splits.py` against the alignment of everything with everything.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import GeneKind
from llama_gene.progress import show_progress
from llama_gene.sequences.alignment import align, score_all
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement
from llama_gene.tasks.neighbour_kernels import NOBODY, Index, Words, add_candidates, index_words, list_words

CANDIDATES = 20
_LEAST_HITS = 2  # a single word is shared by chance
_TOGETHER = 256
_BLOCK_LETTERS = 1 << 22
_ALPHABETS = {"dna": DNA, "protein": PROTEIN}
_PROTEIN_WORD = 4
_DNA_WORDS = (8, 11)
_OTHER_LETTER = 255
T = TypeVar("T")
Result = TypeVar("Result")


class Neighbour(NamedTuple):
    """The nearest sequence to another.

    Attributes:
        place: Its place among those searched; None where no word is shared.
        identity: Equal letters by the letters of the shorter sequence, 0 to 1.
        coverage: Columns of the alignment by the letters of the one that asks, 0 to 1.
        strand: "-" where the other strand of it is what aligns.
    """

    place: int | None
    identity: float
    coverage: float
    strand: str


class Candidate(NamedTuple):
    """A sequence worth a look: its place, the score of its alignment, and the strand that was aligned."""

    place: int
    score: int
    strand: str
    letters: str


_NOTHING = Neighbour(None, 0.0, 0.0, "+")


def find_neighbours(asking: Sequence[str], searched: Sequence[str], kind: GeneKind, title: str) -> list[Neighbour]:
    """The nearest of the searched sequences to each that asks, of DNA on either strand.

    Args:
        asking: Upper-case letters, none empty.
        searched: The same.
        kind: What all are.
        title: Of the progress bar.

    >>> find_neighbours(["ACGGTCAATCGATCGGAC"], ["GTCCGATCGATTGACCGT", "GGGGGGGG"], "dna", "searching")
    [Neighbour(place=0, identity=1.0, coverage=1.0, strand='-')]
    """
    if not asking or not searched:
        return [_NOTHING] * len(asking)
    who_QC = find_candidates(asking, searched, kind, title=title)

    def nearest(start: int) -> list[Neighbour]:
        some = range(start, min(start + _TOGETHER, len(asking)))
        return [_nearest(asking[q], who_QC[q], searched, kind) for q in some]

    chunks = range(0, len(asking), _TOGETHER)
    return [one for many in in_threads(nearest, chunks, f"{title}: aligning") for one in many]


def _nearest(letters: str, who_C: NDArray[np.int64], searched: Sequence[str], kind: GeneKind) -> Neighbour:
    scored = score_candidates(letters, who_C, searched, kind)
    if not scored:
        return _NOTHING
    best = min(scored, key=lambda one: (-one.score, one.strand, one.place))
    aligned = align(best.letters, searched[best.place], kind)
    return Neighbour(best.place, aligned.identity, aligned.coverage, best.strand)


def score_candidates(
    letters: str, who_C: NDArray[np.int64], searched: Sequence[str], kind: GeneKind
) -> list[Candidate]:
    """Align one sequence with its candidates.

    Args:
        letters: The sequence.
        who_C: Its row of what `find_candidates` gave.
        searched: As there.
        kind: What all are.
    """
    found: list[Candidate] = []
    for number, own in enumerate(_strands(letters, kind)):
        places = [at % len(searched) for at in who_C.tolist() if at != NOBODY and at // len(searched) == number]
        scores = score_all(own, [searched[place] for place in places], kind)
        found += [Candidate(place, score, "+-"[number], own) for place, score in zip(places, scores, strict=True)]
    return found


def _strands(letters: str, kind: GeneKind) -> tuple[str, ...]:
    return (letters, reverse_complement(letters)) if kind == "dna" else (letters,)


def find_candidates(
    asking: Sequence[str],
    searched: Sequence[str],
    kind: GeneKind,
    *,
    title: str,
    itself: bool = False,
) -> NDArray[np.int64]:
    """Those that share most words on one diagonal with each sequence, best first.

    Args:
        asking: Upper-case letters.
        searched: The same.
        kind: What all are.
        title: Of the progress bar.
        itself: Sequence i of those that ask is sequence i of those searched, and must not find itself.

    Returns:
        int64 [asking, 20 candidates]: the place among those searched; that plus their number where the other strand
        is alike; or `NOBODY`.
    """
    length, letters = word_length(searched, kind), len(_ALPHABETS[kind].letters)
    strands = 2 if kind == "dna" else 1
    scores_SQC = np.zeros((strands, len(asking), CANDIDATES), np.int32)
    who_SQC = np.full((strands, len(asking), CANDIDATES), NOBODY, np.int32)
    blocks = list(_blocks(searched))
    for number, block in enumerate(blocks, start=1):
        index = index_words(_words(searched[slice(*block)], kind, letters, length), letters**length)

        def search(start: int, block: tuple[int, int] = block, index: Index = index) -> None:
            end = min(start + _TOGETHER, len(asking))
            own = np.arange(start, end) if itself else np.full(end - start, NOBODY)
            for strand in range(strands):
                some = [_strands(text, kind)[strand] for text in asking[start:end]]
                words = _words(some, kind, letters, length)
                add_candidates(words, index, block, own, scores_SQC[strand, start:end], who_SQC[strand, start:end])

        part = f" ({number} of {len(blocks)})" if len(blocks) > 1 else ""
        for _ in in_threads(search, range(0, len(asking), _TOGETHER), f"{title}{part}"):
            pass
    return _merge(scores_SQC, who_SQC, len(searched))


def _merge(scores_SQC: NDArray[np.int32], who_SQC: NDArray[np.int32], searched: int) -> NDArray[np.int64]:
    """The best candidates of both strands together."""
    who = who_SQC.astype(np.int64)
    for strand in range(len(who)):
        who[strand][who[strand] != NOBODY] += strand * searched
    who[scores_SQC < _LEAST_HITS] = NOBODY
    order = np.argsort(-np.hstack(list(scores_SQC)), axis=1, kind="stable")[:, :CANDIDATES]
    return np.take_along_axis(np.hstack(list(who)), order, axis=1)


def word_length(sequences: Sequence[str], kind: GeneKind) -> int:
    """Letters of a word: so many that two unrelated sequences share about one by chance.

    >>> word_length(["A" * 70], "dna"), word_length(["A" * 500], "dna"), word_length(["M" * 400], "protein")
    (8, 10, 4)
    """
    if kind == "protein":
        return _PROTEIN_WORD
    mean = sum(map(len, sequences)) / len(sequences)
    shortest, longest = _DNA_WORDS
    return max(shortest, min(longest, math.ceil(math.log(max(2.0, 2 * mean * mean), 4))))


def _words(sequences: Sequence[str], kind: GeneKind, letters: int, length: int) -> Words:
    table = np.full(256, _OTHER_LETTER, np.uint8)
    table[np.frombuffer(_ALPHABETS[kind].letters.encode(), np.uint8)] = np.arange(letters)
    codes = table[np.frombuffer("".join(sequences).encode("ascii"), np.uint8)]
    begins = np.concatenate([[0], np.cumsum([len(text) for text in sequences])]).astype(np.int64)
    found: Words = list_words(codes, begins, letters, length, np.full(letters**length, -1, np.int32))
    return found


def _blocks(sequences: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of sequences of a few million letters, as first number and the one after the last."""
    first = held = 0
    for number, text in enumerate(sequences, start=1):
        held += len(text)
        if held >= _BLOCK_LETTERS or number == len(sequences):
            yield first, number
            first, held = number, 0


def in_threads(work: Callable[[T], Result], parts: Sequence[T], title: str) -> Iterator[Result]:
    """Results of work on each part, in order, made by as many threads as there are cores.

    The work must give up Python's lock, as compiled loops and parasail do.

    >>> list(in_threads(len, ["a", "bc"], "counting"))
    [1, 2]
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from show_progress(pool.map(work, parts), title, len(parts))
