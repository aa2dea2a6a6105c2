"""Find the sequences in the texts of an instruction set, so that leakage can be seen whatever the words around them.

Four ways of writing them are known, tried in this order: tags (<protein>…</protein>, <dna>, <rna>, <seq>; a second
opening tag closes as well), fenced blocks (``` of Mol-Instructions), an input that is a sequence and nothing else
(OPI), and long runs of capitals in the text.
"""

import re
from typing import NamedTuple

from llama_gene.config import GeneKind
from llama_gene.sequences.alphabets import DNA, PROTEIN, RNA

_TAGS: dict[str, GeneKind | None] = {
    "protein": "protein", "prot": "protein", "aa": "protein", "dna": "dna", "rna": "dna", "gene": "dna", "seq": None,
    "sequence": None,
}  # fmt: skip
_TAGGED = re.compile(rf"<\|?({'|'.join(_TAGS)})\|?>\s*([A-Za-z*\s]+?)\s*<\|?/?\1\|?>", re.IGNORECASE)
_FENCED = re.compile(r"```[a-z]*\s*\n?\s*([A-Za-z*\s]+?)\s*```")
_ALONE = re.compile(r"[A-Z*]{10,}")
_RUN = re.compile(r"(?<![A-Za-z])[A-Z]{30,}\*?(?![A-Za-z])")
_SHORTEST_TAGGED = 2
_NO_BASES = str.maketrans("", "", "ACGTUN")


class Span(NamedTuple):
    """A sequence found in a text."""

    kind: GeneKind
    letters: str


def find_sequences(text: str) -> list[Span]:
    """The sequences of a text in order, in capitals and without spaces.

    >>> find_sequences("Is <protein>MKV LLA</protein> soluble?")
    [Span(kind='protein', letters='MKVLLA')]
    >>> find_sequences("Describe it:\\n```\\nMKVLA\\n```"), find_sequences("Is it a promoter? <dna>acgu<dna>")
    ([Span(kind='protein', letters='MKVLA')], [Span(kind='dna', letters='ACGU')])
    >>> find_sequences("ACGTACGTACGT"), find_sequences("What is DNA?")
    ([Span(kind='dna', letters='ACGTACGTACGT')], [])
    """
    tagged = [(_TAGS[match[1].lower()], match[2]) for match in _TAGGED.finditer(text)]
    found = tagged or [(None, match[1]) for match in _FENCED.finditer(text)]
    if not found and _ALONE.fullmatch(text.strip()):
        found = [(None, text.strip())]
    if not found:
        found = [(None, match[0]) for match in _RUN.finditer(text)]
    spans = []
    for kind, written in found:
        letters = "".join(written.split()).upper().rstrip("*")
        known = kind or _kind_of(letters)
        if known is not None and len(letters) >= _SHORTEST_TAGGED and _is(letters, known):
            spans.append(Span(known, letters))
    return spans


def _kind_of(letters: str) -> GeneKind | None:
    if not letters:
        return None
    return "protein" if letters.translate(_NO_BASES) else "dna"


def _is(letters: str, kind: GeneKind) -> bool:
    if kind == "dna":
        return not DNA.unknown(letters) or not RNA.unknown(letters)
    return not PROTEIN.unknown(letters)
