"""What is wanted from an archive, where it is, and under which terms."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from llama_gene.errors import DataError

_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@ -]*")


@dataclass(frozen=True)
class Terms:
    """What the archive asks of those who use its files; "" where nobody said."""

    licence: str
    licence_url: str
    citation: str


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        path: Where it goes, below the output folder.
        url: Where it is.
        terms: Its licence and citation.
        checksum: "algorithm:value" as the archive gives it, or "".
        checksum_from: Who gave the checksum.
        size: Bytes, where the archive lists them.
        shown: Address for messages and the manifest, where `url` carries a signature.
        sample: Draw so many FASTA records from the stream instead of storing the file.
    """

    path: str
    url: str
    terms: Terms
    checksum: str = ""
    checksum_from: str = ""
    size: int | None = None
    shown: str = ""
    sample: int | None = None

    @property
    def address(self) -> str:
        """The address for messages and the manifest."""
        return self.shown or self.url


@dataclass(frozen=True)
class Wanted:
    """A file of an entry before it is looked up, which may cost requests.

    Attributes:
        key: Names it among all that were ever fetched: what has this key need not be looked up again.
        locate: Looks it up; raises MissingError where the archive does not have it.
        may_be_missing: Drawn at random, so that its absence is counted and no error.
    """

    key: str
    locate: Callable[[], Remote]
    may_be_missing: bool = False


def safe_path(folder: str, name: str) -> str:
    """The path of a file below its entry's folder; names come from servers, and may not lead out of it.

    Raises:
        DataError: a part of the name is hidden, empty, '..', or has unusual characters.

    >>> safe_path("mine", "train/part-0.parquet")
    'mine/train/part-0.parquet'
    """
    if not all(_SAFE_PART.fullmatch(part) for part in name.split("/")):
        raise DataError(f"{name!r}: the archive gives a file this name, which is not taken. Fetch it by hand.")
    return str(PurePosixPath(folder, name))
