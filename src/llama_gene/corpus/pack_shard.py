"""Encode the documents of one shard and pack them into blocks.

A document longer than a block is cut into consecutive pieces of nearly equal length, and counted: each piece opens with
the begin token, only the last closes with the end token, since the others do not end there. Documents are packed inside
a window, so the shuffle of the corpus is kept but for that window. Blocks may be short of `block_tokens`: nothing is
padded here and no document is cut to fill one.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
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


class Window(NamedTuple):
    """Documents that are packed together: their kinds, as places in `KINDS`, and their texts."""

    kinds: NDArray[np.int8]
    texts: list[str]


@dataclass(frozen=True)
class TokenDocuments:
    """Documents as tokens, each whole or in pieces no longer than a block; entries of a document follow each other.

    Attributes:
        ids: Tokens of each entry, without begin and end token.
        kinds: int8 [entries], places in `KINDS`.
        letters: int64 [entries], bases, residues or bytes.
        closes: bool [entries], false where the document goes on in the next.
    """

    ids: list[Ids]
    kinds: NDArray[np.int8]
    letters: NDArray[np.int64]
    closes: NDArray[np.bool_]

    @cached_property
    def text_tokens(self) -> NDArray[np.int64]:
        """Tokens of each entry."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))


def pack_shard(task: PackTask) -> dict[str, Any]:
    """Write the blocks of one shard.

    Returns:
        `counts` of documents, `blocks`, `tokens`, and per kind in `kinds` its documents, text tokens and letters.
    """
    number = int(task.shard.stem)
    is_train = task.split == "train"
    rng = np.random.default_rng([task.seed, is_train, task.phase, number])
    writer = _Writer(open_once(str(task.tokenizer)), task.config, is_train=is_train, rng=rng)
    path = task.output / task.split / f"{task.phase:02d}-{number:05d}.arrow"
    packed = _Packed()
    # A stream, not a file with an index at its end: that is what `datasets` maps into memory.
    with path.open("wb") as file, pa.ipc.new_stream(file, BLOCK_SCHEMA) as stream:
        for window in _windows(task, np.random.default_rng([task.seed, is_train, number])):
            documents = writer.encode(window)
            lengths = writer.lengths(documents)
            blocks = best_fit(lengths.tolist(), task.config.block_tokens)
            stream.write_table(writer.as_table(documents, lengths, [blocks[at] for at in rng.permutation(len(blocks))]))
            packed.add(documents, lengths, len(blocks))
    return packed.as_result()


class _Packed:
    """What has been packed."""

    def __init__(self) -> None:
        self._blocks = self._tokens = self._documents = self._cut = 0
        self._of_kind = np.zeros((len(KINDS), 3), np.int64)

    def add(self, documents: TokenDocuments, lengths: NDArray[np.int64], blocks: int) -> None:
        """Add one window."""
        self._blocks += blocks
        self._tokens += int(lengths.sum())
        self._documents += int(documents.closes.sum())
        # A document is cut where it goes on after an entry that none went on before.
        opens = ~documents.closes & np.concatenate([[True], documents.closes[:-1]])
        self._cut += int(opens.sum())
        for column, weights in enumerate((documents.closes, documents.text_tokens, documents.letters)):
            found = np.bincount(documents.kinds, weights, minlength=len(KINDS))
            self._of_kind[:, column] += found.astype(np.int64)

    def as_result(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = ("documents", "text_tokens", "letters")
        return {
            "counts": {"documents": self._documents, "documents cut": self._cut},
            "blocks": self._blocks,
            "tokens": self._tokens,
            "kinds": {
                kind: dict(zip(names, row, strict=True))
                for kind, row in zip(KINDS, self._of_kind.tolist(), strict=True)
                if row[0]
            },
        }


@cache
def open_once(folder: str) -> GeneTokenizer:
    """The tokenizer, opened once in each process."""
    if numba.config.NUMBA_NUM_THREADS == 1:
        # One worker of several, each with a core: `tokenizers` knows no other way to be told.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return load_tokenizer(to_path(folder))


def _windows(task: PackTask, rng: np.random.Generator) -> Iterator[Window]:
    """The documents that this phase takes, in the order of the shard, a window at a time."""
    table = open_parquet(task.shard).read(["kind", "text"])
    kinds = pc.index_in(table["kind"], pa.array(KINDS)).to_numpy().astype(np.int8)
    size = pc.binary_length(table["text"]).to_numpy()
    chosen = np.zeros(len(table), np.bool_)
    for number, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == number)
        chosen[rows[take_span(size[rows], task.spans[kind], rng)]] = True
    texts, kinds = table["text"].filter(pa.array(chosen)), kinds[chosen]
    for start in range(0, len(kinds), task.config.window_documents):
        end = start + task.config.window_documents
        yield Window(kinds[start:end], texts[start:end].to_pylist())


