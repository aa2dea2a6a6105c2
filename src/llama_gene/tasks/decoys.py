"""False pairs for tasks whose files hold true ones only (a coding sequence and its protein).

Two items of like length are cut to the same number of residues and swap their proteins: every gene and every protein
is then seen once in a true and once in a false pair of the very same lengths, so that neither length nor either
sequence alone tells the answer.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llama_gene.config import Split
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.items import Item

_LIKE_LENGTH = 0.9
_ALIKE = 0.5
_LOOK_AHEAD = 20
_CODON = 3


def make_decoys(task: Task, items: Sequence[Item], rng: np.random.Generator, counts: Counter[str]) -> list[Item]:
    """True and false pairs, equally many, from true pairs; swaps never leave a split.

    Args:
        task: Inputs dna and protein; its first label means a true pair, its second a false one.
        items: True pairs in register, three bases to a residue, with `split` set.
        rng: Decides between items of equal length.
        counts: Receives the items without a partner.
    """
    by_split: dict[Split | None, list[Item]] = defaultdict(list)
    for item in items:
        by_split[item.split].append(item)
    result: list[Item] = []
    for _, members in sorted(by_split.items(), key=lambda entry: str(entry[0])):
        shuffled = [members[place] for place in rng.permutation(len(members))]
        waiting = sorted(shuffled, key=lambda item: _residues(task, item))
        while waiting:
            first = waiting.pop(0)
            place = next((i for i, other in enumerate(waiting[:_LOOK_AHEAD]) if _can_swap(task, first, other)), None)
            if place is None:
                counts["no partner of like length for a decoy"] += 1
            else:
                result += _swap(task, first, waiting.pop(place))
    return result


def _place(task: Task, kind: str) -> int:
    return [item.kind for item in task.inputs].index("protein" if kind == "protein" else "dna")


def _protein(task: Task, item: Item) -> str:
    return item.sequences[_place(task, "protein")]


def _residues(task: Task, item: Item) -> int:
    return len(_protein(task, item))


def _can_swap(task: Task, first: Item, second: Item) -> bool:
    """Like lengths, and proteins that differ from their start on, so that a cut pair keeps its label."""
    shorter, longer = sorted((_residues(task, first), _residues(task, second)))
    if shorter < max(task.min_letters, _LIKE_LENGTH * longer):
        return False
    return all(
        _equal_share(_protein(task, first)[:length], _protein(task, second)[:length]) < _ALIKE
        for length in (task.min_letters, shorter)
    )


def _equal_share(first: str, second: str) -> float:
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


def _swap(task: Task, first: Item, second: Item) -> list[Item]:
    length = min(_residues(task, first), _residues(task, second))
    true, false = task.labels[0].name, task.labels[1].name
    return [
        _pair(task, dna, protein, length, true if dna is protein else false)
        for dna in (first, second)
        for protein in (first, second)
    ]


def _pair(task: Task, dna: Item, protein: Item, length: int, label: str) -> Item:
    sequences = ["", ""]
    sequences[_place(task, "dna")] = dna.sequences[_place(task, "dna")][: _CODON * length]
    sequences[_place(task, "protein")] = _protein(task, protein)[:length]
    name = dna.id if dna is protein else f"{dna.id}~{protein.id}"
    return replace(dna, id=name, sequences=tuple(sequences), target=label)
