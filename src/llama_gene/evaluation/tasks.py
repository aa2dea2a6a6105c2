"""Score one task: the model's answers and the baselines' by the same functions on the same items.

Which score decides (the headline): MCC for closed labels, since accuracy says little where classes are unequal;
Spearman where items carry a value; F1 of words for free text.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from llama_gene.config import EvaluateConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.answers import is_exact, read_answer, rouge_l, token_f1
from llama_gene.evaluation.baselines import Answers, kmer_baseline, majority
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Estimate, label_scores, mean_score, rank_score, unit_of_items
from llama_gene.evaluation.strata import strata_of

Verdict = Literal["above", "below", "open", "undefined"]


@dataclass(frozen=True)
class Comparison:
    """One score of a task: the model's, the majority answer's and the k-mer model's, and what the interval says.

    `verdict`: the model's 95 % interval lies above or below the majority's score, holds it ("open"), or there is no
    score.
    """

    metric: str
    ours: Estimate
    majority: Estimate
    kmer: Estimate | None
    verdict: Verdict


@dataclass(frozen=True)
class Stratum:
    """The headline score on a part of the items: a band of identity to training, or a class of pairs."""

    name: str
    n: int
    ours: Estimate
    majority: Estimate
    kmer: Estimate | None


@dataclass(frozen=True)
class Generation:
    """Free answers to closed items: how many, right, unreadable, and equal to the likeliest label."""

    n: int
    accuracy: Estimate
    unread: int
    agreement: float


@dataclass(frozen=True)
class TaskReport:
    """All that is known of one task; the first comparison is the headline."""

    task: str
    family: str
    kinds: tuple[str, ...]
    closed: bool
    n: int
    train_items: int
    drawn_as: str
    comparisons: tuple[Comparison, ...]
    kmer_method: str
    classes: tuple[str, ...]
    expected_counts: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_token_accuracy: float | None
    generation: Generation | None
    strata: tuple[Stratum, ...]

    @property
    def headline(self) -> Comparison:
        """The score that decides."""
        return self.comparisons[0]

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class ModelAnswers:
    """What the model said: one text per item; for closed items the probability of each label, (N, L).

    `per_token` holds the labels chosen by length-normalised likelihood; `generated` the free answer of some items,
    by place.
    """

    texts: tuple[str, ...]
    probabilities: Array | None
    per_token: tuple[str, ...]
    generated: Mapping[int, str]


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


def compare(
    config: EvaluateConfig,
    answers: ModelAnswers,
    *,
    train: Sequence[Item],
    valid: Sequence[Item],
    test: Sequence[Item],
    seed: int,
) -> TaskReport:
    """Score the model and the baselines on one task.

    Args:
        config: Resamples and longest k-mer.
        answers: The model's, in the order of `test`.
        train: Training items, for the baselines.
        valid: Validation items, to choose the baseline's penalty.
        test: Items answered, at least one.
        seed: Seed of the intervals.
    """
    units, drawn_as = unit_of_items([item.group for item in test])
    scorer = _Scorer(tuple(test), units, config.bootstrap, seed)
    common, kmer = majority(train, test), kmer_baseline(train, valid, test, kmer_max=config.kmer_max)
    model = Answers("model", answers.texts, expected_values(answers.probabilities, train, test))
    ours = scorer.scores(model)
    theirs = scorer.scores(common)
    kmers = scorer.scores(kmer) if kmer else {}
    labels = test[0].labels or ()
    return TaskReport(
        task=test[0].task,
        family=test[0].family,
        kinds=test[0].kinds,
        closed=bool(labels),
        n=len(test),
        train_items=len(train),
        drawn_as=drawn_as,
        comparisons=tuple(
            Comparison(name, ours[name], theirs[name], kmers.get(name), verdict(ours[name], theirs[name]))
            for name in ours
        ),
        kmer_method=kmer.method if kmer else "",
        classes=labels,
        expected_counts=tuple(Counter(item.output for item in test)[label] for label in labels),
        confusion=scorer.confusion(answers.texts),
        per_token_accuracy=_share_right(answers.per_token, test) if answers.per_token else None,
        generation=_generation(scorer, answers) if answers.generated else None,
        strata=tuple(
            _stratum(name, scorer.part(places), places, next(iter(ours)), model, common, kmer)
            for name, places in strata_of(test).items()
        ),
    )


def _stratum(
    name: str,
    scorer: "_Scorer",
    places: Sequence[int],
    metric: str,
    model: Answers,
    common: Answers,
    kmer: Answers | None,
) -> Stratum:
    def score(answers: Answers) -> Estimate:
        return scorer.scores(_part(answers, places))[metric]

    return Stratum(name, len(places), score(model), score(common), score(kmer) if kmer else None)


def _part(answers: Answers, places: Sequence[int]) -> Answers:
    values = None if answers.values is None else tuple(answers.values[place] for place in places)
    return Answers(answers.method, tuple(answers.texts[place] for place in places), values)


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


def expected_values(
    probabilities: Array | None, train: Sequence[Item], test: Sequence[Item]
) -> tuple[float, ...] | None:
    """The value a model expects: the mean training value of each label, weighted by the label's probability.

    None where the task has no values.
    """
    if probabilities is None or not test[0].labels:
        return None
    if any(item.value is None for item in (*train, *test)):
        return None
    means = [_mean([item.value for item in train if item.output == label]) for label in test[0].labels]
    return tuple((probabilities @ np.array(means)).tolist())


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0


@dataclass(frozen=True)
class _Scorer:
    """Scores any method on the same items with the same resamples."""

    items: tuple[Item, ...]
    units: Array
    resamples: int
    seed: int

    def part(self, places: Sequence[int]) -> "_Scorer":
        """For some of the items."""
        units = np.unique(self.units[list(places)], return_inverse=True)[1]
        return _Scorer(tuple(self.items[place] for place in places), units, self.resamples, self.seed)

    def scores(self, answers: Answers) -> dict[str, Estimate]:
        """Name to score, headline first."""
        labels = self.items[0].labels
        if labels is None:
            return self._text_scores(answers.texts)
        closed = label_scores(
            self._numbers([item.output for item in self.items]),
            self._numbers(answers.texts),
            len(labels),
            units=self.units,
            resamples=self.resamples,
            seed=self.seed,
        )
        closed = {name: closed[name] for name in ("mcc", "accuracy", "macro_f1")}
        return self._rank(answers) | closed

    def _rank(self, answers: Answers) -> dict[str, Estimate]:
        wanted = [item.value for item in self.items]
        if any(value is None for value in wanted):
            return {}
        if answers.values is None:
            # One answer for all items ranks nothing: by convention 0, as MCC.
            return {"spearman": Estimate(0.0, 0.0, 0.0, len(wanted))}
        found = rank_score(
            np.array(wanted, dtype=float),
            np.array(answers.values),
            units=self.units,
            resamples=self.resamples,
            seed=self.seed,
        )
        return {"spearman": found}

    def _text_scores(self, texts: Sequence[str]) -> dict[str, Estimate]:
        pairs = list(zip(texts, (item.output for item in self.items), strict=True))
        measures = {"token_f1": token_f1, "rouge_l": rouge_l, "exact": is_exact}
        return {
            name: mean_score(
                np.array([float(measure(text, wanted)) for text, wanted in pairs]),
                units=self.units,
                resamples=self.resamples,
                seed=self.seed,
            )
            for name, measure in measures.items()
        }

    def _numbers(self, texts: Sequence[str]) -> Array:
        labels = self.items[0].labels or ()
        number = {label: place for place, label in enumerate(labels)}
        return np.array([number.get(text, len(labels)) for text in texts])

    def confusion(self, texts: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Counts, expected by answered; empty for free text."""
        size = len(self.items[0].labels or ())
        if not size:
            return ()
        table = np.zeros((size, size + 1), dtype=int)
        np.add.at(table, (self._numbers([item.output for item in self.items]), self._numbers(texts)), 1)
        return tuple(tuple(row) for row in table[:, :size].tolist())


def _generation(scorer: _Scorer, answers: ModelAnswers) -> Generation:
    places = sorted(answers.generated)
    labels = scorer.items[0].labels or ()
    read = [read_answer(answers.generated[place], labels) for place in places]
    right = [answer == scorer.items[place].output for answer, place in zip(read, places, strict=True)]
    return Generation(
        n=len(places),
        accuracy=mean_score(
            np.array(right, dtype=float), units=np.arange(len(places)), resamples=scorer.resamples, seed=scorer.seed
        ),
        unread=sum(answer is None for answer in read),
        agreement=float(np.mean([answer == answers.texts[place] for answer, place in zip(read, places, strict=True)])),
    )


def _share_right(texts: Sequence[str], items: Sequence[Item]) -> float:
    return float(np.mean([text == item.output for text, item in zip(texts, items, strict=True)]))
