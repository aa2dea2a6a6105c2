"""Draw a small part of each source, to plan from: the heads of a few files chosen at random, and what they hold.

No more is read than the letters asked for, however large a file: a file is read from its beginning and cut behind its
last whole record, and the compressed bytes that this took (of Parquet, the rows) say how much of the file it is. JSON,
JATS and GFF3 can only be read whole: a large one is left out of the sample. That heads are like the rest is taken for
granted.
"""

import io
import math
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from xopen import xopen

from llama_gene.config import CorpusConfig, OnInvalid, Source, SourceFormat
from llama_gene.corpus.clean import clean, needs_case
from llama_gene.corpus.collect import InputFile
from llama_gene.errors import DataError
from llama_gene.sequences.detect import detect_format
from llama_gene.sequences.files import Item, first_bytes, list_items, open_bytes, open_table
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.readers import read_records

_FILES = 64
_SPREAD = 8
_LEAST_BYTES = 64_000
_WHOLE_BYTES = 16_000_000
_RAW_READ = 1024
_STEP = 1 << 16
_BATCH_ROWS = 64
_AHEAD_BYTES = 4_000_000
_ONLY_WHOLE = ("json", "jats", "gff3")
_ONLY_LINES = ("table", "jsonl")
_ENDS_OF_RECORDS = {"genbank": b"\n//", "uniprot": b"\n//", "pubmed": b"</PubmedArticle>"}


@dataclass(frozen=True)
class SampleFile:
    """A file that holds a part of a file of a source, or that file itself.

    Attributes:
        file: The file of the source.
        path: What to read: whole records.
        format: What it is.
        used_bytes: Bytes of `file` on disk that it stands for.
        records: Records that stay after cleaning.
        letters: Letters of them, before de-duplication.
        longest: Letters of the longest record.
    """

    file: InputFile
    path: Path
    format: SourceFormat
    used_bytes: float
    records: int = 0
    letters: int = 0
    longest: int = 0


class Meter(io.RawIOBase):
    """A file that is read in small pieces, so that its place says what a decompressor has used."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Bytes that were read."""
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        """Fill at most a kilobyte of the buffer."""
        piece = self._file.read(min(len(buffer), _RAW_READ))
        buffer[: len(piece)] = piece
        return len(piece)


def group_files(files: Sequence[InputFile]) -> dict[tuple[int, str], list[InputFile]]:
    """Files that hold alike many letters per byte: those of one source with the same ending, in order.

    >>> files = [InputFile(0, "dna", Path(name), name) for name in ("a.1.fa.gz", "a.fa", "b.2.fa.gz")]
    >>> [(key, len(members)) for key, members in group_files(files).items()]
    [((0, '.fa.gz'), 2), ((0, '.fa'), 1)]
    """
    groups = defaultdict(list)
    for file in files:
        inner, outer = Path(Item(file.path).name).suffix, file.path.suffix
        groups[file.source, (inner if inner == outer else inner + outer).lower()].append(file)
    return dict(groups)


