"""One progress bar for long loops: on stderr, and only where that is a terminal."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def show_progress(items: Iterable[T], what: str, total: float | None = None) -> Iterable[T]:
    """Pass the items on and show how far the loop is.

    Args:
        items: What the loop goes over.
        what: Name of the loop.
        total: Number of items, where they have no length.

    >>> list(show_progress([1, 2], "counting"))
    [1, 2]
    """
    console = Console(stderr=True)
    return track(items, what, total=total, console=console, transient=True, disable=not console.is_terminal)
