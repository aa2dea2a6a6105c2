"""Score the answers of one task of a file: labels, numbers or free text.

Axes: N rows of the task, L labels.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.answer_columns import Pairs, Wanted, given_labels, listed_labels, number_of, probabilities_of
from llama_gene.evaluation.answers import (
    is_exact,
    is_right_by_paper,
    normalise,
    read_answer,
    read_number,
    rouge_l,
    token_f1,
)
from llama_gene.evaluation.metrics import Array, Estimate, label_scores, mean_score, unit_of_items
from llama_gene.evaluation.numbers import value_scores
from llama_gene.evaluation.ranking import rank_labels
from llama_gene.evaluation.reliability import reliability
from llama_gene.evaluation.scorer import label_numbers
from llama_gene.tasks.cleaning import MISSING

Rule = Literal["strict", "paper"]
Kind = Literal["labels", "numbers", "text"]

_MOST_LABELS = 50
_LONGEST_LABEL = 60
_FEWEST_NUMBERS = 20
_NO_ANSWER = ""


@dataclass(frozen=True)
class TaskScores:
    """Scores of one task.

    `scores` by name: accuracy and exact always; mcc and macro_f1 of labels; spearman, pearson and r2 of numbers;
    token_f1 and rouge_l of free text; where there are probabilities, auroc, auprc, brier, log_loss. `errors`: expected
    calibration error over bins of equal width and of equal mass. `right`, `exact`: of each row. `unread`: answers in
    which nothing could be read.
    """

    task: str
    kind: Kind
    n: int
    scores: Mapping[str, Estimate]
    unread: int
    empty: int
    labels: tuple[str, ...]
    errors: Mapping[str, float]
    right: tuple[bool, ...]
    exact: tuple[bool, ...]
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Plain JSON values; a row of the file is not told."""
        return (
            {"task": self.task, "kind": self.kind, "n": self.n}
            | {name: one.value for name, one in self.scores.items()}
            | dict(self.errors)
            | {"unread": self.unread, "empty": self.empty, "labels": list(self.labels)}
            | {"intervals": {name: [one.low, one.high] for name, one in self.scores.items()}}
            | {"notes": list(self.notes)}
        )


@dataclass(frozen=True)
class _Rows:
    """The rows of a task: what they expect and were given, the labels each may answer with, how messages name them.

    `expected` is spelled as the label is, `written` as the file spells it.
    """

    expected: tuple[str, ...]
    written: tuple[str, ...]
    given: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    rows: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    draws: Mapping[str, Any]


@dataclass(frozen=True)
class _Found:
    """What one kind of reading made of the rows."""

    right: Array
    scores: Mapping[str, Estimate]
    unread: int
    labels: tuple[str, ...] = ()
    errors: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def score_task(
    name: str, pairs: Pairs, places: Sequence[int], *, rule: Rule, wanted: Wanted, resamples: int, seed: int
) -> TaskScores:
    """The scores of some rows, which are one task.

    Args:
        name: Of the task.
        pairs: All rows of the file.
        places: Those of the task, at least one.
        rule: How answers are read.
        wanted: What the user named; labels are taken from there first.
        resamples: Bootstrap resamples of the intervals.
        seed: Seed of the resamples.

    Raises:
        DataError: probabilities that are none, or an expected number that is not finite.
    """
    written, given = ([side[place] for place in places] for side in (pairs.expected, pairs.given))
    own = [pairs.rows[place] for place in places]
    named = given_labels(wanted, pairs.columns)
    offered = [named or listed_labels(row, pairs.columns) for row in own]
    names = tuple(f"{pairs.path}: row {place + 1}" for place in places)
    if not any(offered):
        _check_numbers(written, names)
    kind, notes = _kind_of(written, offered)
    expected = written
    if kind == "labels":
        written, given = (list(map(_whole, texts)) for texts in (written, given))
        offered = [tuple(map(_whole, options)) for options in offered]
        offered, expected, more = _complete(offered, written)
        notes += more
    units, _ = unit_of_items([str(row.get("group") or "") for row in own])
    draws: dict[str, Any] = {"units": units, "resamples": resamples, "seed": seed}
    rows = _Rows(tuple(expected), tuple(written), tuple(given), tuple(offered), tuple(own), names, draws)
    read = {"labels": _score_labels, "numbers": _score_numbers, "text": _score_text}[kind](rows, rule)
    exact = np.array([one.strip() == other.strip() for one, other in zip(given, written, strict=True)])
    shares = {"accuracy": read.right, "exact": exact}
    return TaskScores(
        task=name, kind=kind, n=len(own), unread=read.unread, empty=sum(not one.strip() for one in given),
        scores={what: mean_score(each.astype(float), **draws) for what, each in shares.items()} | dict(read.scores),
        labels=read.labels, errors=read.errors, right=tuple(read.right.tolist()), exact=tuple(exact.tolist()),
        notes=(*notes, *read.notes),
    )  # fmt: skip


