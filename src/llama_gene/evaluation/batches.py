"""Batches of like length, and a progress bar that is silent unless a person watches."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def by_length(lengths: Sequence[int], batch_items: int) -> list[list[int]]:
    """Places of the items in batches, longest first, so that little is padding.

    >>> by_length([3, 9, 4], batch_items=2)
    [[1, 2], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    return [order[start : start + batch_items] for start in range(0, len(order), batch_items)]


def watch(steps: Sequence[T], title: str) -> Iterable[T]:
    """The steps, with a progress bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    return track(steps, title, console=console, transient=True, disable=not sys.stderr.isatty())
