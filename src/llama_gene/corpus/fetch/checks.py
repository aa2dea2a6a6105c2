"""Checksums that archives give, computed while bytes pass, and the soundness of compressed files that have none."""

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from xopen import xopen

_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_CHUNK_BYTES = 1 << 20


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class _UnixSum:
    """The 16-bit checksum and 1024-byte blocks of `sum`, which Ensembl writes into CHECKSUMS."""

    def __init__(self) -> None:
        self.value = 0
        self.size = 0

    def update(self, data: bytes, /) -> None:
        from llama_gene.corpus.fetch.sum_kernel import add_bytes  # numba takes a second to load

        self.value = add_bytes(data, self.value)
        self.size += len(data)

    def hexdigest(self) -> str:
        return f"{self.value} {-(-self.size // 1024)}"


class Check:
    """Computes the checksum of what passes, with the algorithm of the expected one (default: SHA-256).

    Args:
        expected: "algorithm:value" with md5, sha1, sha256, sha512, git (the id of a git blob) or sum; or "".
        size: Bytes of the whole file, which git needs beforehand.

    >>> check = Check("md5:5d41402abc4b2a76b9719d911017c592")
    >>> check.update(b"hello")
    >>> check.agrees()
    True
    """

    def __init__(self, expected: str = "", size: int | None = None) -> None:
        self.expected = expected
        self._algorithm = expected.partition(":")[0] or "sha256"
        self._hasher = _make_hasher(self._algorithm, size)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._hasher.update(chunk)

    def update_from(self, path: Path) -> None:
        """Take the bytes of a file."""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                self.update(chunk)

    @property
    def value(self) -> str:
        """The checksum so far, as "algorithm:value"."""
        return f"{self._algorithm}:{self._hasher.hexdigest()}"

    def agrees(self) -> bool:
        """True where a checksum was expected and this is it."""
        return bool(self.expected) and self.value == self.expected


def _make_hasher(algorithm: str, size: int | None) -> _Hasher:
    if algorithm == "sum":
        return _UnixSum()
    if algorithm == "git":
        return hashlib.sha1(f"blob {size or 0}\0".encode(), usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)


def unsoundness(path: Path, name: str) -> str:
    """What is broken in a compressed file, read to its end; "" where nothing is, or it is not compressed.

    Args:
        path: The file.
        name: The name it will have, which says how it is compressed.
    """
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()
            return f"{bad} in the zip is damaged" if bad else ""
        if name.endswith(_COMPRESSED):
            with xopen(path, "rb", threads=0) as stream:
                while stream.read(_CHUNK_BYTES):
                    pass
            with path.open("rb") as file:  # xopen takes what it does not know for plain text
                if name.endswith(".gz") and file.read(2) != b"\x1f\x8b":
                    return "not a gzip file"
    except EOFError:
        return "the compressed file ends too early"
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        return str(error)
    return ""
