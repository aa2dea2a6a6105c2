"""Rows on disk between two passes: Arrow files of several batches, read batch by batch in any order."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

# LZ4 writes and reads faster than a disk; these files are read once or twice and removed.
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class RowWriter:
    """Append rows to one Arrow file; the text of the rows decides when a batch is written.

    Args:
        path: File to write.
        schema: Columns; one of them is named `text`.
        batch_letters: Characters of text that fill a batch.
    """

    def __init__(self, path: Path, schema: pa.Schema, batch_letters: int) -> None:
        self.batches = 0
        self._schema = schema
        self._text = schema.get_field_index("text")
        self._batch_letters = batch_letters
        self._columns: list[list[Any]] = [[] for _ in schema]
        self._held = 0
        self._file = path.open("wb")
        self._writer = pa.ipc.new_file(self._file, schema, options=_OPTIONS)

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._write()
        self._writer.close()
        self._file.close()

    def add(self, row: tuple[Any, ...]) -> None:
        """Append one row, values in the order of the schema."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._held += len(row[self._text])
        if self._held >= self._batch_letters:
            self._write()

    def _write(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, field.type) for column, field in zip(self._columns, self._schema, strict=True)]
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
            self.batches += 1
            self._columns, self._held = [[] for _ in self._schema], 0


def write_batches(path: Path, batches: Sequence[pa.RecordBatch]) -> None:
    """Write an Arrow file of these batches, of which there is at least one."""
    with path.open("wb") as file, pa.ipc.new_file(file, batches[0].schema, options=_OPTIONS) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_batch(path: Path, number: int) -> pa.RecordBatch:
    """One batch of an Arrow file; the others are not read."""
    with path.open("rb") as file, pa.ipc.open_file(file) as reader:
        return reader.get_batch(number)


def count_batches(path: Path) -> int:
    """Batches of an Arrow file."""
    with path.open("rb") as file, pa.ipc.open_file(file) as reader:
        number: int = reader.num_record_batches
        return number
