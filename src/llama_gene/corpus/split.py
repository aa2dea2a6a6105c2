"""Decide what is held out for validation, before anything is cut.

A source, all files of one entry of the recipe, is split by whole record. A source of DNA or text that has few records
is split by region instead: consecutive stretches of each record. Of genomes that are nearly identical to another one
all goes to training, since a held-out region or gene of one would be read in the other; their records do not count.
Proteins and coding pairs are always split by whole record.

Of each source that has two units or more at least one is held out. The units held out are spread over the source: one
at a random place in each of as many equal stretches as there are units to hold out. Whole records of DNA are chosen by
their letters instead: a plasmid and a chromosome are one record each, and a few short ones would be no validation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from llama_gene.config import Kind

SplitBy = Literal["record", "region", "nothing"]


def split_by(kind: Kind, records: int, region_below_records: int) -> SplitBy:
    """How a source of so many records is split.

    >>> split_by("dna", 3, 20), split_by("dna", 20, 20), split_by("protein", 3, 20)
    ('region', 'record', 'record')
    """
    return "region" if kind in ("dna", "text") and records < region_below_records else "record"


@dataclass(frozen=True)
class FileUnits:
    """What the split needs to know of one file.

    Attributes:
        source: Number of its source.
        kind: What its letters are.
        records: Records kept.
        regions: Regions of all its records.
        has_twin: True where another file is nearly identical.
        lengths: int64 [records], the letters of each; needed of DNA alone.
    """

    source: int
    kind: Kind
    records: int
    regions: int
    has_twin: bool = False
    lengths: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class FileSplit:
    """How one file is split: its units in order, true where held out."""

    by: SplitBy
    held: NDArray[np.bool_]


def plan_split(files: Sequence[FileUnits], *, share: float, region_below_records: int, seed: int) -> list[FileSplit]:
    """Choose the held-out units of all files, source by source.

    Args:
        files: Files in reading order.
        share: Share of each source's units to hold out.
        region_below_records: A source of DNA or text with fewer records, twins apart, is split by region.
        seed: Seed of the choice.

    >>> genome = FileUnits(source=0, kind="dna", records=1, regions=50)
    >>> twins = [FileUnits(source=1, kind="dna", records=1, regions=50, has_twin=True)] * 2
    >>> plan = plan_split([genome, *twins], share=0.02, region_below_records=20, seed=1)
    >>> [(file.by, int(file.held.sum())) for file in plan]
    [('region', 1), ('nothing', 0), ('nothing', 0)]
    """
    splits = [FileSplit("nothing", np.zeros(0, np.bool_))] * len(files)
    for source in sorted({file.source for file in files}):
        members = [number for number, file in enumerate(files) if file.source == source and not file.has_twin]
        if not members:
            continue
        of_source = [files[number] for number in members]
        way = split_by(of_source[0].kind, sum(file.records for file in of_source), region_below_records)
        sizes = [file.regions if way == "region" else file.records for file in of_source]
        rng = np.random.default_rng([seed, source])
        if way == "record" and of_source[0].kind == "dna":
            held = choose_by_letters(np.concatenate([file.lengths for file in of_source]), share, rng)
        else:
            held = choose_held_out(sum(sizes), share, rng)
        for number, part in zip(members, np.split(held, np.cumsum(sizes)[:-1]), strict=True):
            splits[number] = FileSplit(way, part)
    return splits


def count_regions(lengths: npt.ArrayLike, region: int) -> NDArray[np.int64]:
    """Regions of records of these lengths; the last of each may be short.

    >>> count_regions([250_000, 100_000, 1], 100_000).tolist()
    [3, 1, 1]
    """
    return np.maximum(1, -(-np.asarray(lengths) // region))


def choose_held_out(units: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of a source's units go to validation.

    Args:
        units: Records or regions of the source.
        share: Share to hold out, in (0, 0.5).
        rng: Source of the choice.

    Returns:
        bool [units]; about `share` of them true, at least one where there are two units or more.

    >>> held = choose_held_out(100, 0.02, np.random.default_rng(0))
    >>> int(held[:50].sum()), int(held[50:].sum())
    (1, 1)
    """
    held = np.zeros(units, dtype=np.bool_)
    if units < 2:
        return held
    number = max(1, round(units * share))
    edges = np.arange(number + 1) * units // number
    held[rng.integers(edges[:-1], edges[1:])] = True
    return held


def choose_by_letters(lengths: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which records of a source go to validation, so that their letters are a share of all, or up to twice that.

    Args:
        lengths: Letters of each record.
        share: Share to hold out, in (0, 0.5). A record that has more than it alone stays, unless all of them have.
        rng: Source of the choice.

    Returns:
        bool [records]; at least one true where there are two records or more, and never all.

    >>> choose_by_letters(np.array([5_000_000, 20_000, 100_000]), 0.01, np.random.default_rng(0)).tolist()
    [False, True, False]
    """
    held = np.zeros(len(lengths), dtype=np.bool_)
    if len(lengths) < 2:
        return held
    most = lengths.sum() * share
    order = rng.permutation(np.flatnonzero(lengths <= most))
    before = np.cumsum(lengths[order]) - lengths[order]
    held[order[before < most]] = True
    if not len(order):
        held[lengths.argmin()] = True
    return held


def stretches(start: int, length: int, region: int, held: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """Cut a run of a record where the split changes, and nowhere else.

    Args:
        start: 0-based place of the run in the record.
        length: Letters of the run, > 0.
        region: Letters of a region.
        held: bool [regions of the record].

    Yields:
        (start, end, is_held_out), 0-based and half-open in the run.

    >>> held = np.array([False, True, False, False])
    >>> list(stretches(start=5, length=30, region=10, held=held))
    [(0, 5, False), (5, 15, True), (15, 30, False)]
    """
    first, last = start // region, (start + length - 1) // region
    changes = np.flatnonzero(np.diff(held[first : last + 1])) + first + 1
    begin = 0
    for end in [*(int(change) * region - start for change in changes), length]:
        yield begin, end, bool(held[(start + begin) // region])
        begin = end
