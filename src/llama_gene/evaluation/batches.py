"""Batches of like length."""

from collections.abc import Sequence

BATCH_TOKENS = 4096


def by_length(lengths: Sequence[int], batch_items: int, batch_tokens: int | None = None) -> list[list[int]]:
    """Places of the items in batches, longest first, so that little is padding.

    Args:
        lengths: Tokens of each item.
        batch_items: Most items of a batch, > 0.
        batch_tokens: Most tokens of a batch, padding included; none: no limit. An item longer than that goes alone.

    >>> by_length([3, 9, 4], batch_items=2)
    [[1, 2], [0]]
    >>> by_length([3, 9, 4, 4], batch_items=3, batch_tokens=12)
    [[1], [2, 3, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        fitting = batch_tokens // max(1, lengths[order[start]]) if batch_tokens else batch_items
        end = start + max(1, min(batch_items, fitting))
        batches.append(order[start:end])
        start = end
    return batches
