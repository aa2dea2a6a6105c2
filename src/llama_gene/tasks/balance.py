"""How many items of each class a split has, and fewer of them: in proportion, or the same number of each."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llama_gene.config import Split, TaskChoice
from llama_gene.errors import ConfigError
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.items import Item
from llama_gene.tasks.states import chains_within

_FEW = 10
_SHIFT = 0.1


def sample(
    task: Task, choice: TaskChoice, items: Sequence[Item], split: Split, rng: np.random.Generator, counts: Counter[str]
) -> list[Item]:
    """The items of a split in random order, at most the asked number, each class in its share or as many of each.

    A limit counts final questions: a chain of a structure task makes at most `positions` of them.

    Args:
        task: The definition.
        choice: Its limit for the split, and the splits to balance.
        items: Of all splits.
        split: The one wanted.
        rng: Decides the order and who goes.
        counts: Receives the number of those left out.

    Raises:
        ConfigError: a limit too small for one item of each class to be balanced.
    """
    members = [item for item in items if item.split == split]
    members = [members[place] for place in rng.permutation(len(members))]
    limit: int | None = getattr(choice, split)
    if limit is not None and task.family == "structure":
        positions = task.positions if choice.positions is None else choice.positions
        limit = chains_within(limit, positions, [len(item.sequences[0]) for item in members])
    has_classes = bool(task.labels) and task.family != "structure"
    sizes = Counter(item.target for item in members)
    if has_classes and split in choice.balance:
        if limit is not None and limit < len(sizes):
            raise ConfigError(
                f"task {task.name!r}: {split} = {limit} is less than one item of each of {len(sizes)} classes. "
                f"Raise it, or take {split!r} out of `balance`."
            )
        left = take_evenly(sizes, limit)
        reason = "left out to balance the classes"
    elif limit is None or limit >= len(members):
        return members
    elif has_classes:
        left = share_out(sizes, limit)
        reason = "over the limit"
    else:
        counts["over the limit"] += len(members) - limit
        return members[:limit]
    chosen = []
    for item in members:
        if left[item.target] > 0:
            left[item.target] -= 1
            chosen.append(item)
    counts[reason] += len(members) - len(chosen)
    return chosen


def share_out(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many of each class to take: in proportion, by largest remainder.

    >>> share_out({"a": 90, "b": 10}, 11)
    {'a': 10, 'b': 1}
    """
    total = sum(sizes.values())
    exact = {name: limit * size / total for name, size in sizes.items()}
    taken = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: (taken[name] - exact[name], name))
    for name in by_remainder[: limit - sum(taken.values())]:
        taken[name] += 1
    return taken


def take_evenly(sizes: Mapping[str, int], limit: int | None) -> dict[str, int]:
    """How many of each class to take: as many of each as the smallest has, or as fit into the limit.

    >>> take_evenly({"a": 90, "b": 10}, None), take_evenly({"a": 90, "b": 10}, 6)
    ({'a': 10, 'b': 10}, {'a': 3, 'b': 3})
    """
    if not sizes:
        return {}
    each = min([*sizes.values(), *([] if limit is None else [limit // len(sizes)])])
    return dict.fromkeys(sizes, each)


def count_classes(
    task: Task, labels: Sequence[str], kept: Mapping[Split, Sequence[Item]]
) -> dict[Split, dict[str, int]]:
    """Items of each class by split (of a structure task: letters of each state); nothing for free text."""
    if not labels:
        return {}
    if task.family == "structure":
        name = {value: label.name for label in task.labels for value in label.written}
        states = {split: Counter("".join(item.target for item in kept[split])) for split in SPLITS}
        return {
            split: _in_order(labels, Counter({name[state]: n for state, n in found.items() if state in name}))
            for split, found in states.items()
        }
    return {split: _in_order(labels, Counter(item.target for item in kept[split])) for split in SPLITS}


def _in_order(labels: Sequence[str], found: Counter[str]) -> dict[str, int]:
    return {label: found[label] for label in labels}


def remarks(classes: Mapping[Split, Mapping[str, int]]) -> list[str]:
    """What a reader of scores should know of the classes.

    >>> remarks({"train": {"a": 50, "b": 5}, "valid": {"a": 5, "b": 5}, "test": {"a": 5, "b": 0}})
    ["few in training: 'b' (5)", 'valid and training differ in 41 % of the shares', "none in test: 'b'"]
    """
    if not classes:
        return []
    train = classes["train"]
    found = [f"few in training: {label!r} ({size})" for label, size in train.items() if size < _FEW]
    for split in ("valid", "test"):
        found += [f"none in {split}: {label!r}" for label, size in train.items() if size and not classes[split][label]]
        shift = _difference(train, classes[split])
        if shift >= _SHIFT:
            found.append(f"{split} and training differ in {shift:.0%} of the shares".replace("%", " %"))
    return found


def _difference(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Total variation distance of two sets of class shares, 0 to 1."""
    sums = [max(1, sum(sizes.values())) for sizes in (one, other)]
    return sum(abs(one[label] / sums[0] - other[label] / sums[1]) for label in one) / 2


def balance_page(tasks: Mapping[str, Mapping[Split, Mapping[str, int]]]) -> str:
    """`balance.md`: the classes of every task by split, with their shares of training."""
    lines = ["# Classes", ""]
    for name, classes in tasks.items():
        lines += [f"## {name}", ""]
        if not classes:
            lines += ["Answers in free text.", ""]
            continue
        total = max(1, sum(classes["train"].values()))
        lines += ["| class | share of training | train | valid | test |", "|---|--:|--:|--:|--:|"]
        lines += [
            f"| {label} | {size / total:.1%} | {size:,} | {classes['valid'][label]:,} | {classes['test'][label]:,} |"
            for label, size in classes["train"].items()
        ]
        lines += ["", *(f"- {remark}" for remark in remarks(classes)), ""]
    return "\n".join(lines)


def describe_classes(classes: Mapping[Split, Mapping[str, int]]) -> dict[str, Any]:
    """What `balance.json` says of a task."""
    return {"classes": {split: dict(sizes) for split, sizes in classes.items()}, "remarks": remarks(classes)}
