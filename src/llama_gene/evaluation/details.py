"""What a score hides: how right answers depend on length, GC, likeness to training and class of pairs; the worst items.

Axes: N items.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Array, Estimate, draw_scores, estimate, measure_labels, measure_mean, value_of
from llama_gene.evaluation.numbers import is_number, values_of
from llama_gene.evaluation.scorer import label_numbers, score_each
from llama_gene.evaluation.terms import are_terms
from llama_gene.tasks.leaks import BANDS
from llama_gene.tasks.tool_calls import format_number

Measure = Literal["share right", "word F1", "absolute error"]
_MOST_BANDS = 5
# The last band holds what stands in training as it is.
_IDENTITY_EDGES = (0.0, *BANDS, BANDS[-1])
_PAIR_CLASSES = ("C1", "C2", "C3")
_HARDEST = 12
_SHOWN_LETTERS = 60


@dataclass(frozen=True)
class Band:
    """Items whose property lies between two values: their number and scores.

    `ours`, `best`: of what the profile measures, of the model and the best baseline; `mcc`, `best_mcc`: of the same
    answers, None where undefined.
    """

    low: float
    high: float
    n: int
    ours: Estimate
    best: Estimate
    mcc: float | None
    best_mcc: float | None


@dataclass(frozen=True)
class Profile:
    """Scores by bands of one property: "length", "gc", "identity" or "pairs" (1 to 3 for C1 to C3).

    `measured`: the mean of what; of "absolute error" less is better.
    """

    property: str
    measured: Measure
    bands: tuple[Band, ...]

    def name_of(self, band: Band) -> str:
        """The band for a person.

        >>> one = Estimate(None, None, None, 0)
        >>> Profile("identity", "share right", ()).name_of(Band(0.3, 0.5, 9, one, one, None, None))
        '0.3 – 0.5'
        >>> Profile("pairs", "share right", ()).name_of(Band(2, 2, 9, one, one, None, None))
        'C2'
        """
        if self.property == "pairs":
            return f"C{band.low:.0f}"
        return f"{band.low:.3g}" if band.low == band.high else f"{band.low:.3g} – {band.high:.3g}"


@dataclass(frozen=True)
class Example:
    """An item that was answered wrongly, its letters shortened.

    `probability` is what the model gave its answer, `expected_probability` what it gave the right one; `error` how far
    the number it led to lies from the measured one, where numbers are asked for; `nearest` the identity to the nearest
    training item.
    """

    id: str
    letters: tuple[str, ...]
    expected: str
    answered: str
    probability: float | None
    expected_probability: float | None
    error: float | None
    nearest: float | None


def profile(
    items: Sequence[Item],
    ours: Answers,
    best: Answers,
    *,
    units: Array,
    nearest: Sequence[float] | None,
    resamples: int,
    seed: int,
) -> tuple[Profile, ...]:
    """How scores depend on length, GC share (DNA), identity to training and class of pairs (where known).

    A property that is the same for all items is left out.

    Args:
        items: All of one task, N of them.
        ours: The model's answers.
        best: The best baseline's answers.
        units: Unit each item is drawn with, shape (N,).
        nearest: Identity of each item to its nearest training item, 0 to 1.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.
    """
    properties: dict[str, tuple[Array, Array | None]] = {
        "length": (np.array([sum(map(len, item.sequences)) for item in items], dtype=float), None)
    }
    if "dna" in items[0].kinds:
        properties["gc"] = (np.array([_gc(item) for item in items]), None)
    if nearest is not None:
        properties["identity"] = (np.array(nearest), np.array(_IDENTITY_EDGES))
    if all(item.pair_class in _PAIR_CLASSES for item in items):
        properties["pairs"] = (np.array([1.0 + _PAIR_CLASSES.index(item.pair_class or "") for item in items]), None)
    found, said = [], {"ours": ours.texts, "best": best.texts}
    each = {"ours": _measure_each(items, ours), "best": _measure_each(items, best)}
    for name, (values, edges) in properties.items():
        if edges is None and len(np.unique(values)) < 2:
            continue
        bands = tuple(
            _band(items, said, each, members, limits, units, resamples, seed)
            for members, limits in _part(values, edges)
        )
        found.append(Profile(name, measure_of(items), bands))
    return tuple(found)


def measure_of(items: Sequence[Item]) -> Measure:
    """What is measured of each answer to such items, and averaged in a band."""
    if is_number(items[0]):
        return "absolute error"
    return "share right" if items[0].labels is not None or are_terms(items) else "word F1"


def _measure_each(items: Sequence[Item], answers: Answers) -> Array:
    """What `measure_of` names, of each answer, (N,)."""
    wanted = values_of(items)
    if measure_of(items) == "absolute error" and wanted is not None and answers.values is not None:
        return np.abs(np.array(answers.values) - wanted)
    return score_each(items, answers.texts)


def _part(values: Array, edges: Array | None) -> Iterator[tuple[Array, tuple[float, float]]]:
    """Places of the items of each band with its limits: the edges, or the least and greatest value.

    Without edges a band holds one value where there are few, else about as many items as the others.
    """
    cuts = np.unique(values)
    if edges is not None:
        cuts = edges[:-1]
    elif len(cuts) > _MOST_BANDS:
        cuts = np.unique(np.quantile(values, np.linspace(0, 1, _MOST_BANDS + 1)))[:-1]
    band = np.searchsorted(cuts, values, side="right") - 1
    for number in np.unique(band).tolist():
        members = np.flatnonzero(band == number)
        limits = values[members] if edges is None else edges[number : number + 2]
        yield members, (float(limits.min()), float(limits.max()))


def _gc(item: Item) -> float:
    """Share of G and C among the letters A, C, G, T, U of the item's DNA."""
    letters = "".join(text for text, kind in zip(item.sequences, item.kinds, strict=True) if kind == "dna").upper()
    gc, all_letters = (sum(map(letters.count, some)) for some in ("GC", "ACGTU"))
    return gc / all_letters if all_letters else 0.0


