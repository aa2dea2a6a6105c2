"""Counts that account for every record, letter and document of the corpus.

Three books per kind, each of which must balance: records (what the readers give and the whole records they refuse),
letters (bases, residues, UTF-8 bytes of text, of refused records as far as they can be told; those of a source that is
read several times come in again as `repeated`) and documents (the pieces the corpus is made of). Names of counts read
as sentences, for example `dna letters removed: duplicate`. What the readers change, and the files they refuse, stand
beside the books, as `dna reading: records upper-cased`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from llama_gene.config import KINDS, Kind

Unit = Literal["records", "letters", "documents"]
_OPENING: dict[Unit, tuple[str, ...]] = {"records": ("read",), "letters": ("read", "repeated"), "documents": ("made",)}
_CLOSING: dict[Unit, tuple[str, ...]] = {
    "records": ("kept",),
    "letters": ("train", "valid"),
    "documents": ("train", "valid"),
}


def count(counts: Counter[str], kind: Kind, unit: Unit, entry: str, number: int = 1) -> None:
    """Add to one line of a book.

    >>> counts = Counter()
    >>> count(counts, "dna", "records", "read", 2)
    >>> dict(counts)
    {'dna records read': 2}
    """
    counts[f"{kind} {unit} {entry}"] += number


def count_removed(counts: Counter[str], kind: Kind, unit: Unit, reason: str, number: int = 1) -> None:
    """Add what left the corpus, under its reason; nothing is written for zero.

    >>> counts = Counter()
    >>> count_removed(counts, "dna", "letters", "duplicate", 900)
    >>> dict(counts)
    {'dna letters removed: duplicate': 900}
    """
    if number:
        counts[f"{kind} {unit} removed: {reason}"] += number


def removed_reasons(counts: Mapping[str, int], kind: Kind, unit: Unit) -> dict[str, int]:
    """Reason to number of what left one book.

    >>> removed_reasons({"dna letters removed: duplicate": 900, "dna letters read": 950}, "dna", "letters")
    {'duplicate': 900}
    """
    prefix = f"{kind} {unit} removed: "
    return {key[len(prefix) :]: number for key, number in counts.items() if key.startswith(prefix)}


def imbalances(counts: Mapping[str, int]) -> dict[str, int]:
    """Books that do not balance: name to (in minus out). Empty where all is accounted for.

    >>> imbalances({"dna letters read": 9, "dna letters train": 5, "dna letters removed: duplicate": 4})
    {}
    >>> imbalances({"dna letters read": 9, "dna letters train": 5})
    {'dna letters': 4}
    """
    missing = {}
    for kind in KINDS:
        for unit, entries in _OPENING.items():
            opening = sum(counts.get(f"{kind} {unit} {entry}", 0) for entry in entries)
            out = sum(counts.get(f"{kind} {unit} {entry}", 0) for entry in _CLOSING[unit])
            out += sum(removed_reasons(counts, kind, unit).values())
            if opening != out:
                missing[f"{kind} {unit}"] = opening - out
    return missing
