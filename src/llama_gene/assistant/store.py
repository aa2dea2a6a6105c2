"""Sequences by accession, from a folder of GenBank, FASTA, UniProt and like files on this machine; nothing is fetched.

The names of all records are read once into a small SQLite file in the folder, which is made again when a file changes.
A name in a question is looked up there and nowhere else, so text can choose no path.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llama_gene.artifacts import locked
from llama_gene.config import GENE_KINDS, GeneKind
from llama_gene.errors import DataError
from llama_gene.progress import show_progress
from llama_gene.retrieval.contents import kinds_of
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.sequences.records import Record

INDEX = ".llama-gene-accessions.sqlite"
_FIND = "SELECT file, kind, id FROM records WHERE name = ? ORDER BY kind LIMIT 1"


@dataclass(frozen=True)
class Store:
    """A folder of sequence files and the index of their accessions."""

    folder: Path

    def known(self, names: Iterable[str]) -> frozenset[str]:
        """Those of some names that the store has a record of; no record is read."""
        with closing(self._open()) as index:
            asked = ((name, index.execute(_FIND, (name.upper(),)).fetchone()) for name in names)
            return frozenset(name for name, row in asked if row is not None)

    def find(self, accession: str) -> Record | None:
        """The record of an accession, with its version or without; None where the store has none.

        Args:
            accession: As it stands in a question, any case.
        """
        with closing(self._open()) as index:
            row = index.execute(_FIND, (accession.upper(),)).fetchone()
        if row is None:
            return None
        file, kind, name = row
        records = read_records(self.folder / file, kind, source=file, on_invalid="skip")
        return next((record for record in records if record.id == name), None)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.folder / INDEX}?mode=ro", uri=True)


def open_store(folder: Path) -> Store:
    """The store of a folder; its index is made where there is none, or where a file has changed since.

    Raises:
        DataError: no such folder, nothing in it that can be read, or it cannot be written to.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Expected GenBank, FASTA or UniProt files there; check chat.store.")
    state = _state_of(folder)
    if _noted(folder / INDEX) == state:
        return Store(folder)
    try:
        with locked(folder / INDEX):
            _make_index(folder, state)
    except (PermissionError, sqlite3.OperationalError) as error:
        raise DataError(
            f"{folder}: the index of accessions cannot be written there ({error}). Expected a folder of your own; copy "
            "the files into one and name it with chat.store."
        ) from None
    return Store(folder)


def _state_of(folder: Path) -> str:
    """What the index depends on: the files with their sizes and times."""
    found = [(file.relative_to(folder).as_posix(), file.stat()) for file in list_files(folder)]
    return json.dumps([[name, status.st_size, status.st_mtime_ns] for name, status in found])


def _noted(index: Path) -> str:
    if not index.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as opened:
            return str(opened.execute("SELECT state FROM made_of").fetchone()[0])
    except (sqlite3.DatabaseError, TypeError):
        return ""


def _make_index(folder: Path, state: str) -> None:
    fresh = folder / f"{INDEX}.tmp"
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh)) as index:
        index.execute("CREATE TABLE records (name TEXT, file TEXT, kind TEXT, id TEXT, PRIMARY KEY (name, kind))")
        index.execute("CREATE TABLE made_of (state TEXT)")
        for file in show_progress(list_files(folder), "reading accessions"):
            # Of a name that comes twice the first stays.
            index.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?)", _rows(folder, file))
        (known,) = index.execute("SELECT count(*) FROM records").fetchone()
        index.execute("INSERT INTO made_of VALUES (?)", (state,))
        index.commit()
    if not known:
        fresh.unlink()
        raise DataError(f"{folder}: no record of GenBank, FASTA or UniProt there. Check chat.store.")
    fresh.replace(folder / INDEX)


def _rows(folder: Path, file: Path) -> Iterator[tuple[str, str, str, str]]:
    for kind in _kinds_of(file):
        for record in read_records(file, kind, on_invalid="skip"):
            for name in _names(record):
                yield name.upper(), file.relative_to(folder).as_posix(), kind, record.id


def _names(record: Record) -> set[str]:
    """What a record is called: its name and accession, with the version and without."""
    given = {record.id, str(record.annotations.get("accession") or record.id)}
    return given | {name.rpartition(".")[0] for name in given if name.rpartition(".")[2].isdigit() and "." in name}


def _kinds_of(file: Path) -> tuple[GeneKind, ...]:
    """The sequences that a file holds; nothing where it holds none or cannot be read."""
    try:
        held = kinds_of(file, "auto")
    except DataError:
        return ()
    return tuple(kind for kind in GENE_KINDS if kind in held)