def _kind_of(expected: Sequence[str], offered: Sequence[tuple[str, ...]]) -> tuple[Kind, list[str]]:
    """Labels where the rows offer some; numbers where all are; labels where few short answers come again and again."""
    if any(offered):
        return "labels", []
    distinct = set(expected)
    if _are_numbers(distinct):
        return "numbers", []
    few = len(distinct) <= min(_MOST_LABELS, len(expected) - 1)
    if few and max(map(len, distinct)) <= _LONGEST_LABEL:
        return "labels", [f"no labels are listed; taken from the expected answers: {', '.join(sorted(distinct))}"]
    return "text", []


def _are_numbers(texts: Set[str]) -> bool:
    """Whether these are numbers of a scale; a few whole ones are classes."""
    numbers = [number_of(text) for text in texts]
    known = [one for one in numbers if one is not None and math.isfinite(one)]
    is_scale = len(texts) > _FEWEST_NUMBERS or not all(one.is_integer() for one in known)
    return bool(texts) and len(known) == len(texts) and is_scale


def _whole(text: str) -> str:
    """A class that a table wrote as a fraction, as it does beside empty cells, without it.

    >>> _whole("1.0"), _whole("1.5")
    ('1', '1.5')
    """
    return text.strip().removesuffix(".0") if re.fullmatch(r"\s*-?\d+\.0\s*", text) else text


def _check_numbers(expected: Sequence[str], names: Sequence[str]) -> None:
    """Refuse numbers some of which are none ("nan", "inf", "NA"): as words they would make their column labels or text.

    Raises:
        DataError: such a one.
    """
    numbers = {text: number_of(text) for text in set(expected)}
    endless = {text for text, number in numbers.items() if number is not None and not math.isfinite(number)}
    missing = endless | {text for text in numbers if text.strip().casefold() in MISSING}
    if _are_numbers(numbers.keys() - missing) or (endless and None not in numbers.values()):
        wrong = [place for place, text in enumerate(expected) if text in missing]
        if wrong:
            raise DataError(
                f"{names[wrong[0]]}: expects {expected[wrong[0]]!r} where the others expect numbers ({len(wrong)} such "
                "rows). Expected a finite number; write it, take the rows out, or name the labels with --labels."
            )


def _complete(
    offered: Sequence[tuple[str, ...]], expected: Sequence[str]
) -> tuple[list[tuple[str, ...]], list[str], list[str]]:
    """Labels of every row, expected answers spelled as their labels, and what had to be added."""
    union = tuple(dict.fromkeys(label for options in offered for label in options)) or tuple(sorted(set(expected)))
    full, spelled, foreign = [], [], 0
    for options, wanted in zip(offered, expected, strict=True):
        labels = options or union
        same = next((label for label in labels if wanted == label), None) or next(
            (label for label in labels if normalise(label) == normalise(wanted)), None
        )
        foreign += same is None
        full.append(labels if same else (*labels, wanted))
        spelled.append(same or wanted)
    return full, spelled, [f"{foreign} expected answers are none of the labels offered"] if foreign else []


