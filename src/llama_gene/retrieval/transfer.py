"""Answer from what is known of neighbours: the annotation of the nearest sequence that has one.

The oldest way to say what a sequence does, and what retrieval alone is worth: neighbours too alike to the sequence
asked can be left out, since a score on near copies says little of new sequences.
"""

from typing import NamedTuple

from llama_gene.config import GeneKind
from llama_gene.errors import TooShortError
from llama_gene.retrieval.hits import SequenceHit
from llama_gene.retrieval.several import AnyIndex
from llama_gene.sequences.terms import join_terms

_LOOKED_AT, _FEW = 500, 20


class Transfer(NamedTuple):
    """An annotation (of several terms all, as one answer) and the neighbour it was taken from."""

    text: str
    hit: SequenceHit


def transfer_annotation(
    index: AnyIndex, letters: str, kind: GeneKind, field: str, *, identity_below: float = 1.1
) -> Transfer | None:
    """The annotation of the nearest neighbour that has one and is not too alike; None where there is no such.

    Args:
        index: What is known.
        letters: The sequence asked.
        kind: What it is.
        field: Name of the annotation: "product", "function", "ec", "go" … (`sequences.records.Record`).
        identity_below: Neighbours of this identity or more are left out; above 1 none is. A longer sequence that holds
            the one asked counts by its aligned part.

    Raises:
        DataError: as `Index.find_sequences`, TooShortError among them.
    """
    for hit in find_neighbours(index, letters, kind, identity_below=identity_below):
        if known := hit.annotations.get(field):
            return Transfer(known if isinstance(known, str) else join_terms(known), hit)
    return None


def find_neighbours(
    index: AnyIndex, letters: str, kind: GeneKind, *, identity_below: float, most: int = _LOOKED_AT
) -> tuple[SequenceHit, ...]:
    """The best hits of lower identity than a limit, `most` at most; else as `transfer_annotation`.

    A search costs the more, the more hits it aligns: many are looked at only where the first few do not do.
    """
    for asked in sorted({min(most + _FEW, _LOOKED_AT), _LOOKED_AT}):
        hits = index.find_sequences(letters, kind, asked)
        near = tuple(hit for hit in hits if hit.identity < identity_below)[:most]
        if len(near) == most or len(hits) < asked:
            break
    return near


def hits_to_show(
    index: AnyIndex, letters: str, kind: str, *, identity_below: float, most: int
) -> tuple[SequenceHit, ...]:
    """The hits that stand before a question: `find_neighbours` of a gene as long as may be asked; too short has none.

    Args:
        index: Where to look.
        letters: The sequence that the question is about.
        kind: "dna"; anything else is asked as a protein.
        identity_below: Hits of this identity or more are left out.
        most: How many at most.
    """
    gene: GeneKind = "dna" if kind == "dna" else "protein"
    asked = letters[: index.config.longest_query]
    try:
        return find_neighbours(index, asked, gene, identity_below=identity_below, most=most)
    except TooShortError:
        return ()
