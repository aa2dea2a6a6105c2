"""Useful tokens per second of training: our packed rows against one padded document per row.

The peer is a plain transformers Trainer: a document (or an instruction) per row, padded to the longest of its batch,
logits at every position. Both train the same model on the same documents, with the same optimizer, precision and
threads, and about as many documents per update. Useful tokens are those of the documents; padding does not count.
Tuning learns the answers only: we compute logits where answers are, the peer everywhere. Quick: the demo's shape.
Else also a LLaMA of 10 million parameters and 40,000 rows.
"""

import math
import tempfile
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset
from transformers import PreTrainedModel

from _data import make_documents, make_model, make_questions, make_tokenizer
from _harness import (
    DEMO_ROWS,
    DEMO_SHAPE,
    REAL_ROWS,
    REAL_SHAPE,
    Pair,
    read_arguments,
    report,
    summary,
    take_turns,
)
from _training import Document, one_a_row, pack, train_padded
from llama_gene.config import ModelConfig, OptimizerConfig, describe
from llama_gene.evaluation.answering import prompt_ids
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.training.loop import train, uses_bf16

ROW_TOKENS = 512
PEER_BATCH = 4
UNIT = "useful_tokens_per_second"
SETTINGS = OptimizerConfig(method="full", learning_rate=1e-3, rows_per_device=1, rows_per_step=4)


@dataclass(frozen=True)
class Size:
    """One model shape and how much it reads."""

    name: str
    shape: ModelConfig
    rows: int
    tokens: int
    rounds: int


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    sizes = [
        Size(
            "demo",
            DEMO_SHAPE,
            DEMO_ROWS,
            tokens=3_000 if arguments.quick else 30_000,
            rounds=2 if arguments.quick else 5,
        )
    ]
    if not arguments.quick:
        sizes.append(Size("real-cpu", REAL_SHAPE, REAL_ROWS, tokens=12_000, rounds=3))
    found: dict[str, dict[str, Pair]] = {}
    documents: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        tokenizer = make_tokenizer(place)
        for size in sizes:
            work = {"pretrain": corpus(size, tokenizer), "finetune": instructions(size, tokenizer)}
            found[size.name] = {stage: measure(size, tokenizer, chosen, place) for stage, chosen in work.items()}
            documents[size.name] = {stage: count(chosen) for stage, chosen in work.items()}
    last = found[sizes[-1].name]
    report(
        arguments,
        work={
            "documents": documents,
            "row_tokens": ROW_TOKENS,
            "peer_batch": PEER_BATCH,
            "bf16": uses_bf16(SETTINGS),
            "settings": describe(SETTINGS),
        },
        ours={name: figures(pairs, "ours") for name, pairs in found.items()},
        peers={"padded_rows": {name: figures(pairs, "peer") for name, pairs in found.items()}},
        ratios={stage: pair.ratio for stage, pair in last.items()},
        table=table(found),
    )


def figures(pairs: dict[str, Pair], side: Literal["ours", "peer"]) -> dict[str, Any]:
    """Speeds of one side by stage."""
    return {stage: summary(getattr(pair, side), UNIT) for stage, pair in pairs.items()}


def table(found: dict[str, dict[str, Pair]]) -> list[tuple[str, ...]]:
    """Heads and a row per model and stage."""
    rows = [("model, stage", "ours, tokens/s", "padded rows, tokens/s", "ratio")]
    for name, pairs in found.items():
        for stage, pair in pairs.items():
            ours, peer = summary(pair.ours, UNIT)[UNIT], summary(pair.peer, UNIT)[UNIT]
            rows.append((f"{name}, {stage}", f"{ours:,.0f}", f"{peer:,.0f}", f"{pair.ratio:.2f}"))
    return rows


def corpus(size: Size, tokenizer: GeneTokenizer) -> list[Document]:
    """Documents of pre-training: every token but the first is learnt."""
    return [Document(ids, 1) for ids in make_documents(tokenizer, size.tokens, longest=ROW_TOKENS)]


def instructions(size: Size, tokenizer: GeneTokenizer) -> list[Document]:
    """Instructions with their answers, which alone are learnt."""
    made: list[Document] = []
    for item in make_questions(size.tokens):
        prompt = prompt_ids(item, tokenizer)
        made.append(Document([*prompt, *tokenizer.encode_answer(item.output), tokenizer.eos_id], len(prompt)))
        if sum(len(document.ids) for document in made) >= size.tokens:
            break
    return made


def count(documents: Sequence[Document]) -> dict[str, int]:
    """How much both sides read."""
    return {"documents": len(documents), "useful_tokens": sum(len(document.ids) for document in documents)}


def measure(size: Size, tokenizer: GeneTokenizer, documents: Sequence[Document], place: Path) -> Pair:
    """Both ways on one model and one kind of work."""
    model = make_model(size.shape, size.rows, tokenizer)
    packed, padded = pack(documents, ROW_TOKENS), one_a_row(documents)
    updates = math.ceil(len(packed) / SETTINGS.rows_per_step)
    return take_turns(
        lambda: train_ours(deepcopy(model), packed, place),
        lambda: train_padded(
            deepcopy(model), padded, SETTINGS, batch=PEER_BATCH, updates=updates, place=place / "peer"
        ),
        units=sum(len(document.ids) for document in documents),
        rounds=size.rounds,
    )


def train_ours(model: PreTrainedModel, rows: Dataset, place: Path) -> None:
    """One pass of our loop."""
    train(model, rows, SETTINGS, epochs=1, max_steps=None, seed=1, work=place / "ours", title="training")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=FutureWarning)
    main()
