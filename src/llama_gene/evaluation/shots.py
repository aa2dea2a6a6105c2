"""Few-shot questions: solved training items as turns before a question, in evaluation and in the chat.

The items are those of `train.jsonl`, asked and answered in the words of training, and drawn as `tasks.few_shot` does:
the answers in turn, no two of a leakage group, none of the group of the item that is asked. One with the very sequences
that are asked about is left out with its group, since it would give the answer away.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from llama_gene.evaluation.items import Item
from llama_gene.tasks.few_shot import Examples
from llama_gene.tasks.tool_calls import read_request

# Enough to draw from; a training file may hold millions.
_PER_ANSWER = 64
_MOST = 512


class FewItems:
    """The first training items of one task, a bounded number of each answer."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._taken: Counter[str] = Counter()

    def add(self, item: Item) -> None:
        """Keep an item, unless enough of its answer or enough in all are kept."""
        answer = item.output if item.labels else ""
        self._taken[answer] += 1
        if self._taken[answer] <= _PER_ANSWER and len(self.items) < _MOST:
            self.items.append(item)


@dataclass(frozen=True)
class ShotPool:
    """Training items of one task: the first of each sequences, and the order in which they serve as examples."""

    first: dict[tuple[str, ...], Item]
    order: Examples[Item]


def make_pool(training: Iterable[Item], *, seed: int) -> ShotPool:
    """The pool of a task's training items, of which a bounded number is kept.

    Raises:
        DataError: an item that is not of training.
    """
    few = FewItems()
    for item in training:
        few.add(item)
    first = {item.shown: item for item in reversed(few.items)}
    return ShotPool(first, Examples(few.items, seed=seed))


def draw_shots(pool: ShotPool, count: int, asked: tuple[str, ...], *, group: str = "") -> tuple[Item, ...]:
    """Solved items to stand before a question.

    Args:
        pool: Of the task.
        count: How many, >= 0.
        asked: The sequences that are asked about.
        group: Leakage group of the item that is asked, where it is known.

    Raises:
        DataError: training has too few.
    """
    same = pool.first.get(asked)
    drawn = pool.order.draw(count + (same is not None), group=group or (same.group if same else ""))
    return tuple(item for item in drawn if item.shown != asked)[:count]


def add_shots(
    items: Iterable[Item], training: Iterable[Item], count: int, *, seed: int, fits: Callable[[Item], bool]
) -> list[Item]:
    """The items of a task, each with solved training items before its question; as many of them as there is room for.

    Structure tasks, of which every letter of a chain is a question, and questions for any tool are asked as they are.

    Args:
        items: All of one task.
        training: Training items of the task.
        count: Examples of each question, >= 0.
        seed: Decides the examples; it is the same for all items, so that a prompt's beginning can be read once.
        fits: Whether an item with its examples leaves the model room to answer.

    Raises:
        DataError: training has too few.
    """
    items = list(items)
    if not count or not items or items[0].family == "structure" or _want_tools(items):
        return items
    pool = make_pool(training, seed=seed)
    return [_with_shots(item, draw_shots(pool, count, item.shown, group=item.group), fits) for item in items]


def _want_tools(items: Sequence[Item]) -> bool:
    """As `calls.are_calls`, which an export should not load scikit-learn for."""
    free = items[0].labels is None and items[0].value is None
    return free and any(read_request(answer) is not None for item in items for _, answer in item.turns)


def _with_shots(item: Item, shots: Sequence[Item], fits: Callable[[Item], bool]) -> Item:
    turns = tuple((shot.turns[-1][0], shot.steps + shot.output) for shot in shots)
    some = (replace(item, shots=turns[:shown]) for shown in range(len(turns), 0, -1))
    return next(filter(fits, some), item)
