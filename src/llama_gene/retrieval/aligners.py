"""Who finds the sequences that align with a query, and why: chosen by what is asked, what is there and how much."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.errors import ConfigError
from llama_gene.retrieval.exact import SHORT, find_by_parasail, find_by_seeds
from llama_gene.retrieval.found import Found
from llama_gene.retrieval.hmmer import find_by_hmmer, has_hmmer
from llama_gene.retrieval.minimap import find_by_mappy, has_mappy
from llama_gene.retrieval.programs import DIAMOND, MMSEQS, find_by_diamond, find_by_mmseqs, has_program

Method = Literal["hmmer", "parasail", "seeds", "mappy", "mmseqs", "diamond"]
Finder = Callable[[str, GeneKind, Path, IndexConfig, int], list[Found]]
FINDERS: dict[Method, Finder] = {
    "hmmer": find_by_hmmer, "parasail": find_by_parasail, "seeds": find_by_seeds, "mappy": find_by_mappy,
    "mmseqs": find_by_mmseqs, "diamond": find_by_diamond,
}  # fmt: skip
_ONE_KIND: dict[Method, GeneKind] = {"seeds": "dna", "mappy": "dna", "diamond": "protein"}
# About a second of exact alignment on one core.
_MANY_CELLS = 3_000_000_000
# Below this exact alignment of one query on one core is faster than programs that read all letters anew.
_MANY_RESIDUES = 100_000_000


class Choice(NamedTuple):
    """A method and, in a few words, why it is used."""

    method: Method
    why: str


def choose_method(config: IndexConfig, kind: GeneKind, query: str, residues: int) -> Choice:
    """Who searches.

    Args:
        config: `method`; "auto" chooses by the rest.
        kind: What is searched.
        query: The letters asked.
        residues: Letters of that kind in the index.

    Raises:
        ConfigError: what is asked for is not installed, or does not find this kind.

    >>> choose_method(IndexConfig(), "protein", "MKTAYIAKQR", residues=1000)
    Choice(method='parasail', why='a query of 10 letters is judged by its equal letters')
    """
    if config.method != "auto":
        _check_method(config.method, kind)
        return Choice(config.method, "set by index.method")
    if len(query) < SHORT[kind]:
        return Choice("parasail", f"a query of {len(query)} letters is judged by its equal letters")
    size = f"{residues:,} letters"
    if kind == "dna":
        is_large = 2 * len(query) * residues > _MANY_CELLS
        return (
            Choice("seeds", f"{size}, too many to align all")
            if is_large
            else Choice("parasail", f"{size}, few enough to align all")
        )
    if has_hmmer():
        return Choice("hmmer", "pyhmmer is installed")
    without = "pyhmmer is not installed"
    found: tuple[Method, ...] = tuple(name for name in (DIAMOND, MMSEQS) if has_program(name))
    if residues > _MANY_RESIDUES and found:
        return Choice(found[0], f"{without}, {found[0]} is; {size}")
    return Choice("parasail", without)


def _check_method(method: Method, kind: GeneKind) -> None:
    if _ONE_KIND.get(method, kind) != kind:
        held = "DNA" if _ONE_KIND[method] == "dna" else "proteins"
        asked = "proteins" if held == "DNA" else "DNA"
        raise ConfigError(f"index.method = {method!r} finds {held}, not {asked}. Set index.method = 'auto'.")
    advice = {
        "hmmer": (not has_hmmer(), "pyhmmer is not installed. Install it: pip install 'llama-gene[search]'"),
        "mappy": (not has_mappy(), "mappy is not installed. Install it: pip install 'llama-gene[mappy]'"),
        "mmseqs": (
            not has_program(MMSEQS),
            "no program 'mmseqs' on the path. Install MMseqs2 (apt install mmseqs2, brew install mmseqs2, conda "
            "install -c bioconda mmseqs2)",
        ),
        "diamond": (
            not has_program(DIAMOND),
            "no program 'diamond' on the path. Install DIAMOND (apt install diamond-aligner, brew install diamond, "
            "conda install -c bioconda diamond)",
        ),
    }
    is_missing, words = advice.get(method, (False, ""))
    if is_missing:
        raise ConfigError(f"index.method = {method!r}: {words}, or set index.method = 'auto'.")
