"""Between the passes: which records stay, which genomes are alike, and what is held out.

What is decided here needs all records at once, so it rests on the few bytes that the first pass wrote down of each.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.artifacts import Ledger
from llama_gene.config import KINDS, CorpusConfig
from llama_gene.corpus.accounts import count_removed
from llama_gene.corpus.arrays import load_array, load_arrays, save_arrays
from llama_gene.corpus.collect import Chunk, InputFile, book_path, signature_path, sketch_path, source_name
from llama_gene.corpus.deduplicate import find_repeated
from llama_gene.corpus.near_duplicates import find_near_duplicates
from llama_gene.corpus.near_identical import GENOMIC, group_near_identical
from llama_gene.corpus.split import FileSplit, FileUnits, plan_split
from llama_gene.storage import is_remote

Keep = Mapping[int, NDArray[np.bool_]]


def decide(
    chunks: Sequence[Chunk],
    files: Sequence[InputFile],
    config: CorpusConfig,
    seed: int,
    *,
    spool: Path,
    plan: Path,
    ledger: Ledger,
) -> None:
    """Write down what happens to every record (see `write_plan`).

    Args:
        chunks: What the first pass read.
        files: All files, in order.
        config: Rules of the split.
        seed: Seed of the choice.
        spool: What the first pass wrote.
        plan: Folder to write to.
        ledger: Counts what is left out; says which genomes are alike and how each source is split.
    """
    keep = _find_kept(chunks, config, spool, ledger)
    groups = _group_genomes(chunks, spool, config.near_identical)
    units, letters = _units(chunks, spool, keep, {number for group in groups for number in group})
    splits = plan_split(units, share=config.valid_share, region_below_records=config.region_below_records, seed=seed)
    for split in splits:
        ledger.counts[f"files split by {split.by}"] += 1
    for chunk in chunks:
        of_chunk = splits[chunk.first : chunk.first + len(chunk.files)]
        book = load_array(book_path(spool, chunk.number))
        held = np.concatenate([split.held for split in of_chunk])
        write_plan(plan, chunk.number, keep[chunk.number], _spans(book, chunk, of_chunk), held)
    # A genome and its coding pairs may be sources both, and alike to the same others.
    alike = dict.fromkeys(tuple(files[number].label for number in group) for group in groups)
    ledger.facts["near_identical"] = [list(group) for group in alike]
    ledger.facts["sources"] = _describe_sources(config, files, units, letters, splits)


def write_plan(
    folder: Path, chunk: int, keep: NDArray[np.bool_], spans: NDArray[np.int32], held: NDArray[np.bool_]
) -> None:
    """Write down what happens to the records of a chunk.

    Args:
        folder: Folder of the plans.
        chunk: Number of the chunk.
        keep: bool [records]; false where a record is left out.
        spans: int32 [records], units of the split that a record has: its regions, 1 where it goes as a whole, 0 where
            nothing of it may be held out.
        held: bool [units of all kept records], true where held out.
    """
    ends = np.cumsum(np.where(keep, spans, 0))
    starts = ends - np.where(keep, spans, 0)
    save_arrays(folder / f"{chunk:06d}.npz", keep=keep, starts=starts, ends=ends, held=held)


class Plan(NamedTuple):
    """What happens to the records of a chunk.

    Attributes:
        keep: bool [records]; false where a record is left out.
        starts, ends: int64 [records], the units of a record in `held`; it may have none.
        held: bool [units of all kept records], true where held out.
    """

    keep: NDArray[np.bool_]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    held: NDArray[np.bool_]

    def units(self, record: int) -> NDArray[np.bool_]:
        """Which units of a record are held out; one where it goes as a whole or where nothing of it may be."""
        start, end = self.starts[record], self.ends[record]
        return self.held[start:end] if end > start else np.zeros(1, np.bool_)

    def first_units(self, records: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the first unit of each of these records is held out."""
        has_units = self.ends[records] > self.starts[records]
        return has_units & np.append(self.held, False)[self.starts[records]]


def read_plan(folder: Path, chunk: int) -> Plan:
    """What `write_plan` wrote."""
    plan = load_arrays(folder / f"{chunk:06d}.npz")
    return Plan(plan["keep"], plan["starts"], plan["ends"], plan["held"])


