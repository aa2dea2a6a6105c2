"""Few-shot prompts: solved training items as turns of the conversation before a question.

The items are those of `train.jsonl`, asked and answered in the words of training, and drawn as `tasks.few_shot` does:
the answers in turn, no two of a leakage group. One with the very sequences that are asked about is left out with its
group, since it would give the answer away.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_gene.errors import DataError
from llama_gene.evaluation.items import Item, read_items
from llama_gene.prompts import Message, user_content
from llama_gene.tasks.few_shot import Examples

# Enough to draw from; a training file may hold millions.
_PER_ANSWER = 64
_MOST = 512


@dataclass(frozen=True)
class ExamplePool:
    """Training items of one task, and the mean number of those in each bin, by label."""

    items: tuple[Item, ...]
    order: Examples[Item]
    bin_values: Mapping[str, float]


def open_examples(named: str, *, seed: int) -> dict[str, ExamplePool]:
    """Pools of the tasks in a file of training instructions, a bounded number of items each.

    Args:
        named: train.jsonl of `tasks build`, or its folder; "": none.
        seed: Decides the order.

    Raises:
        DataError: no such file, or a line that is no training instruction.
    """
    if not named:
        return {}
    place = Path(named).expanduser()
    kept: dict[str, list[Item]] = {}
    taken: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for item in read_items(place / "train.jsonl" if place.is_dir() else place):
        answer = (item.task, item.output if item.labels else "")
        taken[answer] += 1
        if taken[answer] <= _PER_ANSWER and len(kept.setdefault(item.task, [])) < _MOST:
            kept[item.task].append(item)
        if item.value is not None and item.labels:
            sums[answer][0] += item.value
            sums[answer][1] += 1
    return {
        task: ExamplePool(
            tuple(items),
            Examples(items, seed=seed),
            {label: total / count for (of, label), (total, count) in sums.items() if of == task},
        )
        for task, items in kept.items()
    }


def shots_of(pool: ExamplePool | None, count: int, sequences: Sequence[str]) -> tuple[Message, ...]:
    """Turns of question and answer to stand before a question.

    Args:
        pool: Of the task; None: no training item of it is known.
        count: How many items, >= 0.
        sequences: What is asked about.

    Raises:
        DataError: there are too few.
    """
    if not count:
        return ()
    if pool is None:
        raise DataError(
            f"{count} examples asked for (chat.shots), and no training item of this task is known. Name the "
            "train.jsonl of `tasks build` with chat.examples, or set chat.shots = 0."
        )
    asked = tuple(sequences)
    same = next((item for item in pool.items if item.sequences == asked), None)
    drawn = pool.order.draw(count + (same is not None), group=same.group if same else "")
    chosen = [item for item in drawn if item.sequences != asked][:count]
    return tuple(
        message
        for item in chosen
        for message in (
            Message("user", user_content(item.instruction, item.input)),
            Message("assistant", item.steps + item.output),
        )
    )
