"""The questions and inputs of the five families, in the paper's words.

Wordings: LLaMA-Gene, sections 2.2.2.1-2.2.2.5, as its examples spell them.
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
_PLACE = re.compile(r"\{(\w*)\}")
_JOIN = "\n####\n"


def check_wording(wording: str, family: Family) -> None:
    """Refuse a wording that names a place it cannot fill.

    >>> check_wording("Is this {kind} a promoter? {labels}", "classification")
    """
    known = {"title", "labels", *(("kind1", "kind2") if family == "multi-sequence" else ("kind",))}
    unknown = sorted(set(_PLACE.findall(wording)) - known)
    if unknown:
        raise ValueError(f"wording names {{{unknown[0]}}}; a {family} wording may name {', '.join(sorted(known))}")


def instruction_text(wording: str, *, title: str, kinds: Sequence[str], labels: Sequence[str] = ()) -> str:
    """The question with its places filled.

    Args:
        wording: With {title}, {labels} and {kind}, or {kind1} and {kind2}.
        title: Name of the task in words.
        kinds: What each input is called.
        labels: Closed answers in order.

    Raises:
        ConfigError: the wording names another place.

    >>> instruction_text(PAPER_WORDINGS["classification"], title="core promoter detection", kinds=["dna"],
    ...                  labels=["Non-promoter", "promoter"])
    'Determine core promoter detection of following dna sequence, The result will be one of the following:
    Non-promoter, promoter.'
    """
    values = {"title": title, "labels": ", ".join(labels), "kind": kinds[0]}
    values |= {f"kind{number}": kind for number, kind in enumerate(kinds, start=1)}

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ConfigError(f"wording {wording!r}: cannot fill {match[0]}. Use {', '.join(sorted(values))}.")
        return values[match[1]]

    return _PLACE.sub(fill, wording)


def spell(letters: str, spelling: Spelling) -> str:
    """Letters as they are, or parted by spaces so that each is read alone.

    >>> spell("ACGT", "spaced")
    'A C G T'
    """
    return " ".join(letters) if spelling == "spaced" else letters


def input_text(sequences: Sequence[str], names: Sequence[str], spelling: Spelling) -> str:
    """The input of a question: the letters, or two named sequences with `####` between.

    >>> print(input_text(["ACG", "M"], ["dna", "protein"], "joined"))
    dna sequence: ACG
    ####
    protein sequence: M
    """
    spelled = [spell(letters, spelling) for letters in sequences]
    if len(spelled) == 1:
        return spelled[0]
    return _JOIN.join(f"{name} sequence: {letters}" for name, letters in zip(names, spelled, strict=True))
