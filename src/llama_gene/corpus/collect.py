"""First pass: read every file once, clean its records, and spool what is left, chunk by chunk.

A chunk is one large file or several small ones of one source, and a task of its own. What the later passes must know
of all records before they start (digests, regions, sketches of genomes) is written beside. Which of two equal records
goes is not known yet: that needs all chunks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.config import CorpusConfig, Kind, Source, resolve
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.arrays import save_array, save_arrays
from llama_gene.corpus.clean import clean, keeps_whole, lengths_of, needs_case
from llama_gene.corpus.deduplicate import RECORD, digests
from llama_gene.corpus.near_duplicates import Signer
from llama_gene.corpus.near_identical import Sketch
from llama_gene.corpus.split import count_regions
from llama_gene.corpus.spool import RowWriter
from llama_gene.errors import ConfigError
from llama_gene.sequences.batches import batches_of_letters
from llama_gene.sequences.coding import PAIR_BORDER
from llama_gene.sequences.files import Lost
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.sequences.records import Record

TOO_SHORT = "shorter than min_letters"
_CHUNK_BYTES = 32_000_000
BATCH_LETTERS = 16_000_000
_GROUP_LETTERS = 1 << 20
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
            collector.collect(number, file, rows, sketch)
            if sketch:
                sketches[str(number)] = sketch.words
    book = np.concatenate([np.zeros(0, RECORD), *collector.book])
    save_array(book_path(folder, chunk.number), book)
    if collector.signer:
        save_array(signature_path(folder, chunk.number), collector.signer.signatures())
    if sketches:
        save_arrays(sketch_path(folder, chunk.number), **sketches)
    return {"counts": collector.counts, "batches": rows.batches, "letters": int(book["letters"].sum())}


class _Runs(NamedTuple):
    """What goes on of some records, as columns: the place of the record among them, the start in it, the letters."""

    owners: list[int]
    starts: list[int]
    texts: list[str]

    def add(self, owner: int, start: int, text: str) -> None:
        """Append one."""
        self.owners.append(owner)
        self.starts.append(start)
        self.texts.append(text)

    def where(self, stay: NDArray[np.bool_]) -> "_Runs":
        """These runs alone."""
        if stay.all():
            return self
        return _Runs([*compress(self.owners, stay)], [*compress(self.starts, stay)], [*compress(self.texts, stay)])


class _Collector:
    """Goes through the records of one chunk, many at a time, and keeps its book and its counts."""

    def __init__(self, task: CollectTask) -> None:
        self.book: list[NDArray[Any]] = []
        self.counts: Counter[str] = Counter()
        self._kind, near = task.chunk.kind, task.config.near_duplicates
        self.signer = Signer(self._kind, near) if self._kind in near.kinds else None
        self._config = task.config
        self._batch_letters = task.batch_letters
        self._booked = 0

    def collect(self, number: int, file: InputFile, rows: RowWriter, sketch: Sketch | None) -> None:
        """Spool what is left of one file."""
        config, kind, source = self._config, self._kind, self._config.sources[file.source]
        notes, lost = Counter[str](), Lost()
        read = letters = 0
        found = read_records(
            file.path,
            kind,
            format=source.format,
            source=source_name(source),
            on_invalid=config.on_invalid,
            counts=notes,
            case="keep" if needs_case(config.clean) else "upper",
            lost=lost,
        )
        for records in batches_of_letters(found, attrgetter("text"), _GROUP_LETTERS):
            read += len(records)
            letters += int(lengths_of([record.text for record in records], kind).sum())
            runs = self._keep(records)
            if sketch:
                for run in runs.texts:
                    # Of a coding pair the DNA; a run of DNA has no border.
                    sketch.add(run.partition(PAIR_BORDER)[0])
            self._spool(number, records, runs, rows)
        # What the readers refuse was there, too: it comes in and leaves.
        count(self.counts, kind, "records", "read", read + lost.records.total())
        count(self.counts, kind, "letters", "read", letters + lost.letters.total())
        for reason, times in lost.records.items():
            count_removed(self.counts, kind, "records", reason, times)
            count_removed(self.counts, kind, "letters", reason, lost.letters[reason])
        self.counts.update({f"{kind} reading: {note}": times for note, times in notes.items()})

    def _keep(self, records: Sequence[Record]) -> _Runs:
        """What of these records goes on; what does not is counted."""
        kind = self._kind
        runs, reasons = self._clean(records)
        sizes = lengths_of(runs.texts, kind)
        stay = sizes >= self._config.min_letters
        count_removed(self.counts, kind, "letters", TOO_SHORT, int(sizes[~stay].sum()))
        runs = runs.where(stay)
        for owner in set(range(len(records))).difference(runs.owners):
            count_removed(self.counts, kind, "records", reasons[owner])
        return runs

    def _clean(self, records: Sequence[Record]) -> tuple[_Runs, list[str]]:
        """The runs that the rules leave, and why each record leaves that has none."""
        if keeps_whole(self._kind, self._config.clean):
            number = len(records)
            return _Runs([*range(number)], [0] * number, [record.text for record in records]), [TOO_SHORT] * number
        runs = _Runs([], [], [])
        reasons = []
        for owner, record in enumerate(records):
            cleaned = clean(record, self._config.clean)
            for start, run in cleaned.runs:
                runs.add(owner, start, run)
            for reason, number in cleaned.removed.items():
                count_removed(self.counts, self._kind, "letters", reason, number)
            reasons.append(cleaned.reason or TOO_SHORT)
        return runs, reasons

    def _spool(self, number: int, records: Sequence[Record], runs: _Runs, rows: RowWriter) -> None:
        """Write the runs down, and in the book each record that has one."""
        if not runs.texts:
            return
        config, kind = self._config, self._kind
        owners, place_of = np.unique(np.array(runs.owners, np.int64), return_inverse=True)
        ends = np.cumsum(np.bincount(place_of)).tolist()
        wholes = ["N".join(runs.texts[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
        book = np.zeros(len(owners), RECORD)
        has_masks = kind == "dna" and config.clean.soft_mask == "keep"
        book["digest"] = digests((whole.upper() for whole in wholes) if has_masks else wholes, kind)
        book["letters"] = np.bincount(place_of, lengths_of(runs.texts, kind))
        lengths = lengths_of([records[owner].text for owner in owners], kind) if kind == "dna" else book["letters"]
        book["regions"] = count_regions(lengths, config.region_bp)
        book["file"] = number
        if self.signer:
            for whole in wholes:
                self.signer.add(whole)
        runs = _stretch(runs, config.region_bp, self._batch_letters)
        places = np.searchsorted(owners, runs.owners)
        numbers, names = self._booked + places, [records[owner].id for owner in runs.owners]
        sizes = np.fromiter(map(len, runs.texts), np.int64, len(runs.texts))
        rows.add([numbers.tolist(), names, runs.starts, lengths[places].tolist(), runs.texts], sizes)
        self.book.append(book)
        self._booked += len(book)


def _stretch(runs: _Runs, region: int, batch: int) -> _Runs:
    """Runs too long for one batch in stretches that end where a region does, so that no task holds a chromosome."""
    if max(map(len, runs.texts)) <= batch:
        return runs
    cut = _Runs([], [], [])
    longest = region * max(1, batch // region)
    for owner, start, run in zip(*runs, strict=True):
        begin = 0
        while begin < len(run):
            end = begin + longest - (start + begin) % longest if len(run) > batch else len(run)
            cut.add(owner, start + begin, run[begin:end])
            begin = end
    return cut
