"""Encode the documents of one shard and pack them into blocks.

A document longer than a block is cut into consecutive pieces of nearly equal length, and counted: each piece opens with
the begin token, only the last closes with the end token, since the others do not end there. Documents are packed inside
a window, so the shuffle of the corpus is kept but for that window. Blocks may be short of `block_tokens`: nothing is
padded here and no document is cut to fill one.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llama_gene.config import GENE_KINDS, KINDS, Kind, PackConfig, Split
from llama_gene.corpus.best_fit import best_fit
from llama_gene.corpus.blocks import BLOCK_SCHEMA
from llama_gene.corpus.clean import count_letters
from llama_gene.corpus.mix import take_span
from llama_gene.sequences.files import open_parquet
from llama_gene.storage import to_path
from llama_gene.tokenizer.encode import Ids
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer


@dataclass(frozen=True)
class PackTask:
    """One shard in one phase of training.

    Attributes:
        split: What the documents are for.
        shard: Parquet file of the corpus.
        phase: Number of the phase, 0-based.
        spans: Which stretch of each kind's documents, in random order, this phase takes: (start, end) in 0..1.
        config: Size of blocks and dropout.
        tokenizer: Its folder.
        seed: Seed of the run.
        output: Stage folder.
    """

    split: Split
    shard: Path
    phase: int
    spans: Mapping[Kind, tuple[float, float]]
    config: PackConfig
    tokenizer: Path
    seed: int
    output: Path


class TokenDocument(NamedTuple):
    """One document as tokens, begin and end token included; `text_tokens` counts those of its text alone."""

    kind: Kind
    ids: Ids
    text_tokens: int
    letters: int


def pack_shard(task: PackTask) -> dict[str, Any]:
    """Write the blocks of one shard.

    Returns:
        `counts` of documents, `blocks`, and per kind in `kinds` its documents, text tokens and letters.
    """
    number = int(task.shard.stem)
    is_train = task.split == "train"
    rng = np.random.default_rng([task.seed, is_train, task.phase, number])
    writer = _Writer(open_once(str(task.tokenizer)), task.config, is_train=is_train, rng=rng)
    path = task.output / task.split / f"{task.phase:02d}-{number:05d}.arrow"
    packed = _Packed()
    # A stream, not a file with an index at its end: that is what `datasets` maps into memory.
    with path.open("wb") as file, pa.ipc.new_stream(file, BLOCK_SCHEMA) as stream:
        for rows in _windows(task, np.random.default_rng([task.seed, is_train, number])):
            documents = writer.encode(rows)
            packed.count(documents)
            window = list(chain.from_iterable(documents))
            places = best_fit([len(document.ids) for document in window], task.config.block_tokens)
            order = rng.permutation(len(places))
            stream.write_table(_as_table([[window[at] for at in places[one]] for one in order]))
            packed.blocks += len(places)
    return {"counts": packed.counts, "blocks": packed.blocks, "tokens": packed.tokens, "kinds": packed.kinds}


class _Packed:
    """What has been packed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kinds: dict[Kind, Counter[str]] = {}
        self.blocks = self.tokens = 0

    def count(self, documents: Sequence[Sequence["TokenDocument"]]) -> None:
        """Add documents, each in one piece or several."""
        self.counts["documents"] += len(documents)
        self.counts["documents cut"] += sum(len(pieces) > 1 for pieces in documents)
        for document in chain.from_iterable(documents):
            self.tokens += len(document.ids)
            of_kind = self.kinds.setdefault(document.kind, Counter())
            of_kind.update(documents=1, text_tokens=document.text_tokens, letters=document.letters)


@cache
def open_once(folder: str) -> GeneTokenizer:
    """The tokenizer, opened once in each process."""
    if numba.config.NUMBA_NUM_THREADS == 1:
        # One worker of several, each with a core: `tokenizers` knows no other way to be told.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return load_tokenizer(to_path(folder))


