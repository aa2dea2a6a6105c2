"""Write a table that does not fit into memory as a folder of Parquet files of about equal size."""

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_ROW_GROUP = 8192


class ParquetFolder:
    """Parquet files (zstd) numbered from 0; the first exists even where there are no rows.

    Args:
        folder: An empty or new folder.
        schema: Columns of all files.
        full: A file is closed once so much is in it: bytes of column `text`, else entries of column `input_ids`.
    """

    def __init__(self, folder: Path, schema: pa.Schema, full: int) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._schema = schema
        self._full = full
        self._number = 0
        self._written = 0
        self._file = self._open()

    def __enter__(self) -> "ParquetFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def write(self, table: pa.Table) -> None:
        """Append rows, opening further files as they fill."""
        sizes = (
            pc.binary_length(table["text"])
            if "text" in table.column_names
            else pc.list_value_length(table["input_ids"])
        )
        start = 0
        while start < len(table):
            if self._written >= self._full:
                self._file.close()
                self._number += 1
                self._written = 0
                self._file = self._open()
            reached = self._written + np.cumsum(sizes.slice(start, _ROW_GROUP).to_numpy())
            rows = min(int(np.searchsorted(reached, self._full)) + 1, len(reached))
            self._file.write_table(table.slice(start, rows).cast(self._schema))
            self._written = int(reached[rows - 1])
            start += rows

    def _open(self) -> pq.ParquetWriter:
        return pq.ParquetWriter(self._folder / f"{self._number:05d}.parquet", self._schema, compression="zstd")