class _Writer:
    """Writes texts as token documents of at most a block; sequences with BPE-dropout where it is asked for."""

    def __init__(
        self, tokenizer: GeneTokenizer, config: PackConfig, *, is_train: bool, rng: np.random.Generator
    ) -> None:
        self._tokenizer = tokenizer
        self._dropout = config.bpe_dropout if is_train else 0.0
        self._rng = rng
        self._begin = np.array([] if tokenizer.bos_id is None else [tokenizer.bos_id], np.int32)
        self._end = np.array([tokenizer.eos_id], np.int32)
        self._room = config.block_tokens - len(self._begin)

    def lengths(self, documents: TokenDocuments) -> NDArray[np.int64]:
        """Tokens of each entry, begin and end token included."""
        return documents.text_tokens + len(self._begin) + documents.closes

    def encode(self, window: Window) -> TokenDocuments:
        """Each text as one entry, or as the pieces of one that is longer than a block."""
        ids = self._encode(window)
        letters = np.array([count_letters(*of) for of in zip(window.texts, self._kinds(window), strict=True)], np.int64)
        closes = np.ones(len(ids), np.bool_)
        whole = TokenDocuments(ids, window.kinds, letters, closes)
        too_long = np.flatnonzero(whole.text_tokens + 1 > self._room)
        return self._cut(window, whole, too_long.tolist()) if len(too_long) else whole

    def as_table(
        self, documents: TokenDocuments, lengths: NDArray[np.int64], blocks: Sequence[Sequence[int]]
    ) -> pa.Table:
        """Blocks of these entries, in order."""
        order = np.array([at for block in blocks for at in block], np.int64)
        of_block = np.cumsum([0, *map(len, blocks)])
        tokens = np.concatenate([[0], np.cumsum(lengths[order])])[of_block]
        parts: list[Ids] = [self._end[:0]]
        for at in order.tolist():
            parts += (self._begin, documents.ids[at], self._end) if documents.closes[at] else (
                self._begin, documents.ids[at]
            )  # fmt: skip
        return pa.table(
            [
                _lists(tokens, pa.array(np.concatenate(parts))),
                _lists(of_block, pa.array(lengths[order].astype(np.int32))),
                _lists(of_block, pa.array(KINDS).take(pa.array(documents.kinds[order]))),
                _lists(of_block, pa.array(documents.letters[order].astype(np.int32))),
            ],
            schema=BLOCK_SCHEMA,
        )

    def _kinds(self, window: Window) -> Iterator[Kind]:
        return (KINDS[number] for number in window.kinds.tolist())

    def _encode(self, window: Window) -> list[Ids]:
        if not self._dropout:
            return self._tokenizer.encode_arrays(window.texts)
        drops_of = [kind in GENE_KINDS for kind in self._kinds(window)]
        rows = list(zip(window.texts, drops_of, strict=True))
        merged = iter(self._tokenizer.encode_arrays([text for text, drops in rows if not drops]))
        return [self._drop(text) if drops else next(merged) for text, drops in rows]

    def _drop(self, text: str) -> Ids:
        return self._tokenizer.encode_with_dropout(text, self._dropout, int(self._rng.integers(1 << 62)))

    def _cut(self, window: Window, whole: TokenDocuments, too_long: Sequence[int]) -> TokenDocuments:
        """The same documents, these ones in consecutive pieces of nearly equal length."""
        pieces_of = {
            place: list(self._pieces(KINDS[window.kinds[place]], window.texts[place], whole.ids[place]))
            for place in too_long
        }
        times = np.ones(len(whole.ids), np.int64)
        times[too_long] = [len(pieces_of[place]) for place in too_long]
        ids: list[Ids] = []
        letters: list[int] = []
        for place, (whole_ids, size) in enumerate(zip(whole.ids, whole.letters.tolist(), strict=True)):
            for part, count in pieces_of.get(place, [(whole_ids, size)]):
                ids.append(part)
                letters.append(count)
        closes = np.zeros(len(ids), np.bool_)
        closes[np.cumsum(times) - 1] = True
        return TokenDocuments(ids, np.repeat(whole.kinds, times), np.array(letters, np.int64), closes)

    def _pieces(self, kind: Kind, text: str, ids: Ids) -> Iterator[tuple[Ids, int]]:
        """Tokens and letters of each piece."""
        if self._dropout and kind in GENE_KINDS:
            ends = np.cumsum([len(self._tokenizer.decode([one]).strip()) for one in ids.tolist()]).tolist()
        else:
            ends = [end for _, end in self._tokenizer.offsets(text)]
        number = -(-len(ids) // (self._room - 1))
        size = -(-len(ids) // number)
        read = 0
        for start in range(0, len(ids), size):
            reached = len(text) if start + size >= len(ids) else max(read, ends[start + size - 1])
            yield ids[start : start + size], count_letters(text[read:reached], kind)
            read = reached


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
