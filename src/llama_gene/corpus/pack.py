"""`corpus pack`: the corpus as token blocks of whole documents, each with its begin and end token.

A document longer than a block is cut into consecutive pieces of nearly equal length, and counted: each piece opens with
the begin token, only the last closes with the end token, since the others do not end there. Documents are packed inside
a window, so the global shuffle of the corpus is kept but for that window. Blocks may be short of `block_tokens`:
nothing is padded here and no document is cut to fill one.
"""

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import KINDS, Kind, PackConfig
from llama_gene.corpus.best_fit import best_fit
from llama_gene.corpus.clean import count_letters
from llama_gene.corpus.parquet import ParquetFolder
from llama_gene.errors import ArtifactError, DataError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import open_parquet
from llama_gene.tokenizer.encode import Ids
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

BLOCK_SCHEMA = pa.schema(
    {
        "input_ids": pa.list_(pa.int32()),
        "lengths": pa.list_(pa.int32()),
        "kinds": pa.list_(pa.string()),
        "letters": pa.list_(pa.int32()),
    }
)
_CODE = 1
_SHARD_TOKENS = 1 << 26


class TokenDocument(NamedTuple):
    """One document as tokens, begin and end token included; `text_tokens` counts those of its text alone."""

    kind: Kind
    ids: Ids
    text_tokens: int
    letters: int


@dataclass
class Quota:
    """Tokens that a split may still take: in all, and of each kind."""

    in_all: float
    per_kind: float
    taken: Counter[Kind] = field(default_factory=Counter)

    def admit(self, kind: Kind, tokens: int) -> bool:
        """Take the tokens, all or none; a kind (or all) that once had no room is closed."""
        if self.in_all < tokens:
            self.in_all = 0
            return False
        if self.taken[kind] + tokens > self.per_kind:
            self.taken[kind] = int(self.per_kind)
            return False
        self.in_all -= tokens
        self.taken[kind] += tokens
        return True

    def is_closed(self, kind: Kind) -> bool:
        """True where no document of this kind can be admitted any more."""
        return self.in_all <= 0 or self.taken[kind] >= self.per_kind


