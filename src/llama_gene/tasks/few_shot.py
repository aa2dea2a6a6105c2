"""Examples for few-shot prompts: from training only, as many of each answer, never kin of the item that is asked.

All items of a task get the same examples in the same order, so that a prompt's beginning can be read once; an example
of the item's own group gives way to the next of its answer.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from llama_gene.errors import DataError


class Example(Protocol):
    """An instruction record with its answer."""

    @property
    def id(self) -> str:
        """Name of the item."""

    @property
    def output(self) -> str:
        """The answer."""

    @property
    def split(self) -> str:
        """Where the item belongs."""

    @property
    def group(self) -> str:
        """Items of one group are alike."""

    @property
    def labels(self) -> Sequence[str] | None:
        """Closed answers, or None."""


Record = TypeVar("Record", bound=Example)


class Examples(Generic[Record]):
    """The training items of one task in the order in which they serve as examples, a queue for each closed answer.

    Args:
        training: Items of one task.
        seed: Decides the order.

    Raises:
        DataError: an item that is not of training.
    """

    def __init__(self, training: Sequence[Record], *, seed: int) -> None:
        strangers = [item for item in training if item.split != "train"]
        if strangers:
            raise DataError(
                f"item {strangers[0].id!r} belongs to {strangers[0].split!r}. "
                "Examples of a prompt are drawn from training alone; pass the items of train.jsonl."
            )
        queues: dict[str, list[Record]] = defaultdict(list)
        for place in np.random.default_rng(seed).permutation(len(training)):
            item = training[place]
            queues[item.output if item.labels else ""].append(item)
        self._queues = list(queues.values())

    def draw(self, count: int, *, group: str = "") -> list[Record]:
        """So many examples, the answers in turn, each of another group, none of the given one.

        Args:
            count: How many, >= 0.
            group: Of the item that is asked.

        Raises:
            DataError: training has too few.
        """
        chosen: list[Record] = []
        taken = {group} if group else set()
        waiting = [iter(queue) for queue in self._queues]
        while waiting and len(chosen) < count:
            queue = waiting.pop(0)
            item = next((item for item in queue if not item.group or item.group not in taken), None)
            if item is not None:
                chosen.append(item)
                taken.add(item.group)
                waiting.append(queue)
        if len(chosen) < count:
            raise DataError(
                f"{count} examples asked for, and training has {len(chosen)} that are not alike. Ask for fewer."
            )
        return chosen
