"""A LLaMA reads rows that branch, and computes no more of each layer than the answers ask for.

The model's own forward pass reads every place of every row through every layer, and with a cache it copies what the
rows share once per row. Weighing labels needs less. What all rows start with is read once; rows laid out alike share
their rotary factors and their mask. In the last layer only the places that foretell a label go on. What a layer makes
is changed in place where nobody else reads it: the matrix products of a small model run at the processor's full speed,
so what is left to save is memory written and read again. The weights are the model's own, so biases, grouped heads and
rotary scaling count as they do in `LlamaModel.forward` (transformers 5.24, `modeling_llama.py`, followed here).

Axes: B rows, T tokens of a row after the shared start, S tokens of the shared start, P last places of a row, H width,
h heads, d width of a head. Where rows are laid out alike, one row (1 in place of B) stands for all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaModel, LlamaRMSNorm, repeat_kv

from llama_gene.errors import ModelError


class KeysValues(NamedTuple):
    """What a layer keeps of the tokens it read, each (B, tokens, h, d)."""

    keys: torch.Tensor
    values: torch.Tensor


class Projected(NamedTuple):
    """What a layer's last tokens ask, (B, P, h, d), and what all its tokens offer."""

    queries: torch.Tensor
    kept: KeysValues


class Rotation(NamedTuple):
    """Cosine and sine of the rotary positions, each (B, T, h * d): the same for every head.

    The sine of the first half of a head is negated, as the turn needs it.
    """

    cos: torch.Tensor
    sin: torch.Tensor


def llama_of(model: PreTrainedModel) -> LlamaModel:
    """The layers under a language model's head.

    Raises:
        ModelError: the model is no LLaMA, so its layers may differ from those followed here.
    """
    base = model.base_model
    if not isinstance(base, LlamaModel):
        raise ModelError(
            f"the model is of type {model.config.model_type!r}: labels are weighed with LLaMA models alone. "
            "Give the folder of one (`llama-gene model extend` makes it)."
        )
    return base


@torch.inference_mode()
def read_start(base: LlamaModel, ids: Sequence[int]) -> list[KeysValues]:
    """What each layer keeps of tokens that many rows start with, (1, S, h, d) each.

    Args:
        base: In evaluation mode.
        ids: S >= 0 token ids.
    """
    ids_1S = torch.tensor([list(ids)], dtype=torch.long, device=base.device)
    positions_1S = torch.arange(len(ids), device=base.device)[None]
    visible_1SS = torch.ones(1, len(ids), len(ids), dtype=torch.bool, device=base.device).tril()
    hidden = base.embed_tokens(ids_1S)
    rotation, bias = rotate_by(base, hidden, positions_1S), attention_bias(visible_1SS, hidden.dtype)
    kept = []
    for layer in base.layers:
        projected = project(layer, hidden, rotation, asking=len(ids))
        kept.append(projected.kept)
        hidden = attend(layer, hidden, projected, bias)
    return kept


@torch.inference_mode()
def read_rows(
    base: LlamaModel,
    start: Sequence[KeysValues],
    ids_BT: torch.Tensor,
    positions_BT: torch.Tensor,
    visible_BTT: torch.Tensor,
    last: int,
) -> torch.Tensor:
    """The final hidden states of the last places of each row, (B, P, H).

    Args:
        base: In evaluation mode.
        start: From `read_start`: what every row is read after.
        ids_BT: Token ids.
        positions_BT: Position of each token; the first after the start has S. One row stands for all alike.
        visible_BTT: True where a token (row) sees another (column); all see the start. One row stands for all alike.
        last: P >= 1.
    """
    length = ids_BT.shape[1]
    hidden = base.embed_tokens(ids_BT)
    rotation = rotate_by(base, hidden, positions_BT)
    visible_start = visible_BTT.new_ones(len(visible_BTT), length, start[0].keys.shape[1])
    bias = attention_bias(torch.cat([visible_start, visible_BTT], dim=2), hidden.dtype)
    for number, (layer, before) in enumerate(zip(base.layers, start, strict=True)):
        asking = last if number == len(base.layers) - 1 else length
        queries, own = project(layer, hidden, rotation, asking)
        hidden = attend(layer, hidden[:, -asking:], Projected(queries, _join(before, own)), bias[:, :, -asking:])
    return _normed(base.norm, hidden)