def _band(
    items: Sequence[Item],
    said: Mapping[str, Sequence[str]],
    each: Mapping[str, Array],
    members: Array,
    edges: tuple[float, float],
    units: Array,
    resamples: int,
    seed: int,
) -> Band:
    chosen = [items[place] for place in members]
    measured = {name: measure_mean(values[members]) for name, values in each.items()}
    labels = chosen[0].labels
    mcc: dict[str, float | None] = dict.fromkeys(said)
    if labels is not None:
        expected = label_numbers([item.output for item in chosen], labels)
        for name, texts in said.items():
            answered = label_numbers([texts[place] for place in members], labels)
            mcc[name] = value_of(measure_labels(expected, answered, len(labels))["mcc"])
    drawn = draw_scores(
        measured, units=np.unique(units[members], return_inverse=True)[1], resamples=resamples, seed=seed
    )
    found = {name: estimate(one) for name, one in drawn.items()}
    if len(np.unique(units[members])) == 1:
        # One unit is drawn again and again: that says nothing of others.
        found = {name: replace(one, low=None, high=None) for name, one in found.items()}
    return Band(*edges, len(chosen), found["ours"], found["best"], mcc["ours"], mcc["best"])


def hardest(
    items: Sequence[Item], answers: Answers, probabilities: Array | None, nearest: Sequence[float] | None
) -> tuple[Example, ...]:
    """The wrong answers that the model was surest of; numbers farthest off; texts with the fewest words in common.

    Args:
        items: All of one task, N of them.
        answers: The model's; of closed items labels.
        probabilities: Of each label, (N, L); None where it weighed none.
        nearest: Identity of each item to its nearest training item.
    """
    each = _measure_each(items, answers)
    of_numbers, labels = measure_of(items) == "absolute error", items[0].labels or ()
    of_expected = of_answer = None
    if probabilities is not None and labels:
        rows = np.arange(len(items))
        of_expected = probabilities[rows, label_numbers([item.output for item in items], labels)]
        of_answer = probabilities[rows, label_numbers(answers.texts, labels)]
    is_wrong, hardness = (each > 0, each) if of_numbers else (each < 1, -each if of_answer is None else of_answer)
    wrong = np.flatnonzero(is_wrong)
    order = wrong[np.argsort(-hardness[wrong], kind="stable")][:_HARDEST]
    return tuple(
        Example(
            id=items[place].id,
            letters=tuple(map(shorten, items[place].sequences or (items[place].words,))),
            expected=_number(items[place].value) if of_numbers else "\n".join(out for _, out in items[place].turns),
            answered=_number((answers.values or ())[place]) if of_numbers else answers.texts[place],
            probability=None if of_answer is None else float(of_answer[place]),
            expected_probability=None if of_expected is None else float(of_expected[place]),
            error=float(each[place]) if of_numbers else None,
            nearest=None if nearest is None else float(nearest[place]),
        )
        for place in order.tolist()
    )


def _number(value: float | None) -> str:
    return "" if value is None else format_number(value)


def shorten(letters: str) -> str:
    """The ends of a long sequence, and how many letters are left out.

    >>> shorten("ACGT"), shorten("A" * 50 + "C" * 50)[25:55]
    ('ACGT', 'AAAAA … 40 letters … CCCCCCCCC')
    """
    if len(letters) <= _SHOWN_LETTERS:
        return letters
    half = _SHOWN_LETTERS // 2
    return f"{letters[:half]} … {len(letters) - 2 * half:,} letters … {letters[-half:]}"
