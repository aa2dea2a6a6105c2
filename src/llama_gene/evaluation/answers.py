"""Read a free answer.

The rule for a closed set of labels: case, spaces, quotes around and punctuation at the end do not count; the answer
is the longest label that the text starts with, ending at a word border. So "promoter AGCC GGG" answers "promoter",
"Non-promoter" does not, and "Not Conform" is never "Conform". A text that starts with no label, or that goes on to
offer a second one ("low or high"), is no answer.

`is_right_by_paper` is the rule of the paper's own scripts, kept to compare with its figures: it takes "Not Conform"
for "Conform".
"""

import re
from collections import Counter
from collections.abc import Sequence

_AROUND = " \"'`*“”‘’"
_AT_END = _AROUND + ".,;:!?"
_ANOTHER = re.compile(r"\s*(?:,|/|\||\bor\b|\band\b|\bto\b)\s*(?:or\b|and\b)?\s*")
_LISTED = re.compile(r"one of the following:[ \t]*([^\n]+)", re.IGNORECASE)


def normalise(text: str) -> str:
    """Lower case, single spaces, no quotes around, no punctuation at the end.

    >>> normalise('  "Alpha  Helix". ')
    'alpha helix'
    """
    return " ".join(text.casefold().split()).lstrip(_AROUND).rstrip(_AT_END)


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
    words = normalise(text)
    found = _leading_label(words, labels)
    if found is None:
        return None
    rest = words[len(normalise(found)) :]
    separator = _ANOTHER.match(rest)
    second = _leading_label(rest[separator.end() :], labels) if separator else None
    return found if second in (None, found) else None


def _leading_label(words: str, labels: Sequence[str]) -> str | None:
    """The longest label at the start; of two that differ in case alone, the first."""
    fitting = [label for label in labels if normalise(label) and _starts_with(words, normalise(label))]
    return max(fitting, key=lambda label: len(normalise(label)), default=None)


def _starts_with(words: str, label: str) -> bool:
    following = words[len(label) : len(label) + 1]
    ends_word = not following or not (following.isalnum() or following in "_-+") or not label[-1].isalnum()
    return words.startswith(label) and ends_word


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
    return tuple(filter(None, (label.strip(" .") for label in listed[1].split(",")))) if listed else ()


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
