"""Read the items of a task as its files give them: letters and labels are checked later, in `cleaning`.

Generic readers, steered by the definition; those that need annotated records are in `annotated`, the one that cuts a
genome in `regions`.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from llama_gene.config import GeneKind, Split
from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.annotated import read_annotations, read_pairs_of_coding
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.files import open_table, read_fasta, task_path
from llama_gene.tasks.items import RawItem
from llama_gene.tasks.own_words import read_own_words
from llama_gene.tasks.regions import read_regions
from llama_gene.tasks.sources import (
    UNKNOWN_STATE,
    AnnotationReader,
    CodingReader,
    Column,
    FastaReader,
    InstructionsReader,
    PairsReader,
    RegionsReader,
    SplitMark,
    StatesReader,
    TableFormat,
    TableReader,
    TaskFile,
)

_LONGEST_CELL = 1 << 30


def read_items(task: Task, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    """Every item of a task, in the order of its files.

    Args:
        task: The definition.
        data: Folder its paths start from.
        inspector: Raises for a broken record, or counts it; receives what was left out.

    Raises:
        DataError: a file or column is missing or cannot be read.
    """
    reader = task.reader
    if isinstance(reader, TableReader):
        return _read_tables(reader, data)
    if isinstance(reader, FastaReader):
        return _read_fasta_items(reader, data, inspector)
    if isinstance(reader, StatesReader):
        return _read_states(reader, data, inspector)
    if isinstance(reader, PairsReader):
        return _read_pairs(reader, data, inspector)
    if isinstance(reader, InstructionsReader):
        return read_own_words(reader, data, lambda path: table_rows(path, data, "jsonl"))
    return _read_annotated(reader, task.inputs[0].kind, data, inspector)


def _read_annotated(
    reader: CodingReader | AnnotationReader | RegionsReader, kind: GeneKind, data: Path, inspector: Inspector
) -> Iterator[RawItem]:
    if isinstance(reader, CodingReader):
        return read_pairs_of_coding(reader, data, inspector)
    if isinstance(reader, AnnotationReader):
        return read_annotations(reader, kind, data, inspector)
    return read_regions(reader, data, inspector, lambda path: table_rows(path, data, reader.format))


def data_files(task: Task, data: Path) -> list[Path]:
    """Every file a task reads.

    >>> from llama_gene.tasks.definitions import load_task
    >>> [path.as_posix() for path in data_files(load_task("gb1"), Path("/data"))]
    ['/data/tasks/flip/gb1.zip']
    """
    reader = task.reader
    if isinstance(reader, StatesReader):
        paths = [reader.sequences, reader.states, *([reader.mask] if reader.mask else [])]
    else:
        paths = [path for file in reader.files for path in (file.path, file.mate) if path]
        paths += reader.lookups if isinstance(reader, PairsReader) else ()
        paths += [reader.genome] if isinstance(reader, RegionsReader) else []
    return sorted({task_path(path, data) for path in paths})


def _read_tables(reader: TableReader, data: Path) -> Iterator[RawItem]:
    for file in reader.files:
        name = task_path(file.path, data)
        count = 0
        for line, row in table_rows(file.path, data, reader.format, has_header=reader.header):
            count += 1
            yield _table_item(reader, file, row, f"{name}:{line}", line)
        if not count:
            raise DataError(f"{name}: the file holds no items. Expected one a line; fetch it again or name another.")


def _table_item(reader: TableReader, file: TaskFile, row: Mapping[Column, Any], where: str, line: int) -> RawItem:
    label = file.label if reader.label is None else _cell(row, reader.label, where)
    return RawItem(
        id=str(line) if reader.id is None else _cell(row, reader.id, where),
        where=where,
        sequences=tuple(_cell(row, column, where) for column in reader.sequences),
        answer=label or "",
        value=None if reader.value is None else _number(_cell(row, reader.value, where), where),
        split=file.split or _marked(reader.marks, lambda mark: _cell(row, mark.column or 0, where)),
        about=row,
    )


def table_rows(
    path: str, data: Path, form: TableFormat, *, has_header: bool = True
) -> Iterator[tuple[int, Mapping[Column, Any]]]:
    """Line number (1-based) and cells of each row of a table.

    Args:
        path: As a definition gives it.
        data: Folder it starts from.
        form: How columns are parted.
        has_header: The first line names the columns; else they are numbered from 0.

    Raises:
        DataError: the file cannot be read, or a line is no row of the table.
    """
    name = str(task_path(path, data))
    with open_table(path, data) as text:
        if form == "jsonl":
            yield from _json_rows(text, name)
            return
        rows = enumerate(map(str.split, text), start=1) if form == "spaces" else _csv_rows(text, form, name)
        columns: list[Column] | None = None
        for line, row in rows:
            if not row:
                continue
            if has_header and columns is None:
                columns = [column.strip().removeprefix("\ufeff") for column in row]
                continue
            if columns is not None and len(row) != len(columns):
                raise DataError(
                    f"{name}:{line}: {len(row)} columns where the header has {len(columns)}. Mend the line."
                )
            yield line, dict(zip(columns or range(len(row)), row, strict=True))


def _csv_rows(text: TextIO, form: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row, and the line it ends in: a cell in quotes may hold line feeds."""
    csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(text, delimiter="\t" if form == "tsv" else ",")
    try:
        yield from ((rows.line_num, row) for row in rows)
    except csv.Error as error:
        raise DataError(f"{name}:{rows.line_num}: not a table ({error}). Mend the line or set `format`.") from None


