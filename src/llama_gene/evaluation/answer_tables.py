"""Read a file of answers, whoever wrote it, as rows.

JSON (a list of records, records by id, a table of columns as lists or by number, or one of these inside an object),
one JSON object a line, CSV, TSV, and plain text with an answer a line; each plain or compressed.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text

Row = dict[str, Any]

LINE = "answer"
_LONGEST_CELL = 1 << 30
_EXPECTED = "Expected answers as JSON, JSONL, CSV, TSV or text lines"


def read_table(path: Path) -> list[Row]:
    """The rows of a file, at least one, in order.

    Args:
        path: .json, .jsonl, .csv, .tsv or .txt, maybe with .gz or .zst after it; other names are read by their looks.

    Raises:
        DataError: no such file, not UTF-8, broken, empty, or a row of another length than the header.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. {_EXPECTED}; check the path.")
    item = Item(path)
    try:
        with open_text(item, errors="strict") as stream:
            text = stream.read()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}). Save it as UTF-8.") from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty. {_EXPECTED}.")
    suffix = Path(item.name).suffix.lower()
    if suffix == ".txt":
        return [{LINE: line} for line in text.rstrip("\n").split("\n")]
    if suffix in (".csv", ".tsv") or (suffix not in (".json", ".jsonl", ".ndjson") and text.lstrip()[0] not in "[{"):
        return _delimited(text, path, "\t" if suffix == ".tsv" or "\t" in text.partition("\n")[0] else ",")
    return _json_rows(text, path, by_line=suffix in (".jsonl", ".ndjson"))


def _delimited(text: str, path: Path, delimiter: str) -> list[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(lines)
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}:1: the column {repeated[0]!r} comes twice. Expected each name once; rename one.")
    rows = []
    for cells in lines:
        if len(cells) not in (0, len(header)):
            raise DataError(
                f"{path}:{lines.line_num}: {len(cells)} fields, the header has {len(header)}. Expected as many; put "
                "quotes around a field that holds the delimiter."
            )
        if cells:
            rows.append(dict(zip(header, cells, strict=True)))
    return _some(rows, path)


def _json_rows(text: str, path: Path, *, by_line: bool) -> list[Row]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if by_line or (len(lines) > 1 and _is_object(lines[0][1])):
        return _some([_json(line, f"{path}:{number}") for number, line in lines], path)
    return _some(_rows_in(_json(text, str(path)), path), path)


def _rows_in(value: Any, path: Path) -> Any:
    """The records of a JSON document."""
    if not isinstance(value, dict):
        return value
    parts = list(value.values())
    if parts and all(isinstance(part, dict) for part in parts):
        # A data frame writes its columns by row number, other tables their records by id.
        columns = all(list(part) == [str(number) for number in range(len(part))] for part in parts)
        return _columns({name: list(part.values()) for name, part in value.items()}, path) if columns else parts
    lists = {name: part for name, part in value.items() if isinstance(part, list)}
    if len(lists) == 1 and all(isinstance(one, dict) for one in next(iter(lists.values()))):
        return next(iter(lists.values()))
    return _columns(lists, path) if lists and len(lists) == len(value) else [value]


def _columns(columns: Mapping[str, list[Any]], path: Path) -> list[Row]:
    lengths = {len(column): name for name, column in columns.items()}
    if len(lengths) > 1:
        (one, first), (other, second) = sorted(lengths.items())[:2]
        raise DataError(
            f"{path}: column {first!r} has {one} values and {second!r} {other}. Expected a value of each for every "
            "answer; write the file again."
        )
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _some(rows: Any, path: Path) -> list[Row]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected a list of records with an expected and a given answer, found none.")
    return rows


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}). {_EXPECTED}.") from None
