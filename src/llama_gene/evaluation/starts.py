"""Group prompts by what they start with, so that each shared start is read once."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Group(NamedTuple):
    """How many tokens the prompts start with in common, and which prompts they are."""

    shared: int
    members: list[int]

    @property
    def saved(self) -> int:
        """Tokens that need not be read since the start is read once."""
        return self.shared * (len(self.members) - 1)


def share_starts(prompts: Sequence[tuple[int, ...]], *, worth: int) -> list[Group]:
    """Groups of prompts with a common start: all prompts, or several where longer starts save enough.

    The last token of a prompt is never shared: it foretells the answer.

    Args:
        prompts: Token ids, each at least one.
        worth: Tokens that dividing a group in two must save, > 0.

    >>> share_starts([(1, 2, 7), (1, 2, 8), (1, 2, 9)], worth=1)
    [Group(shared=2, members=[0, 1, 2])]
    >>> share_starts([(1, 2, 3, 7), (1, 5, 6, 7), (1, 2, 3, 9), (1, 5, 6, 8)], worth=1)
    [Group(shared=3, members=[0, 2]), Group(shared=3, members=[1, 3])]
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    common = [_common(prompts[one], prompts[other]) for one, other in pairwise(order)]

    def group(first: int, end: int) -> Group:
        shortest = min(len(prompts[place]) for place in order[first:end])
        return Group(min([shortest - 1, *common[first : end - 1]]), order[first:end])

    done = []
    waiting = [(0, len(order))] if order else []
    while waiting:
        first, end = waiting.pop()
        whole = group(first, end)
        border = min(range(first + 1, end), key=lambda place: common[place - 1], default=end)
        if border < end and group(first, border).saved + group(border, end).saved >= whole.saved + worth:
            waiting += [(border, end), (first, border)]
        else:
            done.append(whole)
    return done


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens both start with."""
    return bisect_left(range(min(len(one), len(other))), True, key=lambda place: one[: place + 1] != other[: place + 1])
