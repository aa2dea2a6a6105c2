"""Intervals of a genome: BED with a label, as in BEND, and the lists of Genomic Benchmarks, with their FASTA.

Coordinates are 0-based and half-open; letters of the strand `-` are those of the other strand, read 5' to 3'.

Layouts:
- bed: tab-separated; with a header such as `chromosome start end split label strand` (BEND,
  github.com/frederikkemarin/BEND, README, "Data format"), or without one the columns of UCSC's BED (chrom, start, end,
  name, score, strand: genome.ucsc.edu/FAQ/FAQformat.html#format1), where the name is the label, or a seventh column
  (BEND's examples/Basset/samples.bed).
- genomic-benchmarks: train/CLASS.csv and test/CLASS.csv of `id,region,start,end,strand`, and metadata.yaml with the
  address of the genome of each class (github.com/ML-Bioinfo-CEITEC/genomic_benchmarks, datasets/README.md).

Memory holds one chromosome while the genome is copied to disk once, then one interval. Where neither a column nor the
files' names say the split, it goes by chromosome, whole chromosomes together.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.files import Inspector, Item, open_text
from llama_gene.tasks.importers.found import Definition, Found, Origin, Request, Row, Seen, describe_task, plain_labels
from llama_gene.tasks.importers.found import table_reader as reader_of
from llama_gene.tasks.importers.layout import (
    fasta_records,
    group_by_set,
    items_below,
    need_columns,
    need_items,
    read_rows,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name
from llama_gene.tasks.importers.store import LetterStore, stored

_BED = Origin("intervals of a genome (BED) with their FASTA", "see the publisher", "see the publisher")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "region": ("chrom", "chromosome", "chr", "region", "seqnames", "seqname", "contig"),
    "start": ("start", "chromstart"),
    "end": ("end", "chromend", "stop"),
    "label": ("label", "class", "target", "name"),
    "strand": ("strand",),
    "split": ("split", "set"),
}
_BED_COLUMNS = ("region", "start", "end", "label", "score", "strand")
_LABELLED_COLUMNS = ("region", "start", "end", "name", "score", "strand", "label")
_SHARES: Mapping[Split, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}
_MITOCHONDRIA = {"chrM": "MT", "MT": "chrM"}


class Interval(NamedTuple):
    """A stretch of a genome, 0-based and half-open, and what is said of it."""

    where: str
    region: str
    start: int
    end: int
    strand: str
    label: str
    split: Split | None


class BedFile(NamedTuple):
    """A BED file, its columns, the line its intervals begin with, and the split that its name says."""

    item: Item
    columns: Sequence[str]
    first: int
    split: Split | None


def find_bed(request: Request) -> Iterator[Found]:
    """One task for each BED file, or for files that differ in their split alone."""
    items = [item for item in items_below(request.path) if suffix_of(item) == ".bed"]
    need_items(items, request.path, "BED files with a label")
    for parts, members in group_by_set(items, request.path).items():
        files = [_bed_file(item) for item in members]
        if len({file.split for file in files}) == 1:  # nothing to tell apart: a training file alone is split, too
            files = [file._replace(split=None) for file in files]
        # Looked through once more for the sizes of chromosomes, where what is wrong is not counted twice.
        is_placed = any(file.split or "split" in file.columns for file in files)
        unplaced = () if is_placed else _bed_intervals(files, Inspector("skip"))
        name = task_name(request.prefix, parts)
        rows = _rows(request, _bed_intervals(files, request.inspector), request.references, unplaced)
        yield Found(name, partial(_define, parts[-1], name), rows)


def _bed_file(item: Item) -> BedFile:
    columns, first = _columns(item)
    if "label" not in columns:
        raise DataError(
            f"{item.label}: no column of labels, only {', '.join(columns)}. Expected one named label, or a name in "
            "the fourth column; labels that BEND keeps in an HDF5 file are not read."
        )
    return BedFile(item, columns, first, split_in([stem_of(item)]))


def _define(called: str, name: str, seen: Seen) -> Definition:
    title = called.replace("_", " ")
    several = any("," in answer for answer in seen.answers)
    if seen.are_numbers and not several:
        # The table holds the number as an answer; read as a value it needs no other table.
        reader = reader_of(name, answer=True, split=True)
        reader["value"] = reader.pop("label")
        return describe_task(
            title=f"{title} prediction", family="regression", inputs=["dna"], reader=reader, origin=_BED,
            question=f"How large is the value of this stretch of DNA in '{title}'?",
        )  # fmt: skip
    reader = reader_of(name, answer=True, split=True)
    if several:
        return describe_task(
            title=f"{title} labels", family="function", inputs=["dna"], reader=reader, origin=_BED,
            question=f"Which of the numbered labels of '{title}' does this stretch of DNA carry?",
        )  # fmt: skip
    return describe_task(
        title=f"{title} prediction", family="classification", inputs=["dna"], reader=reader, origin=_BED,
        question=f"Which class of '{title}' does this stretch of DNA belong to?", labels=plain_labels(seen),
    )  # fmt: skip


def find_interval_tasks(
    request: Request,
    folder: Sequence[str],
    members: Sequence[tuple[Split, str, Item]],
    define: Callable[[Mapping[str, object], Seen], Definition],
) -> Iterator[Found]:
    """The task of one folder of Genomic Benchmarks that lists intervals, a class a file.

    Args:
        request: With the genomes as references.
        folder: Parts of its path below the request's.
        members: Split, class and file.
        define: Makes the definition of a reader and what was seen.
    """
    name = task_name(request.prefix, folder)
    for _, _, item in members:
        need_columns(item, ("id", "region", "start", "end", "strand"))
    rows = (
        row
        for genomes, files in _by_genome(request, members).items()
        for row in _rows(request, _listed(files, request.inspector), genomes)
    )
    yield Found(name, partial(define, reader_of(name, answer=True, split=True)), rows)


def _by_genome(
    request: Request, members: Sequence[tuple[Split, str, Item]]
) -> dict[tuple[Path, ...], list[tuple[Split, str, Item]]]:
    """The lists by their genome: the reference that metadata.yaml names for a class, else all references."""
    metadata = members[0][2].path.parent.parent / "metadata.yaml"
    text = metadata.read_text(encoding="utf-8", errors="replace") if metadata.is_file() else ""
    found: dict[tuple[Path, ...], list[tuple[Split, str, Item]]] = defaultdict(list)
    for member in members:
        match = re.search(
            rf"^\s+{re.escape(member[1])}:\n(?:\s{{4,}}.*\n)*?\s{{4,}}url:\s*\S*/(\S+)", text, re.MULTILINE
        )
        named = [file for file in request.references if match and file.name.startswith(match[1].partition(".fa")[0])]
        found[tuple(named or request.references)].append(member)
    return found


def _listed(members: Sequence[tuple[Split, str, Item]], inspector: Inspector) -> Iterator[Interval]:
    for split, label, item in members:
        for where, row in read_rows(item, inspector):
            made = _interval(where, {**row, "label": label}, inspector)
            if made is not None:
                yield made._replace(split=split)


def _columns(item: Item) -> tuple[list[str], int]:
    """Names of the columns of a BED file, and the line its intervals begin with."""
    with open_text(item, errors="replace") as text:
        for number, line in enumerate(text, start=1):
            cells = line.rstrip("\n").split("\t")
            if len(cells) < 3 or line.startswith(("track", "browser")) or (line.startswith("#") and number > 1):
                continue
            if cells[1].isdecimal() and cells[2].isdecimal() and not line.startswith("#"):
                own = _LABELLED_COLUMNS if len(cells) == len(_LABELLED_COLUMNS) else _BED_COLUMNS
                return list(own[: len(cells)]), number
            names = [cell.strip().lstrip("#").lower() for cell in cells]
            known = [next((key for key, words in _COLUMNS.items() if name in words), name) for name in names]
            missing = [key for key in ("region", "start", "end") if key not in known]
            if missing:
                raise DataError(f"{item.label}:{number}: no column of the {missing[0]}. It has {', '.join(names)}.")
            return known, number + 1
    raise DataError(f"{item.label}: no interval. Expected tab-separated chromosome, start and end; check the file.")


def _bed_intervals(files: Sequence[BedFile], inspector: Inspector) -> Iterator[Interval]:
    for item, columns, first, split in files:
        with open_text(item, errors="replace") as text:
            for number, line in enumerate(text, start=1):
                if number < first or not line.strip() or line.startswith(("#", "track", "browser")):
                    continue
                cells = line.rstrip("\n").split("\t")
                made = _interval(f"{item.label}:{number}", dict(zip(columns, cells, strict=False)), inspector)
                if made is not None:
                    yield made._replace(split=made.split or split)


def _interval(where: str, row: Mapping[str, str], inspector: Inspector) -> Interval | None:
    """An interval whose numbers make sense; None where they do not, counted."""
    try:
        start, end = int(row["start"]), int(row["end"])
    except (KeyError, ValueError):
        inspector.refuse("coordinates are no numbers", f"{where}: start or end is no whole number. Mend the line.")
        return None
    if not 0 <= start < end:
        inspector.refuse(
            "empty or reversed interval",
            f"{where}: {start} to {end} is no interval. Expected 0 <= start < end; mend it.",
        )
        return None
    strand = row.get("strand", "+").strip() or "+"
    if strand not in ("+", "-", "."):
        inspector.refuse("unknown strand", f"{where}: strand {strand!r}. Expected +, - or '.'; mend the line.")
        return None
    label = row.get("label", "").strip()
    if not label:
        inspector.refuse("interval without a label", f"{where}: the label is empty. Mend the line.")
        return None
    return Interval(where, row["region"].strip(), start, end, strand, label, split_in([row.get("split", "")]))


def _by_chromosome(intervals: Iterable[Interval]) -> dict[str, Split]:
    """A split for every chromosome: the largest first, each to the split that lacks most; none is left empty."""
    sizes = Counter(interval.region for interval in intervals)
    if len(sizes) < len(_SHARES):
        return {}
    lacking = {split: share * sizes.total() for split, share in _SHARES.items()}
    placed: dict[str, Split] = {}
    for region, size in sorted(sizes.items(), key=lambda entry: (-entry[1], entry[0])):
        empty = [split for split in lacking if split not in placed.values()]
        is_last_chance = len(sizes) - len(placed) <= len(empty)
        split = max(empty if is_last_chance else lacking, key=lambda name: lacking[name])
        placed[region] = split
        lacking[split] -= size
    return placed


def _rows(
    request: Request, intervals: Iterator[Interval], genomes: Sequence[Path], unplaced: Iterable[Interval] = ()
) -> Iterator[Row]:
    """Rows of the intervals that the genome has; those that are `unplaced`, too, are split by chromosome."""
    if not genomes:
        raise DataError(
            f"{request.path}: these are intervals, and no genome is named. Give its FASTA with --reference FILE."
        )
    with ExitStack() as stack:
        records = (record for genome in genomes for item in items_below(genome) for record in fasta_records(item))
        store = stack.enter_context(stored(records, request.scratch))
        splits = _by_chromosome(interval for interval in unplaced if _letters(store, interval, Inspector("skip")))
        for interval in intervals:
            letters = _letters(store, interval, request.inspector)
            if letters:
                name = f"{interval.region}:{interval.start}-{interval.end}({interval.strand})"
                yield Row((letters,), name, interval.label, split=interval.split or splits.get(interval.region))


def _letters(store: LetterStore, interval: Interval, inspector: Inspector) -> str:
    """The letters of an interval, on its strand; "" where the genome does not have it."""
    region = _region_in(store, interval.region, inspector)
    if region is None:
        inspector.refuse(
            "unknown chromosome",
            f"{interval.where}: the genome has no {interval.region!r}. Give the assembly these intervals are of.",
        )
        return ""
    if region in store.ambiguous:
        inspector.refuse("chromosome with two sequences", f"{interval.where}: {region!r} stands twice in the genome.")
        return ""
    if interval.end > store.length(region):
        inspector.refuse(
            "past the end of its chromosome",
            f"{interval.where}: ends at {interval.end}, and {region!r} has {store.length(region)} letters. Give the "
            "assembly these intervals are of.",
        )
        return ""
    letters = store.read(region, interval.start, interval.end)
    return reverse_complement(letters) if interval.strand == "-" else letters


def _region_in(store: LetterStore, name: str, inspector: Inspector) -> str | None:
    """What the genome calls a region: itself, with or without `chr`, or with the version of a transcript."""
    if name in store:
        return name
    other = _MITOCHONDRIA.get(name) or (name.removeprefix("chr") if name.startswith("chr") else f"chr{name}")
    found = other if other in store else store.with_version(name)
    if found is not None:
        inspector.note("chromosome that the genome calls otherwise")
    return found
