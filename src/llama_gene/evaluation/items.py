"""Instruction records, as `tasks build` writes them: one JSON object a line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError

_TEXT_FIELDS = ("id", "instruction", "output", "task", "family")


@dataclass(frozen=True)
class Item:
    """One question with its expected answer."""

    id: str
    instruction: str
    input: str
    output: str
    task: str
    family: str
    split: str
    labels: tuple[str, ...] | None
    group: str
    sequences: tuple[str, ...]
    kinds: tuple[str, ...]
    value: float | None

    def record(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return asdict(self)


def read_items(path: Path) -> Iterator[Item]:
    """The records of one file, in order.

    Args:
        path: A .jsonl file of instructions.

    Raises:
        DataError: no such file, a line that is not a record, or an answer that is none of its labels.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected the instructions of `llama-gene tasks build`.")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _item(line, f"{path}:{number}")


def read_splits(instructions: Path, asked: str) -> dict[str, dict[str, list[Item]]]:
    """The items of each split by task, tasks in order of first appearance.

    Args:
        instructions: Folder of `tasks build`.
        asked: The split that will be answered.

    Raises:
        DataError: the asked split holds nothing, or a label that training never showed.
    """
    splits = {name: _by_task(instructions / f"{name}.jsonl") for name in ("train", "valid", "test")}
    if not splits[asked]:
        raise DataError(f"{instructions / asked}.jsonl: holds no instructions. Build more test items.")
    for task, items in splits[asked].items():
        check_labels(splits["train"].get(task, []), items)
    return splits


def check_labels(train: Sequence[Item], test: Sequence[Item]) -> None:
    """Refuse a task whose test asks for a label that training never showed.

    Raises:
        DataError: such a label, or items of one task that differ in labels or kinds.
    """
    shown = {item.output for item in train}
    first = test[0]
    for item in test:
        if item.labels is not None and item.output not in shown:
            raise DataError(
                f"task {item.task!r}, item {item.id!r}: label {item.output!r} is never seen in training. "
                "Raise the task's train items or drop the label."
            )
        if item.labels != first.labels or item.kinds != first.kinds:
            raise DataError(
                f"task {item.task!r}: items {first.id!r} and {item.id!r} differ in labels or kinds. "
                "Give each set of labels a task of its own."
            )


def _by_task(file: Path) -> dict[str, list[Item]]:
    """Items per task; nothing where the file is absent."""
    found: dict[str, list[Item]] = {}
    for item in read_items(file) if file.is_file() else ():
        found.setdefault(item.task, []).append(item)
    return found


def _item(line: bytes, where: str) -> Item:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}). Build the instructions again.") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected a JSON object. Build the instructions again.")
    missing = [name for name in _TEXT_FIELDS if not isinstance(record.get(name), str) or not record[name]]
    if missing:
        raise DataError(f"{where}: field {missing[0]!r} is missing or empty. Build the instructions again.")
    labels = tuple(record["labels"]) if record.get("labels") else None
    if labels and record["output"] not in labels:
        raise DataError(
            f"{where}: the answer {record['output']!r} is none of the labels {', '.join(labels)}. "
            "Mend the task's labels or its data."
        )
    return Item(
        **{name: record[name] for name in _TEXT_FIELDS},
        input=record.get("input") or "",
        split=record.get("split") or "",
        labels=labels,
        group=str(record.get("group") or ""),
        sequences=tuple(record.get("sequences") or ()),
        kinds=tuple(record.get("kinds") or ()),
        value=None if record.get("value") is None else float(record["value"]),
    )
