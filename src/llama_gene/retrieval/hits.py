"""What a search finds, and how it is quoted: one line says what it is, the next how sure and where from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from llama_gene.config import GeneKind

Annotations = Mapping[str, str | Sequence[str]]
NO_HIT = "No hit in the index."
SEQUENCES_HEADING = "Alike sequences of an index:"


@dataclass(frozen=True)
class SequenceHit:
    """A sequence of the index that aligns with the one asked.

    Attributes:
        id: Its identifier.
        description: What its source says of it; of a stretch of a GenBank record also the genes there.
        source: File it was read from.
        kind: What it is.
        identity: Equal letters by the columns of the best local alignment, 0 to 1.
        coverage: Letters of the query inside that alignment by all its letters, 0 to 1.
        e_value: Hits as good expected by chance in this index; None where the method defines none.
        method: "phmmer", "nhmmer", "parasail", "seeds", "minimap2", "mmseqs" or "diamond".
        strand: Of DNA "+" or "-" (the query's other strand aligns); of proteins "".
        start: First letter of the alignment in the hit, 0-based.
        end: The one after the last.
        annotations: As the source gives them, see `sequences.records.Record`.
    """

    id: str
    description: str
    source: str
    kind: GeneKind
    identity: float
    coverage: float
    e_value: float | None
    method: str
    strand: Literal["+", "-", ""] = ""
    start: int = 0
    end: int = 0
    annotations: Annotations = field(default_factory=dict)


@dataclass(frozen=True)
class PassageHit:
    """A passage of the index that speaks of what was asked.

    Attributes:
        id: `record:start-end`; stays the same as long as the text does.
        text: The passage.
        source: File it was read from.
        score: Sum of weight / (60 + rank) over the searches that found it, above 0.
        title: Of the document, or "".
        start: First character in the document as it is read (without marks of Markdown and the like), 0-based.
        end: The one after the last.
        found_by: "words", "vectors" or both.
    """

    id: str
    text: str
    source: str
    score: float
    title: str = ""
    start: int = 0
    end: int = 0
    found_by: tuple[str, ...] = ()


def render_sequences(hits: Sequence[SequenceHit]) -> str:
    """Sequence hits as plain text for a prompt or a person; no hit is said to be none.

    >>> print(render_sequences([SequenceHit("P1", "Kinase", "a.fa", "protein", 0.5, 1.0, 2e-9, "phmmer")]))
    1. P1: Kinase
       identity 50.0 %, coverage 100 %, E-value 2e-09 (phmmer), source a.fa
    >>> print(render_sequences([]))
    No hit in the index.
    """
    return "\n".join(_sequence_lines(number, hit) for number, hit in enumerate(hits, start=1)) or NO_HIT


def _sequence_lines(number: int, hit: SequenceHit) -> str:
    chance = "no E-value" if hit.e_value is None else f"E-value {hit.e_value:.2g}"
    place = f", {hit.start + 1:,}-{hit.end:,} on strand {hit.strand}" if hit.strand else ""
    return (
        f"{number}. {hit.id}{': ' if hit.description else ''}{hit.description}\n"
        f"   identity {100 * hit.identity:.1f} %, coverage {100 * hit.coverage:.0f} %, {chance} ({hit.method})"
        f"{place}, source {hit.source}"
    )


def quote_sequences(hits: Sequence[SequenceHit]) -> str:
    """Sequence hits as a model reads them, in tuning, evaluation and talk; to be made harmless (`prompts.defuse`).

    Files stand there by their names: the folder says nothing of the sequence, and differs between machines.

    >>> print(quote_sequences([SequenceHit("P1", "Kinase", "my/a.fa", "protein", 0.5, 1.0, 2e-9, "phmmer")]))
    Alike sequences of an index:
    1. P1: Kinase
       identity 50.0 %, coverage 100 %, E-value 2e-09 (phmmer), source a.fa
    """
    named = [replace(hit, source=Path(hit.source).name) for hit in hits]
    return f"{SEQUENCES_HEADING}\n{render_sequences(named)}"


def render_passages(hits: Sequence[PassageHit]) -> str:
    """Passages as plain text for a prompt or a person, each under its identifier and source.

    >>> print(render_passages([PassageHit("a.md:0-9", "It folds.", "a.md", 0.03)]))
    1. a.md:0-9, source a.md
       It folds.
    """
    return "\n".join(_passage_lines(number, hit) for number, hit in enumerate(hits, start=1)) or NO_HIT


def _passage_lines(number: int, hit: PassageHit) -> str:
    return f"{number}. {hit.id}, source {hit.source}\n   {' '.join(hit.text.split())}"