def _windows(task: PackTask, rng: np.random.Generator) -> Iterator[list[tuple[Kind, str]]]:
    """The documents that this phase takes, in the order of the shard, a window at a time."""
    table = open_parquet(task.shard).read(["kind", "text"])
    kinds = np.array(table["kind"].to_pylist(), dtype=object)
    letters = pc.binary_length(table["text"]).to_numpy()
    chosen = np.zeros(len(table), np.bool_)
    for kind in KINDS:
        rows = np.flatnonzero(kinds == kind)
        chosen[rows[take_span(letters[rows], task.spans[kind], rng)]] = True
    table = table.filter(pa.array(chosen))
    for start in range(0, len(table), task.config.window_documents):
        window = table.slice(start, task.config.window_documents)
        yield list(zip(window["kind"].to_pylist(), window["text"].to_pylist(), strict=True))


class _Writer:
    """Writes texts as token documents of at most `block` tokens; sequences with BPE-dropout where it is asked for."""

    def __init__(
        self, tokenizer: GeneTokenizer, config: PackConfig, *, is_train: bool, rng: np.random.Generator
    ) -> None:
        self._tokenizer = tokenizer
        self._dropout = config.bpe_dropout if is_train else 0.0
        self._rng = rng
        self._begin = np.array([] if tokenizer.bos_id is None else [tokenizer.bos_id], np.int32)
        self._end = np.array([tokenizer.eos_id], np.int32)
        self._room = config.block_tokens - len(self._begin)

    def encode(self, rows: Sequence[tuple[Kind, str]]) -> list[list[TokenDocument]]:
        """Each text as one token document, or as the pieces of one that is longer than a block."""
        drops_of = [self._dropout > 0 and kind in GENE_KINDS for kind, _ in rows]
        whole_texts = [text for (_, text), drops in zip(rows, drops_of, strict=True) if not drops]
        merged = iter(self._tokenizer.encode_arrays(whole_texts))
        documents = []
        for (kind, text), drops in zip(rows, drops_of, strict=True):
            ids = self._dropped(text) if drops else next(merged)
            if len(ids) + 1 <= self._room:
                whole = np.concatenate([self._begin, ids, self._end])
                documents.append([TokenDocument(kind, whole, len(ids), count_letters(text, kind))])
            else:
                ends = self._ends_of_letters(ids) if drops else [end for _, end in self._tokenizer.offsets(text)]
                documents.append(list(self._pieces(kind, text, ids, ends)))
        return documents

    def _dropped(self, text: str) -> Ids:
        ids = self._tokenizer.encode_with_dropout(text, self._dropout, int(self._rng.integers(1 << 62)))
        return np.array(ids, np.int32)

    def _ends_of_letters(self, ids: Ids) -> list[int]:
        return np.cumsum([len(self._tokenizer.decode([token_id]).strip()) for token_id in ids.tolist()]).tolist()

    def _pieces(self, kind: Kind, text: str, ids: Ids, ends: list[int]) -> Iterator[TokenDocument]:
        number = -(-len(ids) // (self._room - 1))
        size = -(-len(ids) // number)
        read = 0
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            is_last = start + size >= len(ids)
            reached = len(text) if is_last else max(read, ends[start + size - 1])
            closing = self._end if is_last else self._end[:0]
            letters = count_letters(text[read:reached], kind)
            yield TokenDocument(kind, np.concatenate([self._begin, part, closing]), len(part), letters)
            read = reached


def _as_table(blocks: Sequence[Sequence[TokenDocument]]) -> pa.Table:
    documents = list(chain.from_iterable(blocks))
    sizes = [len(document.ids) for document in documents]
    of_block = np.cumsum([0, *map(len, blocks)])
    tokens = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])[of_block]
    ids = np.concatenate([np.zeros(0, np.int32), *(document.ids for document in documents)])
    return pa.table(
        [
            _lists(tokens, pa.array(ids)),
            _lists(of_block, pa.array(sizes, pa.int32())),
            _lists(of_block, pa.array([document.kind for document in documents], pa.string())),
            _lists(of_block, pa.array([document.letters for document in documents], pa.int32())),
        ],
        schema=BLOCK_SCHEMA,
    )


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
