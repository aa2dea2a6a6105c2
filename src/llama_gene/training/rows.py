"""Packed rows: whole documents back to back, none of which sees another.

Axes: B rows in a batch, T tokens in a row. Documents are kept apart by positions that start again at 0: without an
attention mask and with `use_cache=False`, transformers builds a block-diagonal causal mask from them. A row shorter
than the longest of its batch is filled with one-token documents that are never a target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

NO_TARGET = -100


@dataclass(frozen=True)
class PackedRows:
    """Turns rows into the model's inputs; a `data_collator` for transformers.

    A row holds `input_ids` and `lengths` (tokens of each document); `targets` (1 where the token is to be learnt)
    is optional: without it every token but the first of a document is a target.

    >>> batch = PackedRows()([{"input_ids": [1, 5, 2, 1, 6, 2], "lengths": [3, 3]}])
    >>> batch["position_ids"].tolist(), batch["shift_labels"].tolist()
    ([[0, 1, 2, 0, 1, 2]], [[5, 2, 6, 2]])
    """

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Stack rows; logits are asked for only where some row of the batch has a target."""
        longest = max(len(row["input_ids"]) for row in rows)
        ids_BT = np.zeros((len(rows), longest), dtype=np.int64)
        positions_BT = np.zeros_like(ids_BT)
        labels_BT = np.full_like(ids_BT, NO_TARGET)
        for index, row in enumerate(rows):
            size = len(row["input_ids"])
            ids_BT[index, :size] = row["input_ids"]
            positions_BT[index, :size] = positions(row["lengths"])
            labels_BT[index, :size] = next_tokens(row)
        kept = np.flatnonzero((labels_BT != NO_TARGET).any(axis=0))
        labels_BK = torch.from_numpy(np.ascontiguousarray(labels_BT[:, kept]))
        return {
            "input_ids": torch.from_numpy(ids_BT),
            "position_ids": torch.from_numpy(positions_BT),
            "labels": labels_BK,
            "shift_labels": labels_BK,
            "logits_to_keep": torch.from_numpy(kept),
            "use_cache": False,
        }


def positions(lengths: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Position of each token in its own document.

    >>> positions([2, 3]).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.concatenate([np.arange(length) for length in lengths])


def next_tokens(row: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The token each token must predict, `NO_TARGET` where it is not learnt or belongs to the next document.

    >>> next_tokens({"input_ids": [1, 5, 2], "lengths": [3], "targets": [0, 0, 1]}).tolist()
    [-100, 2, -100]
    """
    ids = np.asarray(row["input_ids"], dtype=np.int64)
    labels = np.full(len(ids), NO_TARGET, dtype=np.int64)
    learnt = np.ones(len(ids), dtype=bool) if row.get("targets") is None else np.asarray(row["targets"], dtype=bool)
    labels[:-1] = np.where(learnt[1:], ids[1:], NO_TARGET)
    labels[np.cumsum(row["lengths"]) - 1] = NO_TARGET
    return labels
