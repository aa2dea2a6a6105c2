"""Held-out English: which texts, and how many nats a model needs for each of them.

Axes: D documents.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from llama_gene.config import ControlsConfig
from llama_gene.corpus.best_fit import best_fit
from llama_gene.corpus.cut import cut_text
from llama_gene.corpus.english import read_texts_of
from llama_gene.evaluation.metrics import Array
from llama_gene.progress import show_progress
from llama_gene.sequences.files import read_batches
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.training.measure import token_losses

_PAGE = Path(__file__).parent / "english" / "held-out.md"
_DOCUMENT_BYTES = 3000
_ROW_TOKENS = 1024


@dataclass(frozen=True)
class HeldOutText:
    """Documents of English, and where they come from, in words."""

    documents: tuple[str, ...]
    source: str

    def sizes(self) -> Array:
        """UTF-8 bytes and words of each, shape (D, 2)."""
        return np.array([(len(text.encode()), len(text.split())) for text in self.documents]).reshape(-1, 2)


def held_out_text(config: ControlsConfig, *, data: Path, corpus: Path | None) -> HeldOutText:
    """The named files, else the validation texts of the corpus, else the page of this package.

    Args:
        config: Names the files, and how much is read: whole documents from the first on.
        data: Folder that the files' paths start from.
        corpus: Folder of `corpus build`, or None.

    Raises:
        DataError: a named file is missing or cannot be read.
    """
    if config.texts:
        return HeldOutText(_take(read_texts_of(config, data), config.text_bytes), ", ".join(config.texts))
    found = _take(_validation_texts(corpus), config.text_bytes) if corpus else ()
    if found:
        return HeldOutText(found, "validation texts of the corpus")
    page = _PAGE.read_text(encoding="utf-8").split("\n\n")
    return HeldOutText(_take(iter(page), config.text_bytes), "a page of llama-gene, since the corpus holds out no text")


def _validation_texts(corpus: Path) -> Iterator[str]:
    for shard in sorted((corpus / "valid").glob("*.parquet")):
        for batch in read_batches(shard, ("kind", "text")):
            yield from (row["text"] for row in batch.to_pylist() if row["kind"] == "text")


def _take(texts: Iterator[str], most_bytes: int) -> tuple[str, ...]:
    """Whole documents until there are enough bytes; longer texts count as several."""
    taken: list[str] = []
    room = most_bytes
    for text in texts:
        for _, piece in cut_text(text, _DOCUMENT_BYTES):
            if room <= 0:
                return tuple(taken)
            if piece.strip():
                taken.append(piece)
                room -= len(piece.encode())
    return tuple(taken)


def nats_of_texts(model: PreTrainedModel, tokenizer: GeneTokenizer, documents: Sequence[str]) -> Array:
    """Code length of each document, end token included, shape (D,).

    Documents longer than a row are read in pieces that begin anew.
    """
    room = min(_ROW_TOKENS, model.config.max_position_embeddings)
    pieces: list[list[int]] = []
    owners: list[int] = []
    begin = [tokenizer.eos_id if tokenizer.bos_id is None else tokenizer.bos_id]
    for owner, ids in enumerate(tokenizer.encode_batch(documents)):
        whole = [*ids, tokenizer.eos_id]
        for start in range(0, len(whole), room - 1):
            pieces.append([*begin, *whole[start : start + room - 1]])
            owners.append(owner)
    nats_D = np.zeros(len(documents))
    for members in show_progress(best_fit([len(piece) for piece in pieces], room).split(), "reading English"):
        row = {
            "input_ids": [token for member in members for token in pieces[member]],
            "lengths": [len(pieces[member]) for member in members],
        }
        ends = np.cumsum(row["lengths"])
        nats = np.add.reduceat(token_losses(model, row, bf16=False), np.concatenate([[0], ends[:-1]]))
        np.add.at(nats_D, [owners[member] for member in members], nats)
    return nats_D
