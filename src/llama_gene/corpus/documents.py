"""Second pass: split every spooled record and cut it into documents."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llama_gene.config import CorpusConfig, Kind
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.clean import count_letters
from llama_gene.corpus.collect import TOO_SHORT, InputFile
from llama_gene.corpus.cut import cut_protein, cut_text
from llama_gene.corpus.split import FileSplit, count_regions, stretches
from llama_gene.corpus.spool import read_rows
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.fragments import fragment


class Document(NamedTuple):
    """One piece of a record, as the corpus holds it.

    `id` is the record's, with `:start-end` in 0-based, half-open letters of the record (bytes of cleaned text), and
    the strand for DNA.
    """

    source: int
    kind: Kind
    id: str
    text: str
    letters: int
    is_valid: bool


class Run(NamedTuple):
    """A row of the spool: a run of letters of one record. `length` is the whole record's."""

    file: int
    record: int
    id: str
    start: int
    length: int
    text: str


@dataclass(frozen=True)
class Cutter:
    """What cutting needs: the settings and the source of its random choices."""

    config: CorpusConfig
    rng: np.random.Generator


def make_documents(
    spool: Path, files: Sequence[InputFile], plan: Sequence[FileSplit], cutter: Cutter, counts: Counter[str]
) -> Iterator[Document]:
    """The documents of all spooled records, file by file; every letter is in one of them or counted as removed.

    Args:
        spool: What `collect` wrote.
        files: What it read.
        plan: The split of each file.
        cutter: Lengths and strands.
        counts: Is added to.
    """
    runs = (Run(*row) for row in read_rows(spool))
    for number, runs_of_file in groupby(runs, key=lambda run: run.file):
        file, split = files[number], plan[number]
        unit = 0
        for _, runs_of_record in groupby(runs_of_file, key=lambda run: run.record):
            for run in runs_of_record:
                units = count_regions(run.length, cutter.config.region_bp) if split.by == "region" else 1
                held = split.held[unit : unit + units] if len(split.held) else np.zeros(units, dtype=np.bool_)
                yield from _documents_of(run, file, held, cutter, counts)
            unit += units


def _documents_of(
    run: Run, file: InputFile, held: np.ndarray, cutter: Cutter, counts: Counter[str]
) -> Iterator[Document]:
    kind = file.kind
    cut = {"dna": _cut_dna, "protein": _cut_protein, "text": _cut_text}[kind]
    left = count_letters(run.text, kind)
    for start, strand, text, is_valid in cut(run, held, cutter):
        size = count_letters(text, kind)
        left -= size
        if size < cutter.config.min_letters:
            count_removed(counts, kind, "letters", TOO_SHORT, size)
            continue
        count(counts, kind, "documents", "made")
        begin = run.start + start
        yield Document(file.source, kind, f"{run.id}:{begin}-{begin + size}{strand}", text, size, is_valid)
    count_removed(counts, kind, "letters", "space between pages", left)


Cut = Iterator[tuple[int, str, str, bool]]


def _cut_dna(run: Run, held: np.ndarray, cutter: Cutter) -> Cut:
    config = cutter.config
    region = config.region_bp if len(held) > 1 else run.length
    for begin, end, is_valid in stretches(run.start, len(run.text), region, held):
        pieces = fragment(run.text[begin:end], cutter.rng, config.fragment_min_bp, config.fragment_max_bp)
        for start, piece in pieces:
            if cutter.rng.random() < config.reverse_share:
                yield begin + start, ":-", reverse_complement(piece), is_valid
            else:
                yield begin + start, ":+", piece, is_valid


def _cut_protein(run: Run, held: np.ndarray, cutter: Cutter) -> Cut:
    for start, piece in cut_protein(run.text, cutter.config.protein_max_residues):
        yield start, "", piece, bool(held[0])


def _cut_text(run: Run, held: np.ndarray, cutter: Cutter) -> Cut:
    """A page belongs to the region in which it starts."""
    for start, page in cut_text(run.text, cutter.config.text_max_bytes):
        yield start, "", page, bool(held[min(start // cutter.config.region_bp, len(held) - 1)])
