"""`predictions.jsonl`: each question with a model's answer, written by one run and read by another to compare with."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.answers import is_exact
from llama_gene.evaluation.calls import outcomes, wants_call
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.numbers import is_number
from llama_gene.evaluation.residues import are_spans
from llama_gene.evaluation.tasks import ModelAnswers
from llama_gene.evaluation.terms import first_is_true
from llama_gene.evaluation.tools import Tool, tool_prediction

PREDICTIONS = "predictions.jsonl"
# The same question: what it expects may not differ. Wording, spelling and shortening are the model's own matter.
_SAME = ("output", "labels", "value", "kinds")


def prediction_line(item: Item, place: int, answers: ModelAnswers, tool: Tool | None = None) -> str:
    """One line: the item, the response, the probability of each label (before calibration too), its number if any."""
    if tool is not None:
        return tool_prediction(item, place, answers, tool)
    response = answers.texts[place]
    closed = item.labels is not None and answers.probabilities is not None
    found: Mapping[str, Any] = {
        "response": response,
        "scores": _by_label(item, answers.probabilities, place),
        "correct": response == item.output if closed else _is_right(response, item),
    }
    if answers.uncalibrated is not None:
        found = {**found, "uncalibrated": _by_label(item, answers.uncalibrated, place)}
    if answers.values is not None:
        found = {**found, "predicted_value": answers.values[place]}
    if place in answers.generated:
        found = {**found, "generated": answers.generated[place]}
    return json.dumps({**item.record(), **found}, ensure_ascii=False) + "\n"


def _by_label(item: Item, probabilities: Array | None, place: int) -> dict[str, float] | None:
    if item.labels is None or probabilities is None:
        return None
    return dict(zip(item.labels, probabilities[place].tolist(), strict=True))


def _is_right(response: str, item: Item) -> bool:
    """Of free answers: whether the first term is true, the call is the expected one, or the text is."""
    if any(wants_call(answer) for _, answer in item.turns):
        return outcomes([item], [response]) == ["right"]
    return first_is_true(response, item.terms) if item.terms else is_exact(response, item.output)


def name_runs(folders: Sequence[Path]) -> dict[str, Path]:
    """A short name for each evaluation folder: as much of its path as tells it from the others.

    >>> list(name_runs([Path("runs/a/evaluation"), Path("runs/b/evaluation")]))
    ['a/evaluation', 'b/evaluation']
    """
    parts = [folder.absolute().parts for folder in dict.fromkeys(folders)]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, dict.fromkeys(folders), strict=True)) if parts else {}


def read_run(folder: Path, asked: Mapping[str, Sequence[Item]]) -> dict[str, ModelAnswers]:
    """The answers of another run to the same items, by task.

    Args:
        folder: Folder of `evaluate`.
        asked: The items of this run, by task.

    Raises:
        DataError: no predictions there, or they answer other items.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        raise DataError(f"{folder}: holds no {PREDICTIONS}. Expected a folder that `llama-gene evaluate` wrote.")
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for where, record in _records(path):
        named = records.setdefault(str(record.get("task")), {})
        if str(record.get("id")) in named:
            raise DataError(f"{where}: item {record.get('id')!r} stands twice in its task. Evaluate that run again.")
        named[str(record.get("id"))] = record
    missing = sorted(set(asked) ^ set(records))
    if missing:
        raise DataError(
            f"{path}: task {missing[0]!r} is in one run only. Runs are compared on the same items; evaluate both on "
            "the same instructions."
        )
    return {task: _answers(path, items, records[task]) for task, items in asked.items()}


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: not JSON ({error}). Evaluate that run again.") from None
            if not isinstance(record, dict) or not isinstance(record.get("response"), str):
                raise DataError(f"{path}:{number}: no response. Evaluate that run again.")
            yield f"{path}:{number}", record


