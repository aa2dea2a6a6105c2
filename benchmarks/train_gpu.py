"""Useful tokens per second on one GPU, a model of LLaMA-2 7B's size: our packed rows against one document per row.

Weights are random and in bfloat16; LoRA and 60,000 new rows of 92,000 are trained, with the settings of
`recipes/llama2-7b` but 4 rows a pass with checkpointing, and fewer per update. The peer is a plain transformers
Trainer: the same adapters and documents, as many of them in a batch, each in a row of its own that is padded to the
longest. Documents are 40-200 random tokens, which is what 300-1000 bases or a protein take. Quick: a small model, on
whatever device there is.
"""

import random
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel

from _harness import read_arguments, report, summary, take_turns
from _training import SHAPE_7B, SHAPE_QUICK, Document, one_a_row, pack, random_model, train_padded
from llama_gene.config import OptimizerConfig, describe
from llama_gene.model.adapters import add_adapters, count_parameters
from llama_gene.model.machine import multiply_rate
from llama_gene.training.loop import train

OLD_ROWS_SHARE = 32_000 / 92_000
RECIPE = OptimizerConfig(
    method="lora",
    train_rows="new",
    learning_rate=2e-4,
    rows_per_device=4,
    rows_per_step=16,
    gradient_checkpointing=True,
)
# Rows in one forward pass, and whether activations are computed again: what fits, and what it is worth.
VARIANTS = ((8, True), (16, True), (1, False), (2, False))
UPDATES = 2
UNIT = "useful_tokens_per_second"


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    warnings.filterwarnings("ignore", category=FutureWarning)
    row_tokens, shape = (256, SHAPE_QUICK) if arguments.quick else (2048, SHAPE_7B)
    rows = shape["vocab_size"]
    documents = make_documents(UPDATES * RECIPE.rows_per_step * row_tokens, rows)
    useful = sum(len(document.ids) for document in documents)
    packed, padded = pack(documents, row_tokens), one_a_row(documents)
    per_pass = round(len(documents) / len(packed) * RECIPE.rows_per_device)
    model = add_adapters(random_model(shape), RECIPE, new_rows=range(round(rows * OLD_ROWS_SHARE), rows), seed=1)
    share = count_parameters(model)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        peaks: dict[str, float] = {}
        pair = take_turns(
            lambda: note_peak(peaks, "ours", lambda: train_packed(model, packed, RECIPE, place / "ours")),
            lambda: note_peak(
                peaks,
                "padded rows",
                lambda: train_padded(model, padded, RECIPE, batch=per_pass, updates=UPDATES, place=place / "peer"),
            ),
            units=useful,
            rounds=1 if arguments.quick else 2,
        )
        tried = {
            f"{count} rows{', checkpointing' if again else ''}": try_variant(model, packed, count, again, place, useful)
            for count, again in VARIANTS[: 1 if arguments.quick else None]
        }
    ours, peer = summary(pair.ours, UNIT), summary(pair.peer, UNIT)
    multiplies = multiply_rate(torch.bfloat16)
    # Forward, forward again, and backward through frozen weights: 2 operations a weight and token each.
    used = ours[UNIT] * 6 * (share.total - rows * shape["hidden_size"])
    table = [
        ("rows in a pass", "tokens/s", "peak GiB", "ratio"),
        ("recipe, ours", f"{ours[UNIT]:,.0f}", f"{peaks['ours']:.1f}", f"{pair.ratio:.2f}"),
        ("recipe, padded rows", f"{peer[UNIT]:,.0f}", f"{peaks['padded rows']:.1f}", ""),
    ]
    table += [(name, f"{one[UNIT]:,.0f}", f"{one['peak_GiB']:.1f}", "") for name, one in tried.items() if one]
    table += [(name, "does not fit", "", "") for name, one in tried.items() if not one]
    report(
        arguments,
        work={
            "documents": len(documents),
            "useful_tokens": useful,
            "row_tokens": row_tokens,
            "peer_batch": per_pass,
            "settings": describe(RECIPE),
            "parameters": share.total,
            "trainable_parameters": share.trainable,
        },
        ours=ours
        | {"peak_GiB": peaks["ours"], "share_of_multiply_rate": round(used / multiplies, 3), "variants": tried}
        | {"multiply_TFLOPs": round(multiplies / 1e12, 1)},
        peers={"padded_rows": peer | {"peak_GiB": peaks["padded rows"]}},
        ratios={"pretrain": pair.ratio},
        table=table,
    )


def make_documents(tokens: int, rows: int) -> list[Document]:
    """Random ids of the whole vocabulary; every token but the first is learnt."""
    rng = random.Random(1)
    documents: list[Document] = []
    while tokens > 0:
        documents.append(Document([rng.randrange(3, rows) for _ in range(rng.randint(40, 200))], 1))
        tokens -= len(documents[-1].ids)
    return documents


def train_packed(model: PeftModel, rows: Dataset, settings: OptimizerConfig, place: Path) -> None:
    """One pass of our loop."""
    train(model, rows, settings, epochs=1, max_steps=None, seed=1, work=place, title="training")


def note_peak(peaks: dict[str, float], name: str, work: Callable[[], None]) -> None:
    """Do the work and keep the most memory of the GPU it took, GiB; 0 where there is none."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    work()
    peaks[name] = round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else 0.0


def try_variant(
    model: PeftModel, rows: Dataset, per_pass: int, again: bool, place: Path, useful: int
) -> dict[str, Any] | None:
    """Speed and memory of one way to fill the GPU; None: it does not fit."""
    changes = {"rows_per_device": per_pass, "gradient_checkpointing": again}
    settings = RECIPE.model_copy(update=changes)
    model.gradient_checkpointing_disable()
    peaks: dict[str, float] = {}
    try:
        started = time.perf_counter()
        note_peak(peaks, "ours", lambda: train_packed(model, rows, settings, place / "variant"))
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None
    return {UNIT: round(useful / (time.perf_counter() - started)), "peak_GiB": peaks["ours"]}


if __name__ == "__main__":
    main()
