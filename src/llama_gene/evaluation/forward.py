"""A LLaMA reads rows that branch, and computes no more of each layer than the answers ask for.

The model's own forward pass reads every place of every row through every layer, and with a cache it copies what the
rows share once per row. Weighing labels needs less. What all rows start with is read once. The first layer sees of a
token only its id and its position, so it projects each such pair once (rows of DNA hold few). In the last layer only
the places that foretell a label go on. The modules are the model's own, so biases, grouped heads and rotary scaling
count as they do in `LlamaModel.forward` (transformers 5.24, `modeling_llama.py`, followed here).

Axes: B rows, T tokens of a row after the shared start, S tokens of the shared start, P last places of a row, U pairs
of token and position, H width, h heads, d width of a head.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaModel, repeat_kv

from llama_gene.errors import ModelError


class KeysValues(NamedTuple):
    """What a layer keeps of the tokens it read, each (B, h, tokens, d)."""

    keys: torch.Tensor
    values: torch.Tensor


class Projected(NamedTuple):
    """What a layer's tokens ask, (B, h, T, d), and what they offer."""

    queries: torch.Tensor
    kept: KeysValues


class Rotation(NamedTuple):
    """Cosine and sine of the rotary positions, each (B, 1, T, d); the sine of the first d / 2 is negated."""

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
    """What each layer keeps of tokens that many rows start with, (1, h, S, d) each.

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
        positions_BT: Position of each token; the first after the start has S.
        visible_BTT: True where a token (row) sees another (column); all see the start.
        last: P >= 1.
    """
    rows, length = ids_BT.shape
    hidden = base.embed_tokens(ids_BT)
    rotation = rotate_by(base, hidden, positions_BT)
    visible_start = visible_BTT.new_ones(rows, length, start[0].keys.shape[2])
    bias = attention_bias(torch.cat([visible_start, visible_BTT], dim=2), hidden.dtype)
    for number, (layer, before) in enumerate(zip(base.layers, start, strict=True)):
        asking = last if number == len(base.layers) - 1 else length
        if number == 0:
            projected = _project_pairs(base, ids_BT, positions_BT, asking)
        else:
            projected = project(layer, hidden, rotation, asking)
        joined = Projected(projected.queries, _join(before, projected.kept))
        hidden = attend(layer, hidden[:, -asking:], joined, bias[:, :, -asking:])
    return base.norm(hidden)


def rotate_by(base: LlamaModel, hidden_BTH: torch.Tensor, positions_BT: torch.Tensor) -> Rotation:
    """What turns queries and keys to their positions; the sign that each turn needs is put into the sine once."""
    cos_BTd, sin_BTd = base.rotary_emb(hidden_BTH, position_ids=positions_BT)
    half = sin_BTd.shape[2] // 2
    return Rotation(cos_BTd[:, None], torch.cat([-sin_BTd[..., :half], sin_BTd[..., half:]], dim=2)[:, None])


def attention_bias(visible: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the attention of all heads: 0 where a token is seen, minus infinity elsewhere."""
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(~visible, -torch.inf)[:, None]


def project(layer: LlamaDecoderLayer, hidden_BTH: torch.Tensor, rotation: Rotation, asking: int) -> Projected:
    """What the last places ask and all tokens offer."""
    attention = layer.self_attn
    normed_BTH = layer.input_layernorm(hidden_BTH)
    ending = Rotation(rotation.cos[:, :, -asking:], rotation.sin[:, :, -asking:])
    return Projected(
        _rotate(_heads(attention.q_proj(normed_BTH[:, -asking:]), attention.head_dim), ending),
        KeysValues(
            _rotate(_heads(attention.k_proj(normed_BTH), attention.head_dim), rotation),
            _heads(attention.v_proj(normed_BTH), attention.head_dim),
        ),
    )


def _project_pairs(base: LlamaModel, ids_BT: torch.Tensor, positions_BT: torch.Tensor, asking: int) -> Projected:
    """`project` of the first layer, each pair of token and position once."""
    width = int(positions_BT.max()) + 1
    pairs_U, pair_BT = torch.unique(ids_BT * width + positions_BT, return_inverse=True)
    hidden_1UH = base.embed_tokens(pairs_U[None] // width)
    rotation = rotate_by(base, hidden_1UH, pairs_U[None] % width)
    queries, (keys, values) = project(base.layers[0], hidden_1UH, rotation, asking=len(pairs_U))
    spread = [states[0, :, pair_BT].transpose(0, 1) for states in (queries, keys, values)]
    return Projected(spread[0][:, :, -asking:], KeysValues(spread[1], spread[2]))


def attend(
    layer: LlamaDecoderLayer, hidden_BPH: torch.Tensor, projected: Projected, bias: torch.Tensor
) -> torch.Tensor:
    """The layer's output for the places that ask, (B, P, H)."""
    attention, (queries, kept) = layer.self_attn, projected
    groups = attention.num_key_value_groups
    seen = scaled_dot_product_attention(
        queries, repeat_kv(kept.keys, groups), repeat_kv(kept.values, groups), attn_mask=bias, scale=attention.scaling
    )
    hidden_BPH = attention.o_proj(seen.transpose(1, 2).flatten(2)).add_(hidden_BPH)
    return layer.mlp(layer.post_attention_layernorm(hidden_BPH)).add_(hidden_BPH)


def _heads(projected: torch.Tensor, width: int) -> torch.Tensor:
    """(B, T, h * d) to (B, h, T, d)."""
    return projected.unflatten(2, (-1, width)).transpose(1, 2)


def _rotate(states: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    first, second = states.chunk(2, dim=3)
    return torch.addcmul(states * rotation.cos, torch.cat([second, first], dim=3), rotation.sin)


def _join(start: KeysValues, own: KeysValues) -> KeysValues:
    rows = own.keys.shape[0]
    return KeysValues(
        torch.cat([start.keys.expand(rows, -1, -1, -1), own.keys], dim=2),
        torch.cat([start.values.expand(rows, -1, -1, -1), own.values], dim=2),
    )
