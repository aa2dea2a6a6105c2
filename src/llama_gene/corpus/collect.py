"""First pass: read every file once, clean, drop exact duplicates, and spool what is left.

What the later passes must know of all files before they start (numbers of records and regions, sketches of genomes)
is gathered on the way. Memory: one record, one sketch per genome and about 16 bytes per distinct record.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from llama_gene.config import CorpusConfig, Kind, Source, resolve
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.clean import CleanRecord, clean, count_letters
from llama_gene.corpus.deduplicate import Seen, digest
from llama_gene.corpus.kmers import Words
from llama_gene.corpus.near_identical import Sketch
from llama_gene.corpus.split import count_regions
from llama_gene.corpus.spool import RowWriter
from llama_gene.errors import ConfigError
from llama_gene.progress import show_progress
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.sequences.records import Record

TOO_SHORT = "shorter than min_letters"
_BATCH_LETTERS = 8_000_000
_SCHEMA = pa.schema(
    {
        "file": pa.int32(),
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
class Survey:
    """What the first pass found in one file: kept records, their regions and letters, the sketch of a genome."""

    records: int
    regions: int
    letters: int
    sketch: Words


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


def collect(files: Sequence[InputFile], config: CorpusConfig, spool: Path, counts: Counter[str]) -> list[Survey]:
    """Spool the clean, distinct records of all files.

    Args:
        files: What to read, in order.
        config: Cleaning and splitting settings.
        spool: Arrow stream to write: one row per run of letters, `file` a number into `files`.
        counts: Is added to.

    Returns:
        One survey per file.

    Raises:
        DataError: a bad record, where `config.on_invalid` is "error".
    """
    seen: dict[Kind, Seen] = {file.kind: Seen() for file in files}
    is_sketched = sum(file.kind == "dna" for file in files) > 1
    surveys = []
    with RowWriter(spool, _SCHEMA, _BATCH_LETTERS) as rows:
        for number, file in enumerate(show_progress(files, "reading")):
            sketch = Sketch() if is_sketched and file.kind == "dna" else None
            into = _Into(number, rows, seen[file.kind], sketch, counts)
            surveys.append(_collect_file(file, config, into))
    return surveys


@dataclass(frozen=True)
class _Into:
    """Where the records of one file go."""

    number: int
    rows: RowWriter
    seen: Seen
    sketch: Sketch | None
    counts: Counter[str]


def _collect_file(file: InputFile, config: CorpusConfig, into: _Into) -> Survey:
    source = config.sources[file.source]
    reader_counts = Counter[str]()
    records = regions = letters = 0
    for record in read_records(
        file.path,
        file.kind,
        format=source.format,
        source=source_name(source),
        on_invalid=config.on_invalid,
        counts=reader_counts,
    ):
        runs = _keep(record, config.min_letters, into.seen, into.counts)
        if not runs:
            continue
        length = len(record.text) if file.kind == "dna" else count_letters(runs[0][1], file.kind)
        for start, run in runs:
            into.rows.add((into.number, records, record.id, start, length, run))
            letters += count_letters(run, file.kind)
            if into.sketch:
                into.sketch.add(run)
        records += 1
        regions += count_regions(length, config.region_bp)
    into.counts.update({f"{file.kind} reading: {note}": number for note, number in reader_counts.items()})
    return Survey(records, regions, letters, into.sketch.words if into.sketch else np.empty(0, dtype=np.uint64))


def _keep(record: Record, min_letters: int, seen: Seen, counts: Counter[str]) -> list[tuple[int, str]]:
    """The runs of a record that go on, or none; what does not is counted."""
    kind = record.kind
    count(counts, kind, "records", "read")
    count(counts, kind, "letters", "read", count_letters(record.text, kind))
    cleaned = clean(record.text, kind)
    for reason, number in cleaned.removed.items():
        count_removed(counts, kind, "letters", reason, number)
    runs = _long_runs(cleaned, kind, min_letters, counts)
    if not runs:
        count_removed(counts, kind, "records", TOO_SHORT if cleaned.runs else "empty")
        return []
    if not seen.is_new(digest("N".join(run for _, run in runs), kind)):
        count_removed(counts, kind, "records", "duplicate")
        count_removed(counts, kind, "letters", "duplicate", sum(count_letters(run, kind) for _, run in runs))
        return []
    count(counts, kind, "records", "kept")
    return runs


def _long_runs(cleaned: CleanRecord, kind: Kind, min_letters: int, counts: Counter[str]) -> list[tuple[int, str]]:
    kept = []
    for start, run in cleaned.runs:
        size = count_letters(run, kind)
        if size < min_letters:
            count_removed(counts, kind, "letters", TOO_SHORT, size)
        else:
            kept.append((start, run))
    return kept
