"""Items from a genome and a table of its regions: where each lies, and what it is known to be."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.files import read_fasta, task_path
from llama_gene.tasks.items import RawItem
from llama_gene.tasks.sources import RegionsReader

Rows = Callable[[str], Iterator[tuple[int, Mapping[Any, Any]]]]
_TERM_BORDER = ";"


def read_regions(reader: RegionsReader, data: Path, inspector: Inspector, rows: Rows) -> Iterator[RawItem]:
    """The letters of each region on its own strand, with the text of its columns as the answer.

    Args:
        reader: Names the columns.
        data: Folder its paths start from.
        inspector: Receives what was left out.
        rows: Line number and cells of each row of a file.

    Raises:
        DataError: a region that does not lie in the genome, or a coordinate that is no number.
    """
    genome = {title.split(maxsplit=1)[0]: letters for title, letters in read_fasta(reader.genome, data) if title}
    for file in reader.files:
        name = task_path(file.path, data)
        for line, row in rows(file.path):
            cells = {str(column): str(cell).strip() for column, cell in row.items()}
            where = f"{name}:{line}"
            _check_columns(reader, cells, where)
            if reader.only is not None and not re.search(reader.only.pattern, cells[reader.only.column]):
                inspector.counts["region left out by the definition"] += 1
                continue
            answer = _answer(reader, cells, inspector.counts, where)
            if not answer:
                inspector.counts[f"region without {reader.label}"] += 1
                continue
            letters = _letters(reader, genome, cells, where)
            item = cells[reader.id] if reader.id else str(line)
            yield RawItem(item, where, (letters,), answer, split=file.split, about=cells)


def _check_columns(reader: RegionsReader, cells: Mapping[str, str], where: str) -> None:
    wanted = [reader.chromosome, reader.start, reader.end, reader.strand, reader.label, reader.term, reader.id]
    wanted += [reader.only.column] if reader.only else []
    missing = [column for column in wanted if column and column not in cells]
    if missing:
        raise DataError(
            f"{where}: no column {missing[0]!r}. It has {', '.join(cells)}; mend the file or the definition."
        )


def _letters(reader: RegionsReader, genome: Mapping[str, str], cells: Mapping[str, str], where: str) -> str:
    chromosome = cells[reader.chromosome]
    try:
        start, end = int(cells[reader.start]), int(cells[reader.end])
    except ValueError:
        raise DataError(f"{where}: start or end is no whole number. Expected 1-based places; mend the line.") from None
    if chromosome not in genome or not 1 <= start <= end <= len(genome[chromosome]):
        raise DataError(
            f"{where}: {chromosome}:{start}-{end} does not lie in {reader.genome}. Expected 1-based places of its "
            "records; is this the right genome?"
        )
    letters = genome[chromosome][start - 1 : end]
    return reverse_complement(letters) if reader.strand and cells[reader.strand] == "-" else letters


def _answer(reader: RegionsReader, cells: Mapping[str, str], counts: Counter[str], where: str) -> str:
    """The column's text; with identifiers of terms, each written as `name(identifier)`."""
    if reader.term is None:
        return cells[reader.label]
    names, identifiers = (cells[column].split(_TERM_BORDER) for column in (reader.label, reader.term))
    if len(names) != len(identifiers):
        # A name that itself holds the border cannot be told from two names.
        counts["terms and their identifiers differ in number"] += 1
        return ""
    pairs = zip(names, identifiers, strict=True)
    return "; ".join(f"{name.strip()}({identifier.strip()})" for name, identifier in pairs if name and identifier)
