"""Score a file of answers, ours or anybody's: `llama-gene score FILE`.

JSON (a list, or a table with one list in it), JSONL, CSV and TSV. The columns of the expected and the given answer
are found by name; the labels come from a `labels` column, or from "one of the following: …" in the instruction, or
from the expected answers themselves where they are few.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.answers import is_exact, is_right_by_paper, labels_in, read_answer
from llama_gene.evaluation.metrics import Array, label_scores
from llama_gene.tasks.steps import split_answer

Rule = Literal["strict", "paper"]

_EXPECTED = ("expected", "reference", "target", "gold", "label", "output", "answer", "completion")
_GIVEN = (
    "model_response", "response", "model_output", "prediction", "predicted", "predict", "generated_text", "generated",
    "model_answer", "output", "answer",
)  # fmt: skip
_ASKED = ("instruction", "prompt", "question", "input")
_MOST_LABELS = 50
_NO_ANSWER = ""


@dataclass(frozen=True)
class Scores:
    """Share of right answers by the rule, share of exact texts, MCC (None where undefined), number of answers.

    `unread` counts answers of closed tasks that named no label.
    """

    accuracy: float
    exact: float
    mcc: float | None
    n: int
    unread: int
    rule: Rule
    expected_column: str
    answer_column: str


def score_file(path: Path, rule: Rule = "strict") -> Scores:
    """Score the answers of a file.

    Args:
        path: .json, .jsonl, .csv or .tsv.
        rule: "strict" reads answers as `answers.read_answer`; "paper" as the paper's scripts did.

    Raises:
        DataError: no such file, not a table, empty, or no column of answers.
    """
    rows = _read_rows(path)
    expected_column = _find_column(rows, _EXPECTED, path, taken="")
    given_column = _find_column(rows, _GIVEN, path, taken=expected_column)
    expected = [_text(row.get(expected_column)) for row in rows]
    given = [_text(row.get(given_column)) for row in rows]
    expected, given = _last_lines(expected, given)
    labels = _labels_of_rows(rows, expected)
    read = [_read(text, wanted, options, rule) for text, wanted, options in zip(given, expected, labels, strict=True)]
    closed = [place for place, options in enumerate(labels) if options]
    return Scores(
        accuracy=float(np.mean([answer == wanted for answer, wanted in zip(read, expected, strict=True)])),
        exact=float(np.mean([text.strip() == wanted.strip() for text, wanted in zip(given, expected, strict=True)])),
        mcc=_mcc([expected[place] for place in closed], [read[place] for place in closed]),
        n=len(rows),
        unread=sum(read[place] == _NO_ANSWER for place in closed),
        rule=rule,
        expected_column=expected_column,
        answer_column=given_column,
    )


def _last_lines(expected: Sequence[str], given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The answers alone, of rows whose expected text shows its steps; a given text may be an answer without them."""
    pairs = [
        (parted[1], (split_answer(text) or ("", text))[1]) if (parted := split_answer(wanted)) else (wanted, text)
        for wanted, text in zip(expected, given, strict=True)
    ]
    return [wanted for wanted, _ in pairs], [text for _, text in pairs]


def _read(text: str, expected: str, labels: Sequence[str], rule: Rule) -> str:
    """The answer as a label: the expected one where the rule calls it right."""
    if not labels:
        right = is_right_by_paper(text, expected) if rule == "paper" else is_exact(text, expected)
        return expected if right else text
    answer = read_answer(text, labels) or _NO_ANSWER
    if rule == "strict":
        return answer
    if is_right_by_paper(text, expected):
        return expected
    return _NO_ANSWER if answer == expected else answer


def _mcc(expected: Sequence[str], read: Sequence[str]) -> float | None:
    names = sorted(set(expected) | set(read) - {_NO_ANSWER})
    if not names:
        return None
    number = {name: place for place, name in enumerate(names)} | {_NO_ANSWER: len(names)}
    right: Array = np.array([number[name] for name in expected])
    given: Array = np.array([number[name] for name in read])
    scores = label_scores(right, given, len(names), units=np.arange(len(right)), resamples=1, seed=0)
    return scores["mcc"].value


def _labels_of_rows(rows: Sequence[Mapping[str, Any]], expected: Sequence[str]) -> list[tuple[str, ...]]:
    listed = [_listed_labels(row) for row in rows]
    if not any(listed):
        distinct = tuple(sorted(set(expected)))
        listed = [distinct if len(distinct) <= min(_MOST_LABELS, len(rows) - 1) else ()] * len(rows)
    return [
        options if not options or wanted in options else (*options, wanted)
        for options, wanted in zip(listed, expected, strict=True)
    ]


def _listed_labels(row: Mapping[str, Any]) -> tuple[str, ...]:
    labels = row.get("labels")
    if isinstance(labels, str) and labels.lstrip().startswith("["):
        try:
            labels = json.loads(labels)
        except ValueError:
            labels = None
    if isinstance(labels, list):
        return tuple(map(_text, labels))
    return next(filter(None, (labels_in(_text(row.get(name))) for name in _ASKED)), ())


def _find_column(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path, *, taken: str) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        for column in columns:
            if column != taken and str(column).strip().casefold() == name:
                return column
    raise DataError(
        f"{path}: no column of {'given' if taken else 'expected'} answers among {', '.join(map(str, columns))}. "
        f"Name it {names[0]!r} (also known: {', '.join(names[1:])})."
    )


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected answers as JSON, JSONL, CSV or TSV.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}). Save it as UTF-8.") from None
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        rows: Any = list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if suffix == ".tsv" else ","))
    elif text.lstrip().startswith("{") and "\n" in text.strip() and suffix != ".json":
        rows = [_json(line, f"{path}:{number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        rows = _json(text, str(path))
    if isinstance(rows, dict):
        lists = [value for value in rows.values() if isinstance(value, list)]
        rows = lists[0] if len(lists) == 1 else [rows]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected a list of records with an expected and a given answer, found none.")
    return rows


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}). Expected JSON, JSONL, CSV or TSV.") from None


def _text(value: Any) -> str:
    return "" if value is None else str(value)
