"""The items of a file, one at a time: records of FASTA, FASTQ, GenBank and the like, or rows of a table.

A task of several sequences is read from a table, a column for each. What cannot be asked is counted by reason, or stops
the reading, as `on_invalid` says.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_gene.assistant.conversation import check_inputs
from llama_gene.assistant.inputs import checked_record
from llama_gene.config import OnInvalid
from llama_gene.errors import DataError
from llama_gene.sequences.detect import detect_format
from llama_gene.sequences.files import Inspector, Item, first_bytes, list_items, open_text
from llama_gene.sequences.readers import read_records
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.sources import TableReader

_ID_COLUMNS = ("id", "name", "accession", "entry")
_LONGEST_CELL = 1 << 30


@dataclass(frozen=True)
class Asked:
    """One item: its name, its checked letters in the order of the task's inputs, and what was mended in them."""

    id: str
    sequences: tuple[str, ...]
    notices: tuple[str, ...] = ()


def read_asked(
    path: Path, task: Task, *, columns: Sequence[str] = (), on_invalid: OnInvalid, counts: Counter[str]
) -> Iterator[Asked]:
    """Stream the items of a file; memory holds one at a time.

    Args:
        path: FASTA, FASTQ, GenBank, UniProt, JSON lines, or a table with a header; plain or compressed.
        task: Says how many sequences an item has, and of which kinds.
        columns: Table: column of each sequence, in order of the task's inputs; empty: those of the task's own table,
            else the usual names.
        on_invalid: error: stop at a bad item; skip: count it.
        counts: Filled with changes and refusals, by reason.

    Raises:
        DataError: no such file, no such column, several sequences are asked for in a file that is no table, or a bad
            item where `on_invalid` is "error".
    """
    check_inputs(task)
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected FASTA, FASTQ, GenBank or a table; check the path.")
    if _is_table(path, task):
        yield from _rows(path, task, columns, Inspector(on_invalid, counts))
        return
    if len(task.inputs) > 1:
        raise DataError(
            f"{path}: no table, and task {task.name!r} asks about {len(task.inputs)} sequences at a time. Expected a "
            "CSV or TSV file with a column for each; name them with --column."
        )
    if columns:
        raise DataError(f"{path}: no table, so --column {columns[0]} means nothing. Leave it out.")
    kind = task.inputs[0].kind
    for record in read_records(path, kind, on_invalid=on_invalid, counts=counts, repeats="keep"):
        yield Asked(record.id, (record.text,))


def _is_table(path: Path, task: Task) -> bool:
    items = list_items(path)
    if not items:
        raise DataError(f"{path}: an archive with nothing in it. Expected a file of sequences; fetch it again.")
    start = first_bytes(items[0])
    return bool(start.strip()) and detect_format(items[0], start, task.inputs[0].kind) == "table"


def _rows(path: Path, task: Task, columns: Sequence[str], inspector: Inspector) -> Iterator[Asked]:
    csv.field_size_limit(_LONGEST_CELL)
    for item in list_items(path):
        with open_text(item) as text:
            header = text.readline()
            delimiter = "\t" if "\t" in header else ","
            names = [_mend(name.strip()) for name in next(csv.reader([header], delimiter=delimiter), [])]
            wanted = _columns(item, names, task, columns)
            named = next((name for name in names if name.lower() in _ID_COLUMNS and name not in wanted), None)
            rows = csv.DictReader(text, names, delimiter=delimiter, restkey="", restval="")
            for number, row in enumerate(_whole(rows, item), start=2):
                name = _mend(row[named]).strip() if named and row[named].strip() else str(number - 1)
                asked = _checked(f"{item.label}:{number}", name, [row[column] for column in wanted], task, inspector)
                if asked is not None:
                    yield asked


def _whole(rows: "csv.DictReader[str]", item: Item) -> Iterator[Mapping[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(f"{item.label}:{rows.line_num}: not a row of a table ({error}). Mend the file.") from None


def _columns(item: Item, names: Sequence[str], task: Task, asked: Sequence[str]) -> list[str]:
    """The column of each input: as asked, as in the task's own table, or by the usual names."""
    size = len(task.inputs)
    if asked and len(asked) != size:
        raise DataError(f"{len(asked)} column(s) named, task {task.name!r} asks about {size} sequence(s). Name {size}.")
    own = [str(column) for column in task.reader.sequences] if isinstance(task.reader, TableReader) else []
    kinds: list[str] = [wanted.kind for wanted in task.inputs]
    usual = [["sequence"], ["seq"], kinds] if size == 1 else [[f"sequence_{place + 1}" for place in range(size)]]
    usual += [[wanted.called for wanted in task.inputs]] if len(set(kinds)) == size else []
    lower = {name.lower(): name for name in names}
    for choice in [list(asked)] if asked else [own, *usual]:
        if choice and all(column.lower() in lower for column in choice):
            return [lower[column.lower()] for column in choice]
    expected = " and ".join(asked or own or usual[0])
    raise DataError(
        f"{item.label}:1: no column {expected}. The header has {', '.join(names) or 'nothing'}; name the "
        f"column{'s' * (size > 1)} of the {' and '.join(kinds)} sequence{'s' * (size > 1)} with --column."
    )


def _checked(where: str, name: str, cells: Sequence[str], task: Task, inspector: Inspector) -> Asked | None:
    found: list[str] = []
    notices: list[str] = []
    for letters, wanted in zip(cells, task.inputs, strict=True):
        try:
            record, mended = checked_record(letters or "", wanted.kind, where)
        except DataError as error:
            inspector.refuse("letters missing or outside the alphabet", str(error))
            return None
        found.append(record.text)
        notices.extend(notice.partition(": ")[2] for notice in mended)
    return Asked(name, tuple(found), tuple(notices))


def _mend(words: str) -> str:
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
