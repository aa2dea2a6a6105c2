"""Questions that a tool answers: whether the model calls the right tool, with the right arguments, and only then.

A call is right where it equals the expected one as JSON: same tool, same arguments with the same values, in any order.
Some of the questions are plain ones that want no call: there, whatever is no call is right, since how good the answer
is the task itself is scored for. The baseline takes the answer of the training question whose words are most alike
(TF-IDF of words and pairs of words), which the held-out wordings keep from being the same one.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.metrics import Measured, measure_mean
from llama_gene.tasks.tool_calls import read_request

Outcome = Literal["right", "other arguments", "other tool", "no call", "called without need"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_RIGHT_TOOL = ("right", "other arguments")
_WORDS = r"(?u)\S+"


def are_calls(items: Sequence[Item]) -> bool:
    """True for a set whose answers are calls of any tool, not numbers of a task's own (`tools`)."""
    free = items[0].labels is None and items[0].value is None
    return free and any(read_request(item.output) is not None for item in items)


def outcome(written: str, expected: str) -> Outcome:
    """What a written answer is beside the expected one; the finest that holds.

    >>> outcome('{"tool": "translate", "frame": 2, "dna": "@input"}', '{"tool": "translate", "dna": "@input"}')
    'other arguments'
    """
    called, wanted = read_request(written), read_request(expected)
    if wanted is None:
        return "right" if called is None else "called without need"
    if called is None or called.problem:
        return "no call"
    if called.tool != wanted.tool:
        return "other tool"
    return "right" if called.arguments == wanted.arguments else "other arguments"


def outcomes(items: Sequence[Item], texts: Sequence[str]) -> list[Outcome]:
    """The outcome of each answer, in order."""
    return [outcome(text, item.output) for text, item in zip(texts, items, strict=True)]


def measure_calls(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Measured]:
    """Shares of right calls, the headline, and of right tools; a plain question's right tool is none."""
    found = outcomes(items, texts)
    return {
        "right_call": measure_mean(np.array([float(one == "right") for one in found])),
        "right_tool": measure_mean(np.array([float(one in _RIGHT_TOOL) for one in found])),
    }


def answer_by_wording(train: Sequence[Item], asked: Sequence[Item]) -> Answers:
    """The answer of the training question most alike in its words; of equals the first."""
    vectorizer = TfidfVectorizer(token_pattern=_WORDS, ngram_range=(1, 2), sublinear_tf=True)
    known = {item.instruction: item for item in reversed(train)}
    weights = vectorizer.fit_transform(known)
    likeness = (vectorizer.transform(item.instruction for item in asked) @ weights.T).toarray()
    answers = [item.output for item in known.values()]
    texts = tuple(answers[nearest] for nearest in likeness.argmax(axis=1))
    return Answers("the answer of the training question most alike in its words", texts)
