"""Rows on disk between two passes: Arrow streams written in small batches, so memory does not grow with the corpus."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

_BATCH_ROWS = 4096


class RowWriter:
    """Append rows to one Arrow stream; the text of a row decides when a batch is written.

    Args:
        path: File to write.
        schema: Columns; one of them is named `text`.
        batch_bytes: Characters of text held in memory at most, plus one row.
    """

    def __init__(self, path: Path, schema: pa.Schema, batch_bytes: int) -> None:
        self._schema = schema
        self._text = schema.get_field_index("text")
        self._batch_bytes = batch_bytes
        self._rows: list[tuple[Any, ...]] = []
        self._held = 0
        self._stream = pa.ipc.new_stream(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add(self, row: tuple[Any, ...]) -> None:
        """Append one row, values in the order of the schema."""
        self._rows.append(row)
        self._held += len(row[self._text])
        if self._held >= self._batch_bytes or len(self._rows) >= _BATCH_ROWS:
            self._write()

    def close(self) -> None:
        """Write what is held and end the stream."""
        self._write()
        self._stream.close()

    def _write(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
            self._stream.write_batch(pa.record_batch(arrays, schema=self._schema))
            self._rows, self._held = [], 0


def read_rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of one stream, in the order written."""
    with pa.ipc.open_stream(str(path)) as stream:
        for batch in stream:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def read_table(path: Path) -> pa.Table:
    """A whole stream at once."""
    with pa.ipc.open_stream(str(path)) as stream:
        return stream.read_all()
