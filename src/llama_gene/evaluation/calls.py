"""Questions that a tool answers: whether the model calls the right tool, with the right arguments, and only then.

A call is right where it equals the expected one as JSON: same tool, same arguments with the same values, in any order.
A question may want several calls, each after the result of the one before, and after the last one none: it is right
where every turn is. Its answer has a line a turn and ends with the first wrong one. Some of the questions are plain
ones that want no call: there, whatever is no call is right, since how good the answer is the task itself is scored for.
The baseline takes the answers of the training question whose words are most alike (TF-IDF of words and pairs of words),
which the held-out wordings and values keep from being the same ones.
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
    return free and any(wants_call(answer) for item in items for _, answer in item.turns)


def wants_call(expected: str) -> bool:
    """True where the expected answer is a call of a tool."""
    return read_request(expected) is not None


def is_right(written: str, expected: str) -> bool:
    """True for the expected call, or for words where no call is due."""
    return outcome(written, expected) == "right"


def one_line(text: str) -> str:
    """A written answer as a line of the answers to several turns."""
    return " ".join(text.split())


def outcome(written: str, expected: str) -> Outcome:
    """What a written answer is beside the expected one; the finest that holds.

    >>> outcome('{"tool": "translate", "frame": 2, "dna": "@input"}', '{"tool": "translate", "dna": "@input"}')
    'other arguments'
    """
    called, wanted = read_request(written), read_request(expected)
    if wanted is None:
        # A call that breaks off is one as well: an answer in words begins with no bracket.
        return "called without need" if written.lstrip().startswith("{") else "right"
    if called is None or called.problem:
        return "no call"
    if called.tool != wanted.tool:
        return "other tool"
    return "right" if called.arguments == wanted.arguments else "other arguments"


def outcomes(items: Sequence[Item], texts: Sequence[str]) -> list[Outcome]:
    """The outcome of each answer, in order: that of its first wrong turn, if any is wrong."""
    return [_outcome_of(item, text) for text, item in zip(texts, items, strict=True)]


def _outcome_of(item: Item, text: str) -> Outcome:
    if not item.history:
        # A baseline may go on where nothing more is due; a plain answer may have several lines.
        return outcome(text.split("\n", maxsplit=1)[0] if wants_call(item.output) else text, item.output)
    lines = text.split("\n")
    found = (
        outcome(lines[turn] if turn < len(lines) else "", expected) for turn, (_, expected) in enumerate(item.turns)
    )
    return next((one for one in found if one != "right"), "right")


def measure_calls(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Measured]:
    """Shares of right calls, the headline, and of right tools, and of right calls where several are due.

    A plain question's right tool is none.
    """
    found = outcomes(items, texts)
    right = np.array([float(one == "right") for one in found])
    shares = {
        "right_call": measure_mean(right),
        "right_tool": measure_mean(np.array([float(one in _RIGHT_TOOL) for one in found])),
    }
    chained = np.array([float(sum(wants_call(answer) for _, answer in item.turns) > 1) for item in items])
    if not chained.any():
        return shares
    several = Measured(
        np.stack([chained, chained * right], axis=1), lambda sums: sums[:, 1] / sums[:, 0], counted=int(chained.sum())
    )
    return shares | {"right_chain": several}


def answer_by_wording(train: Sequence[Item], asked: Sequence[Item]) -> Answers:
    """The answers of the training question most alike in its words, a line a turn; of equals the first."""
    vectorizer = TfidfVectorizer(token_pattern=_WORDS, ngram_range=(1, 2), sublinear_tf=True)
    known = {item.words: item for item in reversed(train)}
    weights = vectorizer.fit_transform(known)
    likeness = (vectorizer.transform(item.words for item in asked) @ weights.T).toarray()
    answers = ["\n".join(answer for _, answer in item.turns) for item in known.values()]
    texts = tuple(answers[nearest] for nearest in likeness.argmax(axis=1))
    return Answers("the answer of the training question most alike in its words", texts)
