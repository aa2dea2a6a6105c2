"""What a model thinks of a change in a sequence: variant effects, and every single change of a window.

The log-likelihood of a sequence is log P(tokens | begin token) in nats: the sum over its tokens, spelled as the
tokenizer spells it, of the log-probability of each after those before it. It begins as a document of pre-training does
(with the begin token, or after an end token where the vocabulary has none). The end token is not counted: a window does
not end where it is cut.

The effect of a variant is the log-likelihood of the alternative less that of the reference; below 0: the model finds
the alternative less likely. Both are the same window, so lengths differ by the variant alone. With both strands of DNA
it is the mean of the effects on the sequence and on its reverse complement. Models of proteins (Meier et al. 2021) and
genomes (Nguyen et al. 2024) are read in this way; that a change is unlikely is no proof that it is harmful.

What a set of variants starts with in common cancels in the difference, so it is read once and not scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from llama_gene.assistant.conversation import Assistant
from llama_gene.config import GeneKind
from llama_gene.errors import DataError
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.metrics import Array
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement

# Sequences scored beside one reference: neighbours in a window begin alike for longer than all together.
_BESIDE = 48
_AT_ONCE = 64
MOST_CHANGES = 2_000


@dataclass(frozen=True)
class VariantEffect:
    """The effect of one variant, in nats: below 0, the alternative is less likely than the reference.

    `forward_nats` is that of the strand given; `reverse_nats` of the other, None where it was not asked for. The window
    read is letters `window_start` to `window_end`, 0-based half-open, of the reference.
    """

    effect_nats: float
    forward_nats: float
    reverse_nats: float | None
    reference: str
    alternative: str
    window_start: int
    window_end: int


@dataclass(frozen=True)
class MutationMap:
    """The effect of every single change of a window.

    `effects_nats[i][j]` is that of writing `alternatives[j]` at letter `start + i` (0-based); 0 for the letter there.
    `letters` are those of the window, `kind` says what they are.
    """

    kind: GeneKind
    start: int
    letters: str
    alternatives: str
    effects_nats: tuple[tuple[float, ...], ...]
    strands: int


def variant_effect(
    assistant: Assistant,
    letters: str,
    kind: GeneKind,
    *,
    start: int,
    reference: str,
    alternative: str,
    strands: int = 1,
) -> VariantEffect:
    """How much less (or more) likely the model finds a sequence with a variant in it.

    A sequence longer than the model reads is cut to a window with the variant in its middle.

    Args:
        assistant: The model.
        letters: Checked letters of the reference sequence.
        kind: What they are.
        start: Where the reference letters begin, 0-based.
        reference: Letters that stand there; "" for an insertion before `start`.
        alternative: Letters in their place; "" for a deletion.
        strands: 1: as given; 2: the mean with the reverse complement (DNA).

    Raises:
        DataError: the reference is not there, nothing changes, or two strands of a protein.
    """
    _check_strands(kind, strands)
    found = letters[start : start + len(reference)] if 0 <= start <= len(letters) else ""
    if found != reference or start > len(letters) or start < 0:
        raise DataError(
            f"variant: at {start} (0-based) of {len(letters):,} letters stands {found[:20]!r}, not {reference[:20]!r}. "
            "Expected the reference letters there; mend the place or the letters."
        )
    if reference == alternative:
        raise DataError(f"variant: {reference[:20]!r} is replaced by itself. Expected another alternative; change it.")
    first, last = _window(assistant, letters, start, len(reference), len(alternative))
    whole = letters[first:last]
    place = start - first
    changed = whole[:place] + alternative + whole[place + len(reference) :]
    sides = [effects(assistant, whole, [changed])]
    if strands == 2:
        sides.append(effects(assistant, reverse_complement(whole), [reverse_complement(changed)]))
    each = [float(side[0]) for side in sides]
    return VariantEffect(
        sum(each) / len(each), each[0], each[1] if strands == 2 else None, reference, alternative, first, last
    )


def mutate_window(
    assistant: Assistant, letters: str, kind: GeneKind, *, start: int, end: int, strands: int = 1
) -> MutationMap:
    """The effect of every single change in letters `start` to `end` of a sequence (in-silico saturation mutagenesis).

    Args:
        assistant: The model.
        letters: Checked letters; all of them are read, so they must fit the model.
        kind: What they are.
        start: First letter that is changed, 0-based.
        end: One behind the last.
        strands: 1: as given; 2: the mean with the reverse complement (DNA).

    Raises:
        DataError: the window is not in the sequence or has too many changes, the sequence does not fit, or two strands
            of a protein.
    """
    _check_strands(kind, strands)
    if not 0 <= start < end <= len(letters):
        raise DataError(
            f"window {start}..{end} (0-based, half-open) of {len(letters):,} letters. Expected "
            f"0 <= start < end <= {len(letters):,}; change them."
        )
    alternatives = (DNA if kind == "dna" else PROTEIN).letters
    if (changes := (end - start) * (len(alternatives) - 1)) > MOST_CHANGES:
        raise DataError(
            f"window {start}..{end}: {changes:,} changes. Expected {MOST_CHANGES:,} at most, that is "
            f"{MOST_CHANGES // (len(alternatives) - 1)} letters; give a shorter window."
        )
    _check_fits(assistant, letters)
    cells = [
        (row, column)
        for row in range(end - start)
        for column, letter in enumerate(alternatives)
        if letters[start + row] != letter
    ]
    changed = [_write(letters, start + row, alternatives[column]) for row, column in cells]
    found = effects(assistant, letters, changed)
    if strands == 2:
        backward = effects(assistant, reverse_complement(letters), [reverse_complement(one) for one in changed])
        found = (found + backward) / 2
    table = np.zeros((end - start, len(alternatives)))
    for (row, column), effect in zip(cells, found, strict=True):
        table[row, column] = effect
    rows = tuple(tuple(row) for row in table.tolist())
    return MutationMap(kind, start, letters[start:end], alternatives, rows, strands)


def effects(assistant: Assistant, reference: str, alternatives: Sequence[str]) -> Array:
    """Log-likelihood of each alternative less that of the reference, in nats, shape (alternatives,).

    Args:
        assistant: The model.
        reference: Letters, as many as the model reads.
        alternatives: The same with changes; fastest where neighbours start alike.

    Raises:
        DataError: one does not fit the model.
    """
    tokenizer = assistant.tokenizer
    begin = tokenizer.eos_id if tokenizer.bos_id is None else tokenizer.bos_id
    own, *others = tokenizer.encode_batch([reference, *alternatives])
    groups = [[own, *others[first : first + _BESIDE]] for first in range(0, len(others), _BESIDE)]
    found: list[Array] = []
    for number, group in enumerate(groups, start=1):
        # At least one token of each is scored, so that none is empty.
        shared = min(_shared_start(group), *(len(ids) - 1 for ids in group))
        questions = [Question((begin, *ids[:shared]), (tuple(ids[shared:]),)) for ids in group]
        title = f"variants, part {number} of {len(groups)}"
        score = partial(score_answers, assistant.model, questions, batch_items=_AT_ONCE, title=title)
        # Group by group, so that whoever shares the model is asked in between, and one who left is noticed.
        nats = np.array([float(scores.log_probability[0]) for scores in assistant.workplace.on_model(score)])
        found.append(nats[1:] - nats[0])
    return np.concatenate(found) if found else np.zeros(0)


def _shared_start(group: Sequence[Sequence[int]]) -> int:
    """How many tokens all start with."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*group, strict=False)))


