"""How near training every held-out item is: what `tasks split` writes to leaks.json, leaks.md and leaks.parquet.

The nearest training sequence of each held-out one is found and aligned (`neighbours`). `nearest` of an item is that
identity, 0 to 1; of an item with several sequences the lowest, since a pair is known only as far as both partners are.
Chance gives short sequences a neighbour, too: the same search with reversed sequences, which have the same letters
and no kin, says how near. What lies below that level is as good as new.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llama_gene.config import GeneKind, Split
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.items import Item
from llama_gene.tasks.neighbours import Neighbour, find_neighbours
from llama_gene.tasks.partners import PairClass

HELD_OUT: tuple[Split, ...] = ("valid", "test")
BANDS = (0.3, 0.5, 0.7, 0.9, 1.0)
_REVERSED = 200
_CHANCE_PERCENTILE = 99
_SHOWN = 10
_CLASSES = ("C1", "C2", "C3")


@dataclass(frozen=True)
class Found:
    """A held-out sequence of an item beside the training sequence nearest to it, and the item that holds that."""

    item: str
    input: str
    kind: GeneKind
    neighbour: str | None
    aligned: Neighbour


@dataclass(frozen=True)
class Leaks:
    """What was found for one task.

    Attributes:
        found: Per split, per item looked up, one entry for each of its sequences.
        chance: Per kind, the identity that one in a hundred reversed sequences reaches.
    """

    found: Mapping[Split, Sequence[tuple[Found, ...]]]
    chance: Mapping[GeneKind, float]


def band_of(identity: float) -> str:
    """Name of the band an identity lies in.

    >>> [band_of(identity) for identity in (0.0, 0.3, 0.95, 1.0)]
    ['below 0.3', '0.3 to 0.5', '0.9 to 1', '1']
    """
    if identity >= BANDS[-1]:
        return "1"
    edges = [0.0, *BANDS]
    place = max(at for at, edge in enumerate(edges) if identity >= edge)
    return f"below {BANDS[0]:g}" if place == 0 else f"{edges[place]:g} to {edges[place + 1]:g}"


def band_names() -> list[str]:
    """Every band, the farthest first."""
    return [band_of(edge) for edge in (0.0, *BANDS)]


def find_leaks(task: Task, kept: Mapping[Split, Sequence[Item]], most: int) -> Leaks:
    """Look up the nearest training sequence of the held-out items.

    Args:
        task: The definition.
        kept: Items of each split.
        most: Items of a split that are looked up, the first ones.
    """
    looked_up = {split: kept[split][:most] for split in HELD_OUT}
    nearest: dict[tuple[GeneKind, str], tuple[str | None, Neighbour]] = {}
    chance: dict[GeneKind, float] = {}
    for kind in sorted({wanted.kind for wanted in task.inputs}):
        asking = sorted({letters for split in HELD_OUT for letters in _of_kind(task, looked_up[split], kind)})
        holders: dict[str, str] = {}
        for item in kept["train"]:
            for letters in _of_kind(task, [item], kind):
                holders.setdefault(letters, item.id)
        searched = list(holders)
        found = find_neighbours(asking, searched, kind, f"{task.name}: searching training")
        for letters, one in zip(asking, found, strict=True):
            nearest[kind, letters] = (None if one.place is None else holders[searched[one.place]], one)
        if asking:
            chance[kind] = _chance_level(task.name, asking, searched, kind)
    return Leaks(
        {
            split: [
                tuple(
                    Found(item.id, wanted.called, wanted.kind, *nearest[wanted.kind, letters])
                    for letters, wanted in zip(item.sequences, task.inputs, strict=True)
                )
                for item in looked_up[split]
            ]
            for split in HELD_OUT
        },
        chance,
    )


def _of_kind(task: Task, items: Sequence[Item], kind: GeneKind) -> list[str]:
    return [
        letters
        for item in items
        for letters, wanted in zip(item.sequences, task.inputs, strict=True)
        if wanted.kind == kind
    ]


def _chance_level(task: str, asking: Sequence[str], searched: Sequence[str], kind: GeneKind) -> float:
    """The identity that one in a hundred reversed sequences reaches (evenly spaced ones of those that ask)."""
    places = np.unique(np.linspace(0, len(asking) - 1, _REVERSED).astype(int))
    reverse = [asking[place][::-1] for place in places]
    found = find_neighbours(reverse, searched, kind, f"{task}: searching with reversed sequences")
    return round(float(np.percentile([one.identity for one in found], _CHANCE_PERCENTILE)), 3)


def nearest_of(found: tuple[Found, ...]) -> float:
    """The lowest identity of an item's sequences to their nearest in training, 0 to 1."""
    return round(min(one.aligned.identity for one in found), 4)


