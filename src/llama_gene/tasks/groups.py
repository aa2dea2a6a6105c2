"""Keep what is alike in one split: equal sequences, either strand, swapped pairs, and those alike by the split rule.

Links chain: if the first item is alike to the second and the second to the third, all three stay together.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import get_args

from llama_gene.config import Split
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.alike import alike_pairs
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.items import Item

SPLITS: tuple[Split, ...] = get_args(Split)


class Links:
    """Sets of things that belong together (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def root(self, thing: Hashable) -> Hashable:
        """What stands for the whole set of a thing."""
        parent = self._parent
        while parent.setdefault(thing, thing) != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    def join(self, first: Hashable, second: Hashable) -> None:
        """Make two sets one."""
        self._parent[self.root(first)] = self.root(second)


def canonical(letters: str, kind: str) -> str:
    """The same text for both strands of DNA.

    >>> canonical("TTG", "dna"), canonical("CAA", "dna"), canonical("TTG", "protein")
    ('CAA', 'CAA', 'TTG')
    """
    return min(letters, reverse_complement(letters)) if kind == "dna" else letters


def group_items(task: Task, items: Sequence[Item]) -> list[Item]:
    """The items with `group` set: items of one group must never be split.

    Args:
        task: Its split rule says what links items, beyond equal ones.
        items: Checked items.
    """
    links = Links()
    kinds = [item.kind for item in task.inputs]
    for number, item in enumerate(items):
        keys = [f"{kind} {canonical(letters, kind)}" for letters, kind in zip(item.sequences, kinds, strict=True)]
        keys += _keys_of_words(item)
        links.join(number, _digest("item", *sorted(keys)))
        if task.split.by == "sequence":
            for key in keys:
                links.join(number, _digest(key))
        elif task.split.by == "prefix":
            links.join(number, _digest("prefix", *(letters[: task.split.prefix_letters] for letters in item.sequences)))
    # Split by partners, a pair may share one sequence with a pair of another split: that is what its class says.
    if task.split.by != "partners":
        for kind in sorted(set(kinds)):
            held = [
                (number, letters)
                for number, item in enumerate(items)
                for letters, own in zip(item.sequences, kinds, strict=True)
                if own == kind
            ]
            for first, second in alike_pairs([letters for _, letters in held], kind, task.split):
                links.join(held[first][0], held[second][0])
    names: dict[Hashable, str] = {}
    return [
        replace(item, group=names.setdefault(links.root(number), f"{task.name}:{len(names)}"))
        for number, item in enumerate(items)
    ]


def _keys_of_words(item: Item) -> list[str]:
    """What a question in its own words is known by beside its sequences: those of its answer, or its very words."""
    if item.words is None:
        return []
    linked = [f"{kind} {canonical(letters, kind)}" for kind, letters in item.words.linked]
    return linked if linked or item.sequences else [f"words {item.words.input or item.words.instruction}"]


def _digest(*parts: str) -> bytes:
    """Stands for long keys, so that millions of items need no second copy of their letters."""
    return blake2b("\n".join(parts).encode(), digest_size=16).digest()
