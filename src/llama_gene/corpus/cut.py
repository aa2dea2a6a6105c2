"""Where what is left of a record is cut: protein pieces, coding pairs, pages of text (DNA: `sequences.fragments`)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.sequences.coding import PAIR_BORDER

_PARAGRAPH_BORDER = "\n\n"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_SPACE = re.compile(r"\s+")


class Pieces(NamedTuple):
    """Pieces of sequences, int64 [pieces]: the number of the sequence, and 0-based, half-open borders in it."""

    sequences: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def cut_proteins(residues: NDArray[np.int64], max_residues: int) -> Pieces:
    """Consecutive pieces of nearly equal length of each protein, as few as the limit allows.

    Args:
        residues: Of each protein, > 0.
        max_residues: Of a piece.

    >>> pieces = cut_proteins(np.array([11, 3]), max_residues=5)
    >>> list(zip(*(column.tolist() for column in pieces)))
    [(0, 0, 4), (0, 4, 8), (0, 8, 11), (1, 0, 3)]
    """
    number = -(-residues // max_residues)
    length = -(-residues // number)
    number = -(-residues // length)
    sequences = np.repeat(np.arange(len(residues)), number)
    place = np.arange(len(sequences)) - (np.cumsum(number) - number)[sequences]
    begins = place * length[sequences]
    return Pieces(sequences, begins, np.minimum(begins + length[sequences], residues[sequences]))


def cut_coding(text: str, max_bp: int) -> Iterator[tuple[int, str]]:
    r"""Pieces of a coding pair, each of whole codons and the residues they are read as; nearly equal, few as possible.

    Args:
        text: Codons, a line feed, residues: as many residues as codons, or one fewer where the last codon is a stop.
        max_bp: Most bases of a piece, >= 6: a final stop is never alone.

    Yields:
        (start, piece); start is the 0-based base at which the piece begins in the codons.

    >>> list(cut_coding("ATGGCTTGGTAA\nMAW", max_bp=6))
    [(0, 'ATGGCT\nMA'), (6, 'TGGTAA\nW')]
    """
    dna, _, protein = text.partition(PAIR_BORDER)
    codons = len(dna) // 3
    number = -(-codons // (max_bp // 3))
    for piece in range(number):
        # Borders spread evenly: lengths differ by one codon at most.
        begin, end = piece * codons // number, (piece + 1) * codons // number
        yield 3 * begin, f"{dna[3 * begin : 3 * end]}{PAIR_BORDER}{protein[begin:end]}"


def cut_text(text: str, max_bytes: int) -> Iterator[tuple[int, str]]:
    r"""Whole paragraphs, as many as fit into `max_bytes` of UTF-8; a longer one is cut at sentences, then words.

    Yields:
        (start, piece): start is the 0-based byte of the piece in the text; space at the cuts is left out.

    >>> list(cut_text("One.\n\nTwo.\n\nThree and four.", max_bytes=12))
    [(0, 'One.\n\nTwo.'), (12, 'Three and'), (22, 'four.')]
    """
    start, place = 0, 0
    held: list[str] = []
    held_bytes = 0
    for paragraph in text.split(_PARAGRAPH_BORDER):
        size = len(paragraph.encode())
        if held and held_bytes + 2 + size > max_bytes:
            yield start, _PARAGRAPH_BORDER.join(held)
            held = []
        if not held:
            start, held_bytes = place, -2
        if size > max_bytes:
            yield from _cut_paragraph(paragraph, max_bytes, place)
        else:
            held.append(paragraph)
            held_bytes += 2 + size
        place += size + 2
    if held:
        yield start, _PARAGRAPH_BORDER.join(held)


def _cut_paragraph(paragraph: str, max_bytes: int, place: int) -> Iterator[tuple[int, str]]:
    """Cut before the limit at the last end of a sentence, else the last space, else between two characters."""
    at = 0
    while at < len(paragraph):
        head = _fitting(paragraph[at : at + max_bytes + 1], max_bytes)
        yield place, head
        gap = _SPACE.match(paragraph, at + len(head))
        skipped = gap.group() if gap else ""
        at += len(head) + len(skipped)
        place += len(head.encode()) + len(skipped.encode())


def _fitting(text: str, max_bytes: int) -> str:
    window = text.encode()[:max_bytes].decode("utf-8", "ignore")
    if len(window) == len(text):
        return text
    for border in (_SENTENCE_END, _SPACE):
        # A border just behind the window is as good as one inside it.
        cuts = [match.start() for match in border.finditer(text, 0, len(window) + 1) if match.start() > 0]
        if cuts:
            return text[: cuts[-1]]
    return window
