"""Progress bars for long loops and downloads: on stderr, and only where that is a terminal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
    track,
)

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


@contextmanager
def show_bytes(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Give a function that shows how far a download is: it takes the bytes so far and, where known, in all.

    >>> with show_bytes("genome.fa") as advance:
    ...     advance(10, 20)
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
