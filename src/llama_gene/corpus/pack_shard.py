"""Encode the documents of one shard and pack them into blocks.

A document longer than a block is cut into consecutive pieces of nearly equal length, and counted: each piece opens with
the begin token, only the last closes with the end token, since the others do not end there. Documents are packed inside
a window, so the shuffle of the corpus is kept but for that window. Blocks may be short of `block_tokens`: nothing is
padded here and no document is cut to fill one.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llama_gene.config import GENE_KINDS, KINDS, Kind, PackConfig, Split
from llama_gene.corpus.arrays import texts_of
from llama_gene.corpus.best_fit import Blocks, best_fit
from llama_gene.corpus.blocks import BLOCK_SCHEMA
from llama_gene.corpus.mix import take_span
from llama_gene.sequences.coding import PAIR_BORDER
from llama_gene.sequences.files import open_parquet
from llama_gene.sequences.letters import count_letters
from llama_gene.storage import to_path
from llama_gene.tokenizer.compiled import compiled
from llama_gene.tokenizer.joined import Encoded, Ids, Texts
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer


@dataclass(frozen=True)
class PackTask:
    """One shard in one phase of training.

    Attributes:
        split: What the documents are for.
        shard: Parquet file of the corpus.
        phase: Number of the phase, 0-based.
        spans: Which stretch of each kind's documents, in random order, this phase takes: (start, end) in 0..1.
        left_out: Which stretch no phase takes; empty in all phases but the last, so that it is counted once.
        config: Size of blocks and dropout.
        tokenizer: Its folder.
        seed: Seed of the run.
        output: Stage folder.
    """

    split: Split
    shard: Path
    phase: int
    spans: Mapping[Kind, tuple[float, float]]
    left_out: Mapping[Kind, tuple[float, float]]
    config: PackConfig
    tokenizer: Path
    seed: int
    output: Path


class Window(NamedTuple):
    """Documents that are packed together: their kinds, as places in `KINDS`, and their texts."""

    kinds: NDArray[np.int8]
    texts: Texts

    @property
    def letters(self) -> NDArray[np.int64]:
        """Bases, residues or bytes of each, int64 [documents]; the border in a coding pair is no letter."""
        return self.texts.lengths - (self.kinds == KINDS.index("coding")) * len(PAIR_BORDER)


@dataclass(frozen=True)
class TokenDocuments:
    """Documents as tokens, each whole or in pieces no longer than a block; entries of a document follow each other.

    Attributes:
        encoded: Tokens of each entry, without begin and end token.
        kinds: int8 [entries], places in `KINDS`.
        letters: int64 [entries], bases, residues or bytes.
        closes: bool [entries], false where the document goes on in the next.
    """

    encoded: Encoded
    kinds: NDArray[np.int8]
    letters: NDArray[np.int64]
    closes: NDArray[np.bool_]


def pack_shard(task: PackTask) -> dict[str, Any]:
    """Write the blocks of one shard.

    Returns:
        `counts` of documents, `blocks`, `tokens`, and per kind in `kinds` its documents, text tokens and letters, and
        in `left_out` the documents and letters that no phase takes.
    """
    number = int(task.shard.stem)
    is_train = task.split == "train"
    rng = np.random.default_rng([task.seed, is_train, task.phase, number])
    writer = _Writer(open_once(str(task.tokenizer)), task.config, is_train=is_train, rng=rng)
    path = task.output / task.split / f"{task.phase:02d}-{number:05d}.arrow"
    packed = _Packed()
    # A stream, not a file with an index at its end: that is what `datasets` maps into memory.
    with path.open("wb") as file, pa.ipc.new_stream(file, BLOCK_SCHEMA) as stream:
        for window in _windows(task, packed):
            documents = writer.encode(window)
            lengths = writer.lengths(documents)
            blocks = best_fit(lengths, task.config.block_tokens)
            stream.write_table(writer.as_table(documents, lengths, blocks.take(rng.permutation(len(blocks)))))
            packed.add(documents, lengths, len(blocks))
    return packed.as_result()


class _Packed:
    """What has been packed."""

    def __init__(self) -> None:
        self._blocks = self._tokens = self._documents = self._cut = 0
        self._of_kind = np.zeros((len(KINDS), 3), np.int64)
        self._left_out: dict[Kind, dict[str, int]] = {}

    def add(self, documents: TokenDocuments, lengths: NDArray[np.int64], blocks: int) -> None:
        """Add one window."""
        self._blocks += blocks
        self._tokens += int(lengths.sum())
        self._documents += int(documents.closes.sum())
        # A document is cut where it goes on after an entry that none went on before.
        opens = ~documents.closes & np.concatenate([[True], documents.closes[:-1]])
        self._cut += int(opens.sum())
        for column, weights in enumerate((documents.closes, documents.encoded.sizes, documents.letters)):
            found = np.bincount(documents.kinds, weights, minlength=len(KINDS))
            self._of_kind[:, column] += found.astype(np.int64)

    def leave_out(self, kind: Kind, letters: NDArray[np.int64]) -> None:
        """Add documents that no phase takes."""
        if len(letters):
            self._left_out[kind] = {"documents": len(letters), "letters": int(letters.sum())}

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
            "left_out": self._left_out,
        }


@cache
def open_once(folder: str) -> GeneTokenizer:
    """The tokenizer, opened once in each process."""
    if numba.config.NUMBA_NUM_THREADS == 1:
        # One worker of several, each with a core: `tokenizers` knows no other way to be told.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return load_tokenizer(to_path(folder))


def _windows(task: PackTask, packed: _Packed) -> Iterator[Window]:
    """The documents that this phase takes, in the order of the shard, a window at a time; others are counted."""
    with open_parquet(task.shard) as file:
        table = file.read(["kind", "text"])
    kinds = pc.index_in(table["kind"], pa.array(KINDS)).to_numpy().astype(np.int8)
    size = pc.binary_length(table["text"]).to_numpy()
    chosen, left_out = (_choose(task, kinds, size, spans) for spans in (task.spans, task.left_out))
    for number, kind in enumerate(KINDS):
        packed.leave_out(kind, size[left_out & (kinds == number)] - (kind == "coding") * len(PAIR_BORDER))
    table, kinds = (table, kinds) if chosen.all() else (table.filter(pa.array(chosen)), kinds[chosen])
    letters, starts = texts_of(table["text"])
    for start in range(0, len(kinds), task.config.window_documents):
        end = min(start + task.config.window_documents, len(kinds))
        yield Window(kinds[start:end], Texts(letters, starts[start : end + 1]))


def _choose(
    task: PackTask, kinds: NDArray[np.int8], size: NDArray[np.int64], spans: Mapping[Kind, tuple[float, float]]
) -> NDArray[np.bool_]:
    """Documents in these stretches of the shard's random order, which is the same in every phase."""
    rng = np.random.default_rng([task.seed, task.split == "train", int(task.shard.stem)])
    chosen = np.zeros(len(kinds), np.bool_)
    for number, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == number)
        chosen[rows[take_span(size[rows], spans[kind], rng)]] = True
    return chosen


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
        return documents.encoded.sizes + len(self._begin) + documents.closes

    def encode(self, window: Window) -> TokenDocuments:
        """Each text as one entry, or as the pieces of one that is longer than a block."""
        encoded = self._encode(window)
        whole = TokenDocuments(encoded, window.kinds, window.letters, np.ones(len(encoded.sizes), np.bool_))
        too_long = np.flatnonzero(encoded.sizes + 1 > self._room)
        return self._cut(window, whole, too_long.tolist()) if len(too_long) else whole

    def as_table(self, documents: TokenDocuments, lengths: NDArray[np.int64], blocks: Blocks) -> pa.Table:
        """Blocks of these entries, in order."""
        order = blocks.documents
        ends = np.concatenate([[0], np.cumsum(lengths[order])])
        ids, starts, sizes = documents.encoded
        tokens = lay_out(ids, starts, sizes, documents.closes, order, self._begin, self._end, int(ends[-1]))
        return pa.table(
            [
                _lists(ends[blocks.borders], pa.array(tokens)),
                _lists(blocks.borders, pa.array(lengths[order].astype(np.int32))),
                _lists(blocks.borders, pa.array(KINDS).take(pa.array(documents.kinds[order]))),
                _lists(blocks.borders, pa.array(documents.letters[order].astype(np.int32))),
            ],
            schema=BLOCK_SCHEMA,
        )

    def _encode(self, window: Window) -> Encoded:
        if not self._dropout:
            return self._tokenizer.encode_joined(window.texts)
        drops = np.isin(window.kinds, [KINDS.index(kind) for kind in GENE_KINDS])
        texts = [window.texts.text(place) for place in range(len(drops))]
        merged = iter(
            self._tokenizer.encode_arrays([text for text, dropped in zip(texts, drops, strict=True) if not dropped])
        )
        found = [self._drop(text) if dropped else next(merged) for text, dropped in zip(texts, drops, strict=True)]
        return Encoded.of(found)

    def _drop(self, text: str) -> Ids:
        return self._tokenizer.encode_with_dropout(text, self._dropout, int(self._rng.integers(1 << 62)))

    def _cut(self, window: Window, whole: TokenDocuments, too_long: Sequence[int]) -> TokenDocuments:
        """The same documents, these ones in consecutive pieces of nearly equal length."""
        ids, starts, sizes = whole.encoded
        rows = np.column_stack([starts, sizes, whole.letters])
        pieces_of = {place: np.array(list(self._pieces(window, place, whole.encoded)), np.int64) for place in too_long}
        times = np.ones(len(sizes), np.int64)
        times[too_long] = [len(pieces_of[place]) for place in too_long]
        ends = np.cumsum(times)
        rows = np.repeat(rows, times, axis=0)
        for place, pieces in pieces_of.items():
            rows[ends[place] - len(pieces) : ends[place]] = pieces
        closes = np.zeros(len(rows), np.bool_)
        closes[ends - 1] = True
        starts, sizes, letters = np.ascontiguousarray(rows.T)
        return TokenDocuments(Encoded(ids, starts, sizes), np.repeat(whole.kinds, times), letters, closes)

    def _pieces(self, window: Window, place: int, encoded: Encoded) -> Iterator[tuple[int, int, int]]:
        """Where the tokens of each piece start, how many there are, and their letters."""
        kind, text = KINDS[window.kinds[place]], window.texts.text(place)
        begin, tokens = int(encoded.starts[place]), int(encoded.sizes[place])
        if self._dropout and kind in GENE_KINDS:
            ids = encoded.ids[begin : begin + tokens].tolist()
            ends = np.cumsum([len(self._tokenizer.decode([one]).strip()) for one in ids]).tolist()
        else:
            ends = [end for _, end in self._tokenizer.offsets(text)]
        number = -(-tokens // (self._room - 1))
        size = -(-tokens // number)
        read = 0
        for start in range(0, tokens, size):
            reached = len(text) if start + size >= tokens else max(read, ends[start + size - 1])
            yield begin + start, min(size, tokens - start), count_letters(text[read:reached], kind)
            read = reached


@compiled
def lay_out(
    ids: Ids, starts: NDArray[np.int64], sizes: NDArray[np.int64], closes: NDArray[np.bool_],
    order: NDArray[np.int64], begin: Ids, end: Ids, room: int,
) -> Ids:  # fmt: skip
    """The tokens of entries one after the other, each behind the begin token, before the end token where it closes."""
    tokens = np.empty(room, np.int32)
    at = 0
    for entry in order:
        for token in begin:
            tokens[at] = token
            at += 1
        tokens[at : at + sizes[entry]] = ids[starts[entry] : starts[entry] + sizes[entry]]
        at += sizes[entry]
        if closes[entry]:
            tokens[at] = end[0]
            at += 1
    return tokens


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
