"""Deal groups to training, validation and test, or keep the split that the files give and take its leaks out."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.items import Item

_HELD_OUT_FIRST: tuple[Split, ...] = ("test", "valid", "train")
Unit = TypeVar("Unit", str, int, tuple[str, str])


def assign_splits(task: Task, items: Sequence[Item], rng: np.random.Generator, counts: Counter[str]) -> list[Item]:
    """The items with `split` set, whole groups together.

    A group that a file puts (partly) into test or valid goes there; its copies elsewhere are dropped and counted.
    Splits that no file gives are drawn from the groups without one, or else carved out of train. Where the rule
    allows leaks, what a file gives to different splits counts as different groups, and the copies stay, counted.

    Raises:
        DataError: too few groups to fill all three splits.
    """
    unit = _group_and_split if task.split.allow_leaks else _group
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[unit(item)].append(item)
    given = {item.split for item in items} - {None}
    placed: dict[str, Split] = {}
    for name, members in groups.items():
        marks = [split for split in _HELD_OUT_FIRST if any(member.split == split for member in members)]
        if marks and marks[0] != "train":
            placed[name] = marks[0]
    free = [name for name in groups if name not in placed]
    wanted = [split for split in SPLITS if split == "train" or split not in given]
    placed |= deal({name: len(groups[name]) for name in free}, wanted, task.split.shares, rng)
    if groups and not free:
        raise DataError(
            f"task {task.name!r}: the files give every item to validation or test, or an item alike to it. Add "
            "training items, or deal all items anew ([split] source = 'ignore')."
        )
    for split in SPLITS:
        if split not in placed.values():
            raise DataError(
                f"task {task.name!r}: {len(groups)} groups of items leave {split!r} empty. "
                "Add items, or ask for less likeness in the definition's [split]."
            )
    result = []
    for item in items:
        split = placed[unit(item)]
        # A training item of a group that was carved out of train may move with it; any other move would tell.
        may_move = item.split is None or (item.split == "train" and split not in given)
        if item.split != split and not may_move:
            counts[f"dropped: alike to an item of {split}"] += 1
        else:
            result.append(replace(item, split=split))
    if task.split.allow_leaks:
        _count_leaks(result, counts)
    return result


def _group(item: Item) -> str:
    return item.group


def _group_and_split(item: Item) -> str:
    return f"{item.group} {item.split}"


def _count_leaks(items: Sequence[Item], counts: Counter[str]) -> None:
    asked = {split: {item.group for item in items if item.split == split} for split in _HELD_OUT_FIRST}
    for item in items:
        if item.split != "test" and item.group in asked["test"]:
            counts["kept: alike to an item of test"] += 1
        elif item.split == "train" and item.group in asked["valid"]:
            counts["kept: alike to an item of valid"] += 1


def deal(
    sizes: Mapping[Unit, int], wanted: Sequence[Split], shares: tuple[float, float, float], rng: np.random.Generator
) -> dict[Unit, Split]:
    """Give each unit, in random order, to the split that lacks most; units as large as a whole split come first.

    No wanted split stays empty where there is a unit for each: the last units go to those that have none.

    Args:
        sizes: Name of a unit to its size.
        wanted: Splits that get some.
        shares: Of train, valid and test; those of the wanted ones count, relative to each other.
        rng: Decides the order.

    >>> placed = deal({"a": 8, "b": 1, "c": 1}, ["train", "valid", "test"], (0.8, 0.1, 0.1), np.random.default_rng(1))
    >>> placed["a"], sorted([placed["b"], placed["c"]])
    ('train', ['test', 'valid'])
    >>> placed = deal({"a": 5, "b": 5, "c": 5}, ["train", "valid", "test"], (0.8, 0.1, 0.1), np.random.default_rng(1))
    >>> sorted(placed.values())
    ['test', 'train', 'valid']
    """
    total = sum(sizes.values())
    share = dict(zip(SPLITS, shares, strict=True))
    lacking = {split: share[split] * total / sum(share[name] for name in wanted) for split in wanted}
    names = sorted(sizes)
    order = [names[place] for place in rng.permutation(len(names))]
    smallest = min(lacking.values())
    placed: dict[Unit, Split] = {}
    empty = list(wanted)
    for name in sorted(order, key=lambda name: sizes[name] < smallest):
        split = max(empty if len(sizes) - len(placed) == len(empty) else wanted, key=lambda one: lacking[one])
        placed[name] = split
        lacking[split] -= sizes[name]
        if split in empty:
            empty.remove(split)
    return placed
