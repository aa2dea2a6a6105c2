"""Second pass: split the records of one batch, cut them into documents, and scatter these over the shards.

A batch of a chunk's spool is a task of its own. Every choice is drawn from the seed and the number of the batch, so it
does not matter who makes which part, or when.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llama_gene.config import KINDS, CorpusConfig, Kind
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.arrays import save_array, texts_of
from llama_gene.corpus.collect import Chunk, spool_path
from llama_gene.corpus.contamination import HOLDS_ITEM, count_held, find_holders
from llama_gene.corpus.cut_batch import Cut, Runs, cut_batch
from llama_gene.corpus.decide import read_plan
from llama_gene.corpus.deduplicate import digests_of_bytes
from llama_gene.corpus.items import ItemIndex, load_items
from llama_gene.corpus.spool import read_batch, write_batches
from llama_gene.sequences.alphabets import COMPLEMENT
from llama_gene.sequences.coding import PAIR_BORDER
from llama_gene.tokenizer.compiled import compiled

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

# The place of a document, and the names of the tasks whose items it holds.
Holders = Mapping[int, tuple[str, ...]]

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[list(COMPLEMENT)] = list(COMPLEMENT.values())


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


def make_part(task: PartTask) -> dict[str, Any]:
    """Write the documents of a batch: an Arrow file with one batch per shard, and the digests of those held out.

    Returns:
        `counts`, and `train_letters`.
    """
    counts = Counter[str]()
    chunk = task.chunk
    rng = np.random.default_rng([task.seed, chunk.number, task.batch])
    runs = _read_runs(task)
    epochs = task.config.sources[chunk.files[0].source].epochs
    cut = cut_batch(runs, chunk.kind, task.config, epochs, rng, counts)
    count(counts, chunk.kind, "documents", "made", len(cut.runs))
    texts = _write_texts(runs, cut, chunk.kind)
    if task.items is not None:
        stay = _drop_holders(runs, cut, texts, task, task.items, counts)
        cut, texts = cut.take(stay), texts.take(pa.array(stay))
    named = _name(texts, chunk.kind)
    number = len(cut.runs)
    keys = rng.integers(1 << 63, size=number, dtype=np.uint64)
    shard_of = keys % np.uint64(task.shards)
    arrays = [
        pa.repeat(pa.scalar(chunk.files[0].source, pa.int32()), number),
        pa.repeat(pa.scalar(KINDS.index(chunk.kind), pa.int8()), number),
        _write_ids(runs, cut, chunk.kind), texts, pa.array(cut.letters), pa.array(cut.is_valid), pa.array(named),
        pa.array(keys),
    ]  # fmt: skip
    ordered = pa.record_batch(arrays, schema=PART_SCHEMA).take(pa.array(np.argsort(shard_of, kind="stable")))
    ends = np.cumsum(np.bincount(shard_of.astype(np.int64), minlength=task.shards)).tolist()
    spans = zip([0, *ends], ends, strict=False)
    write_batches(task.parts / f"{task.name}.arrow", [ordered.slice(start, end - start) for start, end in spans])
    save_array(task.parts / f"{task.name}.valid.npy", named[cut.is_valid & (named > 0)])
    return {"counts": counts, "train_letters": int(cut.letters[~cut.is_valid].sum())}


def _read_runs(task: PartTask) -> Runs:
    """The runs of the kept records of the batch."""
    plan = read_plan(task.plan, task.chunk.number)
    batch = read_batch(spool_path(task.spool, task.chunk.number), task.batch)
    keep = plan.keep[batch["record"].to_numpy()]
    batch = batch if keep.all() else batch.filter(pa.array(keep))
    records, starts, lengths = (batch[name].to_numpy() for name in ("record", "start", "length"))
    return Runs(batch["id"], records, starts, lengths, texts_of(batch["text"]), plan)


def _write_texts(runs: Runs, cut: Cut, kind: Kind) -> pa.Array:
    """The letters of each document."""
    if kind == "coding":
        return pa.array([_write_pair(runs, *span) for span in cut.spans()], pa.large_string())
    starts = runs.texts.starts[cut.runs] + cut.begins
    ends = np.concatenate([[0], np.cumsum(cut.letters)])
    letters = _copy(runs.texts.letters, starts, cut.letters, cut.turned, _COMPLEMENT, int(ends[-1]))
    return pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(ends), pa.py_buffer(letters))


def _write_pair(runs: Runs, run: int, begin: int, end: int) -> str:
    dna, _, protein = runs.texts.text(run).partition(PAIR_BORDER)
    return f"{dna[begin:end]}{PAIR_BORDER}{protein[begin // 3 : end // 3]}"


@compiled
def _copy(
    letters: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64], turned: NDArray[np.bool_],
    complement: NDArray[np.uint8], room: int,
) -> NDArray[np.uint8]:  # fmt: skip
    """Pieces of letters one after the other, the turned ones as the other strand."""
    found = np.empty(room, np.uint8)
    at = 0
    for piece in range(len(starts)):
        start, size = starts[piece], sizes[piece]
        if turned[piece]:
            for back in range(size):
                found[at + back] = complement[letters[start + size - 1 - back]]
        else:
            found[at : at + size] = letters[start : start + size]
        at += size
    return found


def _write_ids(runs: Runs, cut: Cut, kind: Kind) -> pa.Array:
    """Names: the record's, then `:start-end` in 0-based, half-open letters of the record, and the strand for DNA.

    Of cleaned text the letters are bytes; of a pair the span is that of its coding DNA.
    """
    first = runs.starts[cut.runs]
    begins, ends = (pa.array(first + border).cast(pa.string()) for border in (cut.begins, cut.ends))
    strands = pa.array(["", ":+", ":-"]).take(pa.array((1 + cut.turned) * (kind == "dna")))
    spans = pc.binary_join_element_wise(runs.ids.take(pa.array(cut.runs)), begins, ":")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(spans, ends, "-"), strands, "")


def _name(texts: pa.Array, kind: Kind) -> NDArray[np.uint64]:
    """Digests, to find documents for training that are held out elsewhere: pages that papers share, say.

    Fragments of DNA are cut at random places, no two of them at the same; they have none.
    """
    if kind == "dna":
        return np.zeros(len(texts), np.uint64)
    letters, starts = texts_of(texts)
    return digests_of_bytes(letters.data[start:end] for start, end in pairwise(starts.tolist()))


def _drop_holders(
    runs: Runs, cut: Cut, texts: pa.Array, task: PartTask, items: Path, counts: Counter[str]
) -> NDArray[np.int64]:
    """Places of the documents without those for training that hold an item of a task, alone or two together."""
    kind = task.chunk.kind
    find = partial(find_holders, kind=kind, indexes=_open_items(items), limits=task.config.contamination)
    places = np.flatnonzero(~cut.is_valid)
    found = {int(places[place]): tasks for place, tasks in find(texts.take(pa.array(places)).to_pylist()).items()}
    if kind in ("dna", "protein"):
        found |= _find_cut_items(runs, cut, found, find)
    for place, tasks in found.items():
        count_removed(counts, kind, "documents", HOLDS_ITEM)
        count_removed(counts, kind, "letters", HOLDS_ITEM, int(cut.letters[place]))
        count_held(counts, kind, tasks)
    return np.delete(np.arange(len(texts)), list(found))


def _find_cut_items(
    runs: Runs, cut: Cut, found: Holders, find: Callable[[Sequence[str]], Holders]
) -> dict[int, tuple[str, ...]]:
    """Neighbours for training that hold an item together, and not alone: it was cut where they meet.

    Args:
        runs: What was cut.
        cut: The documents.
        found: Those that hold an item alone.
        find: Place of a text that holds an item, to the names of tasks.
    """
    may = ~cut.is_valid
    may[list(found)] = False
    meet = (cut.runs[1:] == cut.runs[:-1]) & (cut.begins[1:] == cut.ends[:-1]) & may[1:] & may[:-1]
    firsts = np.flatnonzero(meet)
    origins = runs.texts.starts[cut.runs[firsts]]
    spans = zip((origins + cut.begins[firsts]).tolist(), (origins + cut.ends[firsts + 1]).tolist(), strict=True)
    both: dict[int, set[str]] = {}
    for place, tasks in find([runs.texts.letters[start:end].tobytes().decode() for start, end in spans]).items():
        for document in (int(firsts[place]), int(firsts[place]) + 1):
            both.setdefault(document, set()).update(tasks)
    return {document: tuple(sorted(tasks)) for document, tasks in both.items()}


@cache
def _open_items(folder: Path) -> Mapping[Kind, ItemIndex]:
    """The index, opened once in each process."""
    return load_items(folder)
