"""The questions and inputs of the five families: the paper's words first, then others that mean the same.

Paper: LLaMA-Gene, sections 2.2.2.1-2.2.2.5, as its examples spell them. The definition with solved examples is the form
of Natural Instructions (Mishra et al. 2022, ACL; Wang et al. 2022, EMNLP).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from llama_gene.config import Spelling
from llama_gene.errors import ConfigError

Family = Literal["classification", "structure", "multi-sequence", "function", "regression"]

PAPER_WORDINGS: Mapping[Family, str] = {
    "classification": (
        "Determine {title} of following {kind} sequence, The result will be one of the following: {labels}."
    ),
    "structure": (
        "Determine the {title} of following {kind} sequence, The result will be one of the following: {labels}"
    ),
    "multi-sequence": (
        "Determine the {title} of following {kind1} sequence and {kind2} sequence , "
        "The result will be one of the following: {labels}"
    ),
    "function": "Determine {title} of following {kind} sequence.",
    "regression": (
        "Determine the {title} of following {kind} sequence, The result will be one of the following: {labels}"
    ),
}
_CHOOSE = (
    "{definition} Answer with one of the following: {labels}.",
    "Read the following {kinds} sequence. {definition} Choose from: {labels}.",
    "Task: {title}. Possible answers: {labels}. Which of them holds for the following {kinds} sequence?",
)
WORDINGS: Mapping[Family, tuple[str, ...]] = {
    "classification": (PAPER_WORDINGS["classification"], *_CHOOSE),
    "structure": (PAPER_WORDINGS["structure"], *_CHOOSE),
    "multi-sequence": (
        PAPER_WORDINGS["multi-sequence"],
        "{definition} Answer with one of the following: {labels}.",
        "Read the following sequences, {kinds}. {definition} Choose from: {labels}.",
        "Task: {title}. Possible answers: {labels}. Which of them holds for the following {kinds} sequences together?",
    ),
    "function": (
        PAPER_WORDINGS["function"],
        "{definition}",
        "Read the following {kinds} sequence. {definition} Answer in a few words.",
        "Task: {title}. What is the answer for the following {kinds} sequence?",
    ),
    "regression": (PAPER_WORDINGS["regression"], *_CHOOSE),
}
DEFINED = "Definition: {definition}\n\n{examples}\n\nNow answer for the following {kinds} sequence."
DEFINED_CLOSED = (
    "Definition: {definition} Answer with one of the following: {labels}.\n\n{examples}\n\n"
    "Now answer for the following {kinds} sequence."
)
MARKED = "The part asked about stands between square brackets."
_PLACE = re.compile(r"\{(\w*)\}")
_JOIN = "\n####\n"


def paper_wording(family: Family, inputs: int) -> str:
    """The paper's question; for more than two sequences it goes on in the same way.

    >>> paper_wording("multi-sequence", 3)
    'Determine the {title} of following {kind1} sequence and {kind2} sequence and {kind3} sequence , The result will be
    one of the following: {labels}'
    """
    more = "".join(f" and {{kind{number}}} sequence" for number in range(3, inputs + 1))
    return PAPER_WORDINGS[family].replace("{kind2} sequence", f"{{kind2}} sequence{more}")


def check_wording(wording: str, family: Family, inputs: int = 1) -> None:
    """Refuse a wording that names a place it cannot fill.

    Args:
        wording: A question with places.
        family: Of the task.
        inputs: Sequences of one item.

    >>> check_wording("Is this {kind} a promoter? {labels}", "classification")
    >>> check_wording("Do {kind1}, {kind2} and {kind3} meet? {labels}", "multi-sequence", 3)
    """
    kinds = [f"kind{number}" for number in range(1, inputs + 1)] if family == "multi-sequence" else ["kind"]
    known = {"title", "definition", "labels", "kinds", *kinds}
    unknown = sorted(set(_PLACE.findall(wording)) - known)
    if unknown:
        raise ValueError(f"wording names {{{unknown[0]}}}; a {family} wording may name {', '.join(sorted(known))}")


def instruction_text(
    wording: str,
    *,
    title: str,
    kinds: Sequence[str],
    labels: Sequence[str] = (),
    definition: str = "",
    examples: str = "",
) -> str:
    """The question with its places filled.

    Args:
        wording: With {title}, {definition}, {labels}, {kinds} and {kind}, or {kind1}, {kind2} and so on.
        title: Name of the task in words.
        kinds: What each input is called.
        labels: Closed answers in order.
        definition: The task in one sentence.
        examples: Solved items, where the wording has a place for them.

    Raises:
        ConfigError: the wording names another place.

    >>> instruction_text(PAPER_WORDINGS["classification"], title="core promoter detection", kinds=["dna"],
    ...                  labels=["Non-promoter", "promoter"])
    'Determine core promoter detection of following dna sequence, The result will be one of the following:
    Non-promoter, promoter.'
    """
    values = {"title": title, "definition": definition, "labels": ", ".join(labels), "examples": examples}
    values |= {"kind": kinds[0], "kinds": join_words(kinds)}
    values |= {f"kind{number}": kind for number, kind in enumerate(kinds, start=1)}

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ConfigError(f"wording {wording!r}: cannot fill {match[0]}. Use {', '.join(sorted(values))}.")
        return values[match[1]]

    return _PLACE.sub(fill, wording)


def join_words(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> join_words(["dna", "rna", "protein"])
    'dna, rna and protein'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def spell(letters: str, spelling: Spelling) -> str:
    """Letters as they are, or parted by spaces so that each is read alone.

    >>> spell("ACGT", "spaced")
    'A C G T'
    """
    return " ".join(letters) if spelling == "spaced" else letters


def input_text(sequences: Sequence[str], names: Sequence[str], spelling: Spelling) -> str:
    """The input of a question: the letters, or two and more named sequences with `####` between; "" for none.

    >>> print(input_text(["ACG", "M"], ["dna", "protein"], "joined"))
    dna sequence: ACG
    ####
    protein sequence: M
    """
    spelled = [spell(letters, spelling) for letters in sequences]
    if len(spelled) == 1:
        return spelled[0]
    return _JOIN.join(f"{name} sequence: {letters}" for name, letters in zip(names, spelled, strict=True))


def marked_text(letters: str, part: tuple[int, int], spelling: Spelling) -> str:
    """The input of a question about a part of it: that part between square brackets.

    The brackets stand apart from all letters, so that no token joins them: a letter between them is read alone whatever
    the vocabulary, and an alphabet never holds them.

    Args:
        letters: What is shown.
        part: 0-based half-open span of the asked part.
        spelling: Of the letters.

    >>> marked_text("MKVLA", (2, 3), "joined"), marked_text("MKVLA", (0, 2), "spaced")
    ('MK [ V ] LA', '[ M K ] V L A')
    """
    start, end = part
    spelled = [spell(piece, spelling) for piece in (letters[:start], letters[start:end], letters[end:])]
    return f"{spelled[0]} [ {spelled[1]} ] {spelled[2]}".strip()
