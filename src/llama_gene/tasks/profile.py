"""What the columns of a table hold, in one pass: letters, numbers, a few values or free text."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from llama_gene.config import GeneKind
from llama_gene.errors import DataError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Item, first_bytes
from llama_gene.tasks.files import task_path
from llama_gene.tasks.readers import table_rows
from llama_gene.tasks.sources import Column, TableFormat

FileFormat = Literal["csv", "tsv", "spaces", "jsonl", "fasta"]
_MISSING = frozenset({"", "na", "nan", "n/a", "null"})
_MOST_VALUES = 1000
_SAMPLE_ROWS = 2000
_HEAD_BYTES = 1 << 16
_NEARLY_ALL = 0.98
_SHORTEST = {"dna": 8, "protein": 15}
_PLAIN = {"dna": frozenset("ACGTUN"), "protein": frozenset("ACDEFGHIKLMNPQRSTVWYX")}
_PLAIN_SHARE = {"dna": 0.95, "protein": 0.97}
_BINARY = (("PK", "a zip or an Excel workbook"), ("PAR1", "Parquet"), ("SQLite", "a database"))


@dataclass
class ColumnProfile:
    """One column: how many cells are filled, the values with their counts, and how it reads.

    `values` stops at a bounded number of different ones (`is_open`); `cells` are those of the sampled rows.
    """

    name: Column
    filled: int = 0
    missing: int = 0
    numbers: int = 0
    whole_numbers: int = 0
    is_open: bool = False
    values: Counter[str] = field(default_factory=Counter)
    missing_values: Counter[str] = field(default_factory=Counter)
    cells: list[str] = field(default_factory=list)

    def add(self, cell: str, *, sampled: bool) -> None:
        """Count one cell."""
        if sampled:
            self.cells.append(cell)
        if is_missing(cell):
            self.missing += 1
            self.missing_values[cell] += 1
            return
        self.filled += 1
        number = _number(cell)
        self.numbers += number is not None
        self.whole_numbers += number is not None and number.is_integer()
        if cell in self.values or len(self.values) < _MOST_VALUES:
            self.values[cell] += 1
        else:
            self.is_open = True

    @property
    def is_numeric(self) -> bool:
        """Nearly every filled cell is a number."""
        return self.filled > 0 and self.numbers >= _NEARLY_ALL * self.filled

    @property
    def kind(self) -> GeneKind | None:
        """dna or protein where nearly every sampled cell is a sequence of it.

        >>> column = ColumnProfile("s")
        >>> for cell in ("ACGTACGTAA", "acgtnnacgt"):
        ...     column.add(cell, sampled=True)
        >>> column.kind
        'dna'
        """
        cells = [cell for cell in self.cells if not is_missing(cell)]
        kinds: tuple[GeneKind, ...] = ("dna", "protein")
        for kind in kinds:
            fitting = sum(_reads_as(cell, kind) for cell in cells)
            if cells and fitting >= _NEARLY_ALL * len(cells) and median(map(len, cells)) >= _SHORTEST[kind]:
                return kind
        return None

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Shortest, median and longest of the sampled cells."""
        lengths = sorted(len(cell) for cell in self.cells if cell) or [0]
        return lengths[0], int(median(lengths)), lengths[-1]


@dataclass(frozen=True)
class TableProfile:
    """A table: how it is read, how many rows it has, and its columns in order."""

    format: TableFormat
    has_header: bool
    rows: int
    columns: Mapping[Column, ColumnProfile]


def detect_file(path: Path) -> FileFormat:
    """How a file is read, by its first line.

    Raises:
        DataError: missing, empty, or of a kind that is no text.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.txt")
    ...     _ = file.write_text("sequence,label")
    ...     detect_file(file)
    'csv'
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check the path.")
    head = first_bytes(Item(path), _HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    for mark, what in _BINARY:
        if text.startswith(mark):
            raise DataError(f"{path}: this is {what}. Expected CSV, TSV, JSON lines or FASTA; export it as CSV.")
    line = next((line for line in text.splitlines() if line.strip()), "")
    if not line:
        raise DataError(f"{path}: the file is empty. Expected a table or FASTA.")
    if line.startswith(">"):
        return "fasta"
    if line.lstrip().startswith("{"):
        return "jsonl"
    if line.lstrip().startswith("["):
        raise DataError(f"{path}: a JSON array. Expected one object a line; write it so, or as CSV.")
    marks = {"tsv": line.count("\t"), "csv": line.count(",")}
    if line.count(";") > max(marks.values()):
        raise DataError(f"{path}: columns parted by ';'. Expected ',' or tabs; export it so.")
    if not any(marks.values()):
        return "spaces" if len(line.split()) > 1 else "csv"
    return "tsv" if marks["tsv"] >= marks["csv"] else "csv"


def profile_table(path: str, data: Path, form: TableFormat) -> TableProfile:
    """Read a table once and describe its columns.

    Args:
        path: As a definition would give it.
        data: Folder it starts from.
        form: How columns are parted.

    Raises:
        DataError: it cannot be read, holds no rows, or names a column twice.
    """
    first = [str(cell).strip() for _, cells in _first(path, data, form) for cell in cells]
    has_header = form == "jsonl" or not any(_is_data(cell) for cell in first)
    if has_header and len(set(first)) < len(first):
        twice = next(name for name, count in Counter(first).items() if count > 1)
        raise DataError(f"{task_path(path, data)}: two columns are named {twice!r}. Rename one of them.")
    columns: dict[Column, ColumnProfile] = {}
    rows = 0
    for _, row in show_progress(table_rows(path, data, form, has_header=has_header), "Reading the table"):
        for name in (key for key in row if key not in columns):  # a key that earlier objects lack
            columns[name] = _empty_column(name, rows)
        for name, column in columns.items():
            column.add(str(row.get(name, "")).strip(), sampled=rows < _SAMPLE_ROWS)
        rows += 1
    if not rows:
        raise DataError(f"{task_path(path, data)}: no rows below the header. Expected one item a line.")
    return TableProfile(form, has_header, rows, columns)


def _empty_column(name: Column, rows: int) -> ColumnProfile:
    missing = Counter({"": rows}) if rows else Counter[str]()
    return ColumnProfile(name, missing=rows, missing_values=missing, cells=[""] * min(rows, _SAMPLE_ROWS))


def is_missing(cell: str) -> bool:
    """True for what stands where nothing is known; `none` in small letters is a word like any other.

    >>> is_missing("NaN"), is_missing("None"), is_missing("none")
    (True, True, False)
    """
    return cell == "None" or cell.casefold() in _MISSING


def _first(path: str, data: Path, form: TableFormat) -> Iterator[tuple[int, Sequence[Any]]]:
    """Cells of the first line, or keys of the first object."""
    for line, row in table_rows(path, data, form, has_header=False):
        yield line, list(row) if form == "jsonl" else list(row.values())
        return


def _is_data(cell: str) -> bool:
    """True for what no header would hold: a number or a sequence of letters."""
    return _number(cell) is not None or any(
        len(cell) >= _SHORTEST[kind] and _reads_as(cell, kind) and cell.isupper() for kind in ("dna", "protein")
    )


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _reads_as(cell: str, kind: str) -> bool:
    """Nearly all plain letters, of one case in a protein: a word is hardly ever so."""
    is_one_case = kind == "dna" or cell.isupper() or cell.islower()
    if not cell.isascii() or not cell.rstrip("*").isalpha() or not is_one_case:
        return False
    plain = sum(letter in _PLAIN[kind] for letter in cell.upper())
    return plain >= _PLAIN_SHARE[kind] * len(cell)
