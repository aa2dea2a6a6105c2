"""Find input files, look into zips, decompress, and say plainly what is wrong with a file or record."""

import io
import logging
import weakref
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from xopen import xopen

from llama_gene.config import OnInvalid
from llama_gene.errors import DataError
from llama_gene.storage import is_remote

logger = logging.getLogger(__name__)

_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Item:
    """One file, or one member of a zip."""

    path: Path
    member: str = ""

    @property
    def label(self) -> str:
        """How messages and counts name it."""
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file name without the suffix of its compression."""
        name = Path(self.member).name if self.member else self.path.name
        stem, dot, suffix = name.rpartition(".")
        return stem if f"{dot}{suffix}".lower() in _COMPRESSED else name


@dataclass(frozen=True)
class Lost:
    """Whole records that give nothing, and their letters as far as these can be told, by reason."""

    records: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Inspector:
    """What happens to bad input: `refuse` raises, or counts where bad records are to be skipped."""

    on_invalid: OnInvalid = "error"
    counts: Counter[str] = field(default_factory=Counter)
    lost: Lost = field(default_factory=Lost)

    def refuse(self, reason: str, message: str, *, records: int = 0, letters: int = 0) -> None:
        """Raise the message, or count the reason.

        Args:
            reason: What is wrong, in a few words.
            message: What, where, what was expected, what to do.
            records: Whole records that are lost by it; 0 for a file, or a line of one.
            letters: Of these records, as far as they can be told.

        Raises:
            DataError: `on_invalid` is "error".
        """
        if self.on_invalid == "error":
            raise DataError(message)
        self.counts[reason] += 1
        self._lose(reason, records, letters)
        logger.info("skipped: %s", message)

    def leave_out(self, reason: str, letters: int) -> None:
        """Count a record that is no error and yet gives nothing."""
        self.counts[reason] += 1
        self._lose(reason, 1, letters)

    def _lose(self, reason: str, records: int, letters: int) -> None:
        if records:
            self.lost.records[reason] += records
            self.lost.letters[reason] += letters

    def note(self, change: str, times: int = 1) -> None:
        """Count a change that was made."""
        self.counts[change] += times


def list_files(path: Path) -> list[Path]:
    """The files a path stands for: itself, all files below a folder, or the matches of a glob; sorted.

    Hidden files are left out of folders and globs.

    Raises:
        DataError: nothing is there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "b.fa").touch()
    ...     (Path(folder) / "a.fa").touch()
    ...     [file.name for file in list_files(Path(folder) / "*.fa")]
    ['a.fa', 'b.fa']
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path))]
    elif any(_is_pattern(part) for part in path.parts):
        found = _match(path)
    else:
        raise DataError(f"{path}: no such file or folder. Expected a file, a folder or a glob; check the path.")
    if not found:
        raise DataError(f"{path}: no files there. Expected at least one; check the folder or the glob.")
    return sorted(found)


def _is_pattern(part: str) -> bool:
    return any(letter in part for letter in "*?[")


def _match(pattern: Path) -> list[Path]:
    first = next(index for index, part in enumerate(pattern.parts) if _is_pattern(part))
    # Not put together from its parts: in object storage that would be a path of this machine.
    folder = pattern.parents[len(pattern.parts) - first - 1]
    found = folder.glob("/".join(pattern.parts[first:]))
    return [file for file in found if file.is_file() and not _is_hidden(file.relative_to(folder))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def list_items(path: Path) -> list[Item]:
    """A file as one item, a zip as one item per member, sorted by name.

    Raises:
        DataError: the file is missing or is no readable zip.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check the path.")
    if path.suffix.lower() != ".zip":
        return [Item(path)]
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: not a readable zip ({error}). Fetch the file again.") from None
    return [Item(path, name) for name in sorted(names) if not _is_hidden(Path(name)) and "__MACOSX" not in name]


@contextmanager
def open_bytes(item: Item) -> Iterator[BinaryIO]:
    """The decompressed bytes of an item, as a buffered stream.

    Raises:
        DataError: the file cannot be read, or its compression is broken (also while reading inside the block).
    """
    try:
        if item.member:
            with _archive(item.path, item.path.stat().st_mtime).open(item.member) as stream:
                yield io.BufferedReader(stream, _BUFFER_BYTES)  # type: ignore[type-var,unused-ignore]
        else:
            # A stream has no name to tell its compression by: xopen looks at its first bytes. It leaves it open.
            source = item.path.open("rb") if is_remote(item.path) else nullcontext(item.path)
            with source as file, xopen(file, "rb", threads=0) as stream:
                yield stream
    except EOFError:
        raise DataError(
            f"{item.label}: the compressed file ends too early. Expected a whole file; fetch it again."
        ) from None
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        raise DataError(
            f"{item.label}: cannot be read ({error}). Expected a whole, readable file; fetch it again."
        ) from None


@lru_cache(maxsize=1)
def _archive(path: Path, changed: float) -> zipfile.ZipFile:
    """A zip, kept open for its next member: its directory is as long as it has members."""
    file = path.open("rb")
    archive = zipfile.ZipFile(file)
    # It closes what it opened itself, and members that are read keep it.
    weakref.finalize(archive, file.close)
    return archive


@contextmanager
def open_text(item: Item, errors: str = "surrogateescape") -> Iterator[TextIO]:
    """The text of an item as UTF-8; every kind of line end is read as one line feed.

    Args:
        item: What to read.
        errors: How bytes that are not UTF-8 are read; "strict" raises UnicodeDecodeError.
    """
    with open_bytes(item) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", errors=errors) as text:
        yield text


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file of an earlier stage; nothing but its end is read yet.

    Raises:
        DataError: it is not there, or is no whole Parquet file.
    """
    return _open_parquet(path, "Expected a whole stage folder; run the stage that makes it again.")


def read_batches(path: Path, columns: Sequence[str], rows: int = 65_536) -> Iterator[pa.RecordBatch]:
    """Some columns of a Parquet file of an earlier stage, at most so many rows at a time.

    Raises:
        DataError: as `open_parquet`.
    """
    with open_parquet(path) as file:
        yield from file.iter_batches(rows, columns=list(columns))


def open_table(item: Item) -> pq.ParquetFile:
    """A Parquet file from elsewhere; its index is at its end, so a member of a zip has to be unpacked first.

    Raises:
        DataError: it is no whole Parquet file, or lies in a zip.
    """
    if item.member:
        raise DataError(f"{item.label}: a Parquet file inside a zip. Unpack the archive and name its folder.")
    return _open_parquet(item.path, "Expected a whole file; fetch it again.")


def _open_parquet(path: Path, advice: str) -> pq.ParquetFile:
    try:
        # What is handed over open would stay so when this is closed.
        return pq.ParquetFile(path.path, filesystem=path.fs) if is_remote(path) else pq.ParquetFile(path)  # type: ignore[attr-defined]
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({error}). {advice}") from None


def first_bytes(item: Item, size: int = 4096) -> bytes:
    """The first decompressed bytes of an item.

    Raises:
        DataError: the file cannot be read.
    """
    with open_bytes(item) as stream:
        return stream.read(size)
