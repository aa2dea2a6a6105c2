"""Cut the runs of one batch into documents, as columns: nothing is made for each of millions of small records.

Every letter of a run is in a document or counted as removed.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.config import CorpusConfig, Kind
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.collect import TOO_SHORT
from llama_gene.corpus.cut import cut_coding, cut_proteins, cut_text
from llama_gene.corpus.decide import Plan
from llama_gene.corpus.split import stretches
from llama_gene.sequences.coding import PAIR_BORDER
from llama_gene.sequences.fragments import fragment_borders
from llama_gene.tokenizer.joined import Texts


class Runs(NamedTuple):
    """Stretches of the letters of kept records, as columns.

    Attributes:
        ids: Names of their records, strings [runs].
        records: int64 [runs], numbers of their records in the chunk.
        starts: int64 [runs], 0-based place in the record.
        lengths: int64 [runs], letters of the whole record.
        texts: Their letters.
        plan: What is held out of which record.
    """

    ids: pa.Array
    records: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    texts: Texts
    plan: Plan

    def letters(self, kind: Kind) -> int:
        """Of all of them: bases, residues or bytes; the border in a coding pair is none."""
        return int(self.texts.lengths.sum()) - (kind == "coding") * len(PAIR_BORDER) * len(self.records)


class Cut(NamedTuple):
    """What runs are cut into, as columns [documents].

    Attributes:
        runs: int64, the run each is part of.
        begins, ends: int64, 0-based and half-open letters of the run (bytes of text; bases of a coding pair).
        letters: int64, bases, residues or bytes; of a pair the bases and residues.
        is_valid: bool, held out.
        turned: bool, read from the other strand.
    """

    runs: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    letters: NDArray[np.int64]
    is_valid: NDArray[np.bool_]
    turned: NDArray[np.bool_]

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> "Cut":
        """These documents alone."""
        return Cut(*(column[places] for column in self))  # type: ignore[arg-type]

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Run, begin and end of each."""
        return zip(self.runs.tolist(), self.begins.tolist(), self.ends.tolist(), strict=True)


def cut_batch(
    runs: Runs, kind: Kind, config: CorpusConfig, epochs: float, rng: np.random.Generator, counts: Counter[str]
) -> Cut:
    """The documents of all runs, once for every epoch of their source: sequences are cut anew each time.

    Args:
        runs: What is cut.
        kind: What the letters are.
        config: Limits.
        epochs: Times that the source is read; what is held out is read once.
        rng: Source of every choice.
        counts: Gets letters that leave, and those that come in again.
    """
    cuts = []
    for epoch in range(math.ceil(epochs)):
        cut = _CUTTERS[kind](runs, config, rng)
        share = min(1.0, epochs - epoch)
        is_short = cut.letters < config.min_letters
        is_outside = ~cut.is_valid & (rng.random(len(cut.runs)) >= share) if share < 1 else np.zeros_like(is_short)
        if epoch:
            cut = cut.take(~(is_short | is_outside | cut.is_valid))
            count(counts, kind, "letters", "repeated", int(cut.letters.sum()))
        else:
            left = runs.letters(kind) - int(cut.letters.sum())
            count_removed(counts, kind, "letters", "space between pages", left)
            count_removed(counts, kind, "letters", TOO_SHORT, int(cut.letters[is_short].sum()))
            outside = int(cut.letters[is_outside & ~is_short].sum())
            count_removed(counts, kind, "letters", "outside the source's epochs", outside)
            cut = cut.take(~(is_short | is_outside))
        cuts.append(cut)
    return Cut(*(np.concatenate(columns) for columns in zip(*cuts, strict=True)))


def _cut_dna(runs: Runs, config: CorpusConfig, rng: np.random.Generator) -> Cut:
    numbers, borders, valid = [], [], []
    rows = zip(
        *(column.tolist() for column in (runs.records, runs.starts, runs.lengths, runs.texts.lengths)), strict=True
    )
    for number, (record, start, whole, length) in enumerate(rows):
        held = runs.plan.units(record)
        region = config.region_bp if len(held) > 1 else whole
        for begin, end, is_valid in stretches(start, length, region, held):
            numbers.append(number)
            borders.append(begin + fragment_borders(end - begin, rng, config.fragment_min_bp, config.fragment_max_bp))
            valid.append(is_valid)
    pieces = [len(of_stretch) - 1 for of_stretch in borders]
    begins, ends = (
        np.concatenate([np.zeros(0, np.int64), *(of_stretch[side] for of_stretch in borders)])
        for side in (slice(-1), slice(1, None))
    )
    of_run, is_held = (np.repeat(np.array(of_stretch, np.int64), pieces) for of_stretch in (numbers, valid))
    cut = _unturned(of_run, begins, ends, ends - begins, is_held.astype(np.bool_))
    return cut._replace(turned=rng.random(len(cut.runs)) < config.reverse_share)


def _cut_protein(runs: Runs, config: CorpusConfig, rng: np.random.Generator) -> Cut:
    numbers, begins, ends = cut_proteins(runs.texts.lengths, config.protein_max_residues)
    return _unturned(numbers, begins, ends, ends - begins, runs.plan.first_units(runs.records)[numbers])


def _cut_coding(runs: Runs, config: CorpusConfig, rng: np.random.Generator) -> Cut:
    rows = []
    for number in range(len(runs.records)):
        for start, piece in cut_coding(runs.texts.text(number), config.coding_max_bp):
            rows.append((number, start, start + piece.index(PAIR_BORDER), len(piece) - len(PAIR_BORDER)))
    numbers, begins, ends, letters = _columns(rows)
    return _unturned(numbers, begins, ends, letters, runs.plan.first_units(runs.records)[numbers])


def _cut_text(runs: Runs, config: CorpusConfig, rng: np.random.Generator) -> Cut:
    """A page belongs to the region in which it starts."""
    rows = []
    for number, record in enumerate(runs.records.tolist()):
        held = runs.plan.units(record)
        for start, page in cut_text(runs.texts.text(number), config.text_max_bytes):
            region = min(start // config.region_bp, len(held) - 1)
            rows.append((number, start, start + len(page.encode()), bool(held[region])))
    numbers, begins, ends, valid = _columns(rows)
    return _unturned(numbers, begins, ends, ends - begins, valid.astype(np.bool_))


def _columns(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Four columns of numbers."""
    return np.ascontiguousarray(np.array(rows, np.int64).reshape(-1, 4).T)


def _unturned(
    runs: NDArray[np.int64], begins: NDArray[np.int64], ends: NDArray[np.int64], letters: NDArray[np.int64],
    is_valid: NDArray[np.bool_],
) -> Cut:  # fmt: skip
    return Cut(runs, begins, ends, letters, is_valid, np.zeros(len(runs), np.bool_))


_CUTTERS = {"dna": _cut_dna, "protein": _cut_protein, "text": _cut_text, "coding": _cut_coding}
