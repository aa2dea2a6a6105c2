"""How answers are shown: probabilities as text bars, how sure the model is in plain words, safe characters only."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from llama_gene.assistant.measured import Measured, describe_measured

_BAR_CELLS = 24
_VERY_SURE, _FAIRLY_SURE = 0.9, 0.7
_MOST_SHOWN = 8
_LINE_LETTERS = 60


@dataclass(frozen=True)
class Answer:
    """The answer to a closed question: the likeliest label, and the probability of each label, summing to 1.

    `sureness` is the probability of the label. Of a chain, `states` holds one sign per letter, the probabilities are
    means over the letters, and `sureness` is the mean probability of the chosen states. `steps` is what the model wrote
    before it answered. `windows`: parts of a sequence too long, of whose probabilities these are means. `measured`: how
    the model scored on this task.
    """

    label: str
    probabilities: Mapping[str, float]
    notices: tuple[str, ...] = ()
    chain: str = ""
    states: str = ""
    sureness: float = 0.0
    steps: str = ""
    windows: int = 1
    measured: Measured | None = None

    @property
    def reply(self) -> str:
        """The answer in the model's words, as the conversation remembers it."""
        return self.states or self.label


def describe_answer(answer: Answer, *, ascii_only: bool = False) -> str:
    """The label, one bar per label, how sure the model is, and how it scored on the task.

    Args:
        answer: With at least one label; beyond eight, the least likely are summed up in a line.
        ascii_only: Draw bars with `#` and `.`.

    >>> print(describe_answer(Answer("yes", {"no": 0.25, "yes": 0.75}), ascii_only=True))
    yes
      yes  ##################......   75.0 %
      no   ######..................   25.0 %
    The model is fairly sure: 75 % for yes, where chance gives 50 %.
    How often this model is right on this task is unknown: no evaluation of it is at hand. ...
    """
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    ordered = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    shown, rest = ordered[:_MOST_SHOWN], ordered[_MOST_SHOWN:]
    width = max(len(label) for label, _ in shown)
    lines = _chain_lines(answer) if answer.states else [*answer.steps.splitlines(), answer.label]
    if answer.windows > 1:
        lines.append(f"Mean of the probabilities of {answer.windows} windows of the sequence:")
    for label, share in shown:
        cells = round(share * _BAR_CELLS)
        lines.append(
            f"  {label:<{width}}  {full * cells}{empty * (_BAR_CELLS - cells)}  {share:>6.1%}".replace("%", " %")
        )
    if rest:
        lines.append(f"  and {len(rest)} more with {sum(share for _, share in rest):.1%} together".replace("%", " %"))
    lines += [describe_sureness(answer), describe_measured(answer.measured, comparable(answer))]
    return "\n".join(lines)


def comparable(answer: Answer) -> float | None:
    """The probability that can be held against those of the evaluation: not a mean over parts."""
    return None if answer.states or answer.windows > 1 else max(answer.probabilities.values())


def _chain_lines(answer: Answer) -> list[str]:
    """The chain with the state under each letter, and the 1-based position before each line."""
    lines = []
    for start in range(0, len(answer.chain), _LINE_LETTERS):
        lines.append(f"{start + 1:>6} {answer.chain[start : start + _LINE_LETTERS]}")
        lines.append(f"{'':>6} {answer.states[start : start + _LINE_LETTERS]}")
    return [*lines, "Mean over the letters:"]


def describe_sureness(answer: Answer) -> str:
    """How sure the model is, in one sentence; its probabilities are its own view, not a measured accuracy.

    >>> describe_sureness(Answer("a", {"a": 0.52, "b": 0.48}))
    'The model is not sure: 52 % for a, 48 % for b.'
    """
    (label, share), *others = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    if answer.states:
        return f"The model gives the states shown {percent(answer.sureness)} on average over the letters."
    if not others:
        return f"The task knows one answer only: {label}."
    chance = 1 / (1 + len(others))
    if share < _FAIRLY_SURE:
        return f"The model is not sure: {percent(share)} for {label}, {percent(others[0][1])} for {others[0][0]}."
    sure = "very" if share >= _VERY_SURE else "fairly"
    return f"The model is {sure} sure: {percent(share)} for {label}, where chance gives {percent(chance)}."


def percent(share: float) -> str:
    """Whole percent; never 100 for less than certainty.

    >>> percent(0.9996), percent(0.5)
    ('over 99 %', '50 %')
    """
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{share:.0%}".replace("%", " %")


def printable(text: str) -> str:
    """Text without control characters, which could command the terminal; line ends and tabs stay.

    >>> printable("a\\x1b[2Jb\\n")
    'a[2Jb\\n'
    """
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) != "Cc")
