"""Files of a published layout: which there are, what their names and folders say, and their rows, one at a time."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path, PurePosixPath
from typing import Any

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.sequences.fasta import read_fasta
from llama_gene.sequences.files import Inspector, Item, list_files, list_items, open_bytes, open_table, open_text
from llama_gene.tasks.importers.found import Seen
from llama_gene.tasks.importers.json_stream import read_json

_SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "valid", "val", "validation"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_SPLIT_WORD = re.compile(rf"(?:^|[_.-])(?:{'|'.join(_SPLITS)})(?=$|[_.-])", re.IGNORECASE)
_SHARD = re.compile(r"[_.-]\d+-of-\d+$")
_TAB_SEPARATED = (".tsv", ".tab", ".txt")
_BATCH_ROWS = 4096
_LONGEST_CELL = 1 << 30


def items_below(path: Path) -> list[Item]:
    """Every file at or below a path, and every member of its zip archives.

    Raises:
        DataError: nothing is there.
    """
    return [item for file in list_files(path) for item in list_items(file)]


def parts_of(item: Item, root: Path) -> tuple[str, ...]:
    """Folders and file name of an item below a root; a zip is a folder without its suffix, a file has no `.gz`.

    >>> parts_of(Item(Path("a/gb1.zip"), "splits/one.csv"), Path("a"))
    ('gb1', 'splits', 'one.csv')
    >>> parts_of(Item(Path("a/tf/0/train.csv.gz")), Path("a"))
    ('tf', '0', 'train.csv')
    """
    inside = item.path.relative_to(root) if item.path != root else Path(item.path.name)
    if item.member:
        return (*inside.with_suffix("").parts, *PurePosixPath(item.member).parts)
    return (*inside.parts[:-1], item.name)


def path_of(item: Item) -> str:
    """A whole path as definitions have it, with the member of a zip behind `!`.

    >>> path_of(Item(Path("/data/a.zip"), "one.csv"))
    '/data/a.zip!one.csv'
    """
    return f"{item.path.absolute()}!{item.member}" if item.member else str(item.path.absolute())


def file_entry(item: Item) -> dict[str, str]:
    """A file of a definition: its path, and the split that its name says."""
    split = split_in([stem_of(item)])
    return {"path": path_of(item), "split": split} if split else {"path": path_of(item)}


def suffix_of(item: Item) -> str:
    """The last suffix of a file name in small letters, behind that of its compression."""
    return PurePosixPath(item.name).suffix.lower()


def stem_of(item: Item) -> str:
    """The file name without its suffixes.

    >>> stem_of(Item(Path("train.csv.gz")))
    'train'
    """
    return PurePosixPath(item.name).stem


def split_in(words: Iterable[str]) -> Split | None:
    """The split that a file name or folder names as a word of its own.

    >>> split_in(["fluorescence_train"]), split_in(["data", "Sequences_Val"]), split_in(["trainer"])
    ('train', 'valid', None)
    """
    for word in words:
        for part in reversed(word.lower().replace("-", "_").replace(".", "_").split("_")):
            if part in _SPLITS:
                return _SPLITS[part]
    return None


def set_of(item: Item) -> str:
    """What a file is called without its split and the number of its shard, or else the folder that it lies in.

    >>> set_of(Item(Path("opi/ec_number_train.json"))), set_of(Item(Path("ours/test-00000-of-00001.parquet")))
    ('ec_number', 'ours')
    """
    name = _SPLIT_WORD.sub("", _SHARD.sub("", stem_of(item))).strip("_.-")
    whole = Item(item.path.absolute(), item.member)
    return name or parts_of(whole, whole.path.parent.parent)[-2:][0]


def is_split(stem: str) -> bool:
    """Whether a file is named by a split and nothing else."""
    return stem.lower() in _SPLITS


def group_by_folder(items: Sequence[Item], root: Path) -> dict[tuple[str, ...], list[Item]]:
    """Items by the folder they lie in, as parts below the root; in order of the folders.

    The root itself goes by its own name.
    """
    found: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        found[parts_of(item, root)[:-1] or (root.name.partition(".")[0] or "data",)].append(item)
    return dict(sorted(found.items()))


def group_by_set(items: Sequence[Item], root: Path) -> dict[tuple[str, ...], list[Item]]:
    """Files that differ in their split alone, by their folders below the root and their name; in order."""
    found: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        found[(*parts_of(item, root)[:-1], set_of(item))].append(item)
    return dict(sorted(found.items()))


def read_rows(item: Item, inspector: Inspector) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and cells of every row of a table with a header: CSV, TSV, JSON, JSON lines or Parquet.

    Raises:
        DataError: the file cannot be read, or a row is broken and bad rows are not to be skipped.
    """
    suffix = suffix_of(item)
    if suffix == ".parquet":
        yield from _parquet_rows(item)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        for number, value in read_json(item):
            if isinstance(value, dict):
                yield f"{item.label}: record {number}", value
            else:
                inspector.refuse("not an object", f"{item.label}: record {number} is no JSON object. Mend the file.")
    else:
        yield from _text_rows(item, "\t" if suffix in _TAB_SEPARATED else ",", inspector)


