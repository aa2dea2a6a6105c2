"""LoRA adapters and trained rows, and their merging back into plain weights.

Settings of the paper, section 2.3.2: LoRA on the seven projections, embedding and output rows trained beside it.
`train_rows = "new"` trains only the rows added to the vocabulary (PEFT's trainable tokens), so every old row stays
bit-identical; `"all"` trains every row, as the paper does.
"""

from typing import NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from llama_gene.config import OptimizerConfig

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Share(NamedTuple):
    """Parameters that are trained, and all of them."""

    trainable: int
    total: int


def add_adapters(model: PreTrainedModel, config: OptimizerConfig, *, new_rows: range, seed: int) -> PeftModel:
    """Wrap a model with fresh adapters.

    Args:
        model: The base; its weights are frozen, in the type they have. What is trained is float32.
        config: Rank, scale, dropout, and which rows are trained.
        new_rows: Ids added to the vocabulary; empty: no rows are trained with `train_rows = "new"`.
        seed: Of the adapters' first weights.
    """
    matrices = ["embed_tokens"] if model.config.tie_word_embeddings else ["embed_tokens", "lm_head"]
    rows_are_new = config.train_rows == "new"
    settings = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(PROJECTIONS),
        trainable_token_indices={name: list(new_rows) for name in matrices} if rows_are_new and new_rows else None,
        modules_to_save=None if rows_are_new else matrices,
        ensure_weight_tying=model.config.tie_word_embeddings and not rows_are_new,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted = get_peft_model(model, settings)
    # bfloat16 holds 8 bits of a number: small updates would be rounded away. PEFT sees to its own weights alone.
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return adapted


def merge_adapters(model: PeftModel) -> PreTrainedModel:
    """Plain weights that give the same logits as the adapted model, all in the type of the frozen ones."""
    stored = next(weight.dtype for weight in model.parameters() if not weight.requires_grad)
    return model.merge_and_unload().to(stored)


def count_parameters(model: torch.nn.Module) -> Share:
    """Trained and total parameters, shared rows counted once."""
    weights = {id(weight): weight for weight in model.parameters()}.values()
    return Share(
        trainable=sum(weight.numel() for weight in weights if weight.requires_grad),
        total=sum(weight.numel() for weight in weights),
    )
