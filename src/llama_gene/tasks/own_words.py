"""Items that bring their own question: instruction sets, which keep the words they were published with."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.tasks.files import task_path
from llama_gene.tasks.items import RawItem, Words
from llama_gene.tasks.sources import InstructionsReader

Rows = Callable[[str], Iterator[tuple[int, Mapping[Any, Any]]]]
_FIELDS = ("id", "instruction", "output")


def read_own_words(reader: InstructionsReader, data: Path, rows: Rows) -> Iterator[RawItem]:
    """Every item of an instruction set, with the sequences that were found in its texts.

    Args:
        reader: Names the files.
        data: Folder their paths start from.
        rows: Line number and fields of each object of a file.

    Raises:
        DataError: an object lacks a field.
    """
    for file in reader.files:
        name = task_path(file.path, data)
        for line, row in rows(file.path):
            missing = [field for field in _FIELDS if not isinstance(row.get(field), str) or not row[field]]
            if missing:
                raise DataError(f"{name}:{line}: field {missing[0]!r} is missing or empty. Import the set again.")
            linked = tuple((str(kind), str(letters)) for kind, letters in row.get("linked") or ())
            yield RawItem(
                id=row["id"],
                where=f"{name}:{line}",
                sequences=tuple(row.get("sequences") or ()),
                answer=row["output"],
                split=file.split or next((split for split in _splits() if split == row.get("split")), None),
                words=Words(row["instruction"], str(row.get("input") or ""), linked),
            )


def _splits() -> tuple[Split, ...]:
    return get_args(Split)
