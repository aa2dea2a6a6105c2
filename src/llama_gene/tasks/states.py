"""The structure family: questions about parts of a chain, one token or one letter each.

Per token, LLaMA-Gene, section 2.2.2.2: the token with the 30 letters before it, answered by the state most of its
letters have; ties go to the earlier label (H > E > C; unpaired last). Per letter: one residue or base with the letters
on both sides, the asked one marked.

Which letters are asked is drawn before tokens come in, so that every vocabulary and either style is asked about the
same letters of the same chains: a token's answer stands for each of its letters that were drawn.
"""

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llama_gene.tasks.definitions import Label, Task
from llama_gene.tasks.sources import UNKNOWN_STATE

Span = tuple[int, int]


class Window(NamedTuple):
    """What a question shows of a chain, and how many of these letters stand before the asked part."""

    letters: str
    before: int


@dataclass(frozen=True)
class PartQuestion:
    """One asked part of a chain.

    `start` and `end` are its 0-based half-open span in the chain; `label` is the state in words that most of its known
    letters have; `states` holds the state of each of its letters that counts for the score, None for the others.
    """

    window: Window
    start: int
    end: int
    label: str
    states: tuple[str | None, ...]


def majority(states: str, labels: Sequence[Label]) -> str:
    """Name of the most frequent known state; of equally frequent ones the earlier label.

    >>> order = [Label(name="helix", values=("H",)), Label(name="sheet", values=("E",)),
    ...          Label(name="coil", values=("C",))]
    >>> majority("CCEE", order), majority("HECC", order), majority("H--", order)
    ('sheet', 'coil', 'helix')
    """
    names = _names(labels)
    votes = Counter(names[state] for state in states if state != UNKNOWN_STATE)
    return max((label.name for label in labels), key=lambda name: votes[name])


def ask_chain(
    task: Task, chain: str, states: str, spans: Sequence[Span], *, number: int, rng: np.random.Generator
) -> list[PartQuestion]:
    """Questions about the parts of a chain that hold drawn letters, from left to right.

    Args:
        task: Labels in order of ties, and letters on both sides.
        chain: Letters.
        states: One state a letter; unknown ones are never drawn and never count.
        spans: Parts that make up the chain, in order: tokens, or letters.
        number: Most letters drawn; 0: all whose state is known.
        rng: Draws letters, whatever the parts are.

    >>> from llama_gene.tasks.definitions import load_task
    >>> task = load_task("secondary-structure").model_copy(update={"left_letters": 1})
    >>> for asked in ask_chain(task, "MKVLA", "CCHH-", [(0, 2), (2, 4), (4, 5)], number=0,
    ...                        rng=np.random.default_rng(1)):
    ...     print(asked.window, asked.label, asked.states)
    Window(letters='MK', before=0) random coil ('random coil', 'random coil')
    Window(letters='KVL', before=1) alpha helix ('alpha helix', 'alpha helix')
    """
    names = _names(task.labels)
    known = [place for place, state in enumerate(states) if state != UNKNOWN_STATE]
    drawn = [known[place] for place in rng.permutation(len(known))[: number or None].tolist()]
    starts = [start for start, _ in spans]
    asked: dict[int, set[int]] = {}
    for place in sorted(drawn):
        asked.setdefault(bisect.bisect_right(starts, place) - 1, set()).add(place)
    return [
        PartQuestion(
            window=window_of(task, chain, spans[part]),
            start=spans[part][0],
            end=spans[part][1],
            label=majority(states[slice(*spans[part])], task.labels),
            states=tuple(names[states[place]] if place in places else None for place in range(*spans[part])),
        )
        for part, places in asked.items()
    ]


def window_of(task: Task, chain: str, span: Span) -> Window:
    """A part of a chain with the letters on both sides that the task shows.

    >>> from llama_gene.tasks.definitions import load_task
    >>> task = load_task("rna-structure").model_copy(update={"left_letters": 2, "right_letters": 1})
    >>> window_of(task, "ACGTAC", (3, 4)), window_of(task, "ACGTAC", (0, 2))
    (Window(letters='CGTA', before=2), Window(letters='ACG', before=0))
    """
    start, end = span
    first = max(0, start - task.left_letters)
    return Window(chain[first : end + task.letters_after], start - first)


def letter_spans(chain: str) -> list[Span]:
    """Spans of a chain that is read letter by letter.

    >>> letter_spans("MK")
    [(0, 1), (1, 2)]
    """
    return [(place, place + 1) for place in range(len(chain))]


def token_spans(chain: str, offsets: Sequence[Span]) -> list[Span]:
    """The chain cut where a token starts, so that each letter has one part.

    Args:
        chain: Letters.
        offsets: Span of each token as a tokenizer gives it; some give a mark of its own at the first letter.

    >>> token_spans("MKVL", [(0, 1), (0, 1), (1, 4)])
    [(0, 1), (1, 4)]
    """
    cuts = sorted({0, *(start for start, end in offsets if start < end)})
    return list(zip(cuts, [*cuts[1:], len(chain)], strict=True))


def chains_within(limit: int, positions: int, letters: Sequence[int]) -> int:
    """How many chains, at least one, give no more questions than a limit, whatever the vocabulary.

    Args:
        limit: Most questions.
        positions: Letters drawn of a chain; 0: all.
        letters: Letters of each chain in order.

    >>> chains_within(20, 8, [100, 100, 100]), chains_within(150, 0, [100, 40, 20]), chains_within(3, 8, [100, 100])
    (2, 2, 1)
    """
    if positions:
        return max(1, limit // positions)
    return max(1, bisect.bisect_right(np.cumsum(letters).tolist(), limit))


def _names(labels: Sequence[Label]) -> dict[str, str]:
    return {value: label.name for label in labels for value in label.written}
