"""Third pass: shuffle all documents in constant memory and write Parquet shards.

Documents are scattered at random over bucket files; then one bucket after the other is read, shuffled and written.
That is a uniform shuffle of everything, and only one bucket is in memory at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.config import KINDS, Kind, Split
from llama_gene.corpus.accounts import count, count_removed
from llama_gene.corpus.deduplicate import digest
from llama_gene.corpus.documents import Document
from llama_gene.corpus.mix import PRIORITIES, Mixture
from llama_gene.corpus.parquet import ParquetFolder
from llama_gene.corpus.spool import RowWriter, read_table
from llama_gene.progress import show_progress

CORPUS_SCHEMA = pa.schema({name: pa.string() for name in ("id", "kind", "text", "source", "split")})
_BUCKET_LETTERS = 32_000_000
_MOST_BUCKETS = 256
_BATCH_LETTERS = 250_000
_DRAWS = 4096
_SCHEMA = pa.schema(
    {
        "source": pa.int32(),
        "kind": pa.int8(),
        "id": pa.string(),
        "text": pa.large_string(),
        "letters": pa.int64(),
        "is_valid": pa.bool_(),
        "priority": pa.int32(),
        "digest": pa.uint64(),
    }
)


class Scattered:
    """The bucket files, and what is known of all documents once they lie in them.

    Attributes:
        buckets: The files, in order.
        train_letters: Training letters per kind by priority, int64 [PRIORITIES].
        valid_digests: Digests of the held-out documents, eight bytes each.
    """

    def __init__(self, buckets: Sequence[Path]) -> None:
        self.buckets = buckets
        self.train_letters: dict[Kind, NDArray[np.int64]] = {
            kind: np.zeros(PRIORITIES, dtype=np.int64) for kind in KINDS
        }
        self.valid_digests: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)


def scatter(documents: Iterable[Document], folder: Path, letters: int, rng: np.random.Generator) -> Scattered:
    """Put every document into a random bucket, with the priority it draws.

    Args:
        documents: All of them.
        folder: Where the bucket files go.
        letters: About how many letters there are: decides the number of buckets.
        rng: Source of buckets and priorities.
    """
    number = min(_MOST_BUCKETS, -(-letters // _BUCKET_LETTERS) or 1)
    scattered = Scattered([folder / f"bucket-{bucket:03d}.arrow" for bucket in range(number)])
    digests: list[int] = []
    draws = _draws(number, rng)
    with ExitStack() as stack:
        writers = [stack.enter_context(RowWriter(path, _SCHEMA, _BATCH_LETTERS)) for path in scattered.buckets]
        for document in documents:
            priority, bucket = next(draws)
            name = digest(document.text, document.kind)
            if document.is_valid:
                digests.append(name)
            else:
                scattered.train_letters[document.kind][priority] += document.letters
            kind = KINDS.index(document.kind)
            writers[bucket].add(
                (document.source, kind, document.id, document.text, document.letters, document.is_valid, priority, name)
            )
    scattered.valid_digests = np.unique(np.array(digests, dtype=np.uint64))
    return scattered


def _draws(buckets: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """(priority, bucket) without end; drawn many at a time, which is ten times faster."""
    while True:
        priorities = rng.integers(PRIORITIES, size=_DRAWS).tolist()
        yield from zip(priorities, rng.integers(buckets, size=_DRAWS).tolist(), strict=True)


def write_shards(
    scattered: Scattered,
    mixture: Mixture,
    output: Path,
    *,
    source_names: Sequence[str],
    shard_letters: int,
    rng: np.random.Generator,
    counts: Counter[str],
) -> None:
    """Choose, shuffle and write `output/train/*.parquet` and `output/valid/*.parquet`.

    Args:
        scattered: Where the documents lie.
        mixture: Which of them are kept.
        output: Stage folder.
        source_names: Name of each source number.
        shard_letters: A shard is closed once it holds so many letters.
        rng: Source of the order.
        counts: Is added to.
    """
    with (
        ParquetFolder(output / "train", CORPUS_SCHEMA, shard_letters) as train,
        ParquetFolder(output / "valid", CORPUS_SCHEMA, shard_letters) as valid,
    ):
        for path in show_progress(scattered.buckets, "writing shards"):
            table = read_table(path)
            table = table.take(rng.permutation(len(table)))
            is_valid = table["is_valid"].to_numpy()
            table = table.filter(pa.array(_chosen(table, is_valid, scattered, mixture, counts)))
            is_valid = table["is_valid"].to_numpy()
            valid.write(_as_corpus(table.filter(pa.array(is_valid)), source_names, "valid", counts))
            train.write(_as_corpus(table.filter(pa.array(~is_valid)), source_names, "train", counts))
            path.unlink()


def _chosen(
    table: pa.Table, is_valid: NDArray[np.bool_], scattered: Scattered, mixture: Mixture, counts: Counter[str]
) -> NDArray[np.bool_]:
    """Rows to keep: all that are held out, and training rows inside their quota that are not held out elsewhere."""
    kinds = table["kind"].to_numpy()
    limits = np.array([mixture.limits[kind] for kind in KINDS])
    outside = ~is_valid & (table["priority"].to_numpy() >= limits[kinds])
    leaked = ~is_valid & ~outside & np.isin(table["digest"].to_numpy(), scattered.valid_digests)
    letters = table["letters"].to_numpy()
    for reason, rows in (("over the mixture's share", outside), ("also in validation", leaked)):
        for number, kind in enumerate(KINDS):
            removed = rows & (kinds == number)
            count_removed(counts, kind, "documents", reason, int(removed.sum()))
            count_removed(counts, kind, "letters", reason, int(letters[removed].sum()))
    kept: NDArray[np.bool_] = ~(outside | leaked)
    return kept


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
    return pa.table(columns, names=CORPUS_SCHEMA.names)