def draw_group(
    files: Sequence[InputFile], config: CorpusConfig, *, most: int, rng: np.random.Generator, folder: Path
) -> list[SampleFile]:
    """A sample of one group of files, with what it holds.

    Args:
        files: Files of one source that are alike.
        config: Rules of cleaning.
        most: Letters to read, about.
        rng: Source of the choice of files.
        folder: Empty folder for the parts of files.
    """
    source = config.sources[files[0].source]
    limit = max(_LEAST_BYTES, most // min(len(files), _SPREAD))
    samples: list[SampleFile] = []
    taken = 0
    for place in rng.permutation(len(files))[:_FILES].tolist():
        if taken >= most:
            break
        for sample, size in read_heads(files[place], source, limit, folder):
            samples.append(_count(sample, config))
            taken += size
    return samples


def read_heads(file: InputFile, source: Source, limit: int, folder: Path) -> Iterator[tuple[SampleFile, int]]:
    """The beginning of a file, of a zip that of its first members, each with its decompressed bytes.

    A file that cannot be read, or not in part, gives none: the build itself says what is wrong with it.
    """
    try:
        if file.path.suffix.lower() == ".zip":
            yield from _read_members(file, source, limit, folder)
        else:
            head = _read_file(file, source, limit, folder)
            yield from [head] if head else []
    except (DataError, EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException):
        return


def _read_file(file: InputFile, source: Source, limit: int, folder: Path) -> tuple[SampleFile, int] | None:
    item = Item(file.path)
    chosen = _format(item, source)
    if chosen == "parquet":
        return _read_rows(file, limit, folder)
    for size in (_WHOLE_BYTES,) if chosen in _ONLY_WHOLE else (limit, _WHOLE_BYTES):
        with file.path.open("rb") as raw:
            meter = Meter(raw)
            with xopen(meter, "rb", threads=0) as stream:
                data = _read(stream, size + 1)
                bytes_per_byte = _look_ahead(stream, meter, len(data))
        if len(data) <= size:
            return SampleFile(file, file.path, chosen, file.path.stat().st_size), len(data)
        end = _end_of_records(data, chosen)
        if end:
            path = folder / f"{len(list(folder.iterdir())):06d}-{file.path.name}"
            # Compressed as the file is, so that the time to read it counts as well.
            with xopen(path, "wb", compresslevel=1, threads=0) as output:
                output.write(data[:end])
            return SampleFile(file, path, chosen, end * bytes_per_byte), end
    return None


def _read_rows(file: InputFile, limit: int, folder: Path) -> tuple[SampleFile, int]:
    """The first rows of a Parquet file, as a file of their own."""
    path = folder / f"{len(list(folder.iterdir())):06d}-{file.path.name}"
    rows = size = 0
    with open_table(Item(file.path)) as whole, pq.ParquetWriter(path, whole.schema_arrow) as writer:
        for batch in whole.iter_batches(_BATCH_ROWS):
            writer.write_batch(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if size >= limit:
                break
        share = rows / max(1, whole.metadata.num_rows)
    return SampleFile(file, path, "parquet", file.path.stat().st_size * share), size


def _look_ahead(stream: BinaryIO, meter: Meter, made: int) -> float:
    """Bytes on disk per decompressed byte, from a longer stretch than the sample.

    A decompressor reads ahead of what it gives, by up to a block (bzip2: 0.9 MB), which would count in a short one.

    Args:
        stream: The decompressed file.
        meter: The same file on disk.
        made: Bytes the stream has given, > 0; as many as the meter says: the file is not compressed.
    """
    ratio = meter.tell() / max(1, made)
    while ratio != 1 and made < _AHEAD_BYTES:
        try:
            piece = stream.read(_STEP)
        except (EOFError, OSError, zlib.error):
            break
        if not piece:
            break
        made += len(piece)
        ratio = meter.tell() / made
    return ratio


def _read(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, or all there are; a file that is read in small pieces gives one at a time."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _read_members(file: InputFile, source: Source, limit: int, folder: Path) -> Iterator[tuple[SampleFile, int]]:
    with file.path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    items = list_items(file.path)
    whole = sum(sizes[item.member] for item in items) or 1
    bytes_per_byte = file.path.stat().st_size / whole
    # Members are often ordered, as chapters are: take them from all over the archive.
    step = max(1, int(whole // max(limit, 1)))
    taken = 0
    for item in items[::step]:
        if taken >= limit:
            return
        chosen = _format(item, source)
        with open_bytes(item) as stream:
            data = stream.read(_WHOLE_BYTES if chosen in _ONLY_WHOLE else limit)
        is_cut = len(data) < sizes[item.member]
        end = _end_of_records(data, chosen) if is_cut else len(data)
        if not end:
            continue
        path = folder / f"{len(list(folder.iterdir())):06d}-{Path(item.member).name}"
        path.write_bytes(data[:end])
        taken += end
        yield SampleFile(file, path, chosen, end * bytes_per_byte), end


def _format(item: Item, source: Source) -> SourceFormat:
    return detect_format(item, first_bytes(item), source.kind) if source.format == "auto" else source.format


def _end_of_records(data: bytes, chosen: SourceFormat) -> int:
    """Where the last whole record of the beginning of a file ends; 0: nowhere.

    >>> _end_of_records(b">a\\nACGT\\n>b\\nAC", "fasta"), _end_of_records(b">a\\nACGT\\nACGT\\nAC", "fasta")
    (8, 13)
    """
    if chosen in _ONLY_WHOLE:
        return 0
    if chosen in _ENDS_OF_RECORDS:
        last = data.rfind(_ENDS_OF_RECORDS[chosen])
        return 0 if last < 0 else data.find(b"\n", last + 1) + 1 or len(data)
    if chosen == "fastq":
        lines = data.split(b"\n")[:-1]
        return sum(len(line) + 1 for line in lines[: len(lines) // 4 * 4])
    borders = [data.rfind(b"\n>") + 1, data.rfind(b"\n") + 1] if chosen == "fasta" else [data.rfind(b"\n") + 1]
    for border in borders:
        if border > len(data) // 2:
            return border
    if chosen in _ONLY_LINES:
        return borders[-1]
    # A long sequence or paragraph is cut inside, but no character is.
    return len(data) if data.isascii() else data.rfind(b" ") + 1


def _count(sample: SampleFile, config: CorpusConfig) -> SampleFile:
    source = config.sources[sample.file.source]
    skip: OnInvalid = "skip"
    sizes = []
    for record in read_records(
        sample.path, source.kind, format=sample.format, on_invalid=skip,
        case="keep" if needs_case(config.clean) else "upper",
    ):  # fmt: skip
        runs = (count_letters(run, source.kind) for _, run in clean(record, config.clean).runs)
        sizes.append(sum(size for size in runs if size >= config.min_letters))
    kept = [size for size in sizes if size]
    return replace(sample, records=len(kept), letters=sum(kept), longest=max(kept, default=0))


@dataclass(frozen=True)
class Estimate:
    """Letters and records of a group of files.

    `error` is the half-width of a 95 % interval relative to the letters, from the spread between the sampled files;
    None where one file in part cannot tell.
    """

    letters: float
    records: float
    error: float | None


def estimate(samples: Sequence[SampleFile], size: int) -> Estimate | None:
    """Letters of a group of files from those of a sample, in the ratio of bytes; None without a sample.

    Args:
        samples: What was read of the group.
        size: Bytes of all its files on disk.
    """
    used_of, letters_of = defaultdict[Path, float](float), Counter[Path]()
    for sample in samples:
        used_of[sample.file.path] += sample.used_bytes
        letters_of[sample.file.path] += sample.letters
    used, letters = sum(used_of.values()), sum(letters_of.values())
    if not used:
        return None
    scale = max(1.0, size / used)
    records = sum(sample.records for sample in samples) * scale
    share = min(1.0, used / size)
    if share > 0.999 or not letters:
        return Estimate(letters * scale, records, 0.0)
    number = len(used_of)
    if number < 2:
        return Estimate(letters * scale, records, None)
    ratio = letters / used
    spread = sum((letters_of[path] - ratio * used_of[path]) ** 2 for path in used_of)
    error = 2 * math.sqrt((1 - share) * spread * number / (number - 1)) / letters
    return Estimate(letters * scale, records, error)
