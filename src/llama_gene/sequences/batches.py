"""Things in batches of about so many letters: one step is made for many of them, and memory stays small."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Held = TypeVar("Held")


def batches_of_letters(held: Iterable[Held], letters_of: Callable[[Held], str], enough: int) -> Iterator[list[Held]]:
    """Batches in order; each ends with what fills it, the last may be short, none is empty.

    Args:
        held: Read as it is needed.
        letters_of: The letters of one.
        enough: Letters that fill a batch, > 0.

    >>> list(batches_of_letters(["AC", "G", "TTT", "A"], str, enough=3))
    [['AC', 'G'], ['TTT'], ['A']]
    """
    batch: list[Held] = []
    letters = 0
    for one in held:
        batch.append(one)
        letters += len(letters_of(one))
        if letters >= enough:
            yield batch
            batch, letters = [], 0
    if batch:
        yield batch
