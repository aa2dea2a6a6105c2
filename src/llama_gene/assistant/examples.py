"""Few-shot prompts of the chat: solved items of a file of training instructions, drawn as `evaluation.shots` does."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_gene.errors import DataError
from llama_gene.evaluation.items import read_items
from llama_gene.evaluation.shots import FewItems, ShotPool, draw_shots, make_pool
from llama_gene.prompts import Message, user_content


@dataclass(frozen=True)
class ExamplePool:
    """Training items of one task to draw from, and the mean number of those in each bin, by label."""

    shots: ShotPool
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
    few: dict[str, FewItems] = defaultdict(FewItems)
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for item in read_items(place / "train.jsonl" if place.is_dir() else place):
        few[item.task].add(item)
        if item.value is not None and item.labels:
            sums[item.task, item.output][0] += item.value
            sums[item.task, item.output][1] += 1
    return {
        task: ExamplePool(
            make_pool(kept.items, seed=seed),
            {label: total / count for (of, label), (total, count) in sums.items() if of == task},
        )
        for task, kept in few.items()
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
    return tuple(
        message
        for item in draw_shots(pool.shots, count, tuple(sequences))
        for message in (
            Message("user", user_content(item.instruction, item.input)),
            Message("assistant", item.steps + item.output),
        )
    )
