"""Measured regulatory activity: DeepSTARR, and tables of massively parallel reporter assays (MPRA).

Layouts:
- deepstarr: Sequences_Train.fa and Sequences_activity_Train.txt, likewise Val and Test; record i of one is line i of
  the other (zenodo.org/records/5502060, github.com/bernardo-de-almeida/DeepSTARR), or one table with a column
  `Sequence`.
- mpra: a table with a column of sequences and columns of measured activity, as supplements of papers have them, or two
  columns without a header (sequence, number: the DREAM 2022 promoter challenge, zenodo.org/records/7395397).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import DNA, clean_letters
from llama_gene.sequences.files import Item
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    as_published,
    as_table,
    describe_task,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    fasta_records,
    file_entry,
    first_line,
    group_by_set,
    items_below,
    need_items,
    number_of,
    read_rows,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import slug, task_name

_DEEPSTARR = Origin("DeepSTARR", "see zenodo.org/records/5502060", "de Almeida et al. 2022, Nature Genetics 54:613")
_MPRA = Origin("a massively parallel reporter assay", "see the publisher", "see the publisher")
_ACTIVITIES = {
    "Dev_log2_enrichment": ("developmental", "a developmental promoter"),
    "Hk_log2_enrichment": ("housekeeping", "a housekeeping promoter"),
}
_SEQUENCE_COLUMN = re.compile(r"seq|promoter|oligo|insert|enhancer", re.IGNORECASE)
_MEASURED = re.compile(
    r"observed|expression|activity|enrichment|log2|log\(|fold|lfc|signal|strength|score|fluorescence|ratio|\bmrl\b|\brl\b",
    re.IGNORECASE,
)
_NOT_MEASURED = re.compile(
    r"predict|residual|error|\bmse\b|\bmae\b|slope|std|\bsd\b|\bse\b|p.?val|padj|fdr|count|rank|bin\b|cat|scaled|quantile",
    re.IGNORECASE,
)
_SHORTEST = 12
_LOOKED_AT = 50
_TABLES = (".csv", ".tsv", ".txt", ".tab")


def find_deepstarr(request: Request) -> Iterator[Found]:
    """Two tasks: activity with a developmental and with a housekeeping promoter."""
    items = items_below(request.path)
    tables = [item for item in items if suffix_of(item) in _TABLES]
    whole = [item for item in tables if "Sequence" in columns_of(item)]
    parted = [item for item in tables if item not in whole and set(_ACTIVITIES) <= set(columns_of(item))]
    fasta = [item for item in items if suffix_of(item) in (".fa", ".fasta")]
    need_items(
        [*whole, *(parted if fasta else [])], request.path,
        "Sequences_SET.fa with Sequences_activity_SET.txt, or tables with a column Sequence",
    )  # fmt: skip
    for column, (word, promoter) in _ACTIVITIES.items():
        name = f"{request.prefix}-{word}"
        if whole:
            files = [file_entry(item) for item in whole]
            form = "csv" if suffix_of(whole[0]) == ".csv" else "tsv"
            reader = {"type": "table", "format": form, "files": files, "sequences": ["Sequence"], "value": column}
            yield as_published(name, _define_deepstarr(promoter, reader))
        else:
            made = _define_deepstarr(promoter, table_reader(name, value=True, split=True))
            yield as_table(name, made, _joined_rows(request, fasta, parted, column))


def _define_deepstarr(promoter: str, reader: Mapping[str, Any]) -> Definition:
    return describe_task(
        title="enhancer activity prediction", family="regression", inputs=["dna"], reader=reader, origin=_DEEPSTARR,
        question=f"How much does this stretch of fly DNA raise transcription from {promoter}?",
    )  # fmt: skip


def _joined_rows(request: Request, fasta: Sequence[Item], tables: Sequence[Item], column: str) -> Iterator[Row]:
    """Record i of a FASTA with line i of the table of the same set."""
    of_split = {split_in([stem_of(item)]): item for item in tables}
    for item in fasta:
        split = split_in([stem_of(item)])
        table = of_split.get(split)
        if table is None:
            request.inspector.refuse("FASTA without a table", f"{item.label}: no table of activities of this set.")
            continue
        pairs = zip_longest(fasta_records(item), read_rows(table, request.inspector))
        for number, (record, entry) in enumerate(pairs, start=1):
            if record is None or entry is None:
                shorter, longer = (item, table) if record is None else (table, item)
                raise DataError(
                    f"{shorter.label}: ends after {number - 1} entries, {longer.label} goes on. Expected one line for "
                    "each record; fetch both again."
                )
            title = record[0].split(maxsplit=1)[0] if record[0].strip() else str(number)
            yield Row((record[1],), title, value=number_of(entry[1].get(column)), split=split)


def find_mpra(request: Request) -> Iterator[Found]:
    """One task for each measured column of each table, or of tables that differ in their split alone."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _TABLES]
    need_items(items, request.path, "tables with a column of sequences and columns of measured activity")
    for parts, members in group_by_set(items, request.path).items():
        files: dict[tuple[str, str | None, tuple[str, ...]], list[dict[str, str]]] = {}
        for item in members:
            form = "csv" if suffix_of(item) == ".csv" else "tsv"
            sequence, measured = (None, []) if _has_no_header(item, form) else _columns(item, request)
            files.setdefault((form, sequence, tuple(measured)), []).append(file_entry(item))
        for (form, sequence, columns), entries in files.items():
            table: Definition = {"type": "table", "format": form, "files": entries}
            if sequence is None:
                reader = table | {"header": False, "sequences": [0], "value": 1}
                yield as_published(task_name(request.prefix, parts), _define_mpra("expression", reader))
            for column in columns:
                reader = table | {"sequences": [sequence], "value": column}
                name = task_name(request.prefix, [*parts, *([slug(column)] if len(columns) > 1 else [])])
                yield as_published(name, _define_mpra(column, reader))