def _text_rows(item: Item, delimiter: str, inspector: Inspector) -> Iterator[tuple[str, Mapping[str, Any]]]:
    csv.field_size_limit(_LONGEST_CELL)
    header: list[str] | None = None
    with open_text(item, errors="replace") as text:
        rows = csv.reader(text, delimiter=delimiter)
        try:
            for row in rows:
                where = f"{item.label}:{rows.line_num}"
                if header is None:
                    header = [name.strip() for name in row] if row else None
                elif row and len(row) != len(header):
                    inspector.refuse(
                        "row of another length",
                        f"{where}: {len(row)} columns where the header has {len(header)}. Mend the line.",
                    )
                elif row:
                    yield where, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise DataError(f"{item.label}:{rows.line_num}: not a table ({error}). Mend the line.") from None


def _parquet_rows(item: Item) -> Iterator[tuple[str, Mapping[str, Any]]]:
    file = open_table(item)
    number = 0
    for batch in file.iter_batches(_BATCH_ROWS):
        for row in batch.to_pylist():
            number += 1
            yield f"{item.label}: row {number}", row


def columns_of(item: Item) -> list[str]:
    """The columns that a table's header, or its first object, names.

    Raises:
        DataError: the file is empty or cannot be read.
    """
    suffix = suffix_of(item)
    if suffix == ".parquet":
        return list(open_table(item).schema_arrow.names)
    if suffix in (".json", ".jsonl", ".ndjson"):
        first = next((value for _, value in read_json(item)), None)
        return list(first) if isinstance(first, dict) else []
    with open_text(item, errors="replace") as text:
        for row in csv.reader(text, delimiter="\t" if suffix in _TAB_SEPARATED else ","):
            if row:
                return [name.strip() for name in row]
    raise DataError(f"{item.label}: the file is empty. Expected a header and rows; fetch it again.")


def need_columns(item: Item, wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: one is missing.
    """
    found = columns_of(item)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{item.label}: no column {missing[0]!r}. Expected {', '.join(wanted)}; it has {', '.join(found)}. "
            "Check --format, or name another file."
        )


def need_items(items: Sized, path: Path, expected: str) -> None:
    """Refuse a path without a file of the layout.

    Raises:
        DataError: there is none.
    """
    if not items:
        raise DataError(f"{path}: holds nothing of this format. Expected {expected}; check the path and --format.")


def look_through(items: Iterable[Item], column: str, inspector: Inspector) -> Seen:
    """What stands in one column of tables that are going to be read as they are."""
    seen = Seen()
    for item in items:
        for _, row in read_rows(item, inspector):
            seen.add(str(row.get(column, "")).strip(), None)
    return seen


def fasta_records(item: Item) -> Iterator[tuple[str, str]]:
    """Title and letters of each record of a FASTA file.

    Raises:
        DataError: it cannot be read or holds no record.
    """
    count = 0
    with open_bytes(item) as stream:
        for record in read_fasta(stream):
            count += 1
            yield record
    if not count:
        raise DataError(f"{item.label}: holds no FASTA record. Expected lines that begin with '>'; check --format.")


def first_line(item: Item) -> str:
    """The first line of a text that is not empty; "" where there is none."""
    with open_text(item, errors="replace") as text:
        return next((line.rstrip("\n") for line in text if line.strip()), "")


def is_fasta(item: Item) -> bool:
    """Whether a text begins with a FASTA title."""
    return first_line(item).startswith(">")


def number_of(cell: Any) -> float:
    """The number in a cell; NaN, which is counted and left out when the task is split, where there is none.

    >>> number_of("1.5"), number_of([0.25]), number_of("-")
    (1.5, 0.25, nan)
    """
    try:
        return float(cell[0] if isinstance(cell, list) and len(cell) == 1 else cell)
    except (TypeError, ValueError):
        return float("nan")
