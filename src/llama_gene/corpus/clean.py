"""Bring the letters of one record into the form the corpus keeps.

The readers have already put letters in upper case, read U as T and refused what is outside the alphabet. Here DNA is
cut at every run of letters that name no single base (N and the other IUPAC codes), proteins stay as they are, and
text gets one kind of line end, no control characters and one blank line between paragraphs.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from llama_gene.config import Kind
from llama_gene.sequences.alphabets import DNA

_BASES = re.compile(f"[{DNA.letters}]+")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]+")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class CleanRecord:
    """What is left of a record.

    Attributes:
        runs: (start, letters) in order; start is 0-based in the letters as read. Protein and text have one run.
        removed: Letters left out, by reason (text: UTF-8 bytes).
    """

    runs: tuple[tuple[int, str], ...]
    removed: Counter[str] = field(default_factory=Counter)


def count_letters(text: str, kind: Kind) -> int:
    """Bases, residues or UTF-8 bytes.

    >>> count_letters("ACGT", "dna"), count_letters("é", "text")
    (4, 2)
    """
    return len(text) if kind != "text" or text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def clean(text: str, kind: Kind) -> CleanRecord:
    r"""Clean one record by the rules of its kind.

    >>> clean("ACGTNNNNRAC", "dna")
    CleanRecord(runs=((0, 'ACGT'), (9, 'AC')), removed=Counter({'unknown base N': 4, 'ambiguous base': 1}))
    >>> clean("One. \r\n\r\n\r\nTwo.", "text")
    CleanRecord(runs=((0, 'One.\n\nTwo.'),), removed=Counter({'space or control character': 5}))
    """
    if kind == "dna":
        return _clean_dna(text)
    return _clean_text(text) if kind == "text" else CleanRecord(((0, text),) if text else ())


def _clean_dna(letters: str) -> CleanRecord:
    others = DNA.rest(letters.encode("ascii", "replace"))
    if not others:
        return CleanRecord(((0, letters),) if letters else ())
    unknown = others.count(b"N")
    removed = Counter({"unknown base N": unknown, "ambiguous base": len(others) - unknown})
    return CleanRecord(tuple((run.start(), run.group()) for run in _BASES.finditer(letters)), +removed)


def _clean_text(text: str) -> CleanRecord:
    page = text.replace("\r\n", "\n").replace("\r", "\n")
    page = "\n".join(line.rstrip(" \t") for line in _CONTROLS.sub("", page).split("\n"))
    page = _BLANK_LINES.sub("\n\n", page).strip()
    removed = Counter({"space or control character": count_letters(text, "text") - count_letters(page, "text")})
    return CleanRecord(((0, page),) if page else (), +removed)
