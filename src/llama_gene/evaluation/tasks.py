"""Score one task: the model's answers, the baselines' and other runs' by the same functions on the same items.

The best baseline is the one that scores best on validation items, never the one that happens to score best on these.
The model is tested against it, and against other runs, on the same resamples of the items.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.answers import read_answer
from llama_gene.evaluation.baseline_answers import TaskBaselines
from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.calibration import Attempt
from llama_gene.evaluation.calls import Outcome, are_calls, outcomes
from llama_gene.evaluation.details import Example, Profile, hardest, profile
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import (
    Array,
    Difference,
    Drawn,
    Estimate,
    difference,
    draw_scores,
    estimate,
    label_scores,
    unit_of_items,
)
from llama_gene.evaluation.notes import TaskNote
from llama_gene.evaluation.numbers import expected_values
from llama_gene.evaluation.reliability import Reliability, reliability
from llama_gene.evaluation.residues import Residues, are_spans, count_residues
from llama_gene.evaluation.scorer import count_confusion, label_numbers, measure_answers
from llama_gene.tasks.steps import split_answer

Verdict = Literal["above", "below", "open", "undefined"]
# What `ModelAnswers.calls` says of a call that was right.
VALID = "valid"
_MODEL = "model"


@dataclass(frozen=True)
class Comparison:
    """One score of a task: the model's, each baseline's, and what the paired test against the best of them says.

    `verdict`: the model's 95 % interval lies above or below the majority's score, holds it ("open"), or there is no
    score. `difference`: the model less the best baseline.
    """

    metric: str
    ours: Estimate
    baselines: Mapping[str, Estimate]
    difference: Difference
    verdict: Verdict

    @property
    def majority(self) -> Estimate:
        """Score of the most frequent training answer."""
        return self.baselines["majority"]

    def record(self) -> dict[str, Any]:
        """Plain JSON values, a baseline a field."""
        values = asdict(self)
        return {"metric": self.metric, "ours": values["ours"], **values["baselines"]} | {
            name: values[name] for name in ("difference", "verdict")
        }


@dataclass(frozen=True)
class Rival:
    """Another run on the same items: its scores by metric, and the model's less its.

    Of structure that another tokenizer parts otherwise there are scores per residue alone.
    """

    run: str
    scores: Mapping[str, Estimate]
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Generation:
    """Free answers to closed items: how many, their scores, unreadable ones, and share equal to the likeliest label."""

    n: int
    accuracy: Estimate
    mcc: Estimate
    unread: int
    agreement: float


@dataclass(frozen=True)
class TaskReport:
    """All that is known of one task; the first comparison is the headline.

    `best_baseline` is chosen on validation; `methods` says of each baseline how it was fitted. `calls`: where a tool
    answers, the number of valid calls, and of wrong ones by reason; `outcomes`: of questions for any tool, how many of
    each. `per_token`: MCC and accuracy of the labels that the mean likelihood of their tokens picks, not calibrated;
    empty where none were weighed. `reliability` is that of the probabilities that decided, `uncalibrated` that of the
    probabilities before they were calibrated.
    """

    task: str
    family: str
    kinds: tuple[str, ...]
    closed: bool
    n: int
    train_items: int
    drawn_as: str
    comparisons: tuple[Comparison, ...]
    best_baseline: str
    methods: Mapping[str, str]
    rivals: tuple[Rival, ...]
    classes: tuple[str, ...]
    expected_counts: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_token: Mapping[str, Estimate]
    generation: Generation | None
    reliability: Reliability | None
    profiles: tuple[Profile, ...]
    hardest: tuple[Example, ...]
    note: TaskNote
    residues: Residues | None = None
    calls: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    uncalibrated: Reliability | None = None
    calibration: Attempt | None = None

    @property
    def headline(self) -> Comparison:
        """The score that decides."""
        return self.comparisons[0]

    def comparison(self, metric: str) -> Comparison | None:
        """The score of this name; None where the task has none."""
        return next((found for found in self.comparisons if found.metric == metric), None)

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self) | {"comparisons": [found.record() for found in self.comparisons]}


@dataclass(frozen=True)
class ModelAnswers:
    """What the model said: one text per item; for closed items the probability of each label, (N, L).

    `per_token` holds the labels chosen by length-normalised likelihood; `generated` the written answer of some items,
    by place; `values` the number each answer stands for, of tasks that ask for one; `calls`, where a tool answers,
    "valid" or what is wrong with the call; `letters`: as in `Answers`. `uncalibrated` are the probabilities before they
    were calibrated.
    """

    texts: tuple[str, ...]
    probabilities: Array | None
    per_token: tuple[str, ...]
    generated: Mapping[int, str]
    values: tuple[float, ...] | None = None
    calls: tuple[str, ...] = ()
    letters: tuple[tuple[str, ...], ...] = ()
    uncalibrated: Array | None = None
    calibration: Attempt | None = None


def with_values(
    config: EvaluateConfig, answers: ModelAnswers, train: Sequence[Item], test: Sequence[Item]
) -> ModelAnswers:
    """The answers with the number that each stands for; those that bring their numbers, or have none, as they are.

    Args:
        config: Which number stands for a bin.
        answers: In the order of `test`.
        train: Training items, for the value each label stands for.
        test: Items answered.
    """
    if answers.values is not None:
        return answers
    return replace(answers, values=expected_values(answers.probabilities, train, test, config.bin_centre))


def compare(
    config: EvaluateConfig,
    answers: ModelAnswers,
    baselines: TaskBaselines,
    *,
    train: Sequence[Item],
    test: Sequence[Item],
    seed: int,
    others: Mapping[str, ModelAnswers],
    note: TaskNote,
) -> TaskReport:
    """Score the model beside the baselines and other runs on one task.

    Args:
        config: Number of resamples.
        answers: The model's, in the order of `test`; their numbers as `with_values` gives them.
        baselines: Of the same items in the same order.
        train: Training items, which are counted.
        test: Items answered, at least one.
        seed: Seed of the intervals.
        others: Answers of other runs to the same items, by name of the run.
        note: What the task's definition says.
    """
    units, drawn_as = unit_of_items([item.group for item in test])
    nearest = _nearest(baselines, test)
    said = {_MODEL: answers} | {f"run {name}": other for name, other in others.items()}
    methods = {name: Answers(name, one.texts, one.values, one.letters) for name, one in said.items()}
    methods |= baselines.answers
    drawn = _drawn(config, test, methods, units, seed, note.metric)
    metrics = [metric for name, metric in drawn if name == _MODEL]
    first, labels = test[0], test[0].labels or ()
    believed = partial(_reliability, config, test, units, seed)
    return TaskReport(
        task=first.task,
        family=first.family,
        kinds=first.kinds,
        closed=bool(labels),
        n=len(test),
        train_items=len(train),
        drawn_as=drawn_as,
        comparisons=tuple(_comparison(metric, drawn, baselines) for metric in metrics),
        best_baseline=baselines.best,
        methods={name: one.method for name, one in baselines.answers.items()},
        rivals=tuple(_rival(name, metrics, drawn) for name in others),
        classes=labels,
        expected_counts=tuple(Counter(item.output for item in test)[label] for label in labels),
        confusion=count_confusion(test, answers.texts),
        per_token=_per_token(config, answers.per_token, test, units, seed),
        generation=_generation(config, answers, test, seed) if answers.generated else None,
        reliability=believed(answers.probabilities),
        profiles=_profiles(config, test, methods[_MODEL], methods[baselines.best], units, nearest, seed),
        hardest=hardest(test, methods[_MODEL], answers.probabilities, nearest),
        note=note,
        residues=count_residues(test) if are_spans(test) else None,
        calls=dict(sorted(Counter(answers.calls).items())),
        outcomes=dict(sorted(Counter(outcomes(test, answers.texts)).items())) if are_calls(test) else {},
        uncalibrated=believed(answers.uncalibrated),
        calibration=answers.calibration,
    )


def _profiles(
    config: EvaluateConfig,
    test: Sequence[Item],
    ours: Answers,
    best: Answers,
    units: Array,
    nearest: Sequence[float] | None,
    seed: int,
) -> tuple[Profile, ...]:
    """Scores by bands of what the items are; none of questions for a tool, whose letters decide nothing."""
    if are_calls(test):
        return ()
    return profile(test, ours, best, units=units, nearest=nearest, resamples=config.bootstrap, seed=seed)


def _drawn(
    config: EvaluateConfig, test: Sequence[Item], methods: Mapping[str, Answers], units: Array, seed: int, metric: str
) -> dict[tuple[str, str], Drawn]:
    """Every score of every method, by method and metric, on the same resamples of the items."""
    measured = {
        (name, score): found
        for name, answers in methods.items()
        for score, found in measure_answers(test, answers, metric).items()
    }
    return draw_scores(measured, units=units, resamples=config.bootstrap, seed=seed)


def _reliability(
    config: EvaluateConfig, test: Sequence[Item], units: Array, seed: int, probabilities: Array | None
) -> Reliability | None:
    labels = test[0].labels
    if probabilities is None or not labels:
        return None
    expected = label_numbers([item.output for item in test], labels)
    return reliability(probabilities, expected, units=units, resamples=config.bootstrap, seed=seed)


def _nearest(baselines: TaskBaselines, test: Sequence[Item]) -> Sequence[float] | None:
    """Identity of each item to training: as `tasks split` found it, else as the baseline of neighbours did."""
    found = [item.nearest for item in test if item.nearest is not None]
    return found if len(found) == len(test) else baselines.nearest


def _comparison(metric: str, drawn: Mapping[tuple[str, str], Drawn], baselines: TaskBaselines) -> Comparison:
    ours = drawn[_MODEL, metric]
    theirs = {name: estimate(drawn[name, metric]) for name in baselines.answers}
    return Comparison(
        metric=metric,
        ours=estimate(ours),
        baselines=theirs,
        difference=difference(ours, drawn[baselines.best, metric]),
        verdict=verdict(estimate(ours), theirs["majority"]),
    )


def _rival(name: str, metrics: Sequence[str], drawn: Mapping[tuple[str, str], Drawn]) -> Rival:
    other = f"run {name}"
    theirs = {metric: drawn[other, metric] for metric in metrics if (other, metric) in drawn}
    return Rival(
        run=name,
        scores={metric: estimate(one) for metric, one in theirs.items()},
        differences={metric: difference(drawn[_MODEL, metric], one) for metric, one in theirs.items()},
    )


def verdict(ours: Estimate, other: Estimate) -> Verdict:
    """Whether the model's interval lies above or below another score.

    >>> verdict(Estimate(0.7, 0.6, 0.8, 90), Estimate(0.5, 0.4, 0.6, 90))
    'above'
    """
    if ours.low is None or ours.high is None or other.value is None:
        return "undefined"
    if ours.low > other.value:
        return "above"
    return "below" if ours.high < other.value else "open"


def side_of_zero(found: Difference) -> Verdict:
    """Whether a difference's interval lies above or below zero, or holds it.

    >>> side_of_zero(Difference(0.1, 0.02, 0.2, 0.01)), side_of_zero(Difference(0.1, -0.02, 0.2, 0.2))
    ('above', 'open')
    """
    if found.low is None or found.high is None:
        return "undefined"
    if found.low > 0:
        return "above"
    return "below" if found.high < 0 else "open"


def _generation(config: EvaluateConfig, answers: ModelAnswers, items: Sequence[Item], seed: int) -> Generation:
    places = sorted(answers.generated)
    labels = items[0].labels or ()
    read = [_read(answers.generated[place], labels, items[place]) for place in places]
    scores = label_scores(
        label_numbers([items[place].output for place in places], labels),
        label_numbers([answer or "" for answer in read], labels),
        len(labels), units=np.arange(len(places)), resamples=config.bootstrap, seed=seed,
    )  # fmt: skip
    return Generation(
        n=len(places),
        accuracy=scores["accuracy"],
        mcc=scores["mcc"],
        unread=sum(answer is None for answer in read),
        agreement=float(np.mean([answer == answers.texts[place] for answer, place in zip(read, places, strict=True)])),
    )


def _read(text: str, labels: Sequence[str], item: Item) -> str | None:
    """The label of a free answer; where steps come first, that of the last line."""
    if not item.steps:
        return read_answer(text, labels)
    parted = split_answer(text)
    return read_answer(parted[1], labels) if parted else None


def _per_token(
    config: EvaluateConfig, texts: Sequence[str], items: Sequence[Item], units: Array, seed: int
) -> dict[str, Estimate]:
    if not texts:
        return {}
    labels = items[0].labels or ()
    scores = label_scores(
        label_numbers([item.output for item in items], labels), label_numbers(texts, labels), len(labels),
        units=units, resamples=config.bootstrap, seed=seed,
    )  # fmt: skip
    return {name: scores[name] for name in ("mcc", "accuracy")}