def leak_rows(task: Task, leaks: Leaks) -> list[dict[str, Any]]:
    """Rows of leaks.parquet: one for each held-out sequence."""
    return [
        {
            "task": task.name,
            "split": split,
            "id": f"{task.name}:{one.item}",
            "input": one.input,
            "neighbour": None if one.neighbour is None else f"{task.name}:{one.neighbour}",
            "identity": one.aligned.identity,
            "coverage": one.aligned.coverage,
            "strand": one.aligned.strand,
        }
        for split in HELD_OUT
        for found in leaks.found[split]
        for one in found
    ]


def describe_leaks(
    leaks: Leaks, sizes: Mapping[Split, int], classes: Mapping[Split, Sequence[PairClass | None]]
) -> Any:
    """What leaks.json says of a task.

    Args:
        leaks: From `find_leaks`.
        sizes: Items of each split.
        classes: From `pair_classes`.
    """
    return {
        "chance": dict(leaks.chance),
        **{split: _describe_split(leaks, split, sizes[split], classes[split]) for split in HELD_OUT},
    }


def _describe_split(leaks: Leaks, split: Split, items: int, classes: Sequence[PairClass | None]) -> dict[str, Any]:
    found = leaks.found[split]
    nearest = np.array([nearest_of(one) for one in found])
    bands = Counter(band_of(identity) for identity in nearest.tolist())
    by_class = Counter(name for name in classes if name)
    closest = sorted((min(many, key=lambda one: one.aligned.identity) for many in found), key=_farness)[:_SHOWN]
    return {
        "items": items,
        "looked_up": len(found),
        "median": round(float(np.median(nearest)), 3) if len(found) else None,
        "above_chance": sum(all(one.aligned.identity > leaks.chance[one.kind] for one in many) for many in found),
        "bands": {name: bands[name] for name in band_names()},
        "pair_classes": dict(sorted(by_class.items())),
        "closest": [
            {
                "id": one.item, "input": one.input, "neighbour": one.neighbour,
                "identity": round(one.aligned.identity, 3), "coverage": round(one.aligned.coverage, 3),
                "strand": one.aligned.strand,
            }
            for one in closest
            if one.neighbour is not None
        ],
    }  # fmt: skip


def _farness(one: Found) -> tuple[float, str]:
    return (-one.aligned.identity, one.item)


def leaks_page(tasks: Mapping[str, Any]) -> str:
    """`leaks.md`: what leaks.json says, for a person."""
    names = band_names()
    lines = [
        "# How near the held-out items are to training",
        "",
        "Identity: equal letters of the best alignment by the letters of the shorter sequence, to the nearest training",
        "sequence. Chance: what one reversed sequence in a hundred reaches; below it an item is as good as new.",
        "",
        f"| task | split | items | median | chance | above chance | {' | '.join(names)} |",
        f"|---|---|--:|--:|---|--:|{'--:|' * len(names)}",
    ]
    for task, found in tasks.items():
        chance = ", ".join(f"{kind} {level:.2f}" for kind, level in found["chance"].items())
        for split in HELD_OUT:
            one = found[split]
            median = "–" if one["median"] is None else f"{one['median']:.2f}"
            numbers = [one["looked_up"], median, chance, one["above_chance"], *(one["bands"][name] for name in names)]
            lines.append(f"| {task} | {split} | {' | '.join(map(str, numbers))} |")
    lines += ["", *_class_lines(tasks), *_closest_lines(tasks)]
    return "\n".join(lines)


def _class_lines(tasks: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {task} | {split} | {' | '.join(str(found[split]['pair_classes'].get(name, 0)) for name in _CLASSES)} |"
        for task, found in tasks.items()
        for split in HELD_OUT
        if found[split]["pair_classes"]
    ]
    if not rows:
        return []
    return [
        "Pairs by what training holds of their sequences: all (C1), some (C2), none (C3).",
        "",
        "| task | split | C1 | C2 | C3 |",
        "|---|---|--:|--:|--:|",
        *rows,
        "",
    ]


def _closest_lines(tasks: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {task} | {one['id']} | {one['neighbour']} | {one['identity']:.2f} | {one['coverage']:.2f} "
        f"| {one['strand']} |"
        for task, found in tasks.items()
        for one in found["test"]["closest"][:3]
    ]
    head = ["| task | test item | nearest training item | identity | coverage | strand |", "|---|---|---|--:|--:|---|"]
    return ["The closest test items of each task:", "", *head, *rows, ""] if rows else []
