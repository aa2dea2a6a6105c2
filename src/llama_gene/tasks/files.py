"""Open the text files of tasks: plain, compressed, or one member of a zip archive (`archive.zip!member`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from Bio.SeqIO.FastaIO import SimpleFastaParser

from llama_gene.config import resolve
from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, list_items, open_text

_MEMBER = "!"


def task_path(path: str, data: Path) -> Path:
    """The file behind a path of a definition, without the member of an archive.

    >>> task_path("flip/a.zip!splits/b.csv", Path("/data")).as_posix()
    '/data/flip/a.zip'
    """
    return resolve(path.partition(_MEMBER)[0], data)


@contextmanager
def open_table(path: str, data: Path) -> Iterator[TextIO]:
    """Read a file of a definition as UTF-8 text; every kind of line end is one line feed.

    Raises:
        DataError: missing, cut short, not UTF-8, or no such member.
    """
    file, member = task_path(path, data), path.partition(_MEMBER)[2]
    if not file.is_file():
        raise DataError(f"{file}: no such file. A task reads it; check `data` and the definition.")
    if member and Item(file, member) not in list_items(file):
        raise DataError(f"{file}: holds no member {member!r}. Check the definition.")
    try:
        with open_text(Item(file, member), errors="strict") as text:
            yield text
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: byte {hex(error.object[error.start])} is not UTF-8. Expected UTF-8 text; convert the file."
        ) from None


def read_fasta(path: str, data: Path) -> Iterator[tuple[str, str]]:
    """Title and letters of each FASTA record, in order.

    Raises:
        DataError: the file cannot be read or holds no record.
    """
    count = 0
    with open_table(path, data) as text:
        for title, letters in SimpleFastaParser(text):
            count += 1
            yield title, letters
    if not count:
        raise DataError(f"{task_path(path, data)}: holds no FASTA record. Expected lines that begin with '>'.")
