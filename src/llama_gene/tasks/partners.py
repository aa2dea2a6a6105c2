"""Pairs whose partners are new: the classes of Park and Marcotte (2012, Nature Methods 9:1134), and a split by them.

A held-out pair is C1 where training holds all its sequences (in other pairs), C2 where it holds some, C3 where none.
A model that has learnt which proteins have many partners scores on C1 and fails on C3.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np

from llama_gene.config import Split
from llama_gene.tasks.alike import alike_pairs
from llama_gene.tasks.assign import deal
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.groups import SPLITS, Links, canonical
from llama_gene.tasks.items import Item

PairClass = Literal["C1", "C2", "C3"]
Unit = tuple[str, str]
Units = Mapping[Unit, Unit]
"""What each sequence (kind, letters) counts as: alike sequences have the same value."""


def sequence_units(task: Task, items: Sequence[Item]) -> Units:
    """Every sequence of the items; where the split is by partners, those alike by its rule are one.

    >>> from llama_gene.tasks.definitions import load_task
    >>> units = sequence_units(load_task("ctcf-loops"), [Item("1", ("AACC", "GGTT"), "loop")])
    >>> len(set(units.values()))  # the second is the other strand of the first
    1
    """
    links = Links()
    known = {
        (wanted.kind, letters): (wanted.kind, canonical(letters, wanted.kind))
        for item in items
        for wanted, letters in zip(task.inputs, item.sequences, strict=True)
    }
    if task.split.by == "partners":
        for kind in sorted({kind for kind, _ in known}):
            alike = sorted({letters for other, letters in known.values() if other == kind})
            for first, second in alike_pairs(alike, kind, task.split):
                links.join((kind, alike[first]), (kind, alike[second]))
    return {key: cast(Unit, links.root(unit)) for key, unit in known.items()}


def _units_of(task: Task, item: Item, units: Units) -> set[Unit]:
    return {units[wanted.kind, letters] for wanted, letters in zip(task.inputs, item.sequences, strict=True)}


def deal_partners(task: Task, items: Sequence[Item], rng: np.random.Generator, counts: Counter[str]) -> list[Item]:
    """The pairs with `split` set so that validation and test hold all three classes.

    The sequences are dealt by the shares. A pair with a sequence dealt to test is a test pair (C2, or C3 where all
    its sequences are), likewise for validation; what has sequences of both is dropped and counted. Pairs of training
    sequences alone are dealt by the same shares: to training, or to validation and test as C1.
    """
    units = sequence_units(task, items)
    placed = deal(dict.fromkeys(units.values(), 1), SPLITS, task.split.shares, rng)
    result: list[Item] = []
    open_pairs: list[Item] = []
    for item in items:
        held = {placed[unit] for unit in _units_of(task, item, units)} - {"train"}
        if len(held) > 1:
            counts["dropped: partners held out for validation and for test"] += 1
        elif held:
            result.append(replace(item, split=held.pop()))
        else:
            open_pairs.append(item)
    dealt = deal(dict.fromkeys(range(len(open_pairs)), 1), SPLITS, task.split.shares, rng)
    return result + [replace(item, split=dealt[place]) for place, item in enumerate(open_pairs)]


def pair_classes(task: Task, kept: Mapping[Split, Sequence[Item]]) -> dict[Split, list[PairClass | None]]:
    """The class of each item of each split; None in training, and where the task has one input.

    >>> from llama_gene.tasks.definitions import load_task
    >>> task, pair = load_task("ppi-yeast"), lambda *letters: Item("", letters, "interaction")
    >>> kept = {"train": [pair("MK", "MV")], "valid": [], "test": [pair("MK", "MA"), pair("MV", "MK")]}
    >>> pair_classes(task, kept)["test"]
    ['C2', 'C1']
    """
    if len(task.inputs) == 1:
        return {split: [None] * len(items) for split, items in kept.items()}
    units = sequence_units(task, [item for items in kept.values() for item in items])
    seen = {unit for item in kept["train"] for unit in _units_of(task, item, units)}
    return {
        split: [None if split == "train" else _class(_units_of(task, item, units), seen) for item in items]
        for split, items in kept.items()
    }


def _class(partners: set[Unit], seen: set[Unit]) -> PairClass:
    known = len(partners & seen)
    if known == len(partners):
        return "C1"
    return "C2" if known else "C3"