def rotate_by(base: LlamaModel, hidden_BTH: torch.Tensor, positions_BT: torch.Tensor) -> Rotation:
    """What turns queries and keys to their positions."""
    cos_BTd, sin_BTd = base.rotary_emb(hidden_BTH, position_ids=positions_BT)
    first, second = sin_BTd.chunk(2, dim=2)
    heads = base.config.num_attention_heads
    return Rotation(cos_BTd.repeat(1, 1, heads), torch.cat([-first, second], dim=2).repeat(1, 1, heads))


def attention_bias(visible: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the attention of all heads: 0 where a token is seen, minus infinity elsewhere."""
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(~visible, -torch.inf)[:, None]


def project(layer: LlamaDecoderLayer, hidden_BTH: torch.Tensor, rotation: Rotation, asking: int) -> Projected:
    """What the last places ask and all tokens offer."""
    attention = layer.self_attn
    width = attention.head_dim
    normed_BTH = _normed(layer.input_layernorm, hidden_BTH)
    ending = Rotation(rotation.cos[:, -asking:], rotation.sin[:, -asking:])
    return Projected(
        _rotate_(attention.q_proj(normed_BTH[:, -asking:]), ending, width),
        KeysValues(
            _rotate_(attention.k_proj(normed_BTH), rotation, width),
            attention.v_proj(normed_BTH).unflatten(2, (-1, width)),
        ),
    )


def attend(
    layer: LlamaDecoderLayer, hidden_BPH: torch.Tensor, projected: Projected, bias: torch.Tensor
) -> torch.Tensor:
    """The layer's output for the places that ask, (B, P, H)."""
    attention, mlp, (queries, kept) = layer.self_attn, layer.mlp, projected
    keys, values = (repeat_kv(states.transpose(1, 2), attention.num_key_value_groups) for states in kept)
    seen = scaled_dot_product_attention(
        queries.transpose(1, 2), keys, values, attn_mask=bias, scale=attention.scaling
    )  # fmt: skip
    hidden_BPH = attention.o_proj(seen.transpose(1, 2).flatten(2)).add_(hidden_BPH)
    normed_BPH = _normed(layer.post_attention_layernorm, hidden_BPH)
    inner = mlp.act_fn(mlp.gate_proj(normed_BPH)).mul_(mlp.up_proj(normed_BPH))
    return mlp.down_proj(inner).add_(hidden_BPH)


def _normed(norm: LlamaRMSNorm, hidden: torch.Tensor) -> torch.Tensor:
    return rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _rotate_(states_BTW: torch.Tensor, rotation: Rotation, width: int) -> torch.Tensor:
    """Turn heads of this width to their positions, in place; (B, T, h, d). All heads of a token lie side by side."""
    cos, sin = (part[..., : states_BTW.shape[2]] for part in rotation)
    first, second = states_BTW.unflatten(2, (-1, 2, width // 2)).unbind(3)
    swapped_BTW = torch.stack([second, first], dim=3).flatten(2)
    return states_BTW.mul_(cos).addcmul_(swapped_BTW, sin).unflatten(2, (-1, width))


def _join(start: KeysValues, own: KeysValues) -> KeysValues:
    rows = len(own.keys)
    return KeysValues(
        torch.cat([start.keys.expand(rows, -1, -1, -1), own.keys], dim=1),
        torch.cat([start.values.expand(rows, -1, -1, -1), own.values], dim=1),
    )
