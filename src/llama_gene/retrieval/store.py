"""The files of an index: SQLite for what is known of each record, FASTA for letters, plain arrays for vectors.

`index.sqlite` holds sequences, genes, passages, their full text (FTS5) and the files read so far; `dna.fasta` and
`protein.fasta` hold one sequence a line, named by its number, for HMMER and other programs to read as they are. Each
file is one transaction: what a killed build left is cut back to its last whole file, and the build goes on from there.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llama_gene.config import GENE_KINDS, GeneKind
from llama_gene.errors import ArtifactError
from llama_gene.retrieval.contents import Gene
from llama_gene.sequences.records import Record

DATABASE = "index.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sequences (
    number INTEGER PRIMARY KEY, kind TEXT, id TEXT, source TEXT, description TEXT, annotations TEXT,
    offset INTEGER, length INTEGER
);
CREATE TABLE IF NOT EXISTS genes (record TEXT, source TEXT, start INTEGER, stop INTEGER, name TEXT, product TEXT);
CREATE INDEX IF NOT EXISTS genes_by_place ON genes (record, source, start);
CREATE TABLE IF NOT EXISTS passages (
    number INTEGER PRIMARY KEY, id TEXT, source TEXT, title TEXT, start INTEGER, stop INTEGER, text TEXT
);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    text, title, content = 'passages', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, dna INTEGER, protein INTEGER, counts TEXT);
"""


@dataclass(frozen=True)
class Writer:
    """An index that is being filled."""

    connection: sqlite3.Connection
    letters: Mapping[GeneKind, BinaryIO]

    def add_sequence(self, record: Record, kind: GeneKind) -> None:
        """One sequence; its letters go to the FASTA file of its kind."""
        file = self.letters[kind]
        cursor = self.connection.execute(
            "INSERT INTO sequences (kind, id, source, description, annotations, length) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, record.id, record.source, describe_record(record), json.dumps(dict(record.annotations)),
             len(record.text)),
        )  # fmt: skip
        file.write(f">{cursor.lastrowid}\n".encode())
        self.connection.execute("UPDATE sequences SET offset = ? WHERE number = ?", (file.tell(), cursor.lastrowid))
        file.write(record.text.encode("ascii") + b"\n")

    def add_gene(self, gene: Gene, source: str) -> None:
        """A coding region of a DNA record of that file."""
        self.connection.execute(
            "INSERT INTO genes VALUES (?, ?, ?, ?, ?, ?)",
            (gene.record, source, gene.start, gene.end, gene.name, gene.product),
        )

    def add_passage(self, record: Record, start: int, end: int) -> None:
        """A passage of a text, and its words."""
        title, text = str(record.annotations.get("title") or ""), record.text[start:end]
        cursor = self.connection.execute(
            "INSERT INTO passages (id, source, title, start, stop, text) VALUES (?, ?, ?, ?, ?, ?)",
            (f"{record.id}:{start}-{end}", record.source, title, start, end, text),
        )
        self.connection.execute(
            "INSERT INTO words (rowid, text, title) VALUES (?, ?, ?)", (cursor.lastrowid, text, title)
        )

    def finish_file(self, path: Path, counts: Counter[str]) -> None:
        """Make what was added since the last file last."""
        for file in self.letters.values():
            file.flush()
        sizes = (self.letters["dna"].tell(), self.letters["protein"].tell())
        self.connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (str(path), *sizes, json.dumps(counts)))
        self.connection.commit()

    def finished(self) -> dict[str, Counter[str]]:
        """Files that are whole in the index, with their counts."""
        rows = self.connection.execute("SELECT path, counts FROM files ORDER BY rowid")
        return {path: Counter(json.loads(counts)) for path, counts in rows}


@contextmanager
def open_writer(folder: Path) -> Iterator[Writer]:
    """An index to fill, new or as its last whole file left it."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        # Whole files survive a killed process; a build that the machine itself dropped begins anew at the worst.
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
        sizes = connection.execute("SELECT max(dna), max(protein) FROM files").fetchone()
        files: dict[GeneKind, BinaryIO] = {}
        try:
            for kind, size in zip(GENE_KINDS, sizes, strict=True):
                files[kind] = fasta_path(folder, kind).open("ab")
                files[kind].truncate(size or 0)
                files[kind].seek(size or 0)
            yield Writer(connection, files)
        finally:
            for file in files.values():
                file.close()


def fasta_path(folder: Path, kind: GeneKind) -> Path:
    """The letters of all sequences of a kind."""
    return folder / f"{kind}.fasta"


def open_reader(folder: Path) -> sqlite3.Connection:
    """The database of a finished index, for reading by any thread.

    Raises:
        ArtifactError: it is missing or broken.
    """
    path = folder / DATABASE
    try:
        if not path.is_file():
            raise sqlite3.DatabaseError(f"no {DATABASE}")
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        connection.execute("SELECT max(number) FROM sequences").fetchone()
        connection.execute("SELECT max(number) FROM passages").fetchone()
        return connection
    except sqlite3.DatabaseError as error:
        raise broken(folder, error) from None


def broken(folder: Path, error: object) -> ArtifactError:
    """What to say of an index that cannot be read."""
    return ArtifactError(
        f"{folder}: the index is broken ({error}). Expected a whole folder of `llama-gene index`; remove it and build "
        "it again."
    )


def describe_record(record: Record) -> str:
    """What is known of a record on one line: product, gene, organism, enzyme numbers, and what it does.

    >>> describe_record(Record("P1", "protein", "MK", "", "", {"product": "Kinase", "ec": ("2.7.1.1", "2.7.1.2")}))
    'Kinase, EC 2.7.1.1, EC 2.7.1.2'
    """
    known = record.annotations
    parts = (
        str(known.get("product") or record.description),
        f"gene {known['gene']}" if known.get("gene") else "",
        str(known.get("organism") or ""),
        *(f"EC {number}" for number in known.get("ec", ())),
        str(known.get("function") or ""),
    )
    return ", ".join(part for part in parts if part)
