"""Records from JSON, JSON lines, Parquet, and tables with a header: the sequence or the text sits in a known field."""

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from llama_gene.config import Kind
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector, Item, open_bytes, open_table, open_text
from llama_gene.sequences.prose import decode

SEQUENCE_FIELDS = ("sequence", "seq", "dna", "protein", "rna")
_ID_FIELDS = ("id", "_id", "pmid", "pubid", "corpusid", "doi", "accession", "entry", "name")
_TITLE_FIELDS = ("title", "question")
_TEXT_FIELDS = ("abstract", "contexts", "context", "text", "body", "content", "long_answer")
# What S2ORC marks in the text of a paper; the rest are authors, figures, tables, formulas and references.
_MARKED = ("title", "abstract", "sectionheader", "section_header", "paragraph")
_BATCH_ROWS = 256
_LONGEST_CELL = 1 << 30


class Place(NamedTuple):
    """Where an object stands: the line or the number of the object, and the name it has by default."""

    item: Item
    number: int
    name: str


def parse_json(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a JSON file: an object, a list of objects, objects by id (PubMedQA), or one object a line.

    The whole file is held in memory unless it has one object a line.
    """
    with open_bytes(item) as stream:
        first = stream.readline()
        while first and not first.strip():
            first = stream.readline()
    if _is_object(first):
        yield from parse_jsonl(item, kind, inspector)
        return
    with open_bytes(item) as stream:
        text = decode(stream.read(), 1, item, inspector, records=0)
    if text is None:
        return
    try:
        value = json.loads(text)
    except ValueError as error:
        inspector.refuse("broken JSON", f"{item.label}: not JSON ({error}). Mend the file.")
        return
    for number, (name, fields) in enumerate(_objects(value), start=1):
        yield from _entry(Place(item, number, name or str(number)), fields, kind, inspector)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _objects(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield from (("", fields) for fields in value)
    elif isinstance(value, dict) and value and all(isinstance(fields, dict) for fields in value.values()):
        yield from sorted(value.items())
    else:
        yield "", value


def parse_jsonl(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a file with one JSON object a line, streamed."""
    with open_bytes(item) as stream:
        for number, line in enumerate(stream, start=1):
            text = decode(line, number, item, inspector)
            if text is None or not text.strip():
                continue
            try:
                value = json.loads(text)
            except ValueError as error:
                inspector.refuse("broken JSON", f"{item.label}:{number}: not JSON ({error}). Mend the line.", records=1)
                continue
            yield from _entry(Place(item, number, str(number)), value, kind, inspector)


def _entry(place: Place, value: Any, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    fields = {str(key).lower(): part for key, part in value.items()} if isinstance(value, dict) else {}
    wanted = _fields_of(kind)
    letters = _prose(fields) if kind == "text" else _first(fields, SEQUENCE_FIELDS)
    if not any(field in fields for field in wanted):
        inspector.refuse(
            "no known field",
            f"{place.item.label}:{place.number}: no {kind} there. Expected an object with one of the "
            f"fields {', '.join(wanted)}; rename the field.",
            records=1,
        )
        return
    annotations = {"title": title} if (title := _first(fields, ("title",))) else {}
    yield Entry(_first(fields, _ID_FIELDS) or place.name, "", letters, annotations, place.number)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(fields[name]) for name in names if isinstance(fields.get(name), str | int)), "")


def _prose(fields: Mapping[str, Any]) -> str:
    parts = [_flatten(fields[name]) for name in (*_TITLE_FIELDS, *_TEXT_FIELDS) if name in fields]
    return "\n\n".join(part for part in parts if part)


def _flatten(value: Any) -> str:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str) and isinstance(value.get("annotations"), dict):
            return _marked_text(value["text"], value["annotations"])
        return _prose({str(key).lower(): part for key, part in value.items()})
    if isinstance(value, list):
        return "\n\n".join(part for part in map(_flatten, value) if part)
    return value.strip() if isinstance(value, str) else ""


def _marked_text(text: str, annotations: Mapping[str, Any]) -> str:
    """The title, headings and paragraphs that S2ORC marks in the text of a paper; where none are marked, all of it.

    Marks are lists of {"start": 3, "end": 9}, as JSON within JSON; older shards have the numbers as strings.
    """
    spans = []
    for name in _MARKED:
        marks = annotations.get(name) or ()
        try:
            marks = json.loads(marks) if isinstance(marks, str) else marks
            spans += [(int(mark["start"]), int(mark["end"])) for mark in marks]
        except (ValueError, TypeError, KeyError):
            continue
    parts, last = [], 0
    for start, end in sorted(spans):
        if start >= last:
            parts.append(text[start:end].strip())
            last = end
    return "\n\n".join(filter(None, parts)) or text.strip()


def parse_table(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a comma- or tab-separated table whose header names a sequence (or text) column."""
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(item) as text:
        header = text.readline()
        rows = csv.DictReader(
            text, [name.strip().lower() for name in next(csv.reader([header], delimiter=_delimiter(header)), [])],
            delimiter=_delimiter(header), restkey="", restval="",
        )  # fmt: skip
        wanted = _fields_of(kind)
        column = next((name for name in wanted if name in (rows.fieldnames or ())), None)
        if column is None:
            _refuse_columns(item, kind, inspector)
            return
        for number, row in enumerate(rows, start=2):
            name = next((row[field] for field in _ID_FIELDS if row.get(field)), str(number - 1))
            yield Entry(name, "", row[column].strip(), {}, number)


def parse_parquet(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a Parquet file, streamed: a row is read as a JSON object is, of its columns those that are known."""
    known = {*_fields_of(kind), *_ID_FIELDS, *_TITLE_FIELDS}
    read = 0
    with open_table(item) as file:
        columns = [name for name in file.schema_arrow.names if name.lower() in known]
        if not any(name.lower() in _fields_of(kind) for name in columns):
            _refuse_columns(item, kind, inspector)
            return
        try:
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                for number, row in enumerate(batch.to_pylist(), start=read + 1):
                    yield from _entry(Place(item, number, str(number)), row, kind, inspector)
                read += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            inspector.refuse(
                "broken Parquet",
                f"{item.label}: damaged behind row {read} ({' '.join(str(error).split())}). Fetch the file again. "
                "What follows was not read.",
            )


def _fields_of(kind: Kind) -> tuple[str, ...]:
    """Where letters of this kind may sit."""
    return _TEXT_FIELDS if kind == "text" else SEQUENCE_FIELDS


def _refuse_columns(item: Item, kind: Kind, inspector: Inspector) -> None:
    inspector.refuse(
        "no known column",
        f"{item.label}: no column of {kind}. Expected a header with one of {', '.join(_fields_of(kind))}; "
        "add or rename the column.",
    )


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ","


def parse_lines(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a plain file with one sequence a line; blank lines are passed over."""
    with open_text(item) as text:
        for number, line in enumerate(text, start=1):
            if letters := line.strip():
                yield Entry(f"{item.name}:{number}", "", letters, {}, number)
