"""First pass: read every file once, clean its records, and spool what is left, chunk by chunk.

A chunk is one large file or several small ones of one source, and a task of its own. What the later passes must know
of all records before they start (digests, regions, sketches of genomes) is written beside. Which of two equal records
goes is not known yet: that needs all chunks.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from llama_gene.config import CorpusConfig, Kind, Source, resolve
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.arrays import save_array, save_arrays
from llama_gene.corpus.clean import clean, count_letters, needs_case
from llama_gene.corpus.deduplicate import RECORD, digest
from llama_gene.corpus.near_duplicates import Signer
from llama_gene.corpus.near_identical import Sketch
from llama_gene.corpus.split import count_regions
from llama_gene.corpus.spool import RowWriter
from llama_gene.errors import ConfigError
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.sequences.records import Record

TOO_SHORT = "shorter than min_letters"
_CHUNK_BYTES = 32_000_000
BATCH_LETTERS = 16_000_000
_SCHEMA = pa.schema(
    {
        "record": pa.int64(),
        "id": pa.string(),
        "start": pa.int64(),
        "length": pa.int64(),
        "text": pa.large_string(),
    }
)


@dataclass(frozen=True)
class InputFile:
    """One file of one source; `label` names it wherever the data lie."""

    source: int
    kind: Kind
    path: Path
    label: str


@dataclass(frozen=True)
class Chunk:
    """Files read by one task: their numbers among all files, the first of them `first`."""

    number: int
    first: int
    files: tuple[InputFile, ...]

    @property
    def kind(self) -> Kind:
        """What the letters are: a chunk holds files of one source."""
        return self.files[0].kind


@dataclass(frozen=True)
class CollectTask:
    """A chunk to read, and the folder of the pass."""

    chunk: Chunk
    config: CorpusConfig
    folder: Path
    is_sketched: bool
    batch_letters: int


def source_name(source: Source) -> str:
    """How records and counts name a source.

    >>> source_name(Source(path="genomes/yeast", kind="dna"))
    'genomes/yeast'
    """
    return source.name or source.path


def list_inputs(config: CorpusConfig, data: Path) -> list[InputFile]:
    """Every file of every source, in order.

    Raises:
        ConfigError: no source is named.
        DataError: a path leads to nothing.
    """
    if not config.sources:
        raise ConfigError("corpus.sources is empty. Expected at least one [[corpus.sources]] with path and kind.")
    return [
        InputFile(number, source.kind, path, _label(path, data))
        for number, source in enumerate(config.sources)
        for path in list_files(resolve(source.path, data))
    ]


def _label(path: Path, data: Path) -> str:
    return path.relative_to(data).as_posix() if path.is_relative_to(data) else path.as_posix()


def make_chunks(files: Sequence[InputFile]) -> list[Chunk]:
    """Consecutive files of one source, together about as large as one task should be."""
    chunks: list[Chunk] = []
    held: list[InputFile] = []
    size = 0
    for number, file in enumerate(files):
        bytes_of_file = file.path.stat().st_size
        if held and (held[0].source != file.source or size + bytes_of_file > _CHUNK_BYTES):
            chunks.append(Chunk(len(chunks), number - len(held), tuple(held)))
            held, size = [], 0
        held.append(file)
        size += bytes_of_file
    return [*chunks, Chunk(len(chunks), len(files) - len(held), tuple(held))]


def spool_path(folder: Path, chunk: int) -> Path:
    """Where the rows of a chunk lie."""
    return folder / f"{chunk:06d}.arrow"


def book_path(folder: Path, chunk: int) -> Path:
    """Where the `RECORD`s of a chunk lie."""
    return folder / f"{chunk:06d}.records.npy"


def signature_path(folder: Path, chunk: int) -> Path:
    """Where the MinHash signatures of a chunk's records lie, if near duplicates of its kind are looked for."""
    return folder / f"{chunk:06d}.signatures.npy"


def sketch_path(folder: Path, chunk: int) -> Path:
    """Where the sketches of a chunk's genomes lie: one array per file, named by its number."""
    return folder / f"{chunk:06d}.sketches.npz"