def _answers(path: Path, items: Sequence[Item], records: Mapping[str, Mapping[str, Any]]) -> ModelAnswers:
    """The answers in the order of this run's items, each held against its item; of other parts of chains by letter."""
    if are_spans(items) and {_part_of(item.record()) for item in items} != set(map(_part_of, records.values())):
        return _by_letter(path, items, list(records.values()))
    other = {item.id for item in items} ^ set(records)
    if other or len(items) != len(records):
        raise DataError(
            f"{path}: task {items[0].task!r} has {len(records):,} items here and {len(items):,} in this run, and "
            f"{min(other, default=items[0].id)!r} is in one only. Runs are compared on the same items; evaluate both "
            "on the same instructions."
        )
    rows = [records[item.id] for item in items]
    for item, row in zip(items, rows, strict=True):
        _check_same(path, item, row)
    labels = items[0].labels
    closed = labels is not None and all(isinstance(row.get("scores"), dict) for row in rows)
    return ModelAnswers(
        texts=tuple(str(row["response"]) for row in rows),
        probabilities=np.array([[row["scores"].get(label, 0.0) for label in labels or ()] for row in rows])
        if closed
        else None,
        per_token=(),
        generated={},
        values=_values(path, items, rows),
    )


def _part_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which part of which chain a structure question asks about."""
    span = record.get("span") or {}
    return tuple(span.get(name) for name in ("chain", "start", "end"))


def _by_letter(path: Path, items: Sequence[Item], records: Sequence[Mapping[str, Any]]) -> ModelAnswers:
    """The answers of a run that parts the chains otherwise, by its tokenizer or unit, about each letter that counts.

    Raises:
        DataError: it was asked about other letters, or about one twice.
    """
    asked, said = _letters([item.record() for item in items]), _letters(records)
    apart = sorted(
        letter for letter in asked.keys() | said.keys() if not _is_same(asked.get(letter, ()), said.get(letter, ()))
    )
    if apart:
        chain, place = apart[0]
        raise DataError(
            f"{path}: task {items[0].task!r} parts its chains otherwise there, so it can be compared only letter by "
            f"letter; and {len(apart):,} letters are not asked about once in both, with the same state, such as letter "
            f"{place + 1} of {chain!r}. Build both from the same splits with the same seed, limits and positions, in "
            "one spelling."
        )
    letters = tuple(
        tuple(said[item.span.chain, place][0][1] for place in _counted(item.record()["span"]))
        for item in items
        if item.span
    )
    return ModelAnswers(("",) * len(items), probabilities=None, per_token=(), generated={}, letters=letters)


def _letters(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """State and answer of each letter that counts, by chain and 0-based place; one a question that asks about it."""
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for record in records:
        span = record.get("span") or {"start": 0, "states": ()}
        for place in _counted(span):
            state = span["states"][place - span["start"]]
            found.setdefault((span["chain"], place), []).append((state, str(record.get("response", ""))))
    return found


def _is_same(ours: Sequence[tuple[str, str]], theirs: Sequence[tuple[str, str]]) -> bool:
    """Whether both runs asked about a letter once, and expect the same state."""
    return len(ours) == len(theirs) == 1 and ours[0][0] == theirs[0][0]


def _counted(span: Mapping[str, Any]) -> list[int]:
    return [place for place, state in enumerate(span["states"], start=span["start"]) if state is not None]


def _values(path: Path, items: Sequence[Item], rows: Sequence[Mapping[str, Any]]) -> tuple[float, ...] | None:
    """The numbers that a run kept; None where it kept none and its labels' probabilities say them."""
    values = [row.get("predicted_value") for row in rows]
    known = [float(value) for value in values if isinstance(value, int | float)]
    if len(known) == len(rows):
        return tuple(known)
    if is_number(items[0]):
        raise DataError(
            f"{path}: task {items[0].task!r} asks for numbers, and item "
            f"{items[[isinstance(value, int | float) for value in values].index(False)].id!r} has no predicted_value. "
            "Evaluate that run again."
        )
    return None


def _check_same(path: Path, item: Item, row: Mapping[str, Any]) -> None:
    ours = json.loads(json.dumps(item.record()))
    # Steps are as long as the pair that was shown; their answer may not differ.
    for name in ("answer", *_SAME[1:]) if item.steps else _SAME:
        if row.get(name) != ours[name]:
            raise DataError(
                f"{path}: item {item.id!r} of task {item.task!r} has {name} {row.get(name)!r} there and {ours[name]!r} "
                "here. Runs are compared on the same items; evaluate both on the same instructions."
            )
    letters = [tuple(map(len, side)) for side in (row.get("sequences") or (), item.sequences)]
    if letters[0] == letters[1] and list(row["sequences"]) != list(item.sequences):
        raise DataError(
            f"{path}: item {item.id!r} of task {item.task!r} has other letters there. Runs are compared on the same "
            "items; evaluate both on the same instructions."
        )
