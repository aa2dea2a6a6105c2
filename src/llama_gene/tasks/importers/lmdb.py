"""Records of an LMDB database as TAPE and PEER publish them: values are Python objects written by pickle.

A pickle can run code. Only numbers, strings, lists, dictionaries and numpy arrays are let through here; whatever else
a value would build stops the import (docs.python.org/3/library/pickle.html#restricting-globals).
"""

import io
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core import multiarray

from llama_gene.errors import DataError

try:
    import lmdb
except ImportError:
    lmdb = None  # type: ignore[assignment]

# What numpy 1 and 2 name to rebuild an array or a number; none of it runs code of the file.
_ALLOWED = {
    (module, name): getattr(multiarray, name)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    for name in ("_reconstruct", "scalar")
} | {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it would build {module}.{name}")
        return _ALLOWED[module, name]


def load_plain(data: bytes) -> Any:
    """A value that holds nothing but numbers, strings, lists, dictionaries and arrays.

    Raises:
        pickle.UnpicklingError: it would build something else, or is no pickle.

    >>> load_plain(pickle.dumps({"primary": "MKV", "ss3": [0, 1, 2]}))
    {'primary': 'MKV', 'ss3': [0, 1, 2]}
    """
    return _PlainUnpickler(io.BytesIO(data)).load()


def read_lmdb(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and fields of every record, numbered from 0 up to `num_examples`.

    Raises:
        DataError: lmdb is not installed, the database cannot be read, or a value is no plain record.
    """
    if lmdb is None:
        raise DataError(f"{path}: reading LMDB needs an extra: pip install 'llama-gene[import]'.")
    try:
        environment = lmdb.open(str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise DataError(f"{path}: not an LMDB database ({error}). Expected a whole one; fetch it again.") from None
    with environment, environment.begin() as transaction:
        total = _value(transaction.get(b"num_examples"), f"{path}: num_examples")
        if not isinstance(total, int):
            raise DataError(f"{path}: no number of records. Expected a database of TAPE or PEER; check --format.")
        for number in range(total):
            where = f"{path}: record {number}"
            record = _value(transaction.get(str(number).encode()), where)
            if not isinstance(record, dict):
                raise DataError(f"{where}: no record of fields. Expected {total} of them; fetch the database again.")
            yield where, record


def _value(data: bytes | None, where: str) -> Any:
    if data is None:
        return None
    try:
        return load_plain(data)
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{where}: not a plain record ({error}). Only numbers, strings, lists and arrays are read."
        ) from None
