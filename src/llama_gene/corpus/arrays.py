"""Arrays of one pass that another reads: plain .npy and .npz files, without pickle."""

from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.storage import is_remote


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
