"""Search in an index of annotated sequences and texts: two tools that exist only where an index was opened.

The index is any object with the two methods of `SearchIndex`; `llama_gene.retrieval` opens one from a folder. Which
index is searched is chosen by who opens it, never by an argument of a call.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Protocol

from pydantic import Field

from llama_gene.config import GeneKind
from llama_gene.tools.letters import MOST_ALIGNED, Letters, SequenceKind, checked_sequence
from llama_gene.tools.tool import Tool, make_tool

SEARCH_TOOLS = ("search_sequences", "search_passages")
Few = Annotated[int, Field(ge=1, le=50, description="Most hits given.")]
Query = Annotated[Letters, Field(max_length=MOST_ALIGNED)]
Words = Annotated[str, Field(min_length=1, max_length=2000, description="What to look for, in words.")]


class SearchIndex(Protocol):
    """An opened index; hits are frozen dataclasses of plain values."""

    def find_sequences(self, letters: str, kind: GeneKind, most: int = 10) -> Sequence[Any]:
        """Sequences like the one given, the best first."""

    def find_passages(self, question: str, most: int = 5) -> Sequence[Any]:
        """Passages that speak of what is asked, the best first."""


def search_tools(index: SearchIndex) -> tuple[Tool, ...]:
    """The tools that search an index."""

    def search_sequences(sequence: Query, kind: SequenceKind, most: Few = 10) -> list[dict[str, Any]]:
        """Sequences of the index that are like the one given, with identifier, identity, coverage and source.

        No hit is an empty list.
        """
        letters = checked_sequence(sequence, kind, "search_sequences: sequence")
        return [asdict(hit) for hit in index.find_sequences(letters, kind, most)]

    def search_passages(question: Words, most: Few = 5) -> list[dict[str, Any]]:
        """Passages of the index that speak of what is asked, with identifier, source and score.

        No hit is an empty list.
        """
        return [asdict(hit) for hit in index.find_passages(question, most)]

    return make_tool(search_sequences), make_tool(search_passages)
