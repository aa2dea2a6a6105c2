"""The structure family: one question per token, answered by the majority state of its letters.

Rule: LLaMA-Gene, section 2.2.2.2: the token with the 30 letters before it; ties go to the earlier label (H > E > C).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llama_gene.tasks.definitions import Label
from llama_gene.tasks.readers import UNKNOWN_STATE


@dataclass(frozen=True)
class TokenQuestion:
    """A token of a chain: what is read, up to and with the token, and its state in words."""

    letters: str
    end: int
    label: str


def majority(states: str, labels: Sequence[Label]) -> str:
    """Name of the most frequent state; of equally frequent ones the earlier label.

    >>> order = [Label(name="helix", values=("H",)), Label(name="sheet", values=("E",)),
    ...          Label(name="coil", values=("C",))]
    >>> majority("CCEE", order), majority("HECC", order)
    ('sheet', 'coil')
    """
    names = {value: label.name for label in labels for value in label.written}
    votes = Counter(names[state] for state in states)
    return max((label.name for label in labels), key=lambda name: votes[name])


def ask_tokens(
    chain: str,
    states: str,
    spans: Sequence[tuple[int, int]],
    labels: Sequence[Label],
    *,
    context: int,
    number: int,
    rng: np.random.Generator,
) -> list[TokenQuestion]:
    """Questions about tokens drawn without repeats, from left to right.

    Args:
        chain: Letters.
        states: One state a letter; a token with an unknown one is never asked.
        spans: 0-based half-open span of every token in the chain.
        labels: In order of ties.
        context: Letters before the token.
        number: Most questions.
        rng: Chooses the tokens.

    >>> helix, coil = Label(name="helix", values=("H",)), Label(name="coil", values=("C",))
    >>> ask_tokens("MKVLA", "CCHH-", [(0, 2), (2, 4), (4, 5)], [helix, coil], context=1, number=9,
    ...            rng=np.random.default_rng(1))
    [TokenQuestion(letters='MK', end=2, label='coil'), TokenQuestion(letters='KVL', end=4, label='helix')]
    """
    known = [(start, end) for start, end in spans if end > start and UNKNOWN_STATE not in states[start:end]]
    places = sorted(rng.permutation(len(known))[:number].tolist())
    return [
        TokenQuestion(chain[max(0, start - context) : end], end, majority(states[start:end], labels))
        for start, end in (known[place] for place in places)
    ]


def letter_spans(chain: str) -> list[tuple[int, int]]:
    """Spans of a chain that is read letter by letter.

    >>> letter_spans("MK")
    [(0, 1), (1, 2)]
    """
    return [(place, place + 1) for place in range(len(chain))]