def collect_chunk(task: CollectTask) -> dict[str, Any]:
    """Spool the clean records of a chunk.

    Returns:
        `counts`; `batches`, how many the spool has; `letters` that are kept.

    Raises:
        DataError: a bad record, where `config.on_invalid` is "error".
    """
    collector = _Collector(task)
    chunk, folder = task.chunk, task.folder
    sketches: dict[str, Any] = {}
    with RowWriter(spool_path(folder, chunk.number), _SCHEMA, task.batch_letters) as rows:
        for number, file in enumerate(chunk.files, start=chunk.first):
            sketch = Sketch() if task.is_sketched else None
            for row in collector.rows_of(number, file, sketch):
                rows.add(row)
            if sketch:
                sketches[str(number)] = sketch.words
    book = np.array(collector.book, dtype=RECORD)
    save_array(book_path(folder, chunk.number), book)
    if collector.signer:
        save_array(signature_path(folder, chunk.number), collector.signer.signatures())
    if sketches:
        save_arrays(sketch_path(folder, chunk.number), **sketches)
    return {"counts": collector.counts, "batches": rows.batches, "letters": int(book["letters"].sum())}


class _Collector:
    """Goes through the records of one chunk, and keeps its book and its counts."""

    def __init__(self, task: CollectTask) -> None:
        self.book: list[tuple[int, int, int, int]] = []
        self.counts: Counter[str] = Counter()
        kind, near = task.chunk.kind, task.config.near_duplicates
        self.signer = Signer(kind, near) if kind in near.kinds else None
        self._config = task.config
        self._batch_letters = task.batch_letters

    def rows_of(self, number: int, file: InputFile, sketch: Sketch | None) -> Iterator[tuple[Any, ...]]:
        """The spool's rows of one file."""
        config, source, kind = self._config, self._config.sources[file.source], file.kind
        keeps_case = needs_case(config.clean)
        notes = Counter[str]()
        records = letters = 0
        for record in read_records(
            file.path,
            kind,
            format=source.format,
            source=source_name(source),
            on_invalid=config.on_invalid,
            counts=notes,
            case="keep" if keeps_case else "upper",
        ):
            records += 1
            letters += count_letters(record.text, kind)
            runs = self._keep(record)
            if not runs:
                continue
            if sketch:
                for _, letters_of_run in runs:
                    sketch.add(letters_of_run.upper() if keeps_case else letters_of_run)
            kept = [count_letters(run, kind) for _, run in runs]
            length = len(record.text) if kind == "dna" else kept[0]
            for start, run in _stretch(runs, config.region_bp, self._batch_letters):
                yield len(self.book), record.id, start, length, run
            whole = runs[0][1] if len(runs) == 1 else "N".join(run for _, run in runs)
            if self.signer:
                self.signer.add(whole)
            self.book.append((digest(whole, kind), sum(kept), count_regions(length, config.region_bp), number))
        count(self.counts, kind, "records", "read", records)
        count(self.counts, kind, "letters", "read", letters)
        self.counts.update({f"{kind} reading: {note}": times for note, times in notes.items()})

    def _keep(self, record: Record) -> list[tuple[int, str]]:
        """The runs of a record that go on, or none; what does not is counted."""
        kind = record.kind
        cleaned = clean(record, self._config.clean)
        for reason, number in cleaned.removed.items():
            count_removed(self.counts, kind, "letters", reason, number)
        runs = []
        for start, run in cleaned.runs:
            size = count_letters(run, kind)
            if size < self._config.min_letters:
                count_removed(self.counts, kind, "letters", TOO_SHORT, size)
            else:
                runs.append((start, run))
        if not runs:
            count_removed(self.counts, kind, "records", cleaned.reason or TOO_SHORT)
        return runs


def _stretch(runs: Sequence[tuple[int, str]], region: int, batch: int) -> Iterator[tuple[int, str]]:
    """Runs too long for one batch in stretches that end where a region does, so that no task holds a chromosome."""
    longest = region * max(1, batch // region)
    for start, run in runs:
        if len(run) <= batch:
            yield start, run
            continue
        begin = 0
        while begin < len(run):
            end = begin + longest - (start + begin) % longest
            yield start + begin, run[begin:end]
            begin = end
