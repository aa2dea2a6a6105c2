"""What the benchmarks of training share: documents, our packed rows of them, the peer that pads each to a row; and the
models of a size for a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from llama_gene.config import OptimizerConfig
from llama_gene.corpus.best_fit import best_fit
from llama_gene.model.machine import best_device
from llama_gene.training.loop import uses_bf16
from llama_gene.training.rows import NO_TARGET

SHAPE_7B = {
    "vocab_size": 92_000,
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
}
SHAPE_QUICK = {
    "vocab_size": 2_000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
}


@dataclass(frozen=True)
class Document:
    """Token ids, and where the tokens to be learnt start."""

    ids: list[int]
    learnt_from: int


def pack(documents: Sequence[Document], row_tokens: int) -> Dataset:
    """Rows of at most so many tokens, as the stages make them."""
    rows = []
    for members in best_fit([len(document.ids) for document in documents], row_tokens).split():
        chosen = [documents[member] for member in members]
        rows.append(
            {
                "input_ids": [token for document in chosen for token in document.ids],
                "lengths": [len(document.ids) for document in chosen],
                "targets": [
                    int(place >= document.learnt_from) for document in chosen for place in range(len(document.ids))
                ],
            }
        )
    return Dataset.from_list(rows)


def one_a_row(documents: Sequence[Document]) -> Dataset:
    """The same documents as the peer reads them."""
    return Dataset.from_list([{"ids": document.ids, "learnt_from": document.learnt_from} for document in documents])


def train_padded(
    model: PreTrainedModel | PeftModel,
    documents: Dataset,
    settings: OptimizerConfig,
    *,
    batch: int,
    updates: int,
    place: Path,
) -> None:
    """One pass of the peer: a plain Trainer.

    Args:
        model: Trained in place.
        documents: Rows of `ids` and `learnt_from`.
        settings: Learning rate, precision and checkpointing; its rows are ours alone.
        batch: Documents in a forward pass.
        updates: About how many updates the pass takes.
        place: Folder for what the trainer writes.
    """
    arguments = TrainingArguments(
        output_dir=str(place),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=max(1, round(len(documents) / updates / batch)),
        num_train_epochs=1,
        learning_rate=settings.learning_rate,
        adam_beta2=settings.adam_beta2,
        lr_scheduler_type="cosine",
        bf16=uses_bf16(settings),
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_strategy="no",
        seed=1,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
        **({"gradient_checkpointing": True} if settings.gradient_checkpointing else {}),
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=documents, data_collator=pad)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def pad(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch (B, T) of one document per row, padded on the right."""
    ids = [torch.tensor(row["ids"]) for row in rows]
    labels = [document.clone() for document in ids]
    for row, document in zip(rows, labels, strict=True):
        document[: row["learnt_from"]] = NO_TARGET
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=0),
        "attention_mask": pad_sequence([torch.ones_like(document) for document in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=NO_TARGET),
    }


def random_model(shape: dict[str, int], *, context: int = 4096) -> PreTrainedModel:
    """A LLaMA in bfloat16, made where it is trained: drawing 7 billion numbers on a CPU takes minutes."""
    torch.manual_seed(1)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with best_device():
            return LlamaForCausalLM(LlamaConfig(max_position_embeddings=context, **shape))
    finally:
        torch.set_default_dtype(before)
