"""Validation losses in units that compare across vocabularies: bits per base, per residue, per byte."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from llama_gene.training.rows import NO_TARGET, PackedRows

UNITS = {"dna": "bits_per_base", "protein": "bits_per_residue", "text": "bits_per_byte"}


def bits_per_letter(model: PreTrainedModel, blocks: Iterable[Mapping[str, Any]], *, bf16: bool) -> dict[str, float]:
    """Code length of the blocks' documents, end tokens included, divided by their letters.

    Args:
        model: In evaluation mode or not; left in evaluation mode.
        blocks: Rows with `input_ids`, `lengths`, `kinds` and `letters`.
        bf16: Run the forward pass in bfloat16.

    Returns:
        Unit to bits, one entry per kind that occurs.
    """
    bits: dict[str, float] = {}
    letters: dict[str, int] = {}
    for block in blocks:
        nats = token_losses(model, block, bf16=bf16)
        ends = np.cumsum(block["lengths"])
        for kind, length, end, count in zip(block["kinds"], block["lengths"], ends, block["letters"], strict=True):
            bits[kind] = bits.get(kind, 0.0) + float(nats[end - length : end].sum()) / math.log(2)
            letters[kind] = letters.get(kind, 0) + count
    return {UNITS[kind]: round(bits[kind] / letters[kind], 4) for kind in sorted(bits) if letters[kind]}


def token_losses(model: PreTrainedModel, row: Mapping[str, Any], *, bf16: bool) -> np.ndarray[Any, Any]:
    """Loss in nats at each token of one row, 0 where it has no target."""
    model.eval()
    inputs = PackedRows()([row])
    labels_BK, kept = inputs.pop("shift_labels"), inputs["logits_to_keep"]
    inputs.pop("labels")
    batch = {name: value.to(model.device) if torch.is_tensor(value) else value for name, value in inputs.items()}
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        logits_BKV = model(**batch).logits
    losses_K = torch.nn.functional.cross_entropy(
        logits_BKV[0].float(), labels_BK[0].to(model.device), ignore_index=NO_TARGET, reduction="none"
    )
    nats = np.zeros(len(row["input_ids"]))
    nats[kept.numpy()] = losses_K.cpu().numpy()
    return nats


def nats_per_target(model: PreTrainedModel, rows: Iterable[Mapping[str, Any]], *, bf16: bool) -> float:
    """Mean loss over the targets of all rows: how well the answers of a validation split are foretold."""
    total, targets = 0.0, 0
    for row in rows:
        total += float(token_losses(model, row, bf16=bf16).sum())
        targets += int((PackedRows()([row])["labels"] != NO_TARGET).sum())
    return total / max(targets, 1)