def _score_labels(rows: _Rows, rule: Rule) -> _Found:
    answers = [
        _read_label(text, wanted, written, options, rule)
        for text, wanted, written, options in zip(rows.given, rows.expected, rows.written, rows.options, strict=True)
    ]
    labels = tuple(dict.fromkeys(label for options in rows.options for label in options))
    expected, read = (label_numbers(side, labels) for side in (rows.expected, answers))
    scores = dict(label_scores(expected, read, len(labels), **rows.draws))
    scores.pop("accuracy")
    notes = ["one class is expected throughout, so there is no MCC"] if scores["mcc"].value is None else []
    believed, errors, more = _score_probabilities(rows, labels, expected)
    return _Found(
        read == expected, scores | believed, sum(answer == _NO_ANSWER for answer in answers), labels, errors,
        (*notes, *more),
    )  # fmt: skip


def _read_label(text: str, expected: str, written: str, labels: Sequence[str], rule: Rule) -> str:
    """The answer as a label; by the paper's rule the expected one where it is right beside what the file expects."""
    answer = read_answer(text, labels) or _NO_ANSWER
    if rule == "strict":
        return answer
    if is_right_by_paper(text, written):
        return expected
    return _NO_ANSWER if answer == expected else answer


def _score_probabilities(
    rows: _Rows, labels: Sequence[str], expected: Array
) -> tuple[dict[str, Estimate], dict[str, float], list[str]]:
    """What probabilities of the labels are worth, where every row has them."""
    found = [probabilities_of(row, labels) for row in rows.rows]
    there = [one for one in found if one is not None]
    if len(there) < len(found):
        return {}, {}, [f"{len(found) - len(there)} rows have no probabilities, so none are scored"] if there else []
    shares = np.array(there)
    wrong = np.flatnonzero((shares < 0).any(axis=1) | ~(np.abs(shares.sum(axis=1) - 1) < 0.01))
    if len(wrong):
        raise DataError(
            f"{rows.names[wrong[0]]}: the probabilities of its labels are {shares[wrong[0]].tolist()}. Expected "
            "numbers of 0 to 1 that sum to 1; write those, or leave them out."
        )
    trust = reliability(shares, expected, **rows.draws)
    scores = rank_labels(shares, expected, **rows.draws) | {"brier": trust.brier, "log_loss": trust.log_loss}
    return scores, {"ece": trust.ece, "ece_mass": trust.ece_mass}, []


def _score_numbers(rows: _Rows, rule: Rule) -> _Found:
    """An answer without a number counts as the mean of those given: it knows nothing of its item."""
    expected = np.array([float(text) for text in rows.expected])
    read = [read_number(text) for text in rows.given]
    known = [number for number in read if number is not None]
    mean = float(np.mean(known)) if known else 0.0
    given = np.array([mean if number is None else number for number in read])
    right = np.array([number is not None for number in read]) & np.isclose(given, expected, rtol=1e-6, atol=0)
    if rule == "paper":
        right = np.array([is_right_by_paper(*pair) for pair in zip(rows.given, rows.expected, strict=True)])
    missing = len(read) - len(known)
    notes = (f"{missing} answers hold no number; each counts as the mean of the others",) if missing else ()
    return _Found(right, value_scores(expected, given, **rows.draws), missing, notes=notes)


def _score_text(rows: _Rows, rule: Rule) -> _Found:
    is_right = is_right_by_paper if rule == "paper" else is_exact
    pairs = list(zip(rows.given, rows.expected, strict=True))
    measures: Mapping[str, Callable[[str, str], float]] = {"token_f1": token_f1, "rouge_l": rouge_l}
    scores = {
        name: mean_score(np.array([measure(*pair) for pair in pairs]), **rows.draws)
        for name, measure in measures.items()
    }
    right = np.array([is_right(*pair) for pair in pairs])
    return _Found(right, scores, sum(not text.strip() for text in rows.given))
