"""Token blocks on disk: Arrow streams that are mapped into memory, whatever their size, and read from any position.

`datasets.Dataset.from_file` opens each file as it is. The order of the blocks is that of the files' names and of the
rows in them; it is the same for every number of readers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from llama_gene.errors import DataError
from llama_gene.storage import is_remote

BLOCK_SCHEMA = pa.schema(
    {
        "input_ids": pa.list_(pa.int32()),
        "lengths": pa.list_(pa.int32()),
        "kinds": pa.list_(pa.string()),
        "letters": pa.list_(pa.int32()),
    }
)


def block_files(folder: Path) -> list[Path]:
    """The files of one split of a `corpus pack` folder, in order, each looked at.

    Raises:
        DataError: a file is no Arrow stream of blocks.
    """
    files = sorted(folder.glob("*.arrow"))
    for file in files:
        with _open(file) as blocks:
            missing = sorted(set(BLOCK_SCHEMA.names) - set(blocks.schema.names))
        if missing:
            raise DataError(f"{file}: no column {missing[0]!r}. Expected the blocks of `llama-gene corpus pack`.")
    return files


def is_curriculum(files: list[Path]) -> bool:
    """Whether there are several phases, so that blocks must be read in order."""
    return len({file.name.partition("-")[0] for file in files}) > 1


class BlockReader:
    """Blocks of one split by position, without reading the others.

    Args:
        folder: `train` or `valid` of a `corpus pack` folder.

    Raises:
        DataError: a file is no Arrow stream of blocks.
    """

    def __init__(self, folder: Path) -> None:
        self._tables = [_read(file) for file in block_files(folder)]
        self._ends = np.cumsum([len(table) for table in self._tables])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._tables else 0

    def __getitem__(self, position: int) -> dict[str, Any]:
        """One block: `input_ids`, and `lengths`, `kinds` and `letters` of its documents."""
        if not 0 <= position < len(self):
            raise IndexError(f"block {position}: expected 0 to {len(self) - 1}.")
        file = int(np.searchsorted(self._ends, position, side="right"))
        row = position - int(self._ends[file]) + len(self._tables[file])
        block: dict[str, Any] = self._tables[file].slice(row, 1).to_pylist()[0]
        return block

    def read(self, start: int = 0, *, reader: int = 0, readers: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
        """The share of one reader among several, from a position on.

        All readers together give every block from `start` on once. To go on after a stop, give as `start` the number
        of blocks that were read in all; the number of readers may be another.

        Args:
            start: First position, >= 0.
            reader: Number of this reader, 0 <= reader < readers.
            readers: How many share the blocks.

        Yields:
            (position, block), positions start + reader, start + reader + readers, ...
        """
        for position in range(start + reader, len(self), readers):
            yield position, self[position]


@contextmanager
def _open(file: Path) -> Iterator[pa.ipc.RecordBatchStreamReader]:
    """The blocks of a file; what was read of one that is mapped into memory stays there after it is closed."""
    try:
        with file.open("rb") if is_remote(file) else pa.memory_map(str(file)) as source:
            yield pa.ipc.open_stream(source)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{file}: not a file of token blocks ({error}). Expected a whole stage folder; run `corpus pack` again."
        ) from None


def _read(file: Path) -> pa.Table:
    with _open(file) as blocks:
        return blocks.read_all()
