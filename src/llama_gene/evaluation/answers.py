"""Read a free answer.

The rule for a closed set of labels: an answer that is a label letter for letter is that label. Otherwise letter case,
spaces, ways to write the same sign (full width, the many dashes, marks nobody sees), quotes around and punctuation at
the end do not count, and the answer is the longest label that the text starts with, ending at a word border. So
"promoter AGCC GGG" answers "promoter", "Non-promoter" and "promoters" do not, and "Not Conform" is never "Conform". A
text that starts with no label, or that goes on to offer another one ("low or high"), is no answer.

`is_right_by_paper` is the rule of the paper's own scripts, kept to compare with its figures: it takes "Not Conform"
for "Conform".
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_AROUND = " \"'`*“”‘’"
_AT_END = _AROUND + ".,;:!?。"
_DASHES = re.compile(r"[\u2010-\u2015\u2212\u2E3A\u2E3B\u301C\u3030]")
# What may stand between two labels that are offered together.
_BETWEEN = re.compile(r"^(?:\s|[,;/|、]|\b(?:or|and|to|vs)\b)*")
_LISTED = re.compile(r"one of the following:[ \t]*([^\n]+?)(?=\.(?:\s+(?-i:[A-Z#])|\s*$)|\s*(?:\n|$))", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


def normalise(text: str) -> str:
    """Lower case, single spaces, one form of each sign, no quotes around, no punctuation at the end.

    Signs take their Unicode form NFKC (full width becomes plain), dashes become "-", and invisible format characters
    go.

    >>> normalise('  "Alpha  Helix". '), normalise("Ｎｏｎ‑promoter")
    ('alpha helix', 'non-promoter')
    """
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    seen = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    # Lower case can bring back what NFKC took away.
    words = " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())
    return words.lstrip(_AROUND).rstrip(_AT_END)


def read_answer(text: str, labels: Sequence[str]) -> str | None:
    """The label that a text answers with, or None.

    Args:
        text: What the model wrote.
        labels: The closed set, as spelled in the task.

    >>> read_answer("Not Conform", ["Conform", "Not Conform"])
    'Not Conform'
    >>> read_answer("promoter AGCC GGG", ["Non-promoter", "promoter"])
    'promoter'
    >>> read_answer("Jefferson Davis", ["Conform", "Not Conform"]) is None
    True
    """
    if text.strip() in labels:
        return text.strip()
    rest = normalise(text)
    offered: list[str] = []
    while label := _leading_label(rest, labels):
        offered.append(label)
        rest = _BETWEEN.sub("", rest[len(normalise(label)) :], count=1)
    return offered[0] if len(set(offered)) == 1 else None


def _leading_label(words: str, labels: Sequence[str]) -> str | None:
    """The longest label at the start; of two that differ in case alone, the first."""
    fitting = [label for label in labels if normalise(label) and _starts_with(words, normalise(label))]
    return max(fitting, key=lambda label: len(normalise(label)), default=None)


def _starts_with(words: str, label: str) -> bool:
    """Whether the label stands there as whole words: "1" is not what "1.5" starts with."""
    following = words[len(label) : len(label) + 2]
    goes_on = following[:1].isalnum() or following[:1] in tuple("_-+") or re.match(r"[.,:]\d", following)
    return words.startswith(label) and not (label[-1].isalnum() and goes_on)


def read_number(text: str) -> float | None:
    """The number that a text answers with: the one it starts with, or the only one in it; None without a finite one.

    >>> read_number("-0.53 (low)"), read_number("The solubility is 0.4."), read_number("between 1 and 2")
    (-0.53, 0.4, None)
    """
    words = normalise(text)
    found = _NUMBER.match(words)
    if found and not words[found.end() : found.end() + 1].isalpha():
        return _finite(found[0])
    alone = re.findall(rf"(?<![\w.])({_NUMBER.pattern})(?![\w])", words, re.IGNORECASE)
    return _finite(alone[0]) if len(alone) == 1 else None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def is_right_by_paper(text: str, expected: str) -> bool:
    """The paper's rule: the label occurs in the text, and "Non" does not where the label has none; case counts.

    >>> is_right_by_paper("Not Conform", "Conform"), is_right_by_paper("Non-promoter", "promoter")
    (True, False)
    """
    return expected in text and ("Non" in expected or "Non" not in text)


def labels_in(instruction: str) -> tuple[str, ...]:
    """The labels an instruction offers after "one of the following:"; empty where it offers none.

    >>> labels_in("Determine it, The result will be one of the following: Non-promoter, promoter.")
    ('Non-promoter', 'promoter')
    """
    listed = _LISTED.search(instruction)
    if not listed:
        return ()
    separator = next((sign for sign in (";", "|", ",") if sign in listed[1]), " or ")
    parts = (re.sub(r"^(?:or|and)\s+", "", part.strip()) for part in listed[1].split(separator))
    return tuple(dict.fromkeys(label for part in parts if (label := part.strip(" .?!\"'"))))


def is_exact(text: str, expected: str) -> bool:
    """True where both texts are the same after `normalise`.

    >>> is_exact("ATP synthase.", "ATP  Synthase")
    True
    """
    return normalise(text) == normalise(expected)


def token_f1(text: str, expected: str) -> float:
    """Harmonic mean of precision and recall of words, order ignored, 0 to 1 (as SQuAD).

    >>> token_f1("DNA binding protein", "DNA binding")
    0.8
    """
    found, wanted = _words(text), _words(expected)
    return _f1(sum((Counter(found) & Counter(wanted)).values()), len(found), len(wanted))


def rouge_l(text: str, expected: str) -> float:
    """F1 of the longest common subsequence of words, 0 to 1 (Lin 2004).

    >>> rouge_l("protein binding DNA", "DNA binding protein")
    0.3333333333333333
    """
    found, wanted = _words(text), _words(expected)
    row = [0] * (len(wanted) + 1)
    for word in found:
        before = row
        row = [0]
        for place, other in enumerate(wanted):
            row.append(before[place] + 1 if word == other else max(before[place + 1], row[place]))
    return _f1(row[-1], len(found), len(wanted))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _f1(common: int, found: int, wanted: int) -> float:
    return 2 * common / (found + wanted) if found + wanted else 1.0