def _find_kept(chunks: Sequence[Chunk], config: CorpusConfig, spool: Path, ledger: Ledger) -> Keep:
    """Which records of each chunk stay: the first of equal ones and of nearly equal ones, kind by kind."""
    keep: dict[int, NDArray[np.bool_]] = {}
    for kind in KINDS:
        of_kind = [chunk.number for chunk in chunks if chunk.kind == kind]
        books = [book_path(spool, number) for number in of_kind]
        repeated_of = find_repeated(books)
        alike_of = _find_alike(of_kind, repeated_of, config, spool) if kind in config.near_duplicates.kinds else None
        for place, (number, book) in enumerate(zip(of_kind, books, strict=True)):
            repeated = repeated_of[place]
            alike = alike_of[place] & ~repeated if alike_of else np.zeros_like(repeated)
            letters = load_array(book)["letters"]
            for reason, goes in (("duplicate", repeated), ("near duplicate", alike)):
                count_removed(ledger.counts, kind, "records", reason, int(goes.sum()))
                count_removed(ledger.counts, kind, "letters", reason, int(letters[goes].sum()))
            keep[number] = ~(repeated | alike)
            ledger.counts[f"{kind} records kept"] += int(keep[number].sum())
    return keep


def _find_alike(
    chunks: Sequence[int], repeated_of: Sequence[NDArray[np.bool_]], config: CorpusConfig, spool: Path
) -> list[NDArray[np.bool_]]:
    """Near duplicates of each chunk; what that needs of the disk lies beside the spool where this is local."""
    paths = [signature_path(spool, chunk) for chunk in chunks]
    with tempfile.TemporaryDirectory(dir=None if is_remote(spool) else spool) as work:
        alike = find_near_duplicates(paths, config.near_duplicates, Path(work))
    return np.split(alike, np.cumsum([len(repeated) for repeated in repeated_of])[:-1])


def _group_genomes(chunks: Sequence[Chunk], spool: Path, similarity: float) -> list[tuple[int, ...]]:
    """Files that are nearly the same, kind by kind: a genome is not like the coding pairs that it gives itself."""
    groups = []
    for kind in GENOMIC:
        sketches = {}
        for chunk in chunks:
            path = sketch_path(spool, chunk.number)
            if chunk.kind == kind and path.is_file():
                sketches.update({int(number): words for number, words in load_arrays(path).items() if len(words)})
        groups += group_near_identical(sketches, similarity)
    return groups


def _units(chunks: Sequence[Chunk], spool: Path, keep: Keep, twins: set[int]) -> tuple[list[FileUnits], list[int]]:
    """What the split needs to know of each file, and how many letters it has."""
    units: list[FileUnits] = []
    letters: list[int] = []
    for chunk in chunks:
        book = load_array(book_path(spool, chunk.number))[keep[chunk.number]]
        place, size = book["file"] - chunk.first, len(chunk.files)
        records = np.bincount(place, minlength=size)
        regions = np.bincount(place, book["regions"], minlength=size)
        letters += np.bincount(place, book["letters"], minlength=size).astype(np.int64).tolist()
        lengths = book["letters"].astype(np.int64) if chunk.kind == "dna" else np.zeros(0, np.int64)
        for at, file in enumerate(chunk.files):
            has_twin = chunk.first + at in twins
            of_file = lengths[place == at] if len(lengths) else lengths
            units.append(FileUnits(file.source, file.kind, int(records[at]), int(regions[at]), has_twin, of_file))
    return units, letters


def _spans(book: NDArray[Any], chunk: Chunk, splits: Sequence[FileSplit]) -> NDArray[np.int32]:
    """Units of each record."""
    ways = np.array([split.by for split in splits])[book["file"] - chunk.first]
    return np.select([ways == "region", ways == "record"], [book["regions"], 1], 0).astype(np.int32)


def _describe_sources(
    config: CorpusConfig,
    files: Sequence[InputFile],
    units: Sequence[FileUnits],
    letters: Sequence[int],
    splits: Sequence[FileSplit],
) -> list[dict[str, Any]]:
    described = []
    for number, source in enumerate(config.sources):
        members = [place for place, file in enumerate(files) if file.source == number]
        described.append(
            {
                "name": source_name(source),
                "kind": source.kind,
                "files": len(members),
                "records": sum(units[place].records for place in members),
                "letters": sum(letters[place] for place in members),
                "units": sum(len(splits[place].held) for place in members),
                "held_out_units": sum(int(splits[place].held.sum()) for place in members),
            }
        )
    return described
