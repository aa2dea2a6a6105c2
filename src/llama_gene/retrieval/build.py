"""Build an index: read every file into the store, then write the vectors of the passages."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import GENE_KINDS, IndexConfig, Kind
from llama_gene.errors import ConfigError, DataError
from llama_gene.progress import show_progress
from llama_gene.retrieval.contents import kinds_of, read_file, read_genes
from llama_gene.retrieval.passages import cut_passages
from llama_gene.retrieval.store import Writer, open_writer
from llama_gene.retrieval.vectors import Embedder, LoadEncoder, fit_space, write_space, write_vectors
from llama_gene.sequences.files import list_files

STAGE = "index"
CODE = 2
# The name its digest has among the inputs of an index.
ENCODER = "index.encoder"
# HMMER's filters take no longer ones; the longest known protein, titin, has 35,000.
_LONGEST_PROTEIN = 100_000
_BATCH = 128


def build_index(
    config: IndexConfig, *, files: Sequence[Path], seed: int, output: Path, load_encoder: LoadEncoder | None = None
) -> Manifest:
    """Index sequences and texts.

    Memory does not grow with the number of records: they are read one by one, and vectors are fitted on a sample. A
    killed build goes on after its last whole file.

    Args:
        config: Section [index].
        files: Files, folders or globs of GenBank, UniProt, FASTA, Markdown, JATS, PDF, plain text …
        seed: Of the sample and the decomposition.
        output: Stage folder.
        load_encoder: Opens `config.encoder` where that is set: `model.encoder.load_encoder`.

    Raises:
        ConfigError: `config.encoder` is set and nothing is given to open it.
        DataError: no file, nothing to index in a file that is named (those of folders and globs are counted) or in all
            of them, or bad input where `on_invalid` is "error".
        ArtifactError: the folder is in use or holds something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.fa"
    ...     _ = path.write_text(">x\\nACGTACGTAA\\n")
    ...     build_index(IndexConfig(), files=[path], seed=1, output=Path(folder) / "idx").counts
    {'dna letters': 10, 'dna records': 1, 'files': 1}
    """
    paths = list(dict.fromkeys(file for path in files for file in list_files(path)))
    named = set(files)
    encoder = Path(config.encoder).expanduser().resolve() if config.encoder else None
    if encoder and load_encoder is None:
        raise ConfigError("index.encoder is set. Expected something to open it; give load_encoder.")

    def build(work: Path, ledger: Ledger) -> None:
        embedder = load_encoder(encoder) if encoder and load_encoder else None
        ledger.facts |= {"format": CODE, "encoder": str(encoder or "")}
        with open_writer(work) as writer:
            finished = writer.finished()
            for path in show_progress(paths, "Reading files"):
                found = finished[str(path)] if str(path) in finished else _read(writer, path, config, path in named)
                ledger.counts += found
            ledger.counts["files"] += len(paths)
            _check_any(ledger.counts, files)
            ledger.facts["fasta_bytes"] = [writer.letters[kind].tell() for kind in GENE_KINDS]
            _add_vectors(writer.connection, work, config, seed, embedder, ledger)

    inputs = {str(path): path for path in paths} | ({ENCODER: encoder} if encoder else {})
    return build_stage(STAGE, output, build, config=config, inputs=inputs, seed=seed, code=CODE)


def _read(writer: Writer, path: Path, config: IndexConfig, is_named: bool) -> Counter[str]:
    """Index one file; where it holds nothing, say so of a named one and count one of a folder."""
    counts: Counter[str] = Counter()
    try:
        kinds = kinds_of(path, config.kind)
    except DataError:
        if is_named or config.on_invalid == "error":
            raise
        counts["files that say not what they hold"] += 1
        kinds = ()
    _add_records(writer, path, kinds, config, counts)
    if kinds and not _records_of(counts):
        if is_named:
            why = ", ".join(f"{reason}: {times}" for reason, times in sorted(counts.items()))
            raise DataError(f"{path}: no records to index{f' ({why})' if why else ''}. Mend the file or leave it out.")
        counts["files without records"] += 1
    writer.finish_file(path, counts)
    return counts


def _records_of(counts: Counter[str]) -> int:
    return sum(counts[f"{kind} records"] for kind in ("dna", "protein", "text"))


def _check_any(counts: Counter[str], files: Sequence[Path]) -> None:
    if not _records_of(counts):
        raise DataError(f"{', '.join(map(str, files))}: no records to index in any file. Name sequences or texts.")


def _add_records(writer: Writer, path: Path, kinds: Sequence[Kind], config: IndexConfig, counts: Counter[str]) -> None:
    for record in read_file(path, kinds, config.on_invalid, counts):
        if record.kind == "text":
            counts["text records"] += 1
            for start, end in cut_passages(record.text, config.passage_letters):
                writer.add_passage(record, start, end)
                counts["passages"] += 1
        elif record.kind == "protein" and len(record.text) > _LONGEST_PROTEIN:
            counts[f"protein reading: longer than {_LONGEST_PROTEIN:,} residues"] += 1
        else:
            writer.add_sequence(record, "dna" if record.kind == "dna" else "protein")
            counts[f"{record.kind} records"] += 1
            counts[f"{record.kind} letters"] += len(record.text)
    if counts["dna records"]:
        for gene in read_genes(path):
            writer.add_gene(gene, str(path))
            counts["coding regions"] += 1


def _add_vectors(
    connection: sqlite3.Connection,
    work: Path,
    config: IndexConfig,
    seed: int,
    encoder: Embedder | None,
    ledger: Ledger,
) -> None:
    """Embed all passages, by the encoder or else by what a sample of them teaches."""
    number = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
    if encoder is None:
        ledger.facts |= _add_fitted(connection, number, work, config, seed)
        return
    ledger.facts["dimensions"] = encoder.dimensions if number else 0
    if number and (cut := write_vectors(work, encoder, _batches(connection, number), number)):
        ledger.counts["passages whose end the encoder does not read"] = cut


def _add_fitted(
    connection: sqlite3.Connection, number: int, work: Path, config: IndexConfig, seed: int
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(number, min(number, config.fit_passages), replace=False)) + 1
    space = fit_space([_text(connection, place) for place in sample.tolist()], config, seed) if number else None
    if space is None:
        return {"dimensions": 0}
    write_space(work, space)
    write_vectors(work, space, _batches(connection, number), number)
    return {"dimensions": space.dimensions, "terms": len(space.terms), "fitted_on": len(sample)}


def _text(connection: sqlite3.Connection, number: int) -> str:
    return str(connection.execute("SELECT text FROM passages WHERE number = ?", (number,)).fetchone()[0])


def _batches(connection: sqlite3.Connection, number: int) -> Iterator[list[str]]:
    for start in show_progress(range(0, number, _BATCH), "Embedding passages"):
        rows = connection.execute(
            "SELECT text FROM passages WHERE number > ? AND number <= ? ORDER BY number", (start, start + _BATCH)
        )
        yield [text for (text,) in rows]