def _write(letters: str, place: int, letter: str) -> str:
    return letters[:place] + letter + letters[place + 1 :]


def _check_strands(kind: GeneKind, strands: int) -> None:
    if strands not in (1, 2) or (strands == 2 and kind != "dna"):
        raise DataError(f"strands = {strands} of {kind}. Expected 1, or 2 for DNA; change it.")


def _check_fits(assistant: Assistant, letters: str) -> None:
    room = _room(assistant)
    if (tokens := len(assistant.tokenizer.encode(letters))) > room:
        raise DataError(
            f"the sequence has {tokens:,} tokens, the model reads {room:,} with room for changes. Give a shorter part "
            "around the window."
        )


def _room(assistant: Assistant) -> int:
    """Tokens of a sequence, so that its changes, which may take more tokens, still fit behind the begin token."""
    return assistant.context_tokens - 1 - assistant.context_tokens // 8


def _window(assistant: Assistant, letters: str, start: int, removed: int, added: int) -> tuple[int, int]:
    """The letters read around a variant: all, or as many on both sides as surely fit.

    Raises:
        DataError: the variant itself does not fit.
    """
    room = _room(assistant)
    if len(assistant.tokenizer.encode(letters)) + added <= room:
        return 0, len(letters)
    # No token is shorter than a letter, so these fit however they are spelled.
    side = (room - max(removed, added)) // 2
    if side < 1:
        raise DataError(
            f"variant: {max(removed, added):,} letters, and the model reads {room:,} tokens. Give a shorter variant."
        )
    return max(0, start - side), min(len(letters), start + removed + side)
