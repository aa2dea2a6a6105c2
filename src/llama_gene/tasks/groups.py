"""Keep what is alike in one split: equal sequences, either strand, swapped pairs, and near-identical ones.

Near-identical: two sequences whose bottom-k sketches (Broder 1997) of k-mer hashes share at least the asked part are
linked, and links chain. Pairs sharing no sketch value are never compared.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import get_args

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from llama_gene.config import Split
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.items import Item

SPLITS: tuple[Split, ...] = get_args(Split)
_HELD_OUT_FIRST: tuple[Split, ...] = ("test", "valid", "train")
_KMER = {"dna": 16, "protein": 5}
_SKETCH = 64
_POSTING = 50
_BLOCK_ROWS = 2000
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


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
    if task.split.similarity is not None:
        for column, kind in enumerate(kinds):
            for first, second in near_identical([i.sequences[column] for i in items], kind, task.split.similarity):
                links.join(first, second)
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


def near_identical(sequences: Sequence[str], kind: str, similarity: float) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose sketches share at least `similarity` of their values (a Jaccard estimate).

    Args:
        sequences: Upper-case letters.
        kind: dna (k = 16, either strand) or protein (k = 5).
        similarity: 0 < similarity <= 1.

    >>> list(near_identical(["MKTAYIAKQRQISF", "MKTAYIAKQRQISW", "GGGSSSGGGSSS"], "protein", 0.5))
    [(0, 1)]
    """
    sketches = [_sketch(letters, kind) for letters in sequences]
    lengths = np.array([len(sketch) for sketch in sketches])
    rows = np.repeat(np.arange(len(sketches)), lengths)
    _, columns = np.unique(np.concatenate(sketches), return_inverse=True)
    order = np.argsort(columns, kind="stable")
    rows, columns = rows[order], columns[order]
    # A k-mer that is everywhere would make every pair a candidate: its first holders stand for the rest.
    rank = np.arange(len(columns)) - np.searchsorted(columns, columns)
    few = rank < _POSTING
    shape = (len(sketches), int(columns[-1]) + 1)
    holds = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)
    first_holders = csr_matrix((np.ones(int(few.sum()), np.int32), (rows[few], columns[few])), shape=shape).T.tocsr()
    for start in range(0, len(sketches), _BLOCK_ROWS):
        shared = (holds[start : start + _BLOCK_ROWS] @ first_holders).tocoo()
        first, second = shared.col, shared.row + start
        union = np.minimum(_SKETCH, lengths[first] + lengths[second] - shared.data)
        alike = (first != second) & (shared.data >= similarity * union)
        yield from sorted(
            {(min(a, b), max(a, b)) for a, b in zip(first[alike].tolist(), second[alike].tolist(), strict=True)}
        )


def _sketch(letters: str, kind: str) -> npt.NDArray[np.uint64]:
    """The smallest distinct hashes of the k-mers, of both strands for DNA."""
    hashes = _kmer_hashes(letters, _KMER[kind])
    if kind == "dna":
        hashes = np.minimum(hashes, _kmer_hashes(reverse_complement(letters), _KMER[kind])[::-1])
    return np.unique(hashes)[:_SKETCH]


def _kmer_hashes(letters: str, size: int) -> npt.NDArray[np.uint64]:
    codes = np.frombuffer(letters.encode("ascii"), dtype=np.uint8).astype(np.uint64)
    size = min(size, len(codes))
    hashes = np.zeros(len(codes) - size + 1, dtype=np.uint64)
    for offset in range(size):
        hashes = (hashes ^ codes[offset : len(codes) - size + 1 + offset]) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return hashes


def assign_splits(task: Task, items: Sequence[Item], rng: np.random.Generator, counts: Counter[str]) -> list[Item]:
    """The items with `split` set, whole groups together.

    A group that a file puts (partly) into test or valid goes there; its copies elsewhere are dropped and counted.
    Splits that no file gives are drawn from the groups without one, or else carved out of train.

    Raises:
        DataError: too few groups to fill all three splits.
    """
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    given = {item.split for item in items} - {None}
    placed: dict[str, Split] = {}
    for name, members in groups.items():
        marks = [split for split in _HELD_OUT_FIRST if any(member.split == split for member in members)]
        if marks and marks[0] != "train":
            placed[name] = marks[0]
    free = [name for name in groups if name not in placed]
    wanted = [split for split in SPLITS if split == "train" or split not in given]
    placed |= _draw({name: len(groups[name]) for name in free}, wanted, task.split.shares, rng)
    for split in SPLITS:
        if split not in placed.values():
            raise DataError(
                f"task {task.name!r}: {len(groups)} groups of items leave {split!r} empty. "
                "Add items, or ask for less likeness in the definition's [split]."
            )
    result = []
    for item in items:
        split = placed[item.group]
        # A training item of a group that was carved out of train may move with it; any other move would tell.
        may_move = item.split is None or (item.split == "train" and split not in given)
        if item.split != split and not may_move:
            counts[f"dropped: alike to an item of {split}"] += 1
        else:
            result.append(replace(item, split=split))
    return result


def _draw(
    sizes: dict[str, int], wanted: Sequence[Split], shares: tuple[float, float, float], rng: np.random.Generator
) -> dict[str, Split]:
    """Give each group, in random order, to the split that lacks most; groups as large as a whole split come first."""
    total = sum(sizes.values())
    share = dict(zip(SPLITS, shares, strict=True))
    lacking = {split: share[split] * total / sum(share[name] for name in wanted) for split in wanted}
    names = sorted(sizes)
    order = [names[place] for place in rng.permutation(len(names))]
    smallest = min(lacking.values())
    placed: dict[str, Split] = {}
    for name in sorted(order, key=lambda name: sizes[name] < smallest):
        split = max(wanted, key=lambda candidate: lacking[candidate])
        placed[name] = split
        lacking[split] -= sizes[name]
    return placed