def _json_rows(text: TextIO, name: str) -> Iterator[tuple[int, Mapping[Column, Any]]]:
    for line, content in enumerate(text, start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except ValueError as error:
            raise DataError(f"{name}:{line}: not JSON ({error}). Expected one object a line.") from None
        if not isinstance(row, dict):
            raise DataError(f"{name}:{line}: not a JSON object. Expected one object a line.")
        yield line, row


def _cell(row: Mapping[Column, Any], column: Column, where: str) -> str:
    if column not in row:
        known = ", ".join(str(name) for name in row)
        raise DataError(f"{where}: no column {column!r}. It has {known}; mend the file or the definition.")
    cell = row[column]
    return "" if cell is None else str(cell).strip()  # null of JSON is no protein of the letters N, O, N, E


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # counted as 'value is not a number' with the other checks of the item


def _marked(marks: Sequence[SplitMark], look: Any) -> Split | None:
    return next((mark.split for mark in marks if re.search(mark.pattern, look(mark))), None)


def _read_fasta_items(reader: FastaReader, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    for file in reader.files:
        name = task_path(file.path, data)
        for number, (title, sequences) in enumerate(_fasta_rows(file, data), start=1):
            label = file.label or ""
            if reader.label_pattern is not None:
                found = re.search(reader.label_pattern, title)
                if found is None or not found[1]:
                    inspector.counts["title without an answer"] += 1
                    continue
                label = found[1].strip()
            identifier = title.split(maxsplit=1)[0] if title.strip() else ""
            yield RawItem(
                id=f"{identifier}.{number}" if len(sequences) > 1 else identifier or str(number),
                where=f"{name}: record {number}",
                sequences=sequences,
                answer=label,
                split=file.split or _marked(reader.marks, lambda mark, title=title: title),
                about={None: title},
            )


def _fasta_rows(file: TaskFile, data: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    if file.mate is None:
        yield from ((title, (letters,)) for title, letters in read_fasta(file.path, data))
        return
    first, second = list(read_fasta(file.path, data)), list(read_fasta(file.mate, data))
    if len(first) != len(second):
        raise DataError(
            f"{task_path(file.mate, data)}: {len(second)} records where {task_path(file.path, data)} has {len(first)}."
            " Record i of one pairs with record i of the other; mend the files."
        )
    for number, ((title, letters), (other, mate)) in enumerate(zip(first, second, strict=True), start=1):
        if title != other:
            raise DataError(f"{task_path(file.mate, data)}: record {number} is titled {other!r}, its mate {title!r}.")
        yield title, (letters, mate)


def _read_states(reader: StatesReader, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    chains = {_first_word(title): letters for title, letters in read_fasta(reader.sequences, data)}
    masks = {_first_word(title): mask for title, mask in read_fasta(reader.mask, data)} if reader.mask else {}
    name = task_path(reader.states, data)
    for number, (title, states) in enumerate(read_fasta(reader.states, data), start=1):
        identifier = _first_word(title)
        where = f"{name}: record {number} ({identifier})"
        if identifier not in chains:
            raise DataError(
                f"{where}: no such chain in {reader.sequences}. Every chain needs a sequence; mend the file."
            )
        mask = masks.get(identifier, "")
        if mask and len(mask) != len(states):
            inspector.refuse(
                "mask does not fit the chain",
                f"{where}: the mask has {len(mask)} places for {len(states)} states. Expected one a letter; mend the "
                "file or set on_invalid = 'skip'.",
            )
            continue
        if mask:
            states = "".join(s if known == "1" else UNKNOWN_STATE for s, known in zip(states, mask, strict=True))
        split = _marked(reader.marks, lambda mark, title=title: title)
        yield RawItem(identifier, where, (chains[identifier],), states, split=split, about={None: title})


def _first_word(title: str) -> str:
    return title.split(maxsplit=1)[0] if title.strip() else ""


def _read_pairs(reader: PairsReader, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    known = {path: _read_lookup(path, data, inspector) for path in sorted(set(reader.lookups))}
    lookups = [known[path] for path in reader.lookups]
    for file in reader.files:
        name = task_path(file.path, data)
        with open_table(file.path, data) as text:
            for line, content in enumerate(text, start=1):
                cells = content.split()
                if not cells:
                    continue
                if len(cells) <= max(*reader.ids, reader.label):
                    raise DataError(f"{name}:{line}: {len(cells)} columns. Expected identifiers and a label; mend it.")
                ids = [cells[column] for column in reader.ids]
                if any(key not in lookup for key, lookup in zip(ids, lookups, strict=True)):
                    inspector.counts["identifier without a sequence"] += 1
                    continue
                yield RawItem(
                    id="~".join(ids),
                    where=f"{name}:{line}",
                    sequences=tuple(lookup[key] for key, lookup in zip(ids, lookups, strict=True)),
                    answer=cells[reader.label],
                    split=file.split,
                    about=dict(enumerate(cells)),
                )


def _read_lookup(path: str, data: Path, inspector: Inspector) -> dict[str, str]:
    """Identifier to sequence; an identifier with two different ones is refused and has none."""
    found: dict[str, str] = {}
    ambiguous: set[str] = set()
    for name, letters in _lookup_rows(path, data):
        if found.setdefault(name, letters) != letters:
            ambiguous.add(name)
    for name in sorted(ambiguous):
        inspector.refuse(
            "identifier with two sequences",
            f"{task_path(path, data)}: {name!r} has two sequences. Mend the file or set on_invalid = 'skip'.",
        )
        del found[name]
    return found


def _lookup_rows(path: str, data: Path) -> Iterator[tuple[str, str]]:
    """Identifiers and sequences, from FASTA or from lines of both."""
    with open_table(path, data) as text:
        is_fasta = text.readline().startswith(">")
    if is_fasta:
        yield from ((_first_word(title), letters) for title, letters in read_fasta(path, data))
        return
    with open_table(path, data) as text:
        yield from ((row[0], row[1]) for row in map(str.split, text) if len(row) >= 2)
