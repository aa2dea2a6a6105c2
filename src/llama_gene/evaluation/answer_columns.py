"""Find what a table of answers holds: expected and given answers, tasks, labels and probabilities."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError
from llama_gene.evaluation.answer_tables import Row, without_end_tokens
from llama_gene.evaluation.answers import labels_in

# Each name stands for its plural too.
_EXPECTED = (
    "expected", "expected_answer", "expected_output", "reference", "reference_answer", "target", "gold", "gold_label",
    "gold_answer", "ground_truth", "truth", "true_label", "y_true", "actual", "correct_answer",
)  # fmt: skip
_GIVEN = (
    "model_response", "response", "model_output", "model_answer", "model_prediction", "prediction", "predicted",
    "predicted_label", "predict", "pred", "pred_label", "y_pred", "generated_text", "generated", "filtered_resp",
)  # fmt: skip
# Names that mean the expected answer where another column holds the given one, and the given answer otherwise.
_EITHER = ("output", "answer", "completion")
_LABEL = "label"
_TASK = ("task", "task_name", "dataset")
_LABELS = "labels"
_ASKED = ("instruction", "prompt", "question", "input")
_MOST_WORDINGS = 100
_UNNAMED = "all"


@dataclass(frozen=True)
class Columns:
    """Names of the columns that count; None where a table has none."""

    expected: str
    answer: str
    task: str | None
    labels: str | None


@dataclass(frozen=True)
class Wanted:
    """Columns the user named; "" where they are to be found. `labels` is a column, or the labels with commas."""

    expected: str = ""
    answer: str = ""
    labels: str = ""
    task: str = ""


@dataclass(frozen=True)
class Pairs:
    """Expected and given answer of each row of a file, as text, and what else the rows hold."""

    path: Path
    expected: tuple[str, ...]
    given: tuple[str, ...]
    rows: tuple[Row, ...]
    columns: Columns


def pair_answers(rows: Sequence[Row], wanted: Wanted, path: Path) -> Pairs:
    """The answers of a table that holds both the expected and the given ones.

    Raises:
        DataError: a named column is missing, none can be found, or a row expects nothing.
    """
    names = _names(rows)
    if wanted.expected and wanted.expected == wanted.answer:
        raise DataError(f"{path}: the column {wanted.expected!r} cannot be both expected and given. Name two columns.")
    given = _named(wanted.answer, names, path) or _first(_without(names, wanted.expected), _GIVEN)
    expected = _named(wanted.expected, names, path)
    if not expected:
        known = (*_EXPECTED, *_EITHER, _LABEL) if given else (*_EXPECTED, _LABEL, *_EITHER)
        there = _without(_names_of_answers(rows), given)
        expected = _first(there, known) or _refuse("expected", "--expected", names, path)
    given = given or _first(_without(names, expected), _EITHER) or _refuse("given", "--answer", names, path)
    columns = Columns(expected, given, _task(wanted, rows, path), _labels(wanted, rows, expected))
    return _pairs(rows, rows, rows, columns, path)


def pair_references(
    answers: Sequence[Row], references: Sequence[Row], wanted: Wanted, path: Path, other: Path
) -> Pairs:
    """The given answers of one table and the expected ones of another, by `id` where both have it, else by order.

    Raises:
        DataError: the tables differ in length or ids, a column cannot be found, or a row expects nothing.
    """
    names, theirs = _names(answers), _names(references)
    known = (*_EXPECTED, *_EITHER, _LABEL)
    given = _named(wanted.answer, names, path) or _only(names) or _first(names, (*_GIVEN, *_EITHER, _LABEL))
    there = _names_of_answers(references)
    expected = _named(wanted.expected, theirs, other) or _only(theirs) or _first(there, known)
    if len(answers) != len(references):
        raise DataError(
            f"{path} has {len(answers)} answers, {other} {len(references)} references. Expected as many, in the same "
            "order; answer every item, or take out the references that were not asked."
        )
    expected = expected or _refuse("expected", "--expected", theirs, other)
    given = given or _refuse("given", "--answer", names, path)
    by_id = {str(row["id"]): row for row in references if "id" in row}
    ids = [str(row["id"]) for row in answers if "id" in row]
    if len(by_id) == len(set(ids)) == len(answers):
        lost = sorted(set(ids) ^ set(by_id))
        if lost:
            raise DataError(f"{path}: the id {lost[0]!r} is in one of the files only ({other}). Answer the same items.")
        references = [by_id[one] for one in ids]
    rows = [{**answer, **reference} for answer, reference in zip(answers, references, strict=True)]
    columns = Columns(expected, given, _task(wanted, rows, other), _labels(wanted, rows, expected))
    return _pairs(references, answers, rows, columns, other)


def _pairs(
    references: Sequence[Row], answers: Sequence[Row], rows: Sequence[Row], columns: Columns, path: Path
) -> Pairs:
    expected = tuple(_answer_of(row, columns.expected) for row in references)
    empty = [number for number, text in enumerate(expected, start=1) if not text.strip()]
    if empty:
        raise DataError(
            f"{path}: row {empty[0]} expects nothing in column {columns.expected!r} ({len(empty)} such rows). "
            "Fill them in, or take the rows out: they cannot be scored."
        )
    return Pairs(path, expected, tuple(_answer_of(row, columns.answer) for row in answers), tuple(rows), columns)


def _answer_of(row: Row, column: str) -> str:
    return without_end_tokens(text_of(row.get(column)))


def part_tasks(pairs: Pairs) -> tuple[str, dict[str, list[int]]]:
    """What tells tasks apart, and the places of the rows of each: a column, else the question, else the labels offered.

    Rows of different tasks are never scored together. Where most rows offer labels of their own, as questions with
    choices do, they are one task.
    """
    rows, columns = pairs.rows, pairs.columns
    names = [text_of(row.get(columns.task)) for row in rows] if columns.task else []
    if names:
        return f"column {columns.task!r}", _grouped(names, names)
    offered = ["|".join(sorted(listed_labels(row, columns))) for row in rows]
    asked = [text_of(row.get("instruction")) for row in rows]
    if any(asked) and len(set(asked)) <= min(_MOST_WORDINGS, max(1, len(rows) // 5)):
        return "the instruction", _grouped(list(zip(asked, offered, strict=True)), asked)
    if not _comes_again(offered):
        return "nothing, for each row offers labels of its own", _grouped([""] * len(rows), [""] * len(rows))
    return "the labels offered", _grouped(offered, offered)


def _grouped(keys: Sequence[Hashable], names: Sequence[str]) -> dict[str, list[int]]:
    """Places by key, in order of first appearance; a group goes by the name of its first row."""
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    found: dict[str, list[int]] = {}
    for places in groups.values():
        name = names[places[0]] or _UNNAMED
        found[name if name not in found else f"{name} ({len(found) + 1})"] = places
    return found


def listed_labels(row: Mapping[str, Any], columns: Columns) -> tuple[str, ...]:
    """The labels that a row offers, in its `labels` column or in its question; empty where it offers none.

    A row whose `labels` are null says that it has none, whatever its question quotes.

    >>> listed_labels({"prompt": "one of the following: low, high."}, Columns("a", "b", None, None))
    ('low', 'high')
    """
    labels = row.get(columns.labels, "") if columns.labels else ""
    if labels is None:
        return ()
    if isinstance(labels, str) and labels.strip():
        labels = _written_list(labels)
    if isinstance(labels, list | tuple) and labels:
        return tuple(dict.fromkeys(map(text_of, labels)))
    return next(filter(None, (labels_in(text_of(row.get(name))) for name in _ASKED)), ())


def given_labels(wanted: Wanted, columns: Columns) -> tuple[str, ...]:
    """The labels the user listed, where what was named is no column."""
    return _written_list(wanted.labels) if wanted.labels and not columns.labels else ()


def _written_list(text: str) -> tuple[str, ...]:
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(map(text_of, found))
    separator = "|" if "|" in text else ","
    return tuple(label for part in text.split(separator) if (label := part.strip(" \"'[]")))


def probabilities_of(row: Mapping[str, Any], labels: Sequence[str]) -> list[float] | None:
    """The probability of each label in a row: `scores` by label, or a column `prob_LABEL` a label; None without."""
    scores = row.get("scores")
    if isinstance(scores, str) and scores.lstrip().startswith("{"):
        try:
            scores = json.loads(scores)
        except ValueError:
            scores = None
    if not isinstance(scores, dict):
        plain = {re.sub(r"^(?:prob|probability|p)[_ (]|\)$", "", str(name)): value for name, value in row.items()}
        scores = {name: plain[name] for name in labels if name in plain and name not in row}
    found = [number_of(scores.get(label)) for label in labels]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def number_of(value: Any) -> float | None:
    """A cell as a number; None where it is none."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def text_of(value: Any) -> str:
    """A cell as text; "" where it is empty."""
    return "" if value is None else str(value)


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(name) for row in rows for name in row))


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _without(names: Sequence[str], taken: str | None) -> list[str]:
    return [name for name in names if name != taken]


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    plain = {re.sub(r"[\s-]+", "_", name.strip().casefold()): name for name in reversed(names)}
    spellings = (spelling for name in known for spelling in (name, f"{name}s"))
    return next((plain[spelling] for spelling in spellings if spelling in plain), None)


