"""Paths on this machine and in object storage.

A place such as `s3://bucket/corpus` or `gs://bucket/corpus` is a `upath.UPath`: a path like any other, read and written
through fsspec. What only a local disk can do (locks, renaming, mapping into memory) is asked for with `is_remote`.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_gene.errors import ConfigError

_PIECE = 1 << 20


def to_path(place: str) -> Path:
    """The path of a place as it is written in settings and commands.

    Raises:
        ConfigError: it lies in object storage, and what reads that is not installed.

    >>> to_path("runs/demo").as_posix()
    'runs/demo'
    """
    if "://" not in place:
        return Path(place).expanduser()
    try:
        from upath import UPath

        # Other processes write there too: what was listed a moment ago may be no longer so.
        found: Path = UPath(place, use_listings_cache=False)
        # Here the library of the place is imported.
        files = found.fs  # type: ignore[attr-defined]
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{place}: cannot be opened ({error}). Object storage needs an extra: pip install 'llama-gene[cluster]'."
        ) from None
    # It logs the traceback of what it raises, too.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    with told_when_out_of_reach(place):
        files.exists(found.path)  # type: ignore[attr-defined]
    return found


@contextmanager
def told_when_out_of_reach(place: str | Path) -> Iterator[None]:
    """Say in one line why a place in object storage cannot be used; each library there has errors of its own.

    Raises:
        ConfigError: anything failed.
    """
    try:
        yield
    except Exception as error:
        raise ConfigError(
            f"{place}: cannot be reached ({type(error).__name__}: {error}). Check the address, that its bucket exists, "
            "and your credentials."
        ) from error


def is_remote(path: Path) -> bool:
    """Whether a path lies in object storage.

    >>> is_remote(Path("a"))
    False
    """
    return "://" in str(path)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it."""
    if is_remote(folder):
        folder.fs.rm(folder.path, recursive=True)  # type: ignore[attr-defined]
    else:
        shutil.rmtree(folder)


def tree_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    if is_remote(folder):
        return int(folder.fs.du(folder.path))  # type: ignore[attr-defined]
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def reserve(path: Path) -> None:
    """Take the disk that a file of this machine stands for, of which it may hold little so far.

    A file that is mapped into memory takes its disk page by page as they are written; where none is left then, the
    process is killed (SIGBUS) without a word. After this call there is.

    Raises:
        OSError: the disk is full.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.truncate(1 << 20)
    ...     reserve(Path(file.name))
    ...     Path(file.name).stat().st_blocks * 512 >= 1 << 20
    True
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        for place in range(0, size, _PIECE):
            os.pwrite(file.fileno(), os.pread(file.fileno(), _PIECE, place), place)
