"""Second pass: split the records of one batch, cut them into documents, and scatter these over the shards.

A batch of a chunk's spool is a task of its own. Every choice is drawn from the seed and the number of the batch, so it
does not matter who makes which part, or when.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.config import KINDS, CorpusConfig, Kind
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.clean import count_letters
from llama_gene.corpus.collect import TOO_SHORT, Chunk, book_path, spool_path
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
from llama_gene.storage import load_array, save_array

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


# (start in the run, strand as it ends the id, letters, held out)
Pieces = Iterator[tuple[int, str, str, bool]]


class Document(NamedTuple):
    """One piece of a record.

    `id` is the record's, with `:start-end` in 0-based, half-open letters of the record (bytes of cleaned text), and
    the strand for DNA; of a pair the span is that of its coding DNA.
    """

    source: int
    id: str
    text: str
    letters: int
    is_valid: bool


def make_part(task: PartTask) -> dict[str, Any]:
    """Write the documents of a batch: an Arrow file with one batch per shard, and the digests of those held out.

    Returns:
        `counts`; `train`: training letters per kind; `documents` that an item of a task was found in.
    """
    counts = Counter[str]()
    kind = task.chunk.kind
    rng = np.random.default_rng([task.seed, task.chunk.number, task.batch])
    documents = list(_documents(task, rng, counts))
    if task.items is not None:
        documents = _drop_holders(documents, task, task.items, counts)
    digests = _name(documents, kind)
    is_valid = np.array([document.is_valid for document in documents], np.bool_)
    keys = rng.integers(1 << 63, size=len(documents), dtype=np.uint64)
    columns = list(zip(*documents, strict=True)) or [()] * len(Document._fields)
    sources, ids, texts, letters, _ = columns
    arrays = [
        pa.array(sources, pa.int32()), pa.repeat(pa.scalar(KINDS.index(kind), pa.int8()), len(documents)),
        pa.array(ids, pa.string()), pa.array(texts, pa.large_string()), pa.array(letters, pa.int64()),
        pa.array(is_valid), pa.array(digests), pa.array(keys),
    ]  # fmt: skip
    whole = pa.record_batch(arrays, schema=PART_SCHEMA)
    shard_of = keys % np.uint64(task.shards)
    borders = np.searchsorted(np.sort(shard_of), np.arange(task.shards + 1, dtype=np.uint64))
    ordered = whole.take(pa.array(np.argsort(shard_of, kind="stable")))
    spans = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    write_batches(task.parts / f"{task.name}.arrow", [ordered.slice(start, end - start) for start, end in spans])
    save_array(task.parts / f"{task.name}.valid.npy", digests[is_valid & (digests > 0)])
    sizes = np.array(letters, np.int64)
    return {"counts": counts, "kind": kind, "train_letters": int(sizes[~is_valid].sum())}


def _name(documents: list[Document], kind: Kind) -> NDArray[np.uint64]:
    """Digests, to find documents for training that are held out elsewhere: pages that papers share, say.

    Fragments of DNA are cut at random places, no two of them at the same; they have none.
    """
    if kind == "dna":
        return np.zeros(len(documents), np.uint64)
    return np.array([digest(document.text, kind) for document in documents], np.uint64)


def _drop_holders(documents: list[Document], task: PartTask, items: Path, counts: Counter[str]) -> list[Document]:
    """The documents without those for training that hold an item of a task."""
    kind = task.chunk.kind
    places = [place for place, document in enumerate(documents) if not document.is_valid]
    texts = [documents[place].text for place in places]
    found = find_holders(texts, kind, _open_items(items), task.config.contamination)
    holders = {places[place]: tasks for place, tasks in found.items()}
    for place, tasks in holders.items():
        count_removed(counts, kind, "documents", HOLDS_ITEM)
        count_removed(counts, kind, "letters", HOLDS_ITEM, documents[place].letters)
        count_held(counts, kind, tasks)
    return [document for place, document in enumerate(documents) if place not in holders]


@cache
def _open_items(folder: Path) -> Mapping[Kind, ItemIndex]:
    """The index, opened once in each process."""
    return load_items(folder)


def _documents(task: PartTask, rng: np.random.Generator, counts: Counter[str]) -> Iterator[Document]:
    """The documents of all kept records of the batch."""
    chunk = task.chunk
    cutter = _Cutter(chunk.kind, task.config, rng, counts)
    file_of = load_array(book_path(task.spool, chunk.number))["file"]
    held = read_plan(task.plan, chunk.number)
    batch = read_batch(spool_path(task.spool, chunk.number), task.batch)
    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        run = Run(*row)
        held_of_record = held[run.record]
        if held_of_record is not None:
            file = chunk.files[int(file_of[run.record]) - chunk.first]
            yield from cutter.documents_of(run, file.source, held_of_record)
    cutter.settle()


class _Cutter:
    """Cuts the runs of one kind; every letter is in a document or counted as removed."""

    def __init__(self, kind: Kind, config: CorpusConfig, rng: np.random.Generator, counts: Counter[str]) -> None:
        self._kind = kind
        self._config = config
        self._rng = rng
        self._counts = counts
        self._made = self._repeated = 0
        self._cut = {
            "dna": self._cut_dna, "protein": self._cut_protein, "text": self._cut_text, "coding": self._cut_coding,
        }[kind]  # fmt: skip

    def documents_of(self, run: Run, source: int, held: NDArray[np.bool_]) -> Iterator[Document]:
        """The documents of one run, once for every epoch of its source: sequences are cut anew each time."""
        epochs = self._config.sources[source].epochs
        left = count_letters(run.text, self._kind)
        for epoch in range(math.ceil(epochs)):
            share = min(1.0, epochs - epoch)
            for start, strand, text, is_valid in self._cut(run, held):
                size = count_letters(text, self._kind)
                left -= 0 if epoch else size
                if self._stays(size, is_valid, epoch, share):
                    begin = run.start + start
                    # A pair is named by the bases of its coding DNA.
                    end = begin + (text.index(PAIR_BORDER) if self._kind == "coding" else size)
                    yield Document(source, f"{run.id}:{begin}-{end}{strand}", text, size, is_valid)
        count_removed(self._counts, self._kind, "letters", "space between pages", left)

    def _stays(self, size: int, is_valid: bool, epoch: int, share: float) -> bool:
        """Whether a piece becomes a document; what is held out is read once."""
        reason = ""
        if size < self._config.min_letters:
            reason = TOO_SHORT
        elif share < 1 and not is_valid and self._rng.random() >= share:
            reason = "outside the source's epochs"
        if epoch and (reason or is_valid):
            return False
        if reason:
            count_removed(self._counts, self._kind, "letters", reason, size)
            return False
        self._made += 1
        self._repeated += size if epoch else 0
        return True

    def settle(self) -> None:
        """Count what was made."""
        count(self._counts, self._kind, "documents", "made", self._made)
        count(self._counts, self._kind, "letters", "repeated", self._repeated)

    def _cut_dna(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        config, rng = self._config, self._rng
        region = config.region_bp if len(held) > 1 else run.length
        for begin, end, is_valid in stretches(run.start, len(run.text), region, held):
            borders = begin + fragment_borders(end - begin, rng, config.fragment_min_bp, config.fragment_max_bp)
            is_reverse = rng.random(len(borders) - 1) < config.reverse_share
            for (start, stop), turned in zip(pairwise(borders.tolist()), is_reverse.tolist(), strict=True):
                piece = run.text[start:stop]
                yield (start, ":-", reverse_complement(piece), is_valid) if turned else (start, ":+", piece, is_valid)

    def _cut_protein(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        for start, piece in cut_protein(run.text, self._config.protein_max_residues):
            yield start, "", piece, bool(held[0])

    def _cut_coding(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        for start, piece in cut_coding(run.text, self._config.coding_max_bp):
            yield start, "", piece, bool(held[0])

    def _cut_text(self, run: Run, held: NDArray[np.bool_]) -> Pieces:
        """A page belongs to the region in which it starts."""
        for start, page in cut_text(run.text, self._config.text_max_bytes):
            yield start, "", page, bool(held[min(start // self._config.region_bp, len(held) - 1)])
