"""Instruction records, as `tasks build` writes them: one JSON object a line."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError

_TEXT_FIELDS = ("id", "instruction", "output", "task", "family")


@dataclass(frozen=True)
class Item:
    """One question with its expected answer.

    `nearest` is the identity of its sequences to training, `pair_class` what training holds of a pair; both None where
    nobody looked.
    """

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
    nearest: float | None = None
    pair_class: str | None = None

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
        nearest=None if record.get("nearest") is None else float(record["nearest"]),
        pair_class=record.get("pair_class"),
    )
