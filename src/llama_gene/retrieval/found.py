"""What every method of finding sequences gives, and how all read the letters of an index."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Literal, NamedTuple

from llama_gene.sequences.batches import batches_of_letters

Strand = Literal["+", "-", ""]
_BATCH_LETTERS = 1 << 20


class Found(NamedTuple):
    """An alignment with one sequence of the file: its number, and what `SequenceHit` says of it."""

    number: int
    identity: float
    coverage: float
    e_value: float | None
    method: str
    strand: Strand
    start: int
    end: int


class Window(NamedTuple):
    """A stretch of a sequence: the number of that, where the stretch starts in it (0-based), its letters."""

    number: int
    start: int
    text: str


def list_batches(fasta: Path) -> Iterator[list[tuple[int, str]]]:
    """Number and letters of the sequences of a file, in batches of about a million letters."""
    with fasta.open(encoding="ascii") as file:
        numbered = ((int(title[1:]), next(file).rstrip("\n")) for title in file)
        yield from batches_of_letters(numbered, itemgetter(1), _BATCH_LETTERS)


def cut_windows(batch: Sequence[tuple[int, str]], size: int, overlap: int) -> Iterator[Window]:
    """Stretches of `size` letters, each with the first `overlap` of the next; shorter sequences are one window.

    >>> list(cut_windows([(7, "ACGTAC")], size=3, overlap=1))
    [Window(number=7, start=0, text='ACGT'), Window(number=7, start=3, text='TAC')]
    """
    for number, text in batch:
        for start in range(0, max(1, len(text)), size):
            yield Window(number, start, text[start : start + size + overlap])
