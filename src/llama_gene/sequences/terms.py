"""Answers that are lists of terms: `term name(GO:0000000)`, EC numbers, names of products, parted by "; "."""

from collections.abc import Sequence

BORDER = "; "


def split_terms(text: str) -> tuple[str, ...]:
    """The terms of an answer in order, each once.

    >>> split_terms("DNA binding(GO:0003677); nucleus(GO:0005634); DNA binding(GO:0003677)")
    ('DNA binding(GO:0003677)', 'nucleus(GO:0005634)')
    """
    return tuple(dict.fromkeys(term for part in text.split(BORDER.strip()) if (term := part.strip())))


def join_terms(terms: Sequence[str]) -> str:
    """The terms as one answer.

    >>> join_terms(["DNA binding(GO:0003677)", "nucleus(GO:0005634)"])
    'DNA binding(GO:0003677); nucleus(GO:0005634)'
    """
    return BORDER.join(terms)
