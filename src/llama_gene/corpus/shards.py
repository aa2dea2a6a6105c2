"""Third pass: gather the documents of one shard from all parts, shuffle them, and write them as Parquet.

A document's shard and its place in it are drawn at random when it is made, which is a uniform shuffle of everything;
only one shard is in memory at a time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llama_gene.config import KINDS, Kind, Split
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.arrays import load_array
from llama_gene.corpus.documents import PART_SCHEMA
from llama_gene.corpus.mix import take_span
from llama_gene.corpus.spool import read_batch

CORPUS_SCHEMA = pa.schema({name: pa.string() for name in ("id", "kind", "text", "source", "split")})
_ROW_GROUP = 8192
_REPEATED = ["kind", "source", "split"]


@dataclass(frozen=True)
class ShardTask:
    """One shard.

    Attributes:
        shard: Its number.
        parts: All part files, in order.
        valid: File with the sorted digests of all held-out documents.
        shares: Share of each kind's training documents to keep.
        source_names: Name of each source number.
        seed: Seed of the run.
        output: Stage folder: train/ and valid/ are in it.
    """

    shard: int
    parts: tuple[Path, ...]
    valid: Path
    shares: Mapping[Kind, float]
    source_names: Sequence[str]
    seed: int
    output: Path


def write_shard(task: ShardTask) -> dict[str, Any]:
    """Write `train/NNNNN.parquet` and `valid/NNNNN.parquet`.

    Returns:
        `counts` of what was written and what was left out.
    """
    counts = Counter[str]()
    table = pa.Table.from_batches([read_batch(part, task.shard) for part in task.parts], PART_SCHEMA)
    # Parts that are made in another order would tie otherwise only where two keys are equal: then their order decides.
    order = np.argsort(table["key"].to_numpy(), kind="stable")
    # The letters are moved once, when all else is decided.
    bare = table.drop_columns(["id", "text"]).take(order)
    is_kept, is_valid = _chosen(bare, task, counts), bare["is_valid"].to_numpy()
    halves: tuple[tuple[Split, NDArray[np.bool_]], ...] = (("valid", is_valid), ("train", ~is_valid))
    for split, rows in halves:
        corpus = _as_corpus(table.take(order[is_kept & rows]), task.source_names, split, counts)
        with (task.output / split / f"{task.shard:05d}.parquet").open("wb") as file:
            # Letters repeat in no column of their own: to look for that costs more than to write them.
            pq.write_table(corpus, file, compression="zstd", row_group_size=_ROW_GROUP, use_dictionary=_REPEATED)
    return {"counts": counts}


def _chosen(table: pa.Table, task: ShardTask, counts: Counter[str]) -> NDArray[np.bool_]:
    """Rows to keep: all that are held out, and of the others a random share that is not held out elsewhere."""
    kinds, is_valid, letters = (table[name].to_numpy() for name in ("kind", "is_valid", "letters"))
    valid = load_array(task.valid)
    leaked = ~is_valid & np.isin(table["digest"].to_numpy(), valid)
    outside = np.zeros(len(table), np.bool_)
    rng = np.random.default_rng([task.seed, task.shard])
    for number, kind in enumerate(KINDS):
        candidates = np.flatnonzero(~is_valid & ~leaked & (kinds == number))
        outside[candidates[take_span(letters[candidates], (task.shares[kind], 1.0), rng)]] = True
    for reason, rows in (("over max_letters", outside), ("also in validation", leaked)):
        for number, kind in enumerate(KINDS):
            removed = rows & (kinds == number)
            count_removed(counts, kind, "documents", reason, int(removed.sum()))
            count_removed(counts, kind, "letters", reason, int(letters[removed].sum()))
    kept_rows: NDArray[np.bool_] = ~(outside | leaked)
    return kept_rows


def _as_corpus(table: pa.Table, source_names: Sequence[str], split: Split, counts: Counter[str]) -> pa.Table:
    """The rows with the corpus's own columns; they are counted."""
    kinds, letters = table["kind"].to_numpy(), table["letters"].to_numpy()
    for number, kind in enumerate(KINDS):
        rows = kinds == number
        if rows.any():
            count(counts, kind, "documents", split, int(rows.sum()))
            count(counts, kind, "letters", split, int(letters[rows].sum()))
    columns = [
        table["id"],
        pa.array(KINDS).take(pa.array(kinds)),
        table["text"],
        pa.array(source_names, pa.string()).take(table["source"].combine_chunks()),
        pa.array([split] * len(table), pa.string()),
    ]
    return pa.table(columns, names=CORPUS_SCHEMA.names).cast(CORPUS_SCHEMA)
