"""Rows on disk between two passes: Arrow files of several batches, read batch by batch in any order.

They are not compressed: LZ4 took a twelfth of the time from genomes to blocks, and made proteins no smaller.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class RowWriter:
    """Append rows to one Arrow file; how long their texts are decides when a batch is written.

    Args:
        path: File to write.
        schema: Columns.
        batch_letters: Characters of text that fill a batch.
    """

    def __init__(self, path: Path, schema: pa.Schema, batch_letters: int) -> None:
        self.batches = 0
        self._schema = schema
        self._batch_letters = batch_letters
        self._columns: list[list[Any]] = [[] for _ in schema]
        self._held = 0
        self._file = path.open("wb")
        self._writer = pa.ipc.new_file(self._file, schema)

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._write()
        self._writer.close()
        self._file.close()

    def add(self, columns: Sequence[Sequence[Any]], lengths: NDArray[np.int64]) -> None:
        """Append rows: the values of each column in the order of the schema, and the characters of each row's text.

        A batch ends with the row that fills it, whatever rows come together.
        """
        held = self._held + np.cumsum(lengths)
        begin = 0
        while (end := int(np.searchsorted(held, self._batch_letters)) + 1) <= len(held):
            self._append(columns, begin, end)
            self._write()
            held -= held[end - 1]
            begin = end
        self._append(columns, begin, len(held))
        self._held = int(held[-1]) if len(held) else self._held

    def _append(self, columns: Sequence[Sequence[Any]], begin: int, end: int) -> None:
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values[begin:end])

    def _write(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, field.type) for column, field in zip(self._columns, self._schema, strict=True)]
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
            self.batches += 1
            self._columns = [[] for _ in self._schema]


def write_batches(path: Path, batches: Sequence[pa.RecordBatch]) -> None:
    """Write an Arrow file of these batches, of which there is at least one."""
    with path.open("wb") as file, pa.ipc.new_file(file, batches[0].schema) as writer:
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
