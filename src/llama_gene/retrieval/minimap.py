"""minimap2 through mappy, for DNA (Li 2018, Bioinformatics 34:3094): near copies in milliseconds, once it has an index.

That index, of minimizers, is made in memory at the first query and kept for the next ones. It defines no E-value;
copies of less than about 80 % identity are often missed, and so are places whose score is far below the best one's.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.errors import DataError
from llama_gene.retrieval.found import Found, Strand

try:
    import mappy
except ImportError:
    mappy = None

# Shorter and denser words than for long reads, so that a gene of a relative has some.
_WORD, _EVERY, _LEAST_CHAIN = 11, 3, 20
_KEPT = 2


def has_mappy() -> bool:
    """Whether mappy is installed."""
    return mappy is not None


def find_by_mappy(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best hits first, by equal letters; arguments as `find_by_hmmer`, DNA alone.

    Raises:
        DataError: minimap2 cannot read the letters.
    """
    hits = [_read_hit(hit, len(query)) for hit in _open(fasta, fasta.stat().st_mtime_ns).map(query)]
    ranked = sorted(hits, key=lambda one: (-one.identity * one.coverage, one.number, one.start))
    return ranked[:most]


@lru_cache(maxsize=_KEPT)
def _open(fasta: Path, changed_ns: int) -> Any:
    aligner = mappy.Aligner(str(fasta), k=_WORD, w=_EVERY, min_chain_score=_LEAST_CHAIN, best_n=50)
    if not aligner:
        raise DataError(f"{fasta}: minimap2 cannot read it. Build the index again.")
    return aligner


def _read_hit(hit: Any, length: int) -> Found:
    coverage = (hit.q_en - hit.q_st) / length
    strand: Strand = "+" if hit.strand > 0 else "-"
    return Found(int(hit.ctg), hit.mlen / hit.blen, coverage, None, "minimap2", strand, hit.r_st, hit.r_en)
