"""Second pass: split the records of one batch, cut them into documents, and scatter these over the shards.

A batch of a chunk's spool is a task of its own. Every choice is drawn from the seed and the number of the batch, so it
does not matter who makes which part, or when.
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import compress, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.config import KINDS, CorpusConfig, Kind
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.arrays import save_array
from llama_gene.corpus.clean import count_letters
from llama_gene.corpus.collect import TOO_SHORT, Chunk, spool_path
from llama_gene.corpus.contamination import HOLDS_ITEM, count_held, find_holders
from llama_gene.corpus.cut import cut_coding, cut_protein, cut_text
from llama_gene.corpus.decide import read_plan
from llama_gene.corpus.deduplicate import digest
from llama_gene.corpus.items import ItemIndex, load_items
from llama_gene.corpus.split import stretches
from llama_gene.corpus.spool import read_batch, write_batches
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.coding import PAIR_BORDER
from llama_gene.sequences.fragments import fragment_borders

PART_SCHEMA = pa.schema(
    {
        "source": pa.int32(),
        "kind": pa.int8(),
        "id": pa.string(),
        "text": pa.large_string(),
        "letters": pa.int64(),
        "is_valid": pa.bool_(),
        "digest": pa.uint64(),
        "key": pa.uint64(),
    }
)


@dataclass(frozen=True)
class PartTask:
    """One batch of one chunk.

    Attributes:
        chunk: The chunk.
        batch: Number of the batch in its spool.
        config: Rules.
        seed: Seed of the run.
        spool: Folder of the first pass.
        plan: Folder of `decide`.
        parts: Folder to write to.
        shards: Number of shards to scatter over.
        items: Index of the tasks' held-out items, or None.
    """

    chunk: Chunk
    batch: int
    config: CorpusConfig
    seed: int
    spool: Path
    plan: Path
    parts: Path
    shards: int
    items: Path | None

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.chunk.number:06d}-{self.batch:06d}"


class Run(NamedTuple):
    """A row of the spool: a stretch of letters of one record. `length` is the whole record's."""

    record: int
    id: str
    start: int
    length: int
    text: str


class Pieces(NamedTuple):
    """What a run is cut into, as columns: 0-based starts in the run, letters, strand as it ends an id, held out."""

    starts: list[int]
    texts: list[str]
    strands: list[str]
    is_valid: list[bool]


@dataclass
class Documents:
    """The documents of one part, as columns.

    An id is the record's, with `:start-end` in 0-based, half-open letters of the record (bytes of cleaned text), and
    the strand for DNA; of a pair the span is that of its coding DNA.
    """

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    letters: list[int] = field(default_factory=list)
    is_valid: list[bool] = field(default_factory=list)

    def without(self, places: Container[int]) -> "Documents":
        """All but the documents at these places."""
        stay = [place not in places for place in range(len(self.ids))]
        return Documents(
            list(compress(self.ids, stay)), list(compress(self.texts, stay)), list(compress(self.letters, stay)),
            list(compress(self.is_valid, stay)),
        )  # fmt: skip


def make_part(task: PartTask) -> dict[str, Any]:
    """Write the documents of a batch: an Arrow file with one batch per shard, and the digests of those held out.

    Returns:
        `counts`, and `train_letters`.
    """
    counts = Counter[str]()
    chunk = task.chunk
    rng = np.random.default_rng([task.seed, chunk.number, task.batch])
    documents = _cut_batch(task, rng, counts)
    if task.items is not None:
        documents = _drop_holders(documents, task, task.items, counts)
    digests = _name(documents, chunk.kind)
    is_valid, letters = np.array(documents.is_valid, np.bool_), np.array(documents.letters, np.int64)
    number = len(letters)
    keys = rng.integers(1 << 63, size=number, dtype=np.uint64)
    shard_of = keys % np.uint64(task.shards)
    arrays = [
        pa.repeat(pa.scalar(chunk.files[0].source, pa.int32()), number),
        pa.repeat(pa.scalar(KINDS.index(chunk.kind), pa.int8()), number),
        pa.array(documents.ids, pa.string()), pa.array(documents.texts, pa.large_string()), pa.array(letters),
        pa.array(is_valid), pa.array(digests), pa.array(keys),
    ]  # fmt: skip
    ordered = pa.record_batch(arrays, schema=PART_SCHEMA).take(pa.array(np.argsort(shard_of, kind="stable")))
    ends = np.cumsum(np.bincount(shard_of.astype(np.int64), minlength=task.shards)).tolist()
    spans = zip([0, *ends], ends, strict=False)
    write_batches(task.parts / f"{task.name}.arrow", [ordered.slice(start, end - start) for start, end in spans])
    save_array(task.parts / f"{task.name}.valid.npy", digests[is_valid & (digests > 0)])
    return {"counts": counts, "train_letters": int(letters[~is_valid].sum())}


def _name(documents: Documents, kind: Kind) -> NDArray[np.uint64]:
    """Digests, to find documents for training that are held out elsewhere: pages that papers share, say.

    Fragments of DNA are cut at random places, no two of them at the same; they have none.
    """
    if kind == "dna":
        return np.zeros(len(documents.texts), np.uint64)
    return np.array([digest(text, kind) for text in documents.texts], np.uint64)


def _drop_holders(documents: Documents, task: PartTask, items: Path, counts: Counter[str]) -> Documents:
    """The documents without those for training that hold an item of a task."""
    kind = task.chunk.kind
    places = [place for place, is_valid in enumerate(documents.is_valid) if not is_valid]
    texts = [documents.texts[place] for place in places]
    found = find_holders(texts, kind, _open_items(items), task.config.contamination)
    holders = {places[place]: tasks for place, tasks in found.items()}
    for place, tasks in holders.items():
        count_removed(counts, kind, "documents", HOLDS_ITEM)
        count_removed(counts, kind, "letters", HOLDS_ITEM, documents.letters[place])
        count_held(counts, kind, tasks)
    return documents.without(holders)


