"""Find the sequences of a FASTA file that align with one query: HMMER, parasail or MMseqs2.

HMMER through pyhmmer: phmmer for proteins, nhmmer for DNA on both strands (Eddy 2011, PLOS Comput Biol 7:e1002195;
Wheeler and Eddy 2013, Bioinformatics 29:2487). It reads the file as it goes, so memory does not grow with it. Its
statistics say nothing of very short queries; those are aligned with everything by parasail, which defines no E-value:
a hit is what shares enough equal letters. MMseqs2 (`easy-search`) where it is installed.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from heapq import nlargest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.alignment import locate, score_all

try:
    from pyhmmer.easel import Alphabet, SequenceFile, TextSequence
    from pyhmmer.plan7 import Builder, LongTargetsPipeline, Pipeline
except ImportError:
    Pipeline = None  # parasail does its work

Method = Literal["hmmer", "parasail", "mmseqs"]
Strand = Literal["+", "-", ""]
# Below these an exact copy in a small index has no significant E-value (protein: 10; DNA: 30).
_SHORT: dict[GeneKind, int] = {"protein": 20, "dna": 40}
_MANY_RESIDUES = 100_000_000
_FEWEST_EQUAL = 10
_SEED = 1
_BATCH_LETTERS = 1 << 20
_UNKNOWN = {"protein": "X", "dna": "N"}
_MMSEQS = "mmseqs"
_MMSEQS_COLUMNS = "target,evalue,fident,qstart,qend,tstart,tend,qlen"
_MMSEQS_TYPE: dict[GeneKind, str] = {"protein": "1", "dna": "3"}


class Found(NamedTuple):
    """An alignment with one sequence of the file: its number, and what `SequenceHit` says of it."""

    number: int
    identity: float
    coverage: float
    e_value: float | None
    method: str
    strand: Strand
    start: int
    end: int


def choose_method(config: IndexConfig, kind: GeneKind, query: str, residues: int) -> Method:
    """Who searches.

    Args:
        config: `method`; "auto" chooses by the rest.
        kind: What is searched.
        query: The letters asked.
        residues: Letters of that kind in the index.

    Raises:
        ConfigError: what is asked for is not installed.

    >>> choose_method(IndexConfig(), "protein", "MKTAYIAKQR", residues=1000)
    'parasail'
    """
    if config.method == "mmseqs" and shutil.which(_MMSEQS) is None:
        raise ConfigError(
            "index.method = 'mmseqs': no program 'mmseqs' on the path. Install MMseqs2 (conda install -c bioconda "
            "mmseqs2, brew install mmseqs2), or set index.method = 'hmmer'."
        )
    if config.method == "hmmer" and Pipeline is None:
        raise ConfigError(
            "index.method = 'hmmer': pyhmmer is not installed. Install it: pip install 'llama-gene[search]'."
        )
    if config.method != "auto":
        return config.method
    if len(query) < _SHORT[kind]:
        return "parasail"
    if kind == "protein" and residues > _MANY_RESIDUES and shutil.which(_MMSEQS):
        return "mmseqs"
    return "parasail" if Pipeline is None else "hmmer"


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
    good = [_of_hmmer(hit, kind, len(query)) for hit in hits if hit.evalue <= config.max_e_value]
    return sorted(good, key=lambda one: (one.e_value, one.number, one.start))[:most]


def _of_hmmer(hit: Any, kind: GeneKind, length: int) -> Found:
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


def find_by_parasail(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best scores first; arguments as `find_by_hmmer`. Of each sequence and strand the best alignment alone is found.

    A hit has `least_equal` of the letters of the shorter sequence equal, and at least ten (or the whole query).
    """

    strands: tuple[Strand, ...] = ("+", "-") if kind == "dna" else ("",)
    best: list[tuple[int, Found]] = []
    for batch in list_batches(fasta):
        for strand in strands:
            found = _align_batch(strand, query, kind, batch, config.least_equal, most)
            best = nlargest(most, [*best, *found], key=lambda one: (one[0], -one[1].number))
    return [found for _, found in best]


def _align_batch(
    strand: Strand, query: str, kind: GeneKind, batch: Sequence[tuple[int, str]], least_equal: float, most: int
) -> Iterator[tuple[int, Found]]:
    """Score and alignment of the hits of one batch on one strand."""
    letters = reverse_complement(query) if strand == "-" else query
    scores = score_all(letters, [text for _, text in batch], kind)
    # An equal letter scores 4 or more, so an alignment with enough of them has a higher score than their number.
    wanted = [max(least_equal * min(len(query), len(text)), min(len(query), _FEWEST_EQUAL)) for _, text in batch]
    ranked = sorted(range(len(batch)), key=lambda place: -scores[place])
    for place in [place for place in ranked if scores[place] >= wanted[place]][:most]:
        number, text = batch[place]
        one = locate(letters, text, kind)
        if one.matches >= wanted[place]:
            coverage = (one.first[1] - one.first[0]) / len(query)
            yield one.score, Found(number, one.matches / one.columns, coverage, None, "parasail", strand, *one.second)


def find_by_mmseqs(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best hits first, by E-value; arguments as `find_by_hmmer`.

    Raises:
        DataError: MMseqs2 fails.
    """
    with TemporaryDirectory() as folder:
        asked, result = Path(folder) / "query.fasta", Path(folder) / "result.tsv"
        asked.write_text(f">query\n{query}\n", encoding="ascii")
        command = [
            _MMSEQS, "easy-search", str(asked), str(fasta), str(result), str(Path(folder) / "work"),
            "--search-type", _MMSEQS_TYPE[kind], "--format-output", _MMSEQS_COLUMNS, "-e", str(config.max_e_value),
            "--max-seqs", str(max(300, most)), "--strand", "2", "-v", "1",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise DataError(f"mmseqs easy-search failed ({said[-1]}). Mend it, or set index.method = 'hmmer'.")
        rows = [line.split("\t") for line in result.read_text(encoding="ascii").splitlines()]
    found = [read_mmseqs(row, kind) for row in rows]
    return sorted(found, key=lambda one: (one.e_value, one.number, one.start))[:most]


def read_mmseqs(row: Sequence[str], kind: GeneKind) -> Found:
    """A row of MMseqs2, whose places are 1-based and run down where the other strand aligns."""
    number, e_value, identity, *places = row
    query_from, query_to, target_from, target_to, length = map(int, places)
    is_turned = (query_from > query_to) != (target_from > target_to)
    strand: Strand = "" if kind == "protein" else "-" if is_turned else "+"
    coverage = (abs(query_to - query_from) + 1) / length
    first, last = sorted((target_from, target_to))
    return Found(int(number), float(identity), coverage, float(e_value), "mmseqs", strand, first - 1, last)


def list_batches(fasta: Path) -> Iterator[list[tuple[int, str]]]:
    """Number and letters of the sequences of a file, in batches of about a million letters."""
    batch: list[tuple[int, str]] = []
    held = 0
    with fasta.open(encoding="ascii") as file:
        for title in file:
            text = next(file).rstrip("\n")
            batch.append((int(title[1:]), text))
            held += len(text)
            if held >= _BATCH_LETTERS:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch
