"""Strands and reading frames: reverse complement, translation, open reading frames.

Coordinates are 0-based and half-open, on the strand as given, whichever strand a feature is on. Codons are read by the
genetic codes of NCBI (`sequences.translate`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from llama_gene.sequences import alphabets
from llama_gene.sequences.translate import GeneticCode
from llama_gene.sequences.translate import genetic_code as read_code
from llama_gene.sequences.translate import translate as translate_coding
from llama_gene.tools.letters import Code, Dna, Most, Strand, Strands

_CODON = 3
Frame = Annotated[
    Literal[1, 2, 3, -1, -2, -3],
    Field(description="Base the first codon starts at: 1, 2 or 3; with a minus, on the reverse complement."),
]
Reading = Annotated[
    Literal["codons", "coding"],
    Field(description="codons: every codon as the table says, * for stops; coding: a whole coding sequence, whose "
          "alternative start codon is M and whose final stop is left out."),
]  # fmt: skip
Starts = Annotated[
    Literal["ATG", "table"], Field(description="Start codons: ATG alone, or all start codons of the genetic code.")
]
MinCodons = Annotated[int, Field(ge=1, le=100_000, description="Fewest codons of a frame, the stop not counted.")]


@dataclass(frozen=True)
class OtherStrand:
    """The other strand, 5' to 3'."""

    dna: str
    length_bp: int


@dataclass(frozen=True)
class Translation:
    """A protein; `stops` are 0-based places of `*` in it, `unread_bases` those of a last broken codon."""

    protein: str
    genetic_code: int
    frame: int
    stops: tuple[int, ...]
    unread_bases: int


@dataclass(frozen=True)
class OpenFrame:
    """From a start codon to its stop codon, both included: 0-based half-open places on the strand given.

    `frame` is 1, 2 or 3 by the first base of the start codon, with a minus on the reverse complement.
    """

    start: int
    end: int
    strand: Strand
    frame: int
    start_codon: str
    codons: int
    protein: str


@dataclass(frozen=True)
class OpenFrames:
    """How many there are, and the longest of them, longest first."""

    total: int
    frames: tuple[OpenFrame, ...]


def reverse_complement(dna: Dna) -> OtherStrand:
    """The reverse complement of DNA.

    >>> reverse_complement("AACGT").dna
    'ACGTT'
    """
    return OtherStrand(alphabets.reverse_complement(dna), len(dna))


def translate(dna: Dna, genetic_code: Code = 1, frame: Frame = 1, reading: Reading = "codons") -> Translation:
    """The protein that DNA codes for, by any genetic code of NCBI and in any of the six frames.

    A codon with ambiguity codes gives a residue where all readings agree, else B, Z or X.

    >>> translate("ATGGCATGA").protein, translate("ATGGCATGA", genetic_code=4).protein
    ('MA*', 'MAW')
    """
    strand = dna if frame > 0 else alphabets.reverse_complement(dna)
    letters = strand[abs(frame) - 1 :]
    if reading == "coding":
        protein = translate_coding(letters, table=genetic_code)
    else:
        # A codon that codes and stops (tables 27, 28, 31) is read as its residue here.
        residues = read_code(genetic_code).residues
        protein = "".join(residues[codon] for _, codon in _codons(letters, 0))
    stops = tuple(place for place, residue in enumerate(protein) if residue == "*")
    return Translation(protein, genetic_code, frame, stops, len(letters) % _CODON)


def open_reading_frames(
    dna: Dna,
    min_codons: MinCodons = 30,
    genetic_code: Code = 1,
    starts: Starts = "ATG",
    strands: Strands = "both",
    most: Most = 50,
) -> OpenFrames:
    """Open reading frames of DNA, from the first start codon after a stop to the next stop codon in frame.

    Frames without a start or a stop inside the sequence are left out. A codon that may code or stop (genetic codes 27,
    28 and 31) counts as a stop. The first residue is M, whichever the start codon.

    >>> open_reading_frames("CCATGAAATAACC", min_codons=2).frames
    (OpenFrame(start=2, end=11, strand='+', frame=3, start_codon='ATG', codons=2, protein='MK'),)
    """
    code = read_code(genetic_code)
    known = {"ATG"} if starts == "ATG" else {codon for codon, residue in code.starts.items() if residue == "M"}
    begin = frozenset(known)
    found = list(_frames(dna, "+", code, begin, min_codons))
    if strands == "both":
        found += _frames(alphabets.reverse_complement(dna), "-", code, begin, min_codons)
    found.sort(key=lambda one: (-one.codons, one.start, one.strand))
    return OpenFrames(len(found), tuple(found[:most]))


def _frames(
    letters: str, strand: Strand, code: GeneticCode, begin: frozenset[str], min_codons: int
) -> Iterator[OpenFrame]:
    """The open frames of one strand, read 5' to 3'."""
    for offset in range(_CODON):
        start = -1
        for place, codon in _codons(letters, offset):
            if start < 0 and codon in begin:
                start = place
            elif start >= 0 and codon in code.stops:
                codons = (place - start) // _CODON
                if codons >= min_codons:
                    yield _frame(letters, strand, code, start, place + _CODON)
                start = -1


def _frame(letters: str, strand: Strand, code: GeneticCode, start: int, end: int) -> OpenFrame:
    codons = [letters[place : place + _CODON] for place in range(start, end - _CODON, _CODON)]
    protein = "M" + "".join(code.residues[codon] for codon in codons[1:])
    frame = start % _CODON + 1
    if strand == "-":
        start, end, frame = len(letters) - end, len(letters) - start, -frame
    return OpenFrame(start, end, strand, frame, codons[0], len(codons), protein)


def _codons(letters: str, offset: int) -> Iterator[tuple[int, str]]:
    """Place and letters of every whole codon."""
    for place in range(offset, len(letters) - _CODON + 1, _CODON):
        yield place, letters[place : place + _CODON]
