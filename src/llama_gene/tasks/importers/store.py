"""Sequences by name on disk, so that memory does not grow with a genome or a proteome."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from llama_gene.errors import DataError


class _Place(NamedTuple):
    start: int
    length: int


class LetterStore:
    """Names and where their letters lie in one file; a name with two different sequences is ambiguous."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, _Place] = {}
        self._end = 0
        self._versions: dict[str, str] | None = None
        self.ambiguous: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, name: str, letters: str) -> None:
        """Keep a sequence; the first of a name stays."""
        if name in self._places:
            if self.read(name) != letters:
                self.ambiguous.add(name)
            return
        data = letters.encode("utf-8", "replace")
        self._file.seek(self._end)
        self._file.write(data)
        self._places[name] = _Place(self._end, len(data))
        self._end += len(data)

    def with_version(self, name: str) -> str | None:
        """The name that is this one with a version, such as ENST00000123.4; None where none or several are."""
        if self._versions is None:
            self._versions = {}
            for known in self._places:
                bare = known.partition(".")[0]
                self._versions[bare] = "" if bare in self._versions else known
        return self._versions.get(name) or None

    def length(self, name: str) -> int:
        """Letters of a sequence."""
        return self._places[name].length

    def read(self, name: str, start: int = 0, end: int | None = None) -> str:
        """Letters from `start` to before `end`, 0-based; by default all."""
        place = self._places[name]
        self._file.seek(place.start + start)
        return self._file.read((place.length if end is None else end) - start).decode("utf-8", "replace")


@contextmanager
def stored(records: Iterable[tuple[str, str]], folder: Path) -> Iterator[LetterStore]:
    """A store of names and letters, for as long as the block runs.

    Args:
        records: Name and letters; the first word of a title is its name.
        folder: Where the file of letters is written.

    Raises:
        DataError: there is no record.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, stored([("chr1 test", "ACGT")], Path(folder)) as store:
    ...     store.read("chr1", 1, 3)
    'CG'
    """
    path = folder / f"letters-{len(list(folder.iterdir()))}"
    with path.open("w+b") as file:
        store = LetterStore(file)
        for title, letters in records:
            store.add(title.split(maxsplit=1)[0] if title.strip() else "", letters)
        if not len(store):
            raise DataError("no sequence to look up. Check the file named by --reference.")
        yield store
    path.unlink()
