"""Arrays of one pass that another reads: plain .npy and .npz files, without pickle; and columns of Arrow as arrays."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.storage import is_remote
from llama_gene.tokenizer.joined import Texts


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write named arrays to one file."""
    with path.open("wb") as file:
        np.savez(file, **arrays)


def load_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, by name."""
    with path.open("rb") as file, np.load(file) as found:
        return {name: found[name] for name in found.files}


def save_array(path: Path, array: Any) -> None:
    """Write one array."""
    with path.open("wb") as file:
        np.save(file, array)


def load_array(path: Path) -> Any:
    """The array of a file; mapped into memory where the disk is local."""
    if not is_remote(path):
        return np.load(path, mmap_mode="r")
    with path.open("rb") as file:
        return np.load(file)


def release(array: NDArray[Any]) -> None:
    """Take the pages of a mapped array out of this process; they come back from the disk's cache when they are read.

    What was looked at once would else count as memory until the mapping is closed.
    """
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, "base", None)
    if owner is not None and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def texts_of(column: pa.Array | pa.ChunkedArray) -> Texts:
    """The bytes of a column of strings, without a copy where it is one array already.

    >>> texts_of(pa.array(["AC", "", "G"])).starts.tolist()
    [0, 2, 2, 3]
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    _, offsets, letters = array.buffers()
    if not len(array):
        return Texts(np.empty(0, np.uint8), np.zeros(1, np.int64))
    starts = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return Texts(np.frombuffer(letters, np.uint8) if letters else np.empty(0, np.uint8), starts)