def pack_corpus(config: PackConfig, *, corpus: Path, tokenizer: Path, seed: int, output: Path) -> Manifest:
    """Encode and pack a corpus, unless that is up to date.

    Args:
        config: Size of blocks and limits. Training stops at the first document that would exceed `max_tokens`: the
            corpus is shuffled, so what is taken is a random part. Validation takes `max_valid_tokens` of each kind.
        corpus: Folder of `corpus build`.
        tokenizer: Folder with tokenizer.json and tokenizer_config.json.
        seed: Seed of the order of blocks inside a window.
        output: Stage folder: train/*.parquet and valid/*.parquet, one block a row. `input_ids` are its documents
            back to back; `lengths` (tokens), `kinds` and `letters` (bases, residues, bytes) have an entry per document.

    Raises:
        ArtifactError: `corpus` is not a corpus, or `output` is not usable.
        TokenizerError: the tokenizer cannot be read.
        DataError: no training document fits.
    """
    if (stage := read_manifest(corpus).stage) != "corpus":
        raise ArtifactError(f"{corpus}: a {stage!r} folder. Expected the folder of `llama-gene corpus build`.")

    def build(work: Path, ledger: Ledger) -> None:
        opened = load_tokenizer(tokenizer)
        quotas = {
            "train": Quota(math.inf if config.max_tokens is None else config.max_tokens, math.inf),
            "valid": Quota(math.inf, config.max_valid_tokens),
        }
        for number, (split, quota) in enumerate(quotas.items()):
            shutil.rmtree(work / split, ignore_errors=True)
            (work / split).mkdir()
            rng = np.random.default_rng([seed, number])
            writer = _Writer(opened, config.block_tokens, config.bpe_dropout if split == "train" else 0.0, rng)
            windows = _windows(corpus / split, writer, config, quota, ledger.counts)
            ledger.facts[split] = _pack(windows, work / split, config.block_tokens, rng)
        if not ledger.facts["train"]["blocks"]:
            raise DataError(f"{corpus / 'train'}: no training document fits. Check the corpus and pack.max_tokens.")

    inputs = {"corpus": corpus, "tokenizer": tokenizer}
    return build_stage("pack", output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


def _windows(
    folder: Path, writer: "_Writer", config: PackConfig, quota: Quota, counts: Counter[str]
) -> Iterator[list[TokenDocument]]:
    """The documents of one split that its quota admits, a window at a time."""
    split = folder.name
    shards = sorted(folder.glob("*.parquet"))
    total = sum(open_parquet(shard).metadata.num_rows for shard in shards)
    counts[f"{split} documents in the corpus"] = total
    batches = chain.from_iterable(
        open_parquet(shard).iter_batches(config.window_documents, columns=["kind", "text"]) for shard in shards
    )
    for batch in show_progress(batches, f"packing {split}", -(-total // config.window_documents)):
        rows = zip(batch["kind"].to_pylist(), batch["text"].to_pylist(), strict=True)
        window: list[TokenDocument] = []
        for documents in writer.encode([row for row in rows if not quota.is_closed(row[0])]):
            if quota.admit(documents[0].kind, sum(len(document.ids) for document in documents)):
                counts[f"{split} documents"] += 1
                counts[f"{split} documents cut"] += len(documents) > 1
                window.extend(documents)
        yield window
        if all(quota.is_closed(kind) for kind in KINDS):
            break
    counts[f"{split} documents left out: over the token limit"] = total - counts[f"{split} documents"]


class _Writer:
    """Writes texts as token documents of at most `block` tokens; sequences with BPE-dropout where it is asked for."""

    def __init__(self, tokenizer: GeneTokenizer, block: int, dropout: float, rng: np.random.Generator) -> None:
        self._tokenizer = tokenizer
        self._dropout = dropout
        self._rng = rng
        self._begin = np.array([] if tokenizer.bos_id is None else [tokenizer.bos_id], np.int32)
        self._end = np.array([tokenizer.eos_id], np.int32)
        self._room = block - len(self._begin)

    def encode(self, rows: Sequence[tuple[Kind, str]]) -> Iterator[list[TokenDocument]]:
        """Each text as one token document, or as the pieces of one that is longer than a block."""
        drops_of = [self._dropout > 0 and kind != "text" for kind, _ in rows]
        whole_texts = [text for (_, text), drops in zip(rows, drops_of, strict=True) if not drops]
        merged = iter(self._tokenizer.encode_arrays(whole_texts))
        for (kind, text), drops in zip(rows, drops_of, strict=True):
            ids = self._dropped(text) if drops else next(merged)
            if len(ids) + 1 <= self._room:
                whole = np.concatenate([self._begin, ids, self._end])
                yield [TokenDocument(kind, whole, len(ids), count_letters(text, kind))]
            else:
                ends = self._ends_of_letters(ids) if drops else [end for _, end in self._tokenizer.offsets(text)]
                yield list(self._pieces(kind, text, ids, ends))

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


def _pack(windows: Iterable[list[TokenDocument]], folder: Path, block: int, rng: np.random.Generator) -> dict[str, Any]:
    """Write the blocks of all windows; what was measured."""
    measured: dict[Kind, Counter[str]] = {}
    blocks = tokens = 0
    with ParquetFolder(folder, BLOCK_SCHEMA, _SHARD_TOKENS) as shards:
        for window in windows:
            chosen = best_fit([len(document.ids) for document in window], block)
            shards.write(_as_table([[window[at] for at in chosen[one]] for one in rng.permutation(len(chosen))]))
            blocks += len(chosen)
            for document in window:
                tokens += len(document.ids)
                of_kind = measured.setdefault(document.kind, Counter())
                of_kind.update(documents=1, text_tokens=document.text_tokens, letters=document.letters)
    return {
        "blocks": blocks,
        "tokens": tokens,
        "fill": round(tokens / (blocks * block), 4) if blocks else 0.0,
        "kinds": {
            kind: {**of_kind, "letters_per_token": round(of_kind["letters"] / max(1, of_kind["text_tokens"]), 3)}
            for kind, of_kind in sorted(measured.items())
        },
    }


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
