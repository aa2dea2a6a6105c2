"""HMMER through pyhmmer: phmmer for proteins, nhmmer for DNA on both strands.

Eddy 2011, PLOS Comput Biol 7:e1002195; Wheeler and Eddy 2013, Bioinformatics 29:2487. It reads the file as it goes, so
memory does not grow with it. Its statistics say nothing of very short queries.
"""

from pathlib import Path
from typing import Any

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.retrieval.found import Found, Strand

try:
    from pyhmmer.easel import Alphabet, SequenceFile, TextSequence
    from pyhmmer.plan7 import Builder, LongTargetsPipeline, Pipeline
except ImportError:
    Pipeline = None  # others do its work

_SEED = 1
_UNKNOWN = {"protein": "X", "dna": "N"}


def has_hmmer() -> bool:
    """Whether pyhmmer is installed."""
    return Pipeline is not None


def find_by_hmmer(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best hits first, by E-value.

    Args:
        query: Upper-case letters.
        kind: What they and the file are.
        fasta: Sequences named by number.
        config: `max_e_value`.
        most: Hits at most.
    """
    alphabet = Alphabet.amino() if kind == "protein" else Alphabet.dna()
    make = Pipeline if kind == "protein" else LongTargetsPipeline
    sequence = TextSequence(name="query", sequence=query).digitize(alphabet)
    pipeline = make(alphabet, E=config.max_e_value, incE=config.max_e_value, seed=_SEED)
    with SequenceFile(fasta, format="fasta", digital=True, alphabet=alphabet) as targets:
        hits = pipeline.search_seq(sequence, targets, Builder(alphabet, seed=_SEED))
    good = [_read_hit(hit, kind, len(query)) for hit in hits if hit.evalue <= config.max_e_value]
    return sorted(good, key=lambda one: (one.e_value, one.number, one.start))[:most]


def _read_hit(hit: Any, kind: GeneKind, length: int) -> Found:
    alignment = hit.best_domain.alignment
    pairs = zip(alignment.hmm_sequence.upper(), alignment.target_sequence.upper(), strict=True)
    columns = len(alignment.target_sequence)
    matches = sum(one == other and one != _UNKNOWN[kind] for one, other in pairs)
    first, last = sorted((alignment.target_from, alignment.target_to))
    strand: Strand = "" if kind == "protein" else "-" if alignment.target_from > alignment.target_to else "+"
    return Found(
        int(hit.name), matches / columns, (alignment.hmm_to - alignment.hmm_from + 1) / length, float(hit.evalue),
        "phmmer" if kind == "protein" else "nhmmer", strand, first - 1, last,
    )  # fmt: skip