@cache
def _open_items(folder: Path) -> Mapping[Kind, ItemIndex]:
    """The index, opened once in each process."""
    return load_items(folder)


def _cut_batch(task: PartTask, rng: np.random.Generator, counts: Counter[str]) -> Documents:
    """The documents of all kept records of the batch."""
    chunk = task.chunk
    cutter = _Cutter(chunk.kind, task.config, task.config.sources[chunk.files[0].source].epochs, rng, counts)
    held = read_plan(task.plan, chunk.number)
    batch = read_batch(spool_path(task.spool, chunk.number), task.batch)
    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        run = Run(*row)
        held_of_record = held[run.record]
        if held_of_record is not None:
            cutter.add(run, held_of_record)
    count(counts, chunk.kind, "documents", "made", len(cutter.documents.ids))
    return cutter.documents


class _Cutter:
    """Cuts the runs of one kind; every letter is in a document or counted as removed."""

    def __init__(
        self, kind: Kind, config: CorpusConfig, epochs: float, rng: np.random.Generator, counts: Counter[str]
    ) -> None:
        self.documents = Documents()
        self._kind = kind
        self._config = config
        self._epochs = epochs
        self._rng = rng
        self._counts = counts
        self._cut = {
            "dna": self._cut_dna, "protein": self._cut_protein, "text": self._cut_text, "coding": self._cut_coding,
        }[kind]  # fmt: skip

    def add(self, run: Run, held: NDArray[np.bool_]) -> None:
        """Make the documents of one run, once for every epoch of its source: sequences are cut anew each time."""
        for epoch in range(math.ceil(self._epochs)):
            pieces = self._cut(run, held)
            sizes = [count_letters(text, self._kind) for text in pieces.texts]
            if not epoch:
                left = count_letters(run.text, self._kind) - sum(sizes)
                count_removed(self._counts, self._kind, "letters", "space between pages", left)
            stay = self._choose(pieces, sizes, epoch)
            if epoch:
                count(self._counts, self._kind, "letters", "repeated", sum(compress(sizes, stay)))
            self.documents.ids += compress(self._ids(run, pieces, sizes), stay)
            self.documents.texts += compress(pieces.texts, stay)
            self.documents.letters += compress(sizes, stay)
            self.documents.is_valid += compress(pieces.is_valid, stay)

    def _ids(self, run: Run, pieces: Pieces, sizes: Sequence[int]) -> list[str]:
        # A pair is named by the bases of its coding DNA.
        spans = [text.index(PAIR_BORDER) for text in pieces.texts] if self._kind == "coding" else sizes
        rows = zip(pieces.starts, spans, pieces.strands, strict=True)
        return [f"{run.id}:{run.start + at}-{run.start + at + span}{strand}" for at, span, strand in rows]

    def _choose(self, pieces: Pieces, sizes: Sequence[int], epoch: int) -> list[bool]:
        """Which pieces become documents; what is held out is read once."""
        share = min(1.0, self._epochs - epoch)
        if not epoch and share == 1 and min(sizes, default=0) >= self._config.min_letters:
            return [True] * len(sizes)
        stay = []
        for size, is_valid in zip(sizes, pieces.is_valid, strict=True):
            is_short = size < self._config.min_letters
            is_outside = share < 1 and not is_valid and self._rng.random() >= share
            stay.append(not (is_short or is_outside or (epoch and is_valid)))
            if not epoch and (is_short or is_outside):
                reason = TOO_SHORT if is_short else "outside the source's epochs"
                count_removed(self._counts, self._kind, "letters", reason, size)
        return stay

    def _cut_dna(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        config, rng = self._config, self._rng
        region = config.region_bp if len(held) > 1 else run.length
        pieces = Pieces([], [], [], [])
        for begin, end, is_valid in stretches(run.start, len(run.text), region, held):
            borders = (
                begin + fragment_borders(end - begin, rng, config.fragment_min_bp, config.fragment_max_bp)
            ).tolist()
            turned = (rng.random(len(borders) - 1) < config.reverse_share).tolist()
            texts = [run.text[start:stop] for start, stop in pairwise(borders)]
            pieces.starts.extend(borders[:-1])
            pieces.texts.extend(
                reverse_complement(text) if turns else text for text, turns in zip(texts, turned, strict=True)
            )
            pieces.strands.extend(":-" if turns else ":+" for turns in turned)
            pieces.is_valid.extend([is_valid] * len(turned))
        return pieces

    def _cut_protein(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        return _all_held(cut_protein(run.text, self._config.protein_max_residues), is_valid=bool(held[0]))

    def _cut_coding(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        return _all_held(cut_coding(run.text, self._config.coding_max_bp), is_valid=bool(held[0]))

    def _cut_text(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        """A page belongs to the region in which it starts."""
        pages = list(cut_text(run.text, self._config.text_max_bytes))
        regions = [min(start // self._config.region_bp, len(held) - 1) for start, _ in pages]
        return Pieces(
            [start for start, _ in pages], [page for _, page in pages], [""] * len(pages), held[regions].tolist()
        )


def _all_held(cut: Iterable[tuple[int, str]], *, is_valid: bool) -> Pieces:
    starts, texts = zip(*cut, strict=True)
    return Pieces(list(starts), list(texts), [""] * len(starts), [is_valid] * len(starts))
