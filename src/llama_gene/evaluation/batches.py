"""Batches of like length."""

from collections.abc import Sequence


def by_length(lengths: Sequence[int], batch_items: int) -> list[list[int]]:
    """Places of the items in batches, longest first, so that little is padding.

    >>> by_length([3, 9, 4], batch_items=2)
    [[1, 2], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    return [order[start : start + batch_items] for start in range(0, len(order), batch_items)]
