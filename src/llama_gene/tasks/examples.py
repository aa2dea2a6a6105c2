"""Solved items beside a definition, in the manner of Natural Instructions.

Form: Mishra et al. 2022 and Wang et al. 2022: a definition, positive examples (an input and its answer) and negative
ones (an input, a wrong answer and why it is wrong). They come from training items alone, are drawn anew for each
question, and never from the leakage group of the item that is asked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from llama_gene.tasks.definitions import ExampleRule

_PER_LABEL = 24
_MOST = 240
_LOOKED_AT = 8


class Solved(NamedTuple):
    """A training item as a question would spell it, its answer, and its leakage group."""

    input: str
    output: str
    group: str


def pool_of(items: Iterable[Solved]) -> tuple[Solved, ...]:
    """The first items of each answer, a bounded number in all, so that rare answers are there too.

    >>> [solved.input for solved in pool_of([Solved("AC", "yes", "1"), Solved("GT", "no", "2")])]
    ['AC', 'GT']
    """
    pool: list[Solved] = []
    taken: Counter[str] = Counter()
    for item in items:
        if taken[item.output] < _PER_LABEL:
            taken[item.output] += 1
            pool.append(item)
            if len(pool) == _MOST:
                break
    return tuple(pool)


def draw_examples(
    pool: Sequence[Solved], rule: ExampleRule, *, labels: Sequence[str], group: str, rng: np.random.Generator
) -> str:
    """Positive and negative examples as text; "" where the pool holds none from another group.

    Args:
        pool: Training items.
        rule: How many of each.
        labels: The closed answers; empty: a wrong answer is that of another item.
        group: Leakage group of the item that is asked.
        rng: Draws the items and the wrong answers.

    >>> pool = [Solved("ACG", "yes", "1"), Solved("GTT", "no", "2"), Solved("CCC", "no", "3")]
    >>> rule = ExampleRule(positive=1, negative=1)
    >>> print(draw_examples(pool, rule, labels=["no", "yes"], group="3", rng=np.random.default_rng(1)))
    Positive example 1
    Input: ACG
    Output: yes
    <BLANKLINE>
    Negative example 1
    Input: GTT
    Output: yes
    Explanation: this output is wrong, the right one is no.
    """
    others = [item for item in (pool[place] for place in rng.permutation(len(pool)).tolist()) if item.group != group]
    chosen = _varied(others, rule.positive + rule.negative)
    positive = [f"Input: {item.input}\nOutput: {item.output}" for item in chosen[: rule.positive]]
    negative = []
    for item in chosen[rule.positive :]:
        wrong = [answer for answer in labels or [other.output for other in others] if answer != item.output]
        if wrong:
            said = f"Explanation: this output is wrong, the right one is {item.output}."
            negative.append(f"Input: {item.input}\nOutput: {wrong[int(rng.integers(len(wrong)))]}\n{said}")
    return "\n\n".join((*_numbered("Positive", positive), *_numbered("Negative", negative)))


def _numbered(word: str, examples: Sequence[str]) -> list[str]:
    return [f"{word} example {number}\n{text}" for number, text in enumerate(examples, start=1)]


def _varied(items: Sequence[Solved], number: int) -> list[Solved]:
    """Items with as many answers as can be, in their order, each group once."""
    first: dict[str, Solved] = {}
    rest: list[Solved] = []
    groups: set[str] = set()
    for item in items:
        if item.group in groups:
            continue
        groups.add(item.group)
        if item.output in first:
            rest.append(item)
        else:
            first[item.output] = item
        if len(first) == number or len(groups) >= _LOOKED_AT * number:
            break
    return [*first.values(), *rest][:number]
