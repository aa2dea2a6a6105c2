"""Instruction records, as `tasks build` writes them: one JSON object a line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError
from llama_gene.prompts import INPUT_HEADING, Message, user_content
from llama_gene.tasks.copies import count_copies, known_by
from llama_gene.tasks.hit_records import MARK
from llama_gene.tasks.split import CHOSEN

# Fields that only some tasks have.
_OPTIONAL = ("span", "terms", "steps", "history")
_TEXT_FIELDS = ("id", "instruction", "output", "task", "family")


@dataclass(frozen=True)
class Span:
    """The part of a chain that a structure question asks about.

    `start` and `end` are 0-based and half-open in the chain; `before` counts the letters shown before it; `states`
    holds the state, a label, of each of its letters that counts for the score, None for the others.
    """

    chain: str
    start: int
    end: int
    before: int
    states: tuple[str | None, ...]


@dataclass(frozen=True)
class Item:
    """One question with its expected answer.

    Attributes:
        output: The answer: one of the labels, or free text. What an output says before it is `steps`.
        span: What a structure question asks about.
        terms: All true terms, where the answer is a list of terms.
        steps: The text before the answer, in tasks whose answers show their steps.
        history: Turns before the last one: what was asked and the answer expected; `instruction` and `output` are the
            last one's.
        nearest: Identity of its sequences to training, 0 to 1; None where nobody looked.
        pair_class: What training holds of a pair (C1, C2, C3); None where nobody looked.
        shots: Solved training items shown before the first turn, question and answer; no part of the record.
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
    span: Span | None = None
    terms: tuple[str, ...] = ()
    steps: str = ""
    nearest: float | None = None
    pair_class: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    shots: tuple[tuple[str, str], ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation up to the question that is answered next."""
        before = [
            message
            for asked, answered in (*self.shots, *self.history)
            for message in (Message("user", asked), Message("assistant", answered))
        ]
        return (*before, Message("user", user_content(self.instruction, self.input)))

    @property
    def turns(self) -> tuple[tuple[str, str], ...]:
        """What is asked and the answer expected, turn by turn."""
        return (*self.history, (user_content(self.instruction, self.input), self.output))

    @property
    def shown(self) -> tuple[str, ...]:
        """What the item is about: its sequences, of a structure question the chain; its words where it has none."""
        if self.span is not None:
            return (self.span.chain,)
        return self.sequences or (self.instruction, self.input)

    @property
    def words(self) -> str:
        """The words of the first turn, without its sequences."""
        return self.turns[0][0].split(f"\n\n{INPUT_HEADING}")[0]

    def at_turn(self, number: int) -> "Item":
        """The item as it stands at one of its turns, 0-based; the turns before it are its history."""
        asked, answered = self.turns[number]
        return replace(self, instruction=asked, input="", output=answered, history=self.turns[:number])

    def record(self) -> dict[str, Any]:
        """The record as plain JSON values, as it was read."""
        values = {name: value for name, value in asdict(self).items() if name not in _OPTIONAL or value}
        del values["shots"]
        if steps := values.pop("steps", ""):
            values |= {"output": steps + self.output, "answer": self.output}
        return values


def read_items(path: Path) -> Iterator[Item]:
    """The records of one file, in order; without the questions that were asked again with hits: each item once.

    Args:
        path: A .jsonl file of instructions.

    Raises:
        DataError: no such file, a line that is not a record, or an answer that is none of its labels.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected the instructions of `llama-gene tasks build`.")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not (item := _item(line, f"{path}:{number}")).id.endswith(MARK):
                yield item


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


def refuse_equal_splits(splits: Mapping[str, Mapping[str, Sequence[Item]]], asked: str, instructions: Path) -> None:
    """Refuse a task more than half of whose items stand in training, by the comparison that `tasks split` makes.

    Args:
        splits: As `read_splits` gives them.
        asked: The split that will be answered.
        instructions: Their folder; a task whose definition there allows leaks is not looked at.

    Raises:
        DataError: such a task.
    """
    definitions = read_definitions(instructions)
    for task, items in splits[asked].items():
        definition = definitions.get(task, {})
        if definition.get("split", {}).get("allow_leaks"):
            continue
        train = splits["train"].get(task, [])
        known, asked_about = ([_known_by(item, definition) for item in some] for some in (train, items))
        known_words, words = ([_known_by_words(item) for item in some] for some in (train, items))
        # Items made by hand may name no sequences: they are known by their words, as those of the other side then are.
        if copies := count_copies(asked_about, {*known, *known_words}) or count_copies(words, known):
            raise DataError(
                f"{instructions}: task {task!r}: {copies:,} of {len(items):,} {asked} items stand in training, too, so "
                "a score would tell memory. Split the items anew, or set evaluate.allow_leaks = true to score them."
            )


def _known_by(item: Item, definition: Mapping[str, Any]) -> int:
    sequences = (item.span.chain,) if item.span else item.sequences
    return known_by(sequences, item.kinds, item.shown, swappable=bool(definition.get("swappable")))


def _known_by_words(item: Item) -> int:
    return known_by((), (), (item.instruction, item.input), swappable=False)


def read_definitions(instructions: Path) -> dict[str, Any]:
    """The definitions in a folder of `tasks build`, by task, as plain JSON values; none where it carries none."""
    path = instructions / CHOSEN
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


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
    answer = record.get("answer") or record["output"]
    if labels and answer not in labels:
        raise DataError(
            f"{where}: the answer {answer!r} is none of the labels {', '.join(labels)}. "
            "Mend the task's labels or its data."
        )
    if not record["output"].endswith(answer):
        raise DataError(f"{where}: the output does not end with the answer {answer!r}. Build the instructions again.")
    return Item(
        **{**{name: record[name] for name in _TEXT_FIELDS}, "output": answer},
        input=record.get("input") or "",
        split=record.get("split") or "",
        labels=labels,
        group=str(record.get("group") or ""),
        sequences=tuple(record.get("sequences") or ()),
        kinds=tuple(record.get("kinds") or ()),
        value=None if record.get("value") is None else float(record["value"]),
        span=_span(record["span"], labels or (), where) if record.get("span") else None,
        terms=tuple(record.get("terms") or ()),
        steps=record["output"].removesuffix(answer),
        nearest=None if record.get("nearest") is None else float(record["nearest"]),
        pair_class=record.get("pair_class") or None,
        history=_history(record.get("history") or [], where),
    )


def _history(turns: Any, where: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(asked), str(answered)) for asked, answered in turns)
    except (TypeError, ValueError):
        raise DataError(f"{where}: history is no list of [question, answer]. Build the instructions again.") from None


def _span(values: Mapping[str, Any], labels: Sequence[str], where: str) -> Span:
    try:
        span = Span(
            chain=values["chain"], start=values["start"], end=values["end"], before=values["before"],
            states=tuple(values["states"]),
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise DataError(f"{where}: span without {error}. Build the instructions again.") from None
    if len(span.states) != span.end - span.start or not {state for state in span.states if state} <= set(labels):
        raise DataError(
            f"{where}: the span of {span.chain} has {len(span.states)} states for {span.end - span.start} letters, or "
            "one that is no label. Build the instructions again."
        )
    return span
