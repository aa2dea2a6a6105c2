"""Composition of sequences: share of G and C, melting temperature, k-mers."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

from Bio.SeqUtils import MeltingTemp, gc_fraction
from pydantic import Field

from llama_gene.errors import DataError
from llama_gene.sequences import alphabets
from llama_gene.tools.letters import Dna, Letters, Most, SequenceKind, Strands, checked_sequence

_MOST_PRIMER = 200
_LONGEST_PROTEIN_KMER = 6

Method = Annotated[
    Literal["nearest_neighbour", "wallace"],
    Field(description="nearest_neighbour: Allawi and SantaLucia 1997 with the salt correction of SantaLucia 1998; "
          "wallace: 2 °C for each A and T, 4 °C for each G and C, whatever the salt."),
]  # fmt: skip
Sodium = Annotated[float, Field(gt=0, le=2000, description="Sodium ions, millimoles per litre.")]
Magnesium = Annotated[
    float,
    Field(ge=0, le=100, description="Magnesium ions, millimoles per litre; counted as sodium (von Ahsen 2001)."),
]
Nanomolar = Annotated[float, Field(gt=0, le=1_000_000, description="Nanomoles per litre of the strand.")]
KmerLength = Annotated[int, Field(ge=1, le=12, description="Letters of a k-mer; proteins: at most 6.")]


@dataclass(frozen=True)
class GcContent:
    """Share of G and C, 0 to 1, of the letters G, C, S, A, T and W; none where the DNA holds none of them."""

    gc_share: float | None
    length_bp: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Melting:
    """Melting temperature and the conditions it holds for."""

    melting_celsius: float
    method: str
    length_bp: int
    gc_share: float
    is_self_complementary: bool
    sodium_millimolar: float
    magnesium_millimolar: float


@dataclass(frozen=True)
class Kmer:
    """How often a k-mer occurs; `share` is of all that were counted."""

    letters: str
    count: int
    share: float


@dataclass(frozen=True)
class KmerProfile:
    """The k-mers of a sequence, the most frequent first, equal ones by letters.

    `skipped` k-mers held an ambiguous letter. `entropy_bits` is Shannon's, 0 where all are the same.
    """

    k: int
    total: int
    distinct: int
    skipped: int
    entropy_bits: float
    kmers: tuple[Kmer, ...]


def gc_content(dna: Dna) -> GcContent:
    """The share of G and C in DNA, and how often each letter occurs.

    >>> gc_content("GGCATN")
    GcContent(gc_share=0.6, length_bp=6, counts={'A': 1, 'C': 1, 'G': 2, 'N': 1, 'T': 1})
    """
    known = any(letter in dna for letter in "ACGTSW")
    return GcContent(gc_fraction(dna) if known else None, len(dna), dict(sorted(Counter(dna).items())))


def melting_temperature(
    primer: Annotated[Dna, Field(max_length=_MOST_PRIMER)],
    method: Method = "nearest_neighbour",
    sodium_millimolar: Sodium = 50.0,
    magnesium_millimolar: Magnesium = 0.0,
    primer_nanomolar: Nanomolar = 25.0,
    template_nanomolar: Nanomolar = 25.0,
) -> Melting:
    """The melting temperature of a primer with its exact complement, through Biopython's MeltingTemp.

    Nearest neighbours: enthalpies and entropies of Allawi and SantaLucia 1997 (DNA_NN3), entropy corrected for salt as
    SantaLucia 1998 (method 5), effective strand concentration = primer less half the template; a primer that is its
    own reverse complement pairs with itself. Good for 8 to 60 bases. Wallace's rule is for 14 to 20 bases.

    Raises:
        DataError: an ambiguous letter, one base only, or as much template as makes the concentration zero.

    >>> round(melting_temperature("CGTTCCAAAGATGTGGGCATGAGCTTAC").melting_celsius, 2)
    60.32
    """
    if unknown := sorted(set(primer) - set("ACGT")):
        raise DataError(
            f"melting_temperature: primer holds {', '.join(unknown)}. Expected A, C, G and T alone; spell it out."
        )
    if len(primer) < 2:
        raise DataError("melting_temperature: primer has 1 base. Expected 2 or more; give the whole primer.")
    if primer_nanomolar <= template_nanomolar / 2:
        raise DataError(
            f"melting_temperature: primer_nanomolar = {primer_nanomolar:g} is not above half of template_nanomolar = "
            f"{template_nanomolar:g}. Expected the more plentiful strand as the primer; exchange them."
        )
    own = primer == alphabets.reverse_complement(primer)
    celsius = (
        MeltingTemp.Tm_Wallace(primer)
        if method == "wallace"
        else MeltingTemp.Tm_NN(
            primer, nn_table=MeltingTemp.DNA_NN3, dnac1=primer_nanomolar, dnac2=template_nanomolar, selfcomp=own,
            Na=sodium_millimolar, K=0, Tris=0, Mg=magnesium_millimolar, dNTPs=0, saltcorr=5,
        )
    )  # fmt: skip
    return Melting(
        round(celsius, 2), method, len(primer), gc_fraction(primer), own, sodium_millimolar, magnesium_millimolar
    )


def kmer_profile(
    sequence: Letters, kind: SequenceKind, k: KmerLength = 3, strands: Strands = "forward", most: Most = 50
) -> KmerProfile:
    """The k-mers of DNA or protein with their counts, overlapping ones included.

    With both strands of DNA, a k-mer and its reverse complement count together under the one that comes first in the
    alphabet.

    Raises:
        DataError: letters of another alphabet, or k-mers of a protein longer than 6 letters or counted on two strands.

    >>> [(one.letters, one.count) for one in kmer_profile("ACACG", "dna", k=2).kmers]
    [('AC', 2), ('CA', 1), ('CG', 1)]
    """
    if kind == "protein" and (k > _LONGEST_PROTEIN_KMER or strands == "both"):
        raise DataError(
            f"kmer_profile: k = {k}, strands = {strands!r} of a protein. Expected k up to {_LONGEST_PROTEIN_KMER} and "
            "one strand; change them."
        )
    letters = checked_sequence(sequence, kind, "kmer_profile: sequence")
    plain = alphabets.DNA if kind == "dna" else alphabets.PROTEIN
    every = Counter(letters[place : place + k] for place in range(len(letters) - k + 1))
    counts: Counter[str] = Counter()
    for kmer, count in every.items():
        if not plain.rest(kmer.encode()):
            both = min(kmer, alphabets.reverse_complement(kmer)) if strands == "both" else kmer
            counts[both] += count
    total = counts.total()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    entropy = -sum(count / total * math.log2(count / total) for count in counts.values())
    return KmerProfile(
        k, total, len(counts), every.total() - total, entropy + 0.0,
        tuple(Kmer(kmer, count, count / total) for kmer, count in ordered[:most]),
    )  # fmt: skip
