"""The arguments that tools share: sequences with their letters checked and mended, genetic codes, numbers of hits.

Letters are mended as everywhere (white space left out, upper case, U read as T in DNA, one final `*` of a protein left
out); what is still wrong after that is an error that names it.
"""

from typing import Annotated, Literal

from Bio.Data.CodonTable import unambiguous_dna_by_id
from pydantic import AfterValidator, Field

from llama_gene.config import GeneKind
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import DNA, PROTEIN, Alphabet, clean_letters

MOST_BASES = 1_000_000
MOST_RESIDUES = 100_000
MOST_ALIGNED = 5_000
STRANDS = "Strands to look at: forward, or both."
_ALPHABETS: dict[GeneKind, Alphabet] = {"dna": DNA, "protein": PROTEIN}


def checked_letters(letters: str, kind: GeneKind) -> str:
    """Upper-case letters of an alphabet.

    Raises:
        ValueError: none, or some that are no letters of it (pydantic's own way to refuse a value).

    >>> checked_letters("acg uu", "dna")
    'ACGTT'
    """
    alphabet = _ALPHABETS[kind]
    cleaned = clean_letters("".join(letters.split()), alphabet)
    expected = f"Expected {alphabet.letters}, or {alphabet.ambiguous} where unknown"
    if cleaned.problem:
        raise ValueError(f"{cleaned.problem}. {expected}; mend the letters.")
    if not cleaned.letters:
        raise ValueError(f"no letters. {expected}; give a sequence.")
    return cleaned.letters


def _dna(letters: str) -> str:
    return checked_letters(letters, "dna")


def _protein(letters: str) -> str:
    return checked_letters(letters, "protein")


def _code(number: int) -> int:
    if number not in unambiguous_dna_by_id:
        known = ", ".join(str(known) for known in sorted(unambiguous_dna_by_id))
        raise ValueError(f"{number}: no such genetic code. Expected one of {known}; change the number.")
    return number


Dna = Annotated[
    str, Field(min_length=1, max_length=MOST_BASES, description="DNA, 5' to 3'; IUPAC letters."), AfterValidator(_dna)
]
Protein = Annotated[
    str, Field(min_length=1, max_length=MOST_RESIDUES, description="Protein, one-letter codes."),
    AfterValidator(_protein),
]  # fmt: skip
Letters = Annotated[str, Field(min_length=1, max_length=MOST_BASES, description="Letters of DNA or protein.")]
Short = Annotated[str, Field(min_length=1, max_length=MOST_ALIGNED, description="Letters of DNA or protein.")]
SequenceKind = Annotated[GeneKind, Field(description="What the letters are: dna or protein.")]
Code = Annotated[
    int,
    Field(ge=1, le=max(unambiguous_dna_by_id), description="NCBI genetic code: 1 standard, 2 vertebrate mitochondria, "
          "11 bacteria and plastids, and so on."),
    AfterValidator(_code),
]  # fmt: skip
Strands = Annotated[Literal["forward", "both"], Field(description=STRANDS)]
Strand = Literal["+", "-"]
Most = Annotated[int, Field(ge=1, le=1000, description="Most results listed; all are counted.")]


def checked_sequence(letters: str, kind: GeneKind, name: str) -> str:
    """Upper-case letters of an alphabet that another argument names.

    Args:
        letters: As given.
        kind: What they should be.
        name: For the message.

    Raises:
        DataError: none, or some that are no letters of it.
    """
    try:
        return checked_letters(letters, kind)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
