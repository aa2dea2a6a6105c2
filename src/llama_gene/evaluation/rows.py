"""Lay questions out as rows that branch: what is left of a prompt once, and after it every answer.

Each answer starts at the position after the prompt and sees the prompt and itself alone, so one row weighs all answers
of a question. Rows are padded on the left: what foretells an answer then stands at the end of every row.

Axes: B rows, T tokens of a row, P last places of a row that foretell an answer token, N answer tokens of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from llama_gene.evaluation.metrics import Array

_PADDING, _PROMPT = -1, 0


@dataclass(frozen=True)
class Question:
    """A prompt and the answers to weigh, as token ids; each answer closes with the end token."""

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Rows:
    """Questions side by side.

    `ids`, `positions`: (B, T). `visible`: (B, T, T), True where a token (row) sees another (column). Where all rows are
    laid out alike, one row of `positions` and `visible` stands for all. `last`: P. For each answer token, (N,): `sites`
    says which of the B * P last places foretells it, `targets` its id, `owners` the number of its answer, counted
    through the batch.
    """

    ids: Array
    positions: Array
    visible: Array
    last: int
    sites: Array
    targets: Array
    owners: Array


@dataclass(frozen=True)
class _Branches:
    """The answers of a question after its prompt; `sites`: 0 is the prompt's last token, 1 the first one after it."""

    ids: Array
    offsets: Array
    segments: Array
    sites: Array
    targets: Array
    owners: Array


def lay_out(questions: Sequence[Question], shared: int) -> Rows:
    """One row per question, without the first `shared` tokens of the prompts."""
    branches = [_branches(question.answers) for question in questions]
    rests = [np.array(question.prompt[shared:]) for question in questions]
    length = max(len(rest) + len(branch.ids) for rest, branch in zip(rests, branches, strict=True))
    last = 1 + max(len(branch.ids) for branch in branches)
    ids = np.zeros((len(questions), length), dtype=np.int64)
    positions = np.zeros_like(ids)
    segments = np.full_like(ids, _PADDING)
    for row, (rest, branch) in enumerate(zip(rests, branches, strict=True)):
        after = length - len(branch.ids)
        before = after - len(rest)
        ids[row, before:after], ids[row, after:] = rest, branch.ids
        positions[row, before:after] = np.arange(shared, shared + len(rest))
        positions[row, after:] = shared + len(rest) + branch.offsets
        segments[row, before:after], segments[row, after:] = _PROMPT, branch.segments
    if (segments == segments[0]).all():
        positions, segments = positions[:1], segments[:1]
    first_site = [row * last + last - 1 - len(branch.ids) for row, branch in enumerate(branches)]
    first_owner = np.cumsum([0, *(len(question.answers) for question in questions)])
    return Rows(
        ids, positions, _visible(segments), last,
        sites=np.concatenate([first + branch.sites for first, branch in zip(first_site, branches, strict=True)]),
        targets=np.concatenate([branch.targets for branch in branches]),
        owners=np.concatenate([first + branch.owners for first, branch in zip(first_owner, branches, strict=False)]),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _branches(answers: tuple[tuple[int, ...], ...]) -> _Branches:
    """The last token of an answer is foretold, never read."""
    read = [len(answer) - 1 for answer in answers]
    starts = np.cumsum([1, *read])
    return _Branches(
        ids=_joined([answer[:-1] for answer in answers]),
        offsets=_joined([range(size) for size in read]),
        segments=np.repeat(np.arange(1, len(answers) + 1), read),
        sites=_joined([[0, *range(start, end)] for start, end in pairwise(starts)]),
        targets=_joined(answers),
        owners=np.repeat(np.arange(len(answers)), list(map(len, answers))),
    )


def _joined(parts: Sequence[Sequence[int]]) -> Array:
    return np.array([number for part in parts for number in part], dtype=np.int64)


def _visible(segments_BT: Array) -> Array:
    """A token sees what stands before it: the prompt, and its own answer (or, where it pads, padding)."""
    asking, asked = segments_BT[:, :, None], segments_BT[:, None, :]
    before = np.tri(segments_BT.shape[1], dtype=bool)
    return ((asked == _PROMPT) | (asked == asking)) & before