def _named(name: str, names: Sequence[str], path: Path) -> str | None:
    if name and name not in names:
        raise DataError(f"{path}: no column {name!r} among {', '.join(names)}. Name one of these.")
    return name or None


def _task(wanted: Wanted, rows: Sequence[Row], path: Path) -> str | None:
    """The column of tasks, named or found by its name; a found one whose values do not come again names items."""
    names = _names(rows)
    found = _first(names, _TASK)
    is_task = found and _comes_again([text_of(row.get(found)) for row in rows])
    return _named(wanted.task, names, path) or (found if is_task else None)


def _comes_again(values: Sequence[str]) -> bool:
    """Whether each value stands in two rows on average."""
    return len(set(values)) <= max(1, len(values) // 2)


def _names_of_answers(rows: Sequence[Row]) -> list[str]:
    """The columns that may hold answers: `labels` where each row holds a single one, which is then the right one."""
    offered = [row[_LABELS] for row in rows if row.get(_LABELS) not in (None, "")]
    lists = any(isinstance(one, list | dict) or len(_written_list(text_of(one))) > 1 for one in offered)
    return _without(_names(rows), _LABELS if lists else None)


def _labels(wanted: Wanted, rows: Sequence[Row], expected: str) -> str | None:
    """The column of the labels offered; none where it holds nothing in any row, or the expected answers."""
    names = _without(_names(rows), expected)
    if wanted.labels:
        return wanted.labels if wanted.labels in names else None
    return _first([name for name in names if any(row.get(name) for row in rows)], (_LABELS,))


def _refuse(what: str, option: str, names: Sequence[str], path: Path) -> str:
    known = (*_EXPECTED, _LABEL, *_EITHER) if what == "expected" else (*_GIVEN, *_EITHER)
    raise DataError(
        f"{path}: no column of {what} answers among {', '.join(names)}. Name it with {option}, or call it one of "
        f"{', '.join(known)}."
    )
