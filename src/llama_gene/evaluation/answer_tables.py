"""Read a file of answers, whoever wrote it, as rows.

JSON (a list of records, records by id, a table of columns as lists or by number, or one of these inside an object),
one JSON object a line, CSV (commas or semicolons), TSV, and plain text with an answer a line; each plain or compressed.
Samples that the LM Evaluation Harness logs (`lm_eval/loggers/evaluation_tracker.py` of lm-eval 0.4.13) are unpacked.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text

Row = dict[str, Any]

LINE = "answer"
_LONGEST_CELL = 1 << 30
_OF_CELLS = (".csv", ".tsv", ".txt")
_OF_JSON = (".json", ".jsonl", ".ndjson")
# Our own export begins each choice with the end of the response heading.
_AROUND_CHOICE = " :\n"
_END_TOKENS = re.compile(r"(?:\s*(?:</s>|<\|[a-z_]+\|>|<eos>|<end_of_turn>|<pad>))+\s*$")
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
    header = text.partition("\n")[0]
    if suffix == ".txt" and "\t" not in header:
        return [{LINE: line} for line in text.rstrip("\n").split("\n")]
    if suffix in _OF_CELLS or (suffix not in _OF_JSON and text.lstrip()[0] not in "[{"):
        return _delimited(text, path, "\t" if suffix == ".tsv" else max(",;\t", key=header.count))
    return [unpack_sample(row) for row in _json_rows(text, path, by_line=suffix in (".jsonl", ".ndjson"))]


def unpack_sample(row: Row) -> Row:
    """The question and the answer of a sample of the LM Evaluation Harness as cells; any other row as it is.

    Of choices, the answer is the likeliest, and the target the choice of that number.

    >>> request = {"arg_0": "Is it low or high?", "arg_1": {"until": []}}
    >>> logged = {"target": "low", "arguments": {"gen_args_0": request}, "filtered_resps": ["high"], "filter": "none"}
    >>> unpacked = unpack_sample(logged)
    >>> unpacked["prompt"], unpacked["target"], unpacked["filtered_resps"]
    ('Is it low or high?', 'low', 'high')
    """
    answers, requests = row.get("filtered_resps"), row.get("arguments")
    if not isinstance(answers, list) or not isinstance(requests, dict) or len(answers) != len(requests):
        return row
    asked = [(one["arg_0"], one["arg_1"]) for one in requests.values()]
    found = {**row, "prompt": asked[0][0]}
    if not all(isinstance(answer, list) for answer in answers):
        return {**found, "filtered_resps": answers[0]}
    choices = [without_end_tokens(str(choice)).strip(_AROUND_CHOICE) for _, choice in asked]
    nats = np.array([float(answer[0]) for answer in answers])
    target = str(row.get("target"))
    return {
        **found,
        "filtered_resps": choices[int(nats.argmax())],
        "target": choices[int(target)] if target.isdecimal() and int(target) < len(choices) else target,
        "labels": choices,
        "scores": dict(zip(choices, softmax(nats).tolist(), strict=True)),
    }


def without_end_tokens(text: str) -> str:
    """A text without the end tokens that some programs leave behind it.

    >>> without_end_tokens("promoter<|im_end|>\\n"), without_end_tokens("promoter</s><pad><pad>")
    ('promoter', 'promoter')
    """
    return _END_TOKENS.sub("", text)


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
