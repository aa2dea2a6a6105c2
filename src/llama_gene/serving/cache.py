"""Keys and values of the answers in work, in a fixed number of rows, and the forward pass that reads and writes them.

Each row holds one answer from its first token on. The memory is bounded: it is reserved once and never grows. A place
beyond the last takes what padding would write; nothing ever looks at it, so rows of different lengths share one pass.
The layers are computed by `evaluation.forward`, whose modules are the model's own.

Axes: B rows of a pass, T new tokens of a row, S tokens seen, H width, V vocabulary, h heads, d width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from llama_gene.errors import ConfigError
from llama_gene.evaluation.forward import (
    KeysValues,
    Projected,
    attend,
    attention_bias,
    llama_of,
    project,
    rotate_by,
)


@dataclass(frozen=True)
class Part:
    """Tokens to read into one row: the first stands at position `start`, 0-based."""

    row: int
    start: int
    ids: tuple[int, ...]


class RowCache:
    """Keys and values of `rows` answers, each of at most `length` tokens."""

    def __init__(self, model: PreTrainedModel, *, most_rows: int, cache_gib: float) -> None:
        """Reserve the memory.

        Args:
            model: A LLaMA in evaluation mode, on its device.
            most_rows: Rows wanted, >= 1.
            cache_gib: Memory in GiB, which may allow fewer rows.

        Raises:
            ModelError: the model is no LLaMA.
            ConfigError: not even one row fits.
        """
        self.model, self.base = model, llama_of(model)
        self.length = int(model.config.max_position_embeddings)
        attention = self.base.layers[0].self_attn
        heads = attention.k_proj.out_features // attention.head_dim
        bytes_per_row = (
            2 * len(self.base.layers) * (self.length + 1) * attention.k_proj.out_features * self.base.dtype.itemsize
        )
        self.rows = min(most_rows, int(cache_gib * 2**30 // bytes_per_row))
        if not self.rows:
            raise ConfigError(
                f"serve.cache_gib = {cache_gib:g} holds no answer: one of {self.length:,} tokens takes "
                f"{bytes_per_row / 2**30:.2f} GiB. Raise it."
            )
        shape = (self.rows, self.length + 1, heads, attention.head_dim)
        make = {"dtype": self.base.dtype, "device": self.base.device}
        # Zeros, not whatever the memory held: what padding sees must stay finite.
        self.layers = [KeysValues(torch.zeros(shape, **make), torch.zeros(shape, **make)) for _ in self.base.layers]

    @torch.inference_mode()
    def read(self, parts: Sequence[Part]) -> torch.Tensor:
        """Read new tokens into their rows; the logits after the last token of each part, (B, V), float32.

        Args:
            parts: At most one per row; what stands before `start` was read earlier.
        """
        device, longest = self.base.device, max(len(part.ids) for part in parts)
        ids_BT = torch.tensor([[*part.ids, *[0] * (longest - len(part.ids))] for part in parts], device=device)
        positions_BT = torch.tensor([self._positions(part, longest) for part in parts], device=device)
        seen = max(part.start + len(part.ids) for part in parts)
        visible_BTS = torch.arange(seen, device=device) <= positions_BT[:, :, None]
        hidden = self.base.embed_tokens(ids_BT)
        rotation, bias = rotate_by(self.base, hidden, positions_BT), attention_bias(visible_BTS, hidden.dtype)
        rows = [part.row for part in parts]
        rows_B = torch.tensor(rows, device=device)
        # Rows that follow each other are looked at where they lie, others are copied together.
        chosen = slice(rows[0], rows[-1] + 1) if rows == list(range(rows[0], rows[-1] + 1)) else rows_B
        for layer, pool in zip(self.base.layers, self.layers, strict=True):
            queries, new = project(layer, hidden, rotation, asking=longest)
            pool.keys[rows_B[:, None], positions_BT] = new.keys
            pool.values[rows_B[:, None], positions_BT] = new.values
            kept = KeysValues(pool.keys[chosen, :seen], pool.values[chosen, :seen])
            hidden = attend(layer, hidden, Projected(queries, kept), bias)
        last_B = torch.tensor([len(part.ids) - 1 for part in parts], device=device)
        last_BH = self.base.norm(hidden[torch.arange(len(parts), device=device), last_B])
        return self.model.get_output_embeddings()(last_BH).float()

    def _positions(self, part: Part, longest: int) -> list[int]:
        end = part.start + len(part.ids)
        return [*range(part.start, end), *[self.length] * (longest - len(part.ids))]

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy the first `tokens` of one row into another."""
        for pool in self.layers:
            for states in pool:
                states[target, :tokens] = states[source, :tokens]