def _define_mpra(column: str, reader: Mapping[str, Any]) -> Definition:
    return describe_task(
        title="regulatory activity prediction", family="regression", inputs=["dna"], reader=reader, origin=_MPRA,
        question=f"How active is this stretch of DNA in a reporter assay (column '{column}')?",
    )  # fmt: skip


def _has_no_header(item: Item, form: str) -> bool:
    cells = first_line(item).split("\t" if form == "tsv" else ",")
    return len(cells) == 2 and _is_dna(cells[0]) and _is_number(cells[1])


def _columns(item: Item, request: Request) -> tuple[str, list[str]]:
    """The column of sequences and those of measured activity, by their names and first cells.

    What others predicted or computed of the measurements is never taken.
    """
    names = columns_of(item)
    rows = [row for _, row in islice(read_rows(item, request.inspector), _LOOKED_AT)]
    sequences = [name for name in names if rows and all(_is_dna(row[name]) for row in rows)]
    sequence = next((name for name in sequences if _SEQUENCE_COLUMN.search(name)), sequences[0] if sequences else "")
    measured = [
        name
        for name in names
        if _MEASURED.search(name) and not _NOT_MEASURED.search(name) and any(_is_number(row[name]) for row in rows)
    ]
    if not sequence or not measured:
        lacking = "sequences" if not sequence else "measured activity"
        raise DataError(
            f"{item.label}: no column of {lacking} found among {', '.join(names)}. Rename it (such as 'sequence', "
            "'expression'), or describe the table with `llama-gene tasks add FILE` without --format."
        )
    return sequence, measured


def _is_dna(cell: Any) -> bool:
    letters = str(cell).strip()
    return len(letters) >= _SHORTEST and not clean_letters(letters, DNA).problem


def _is_number(cell: Any) -> bool:
    return number_of(cell) == number_of(cell)
