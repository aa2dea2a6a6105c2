"""Plain questions whose answers a program can check, in the manner of IFEval (Zhou et al. 2023).

The questions lie in `english/questions.toml`; each names a rule:

| rule | right where |
|---|---|
| is | the first line is one of the values; case, quotes around and punctuation at the end do not count |
| exactly | the first line is one of the values, case included |
| begins, ends | the text begins or ends with the word |
| holds | it holds all of the words |
| words, items, lines | it has so many words, parts between commas, or lines that are not empty |
| upper, lower | it has at least so many words, and no letter of the other case |
| lacks | it does not have the letter, and has at least so many words |

The first line counts for "is" and "exactly", since a model that was never tuned does not know where to end.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_gene.evaluation.answers import normalise

Rule = Literal["is", "exactly", "begins", "ends", "holds", "words", "items", "lines", "upper", "lower", "lacks"]
_FILE = Path(__file__).parent / "english" / "questions.toml"


@dataclass(frozen=True)
class PlainQuestion:
    """A question, what it is asked about (or ""), and when an answer is right."""

    ask: str
    input: str
    rule: Rule
    values: tuple[str, ...]


def plain_questions(most: int) -> tuple[PlainQuestion, ...]:
    """The first questions, at most so many.

    >>> plain_questions(1)[0].ask
    'Answer with the word yes.'
    """
    asked = tomllib.loads(_FILE.read_text(encoding="utf-8"))["questions"][:most]
    return tuple(PlainQuestion(one["ask"], one.get("input", ""), one["rule"], tuple(one["values"])) for one in asked)


def is_right(question: PlainQuestion, answer: str) -> bool:
    """Whether an answer is right by the rule of its question; one without a word never is.

    >>> yes = PlainQuestion("Answer with the word yes.", "", "is", ("yes",))
    >>> is_right(yes, 'Yes."'), is_right(yes, "yesterday"), is_right(yes, "")
    (True, False, False)
    """
    text = answer.strip()
    return bool(_words(text)) and _RULES[question.rule](text, question.values)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'’-]+", text.casefold())


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()


def _parts(text: str, border: str) -> int:
    return sum(bool(part.strip()) for part in text.split(border))


_RULES: Mapping[Rule, Callable[[str, tuple[str, ...]], bool]] = {
    "is": lambda text, values: normalise(_first_line(text)) in values,
    "exactly": lambda text, values: _first_line(text).rstrip(" .") in values,
    "begins": lambda text, values: _words(text)[0] == values[0],
    "ends": lambda text, values: _words(text)[-1] == values[0],
    "holds": lambda text, values: set(values) <= set(_words(text)),
    "words": lambda text, values: len(_words(text)) == int(values[0]),
    "items": lambda text, values: _parts(_first_line(text), ",") == int(values[0]),
    "lines": lambda text, values: _parts(text, "\n") == int(values[0]),
    "upper": lambda text, values: len(_words(text)) >= int(values[0]) and text.isupper(),
    "lower": lambda text, values: len(_words(text)) >= int(values[0]) and text.islower(),
    "lacks": lambda text, values: len(_words(text)) >= int(values[1]) and values[0] not in text.casefold(),
}
