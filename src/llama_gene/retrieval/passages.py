"""Cut a text into passages at paragraphs and sentences."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_BORDER = re.compile(r"(?P<paragraph>\n\s*\n\s*)|(?<=[.!?])\s+(?=[A-Z0-9(\[\"'])|\n")


class Span(NamedTuple):
    """A stretch of a text, 0-based and half-open."""

    start: int
    end: int


class _Piece(NamedTuple):
    """A sentence, and whether it starts a paragraph."""

    start: int
    end: int
    starts_paragraph: bool


def cut_passages(text: str, most: int) -> Iterator[Span]:
    """Passages in order: whole sentences, whole paragraphs where they fit; white space between them is left out.

    A passage ends with its paragraph once it is half full, so that a heading stays with what it stands above.

    Args:
        text: The text.
        most: Longest passage, > 0; a longer sentence is cut between words.

    >>> text = "Head\\n\\nOne is here. Two is there.\\n\\nThree."
    >>> [text[slice(*span)] for span in cut_passages(text, 20)]
    ['Head\\n\\nOne is here.', 'Two is there.', 'Three.']
    """
    start = end = -1
    for piece in _pieces(text, most):
        is_full = piece.end - start > most or (piece.starts_paragraph and 2 * (end - start) >= most)
        if start >= 0 and is_full:
            yield Span(start, end)
            start = -1
        start = piece.start if start < 0 else start
        end = piece.end
    if start >= 0:
        yield Span(start, end)


def _pieces(text: str, most: int) -> Iterator[_Piece]:
    begin, starts_paragraph = 0, True
    for border in _BORDER.finditer(text):
        yield from _cut(text, begin, border.start(), starts_paragraph, most)
        begin, starts_paragraph = border.end(), border["paragraph"] is not None
    yield from _cut(text, begin, len(text), starts_paragraph, most)


def _cut(text: str, begin: int, end: int, starts_paragraph: bool, most: int) -> Iterator[_Piece]:
    """A sentence without white space around it, in parts where it is too long."""
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    while end - begin > most:
        space = text.rfind(" ", begin + 1, begin + most + 1)
        cut = space if space > 0 else begin + most
        yield _Piece(begin, cut, starts_paragraph)
        begin, starts_paragraph = cut + (space > 0), False
    if begin < end:
        yield _Piece(begin, end, starts_paragraph)
