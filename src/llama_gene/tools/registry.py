"""The tools there are: a tuple of functions, written out."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from llama_gene.errors import ConfigError
from llama_gene.tools.alignments import align_many, align_pair
from llama_gene.tools.codons import back_translate, codon_usage
from llama_gene.tools.composition import gc_content, kmer_profile, melting_temperature
from llama_gene.tools.motifs import find_motif, scan_matrix
from llama_gene.tools.search import SearchIndex, search_tools
from llama_gene.tools.sites import restriction_sites
from llama_gene.tools.strands import open_reading_frames, reverse_complement, translate
from llama_gene.tools.tool import Tool, make_tool

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    reverse_complement,
    translate,
    open_reading_frames,
    gc_content,
    melting_temperature,
    kmer_profile,
    restriction_sites,
    find_motif,
    scan_matrix,
    codon_usage,
    back_translate,
    align_pair,
    align_many,
)


def all_tools(index: SearchIndex | None = None, more: Sequence[Tool] = ()) -> Mapping[str, Tool]:
    """Every tool by name, in the order of the documentation.

    Args:
        index: An opened index; None: no tool searches.
        more: Further tools, such as those of a model.

    Raises:
        ConfigError: two tools of one name.

    >>> list(all_tools())[:3]
    ['reverse_complement', 'translate', 'open_reading_frames']
    >>> "search_sequences" in all_tools()
    False
    """
    tools: dict[str, Tool] = {}
    for tool in (*_own_tools(), *(search_tools(index) if index is not None else ()), *more):
        if tool.name in tools:
            raise ConfigError(f"tool {tool.name!r}: there are two of this name. Expected one; rename or leave out one.")
        tools[tool.name] = tool
    return MappingProxyType(tools)


@cache
def _own_tools() -> tuple[Tool, ...]:
    return tuple(make_tool(function) for function in FUNCTIONS)
