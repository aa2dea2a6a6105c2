"""Codon usage, and DNA that codes for a protein in the codons that are used most."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import DNA
from llama_gene.sequences.translate import genetic_code as read_code
from llama_gene.tools.letters import Code, Dna, Protein

_CODON = 3


def _codon(letters: str) -> str:
    codon = letters.upper().replace("U", "T")
    if len(codon) != _CODON or DNA.rest(codon.encode()):
        raise ValueError(f"{letters[:10]!r} is no codon. Expected three letters of A, C, G and T; mend it.")
    return codon


_CODING = "Coding sequences, each from the first base of its first codon."
_Several = Annotated[tuple[Dna, ...], Field(min_length=1, max_length=1000)]
_Counts = Annotated[
    dict[Annotated[str, AfterValidator(_codon)], Annotated[float, Field(ge=0, le=1e12)]],
    Field(min_length=1, max_length=64),
]
CodingSequences = Annotated[_Several, Field(description=_CODING)]
MaybeSequences = Annotated[_Several | None, Field(description=_CODING)]
MaybeCounts = Annotated[_Counts | None, Field(description="Codon to its count or frequency.")]


@dataclass(frozen=True)
class CodonUse:
    """One codon.

    `per_thousand` is of all codons, `share` of those for its residue, and `rscu` the share times the number of codons
    that the genetic code has for the residue (1: no preference; Sharp and Li 1987). None: the residue never occurs.
    """

    codon: str
    residue: str
    count: int
    per_thousand: float
    share: float | None
    rscu: float | None


@dataclass(frozen=True)
class CodonTable:
    """All 64 codons, by residue.

    `skipped` codons held an ambiguous letter; `unread_bases` followed the last whole codons.
    """

    genetic_code: int
    total: int
    skipped: int
    unread_bases: int
    codons: tuple[CodonUse, ...]


@dataclass(frozen=True)
class BackTranslation:
    """DNA for a protein, without a stop codon, and its share of G and C."""

    dna: str
    length_bp: int
    gc_share: float
    genetic_code: int


def codon_usage(coding_sequences: CodingSequences, genetic_code: Code = 1) -> CodonTable:
    """How often each codon is used in coding sequences, in all and among the codons of its residue.

    >>> [use.count for use in codon_usage(("GCAGCAGCT",)).codons if use.residue == "A"]
    [2, 0, 0, 1]
    """
    counts, unread = _count(coding_sequences)
    plain = {codon: count for codon, count in counts.items() if not DNA.rest(codon.encode())}
    total = sum(plain.values())
    table = _plain_codons(genetic_code)
    synonyms = Counter(table.values())
    of_residue: Counter[str] = Counter()
    for codon, count in plain.items():
        of_residue[table[codon]] += count
    uses = []
    for codon, residue in sorted(table.items(), key=lambda pair: (pair[1], pair[0])):
        count = plain.get(codon, 0)
        share = count / of_residue[residue] if of_residue[residue] else None
        rscu = None if share is None else share * synonyms[residue]
        uses.append(CodonUse(codon, residue, count, 1000 * count / total if total else 0.0, share, rscu))
    return CodonTable(genetic_code, total, counts.total() - total, unread, tuple(uses))


def back_translate(
    protein: Protein,
    codon_counts: MaybeCounts = None,
    coding_sequences: MaybeSequences = None,
    genetic_code: Code = 1,
) -> BackTranslation:
    """DNA that codes for a protein, each residue by the codon used most in a table or in coding sequences given.

    Of equally frequent codons the first by letters is taken.

    Raises:
        DataError: neither or both of table and sequences, or a residue for which they hold no codon.

    >>> back_translate("MA", codon_counts={"ATG": 1, "GCA": 5, "GCC": 9}).dna
    'ATGGCC'
    """
    if (codon_counts is None) == (coding_sequences is None):
        raise DataError(
            "back_translate: expected either codon_counts or coding_sequences, since what is used most depends on the "
            "organism. Give one of the two."
        )
    counts = codon_counts if codon_counts is not None else _count(coding_sequences or ())[0]
    best = _most_used(counts, genetic_code)
    if missing := sorted(set(protein) - set(best)):
        raise DataError(
            f"back_translate: no codon for {', '.join(missing)}. Expected at least one for every residue of it "
            f"by genetic code {genetic_code}; give more codons, or spell the residues out."
        )
    dna = "".join(best[residue] for residue in protein)
    return BackTranslation(dna, len(dna), sum(map(dna.count, "GC")) / len(dna), genetic_code)


def _most_used(counts: Mapping[str, float], table: int) -> dict[str, str]:
    """The codon used most for each residue that has one."""
    best: dict[str, str] = {}
    for codon, residue in sorted(_plain_codons(table).items()):
        if counts.get(codon, 0) > (counts[best[residue]] if residue in best else 0):
            best[residue] = codon
    return best


def _plain_codons(table: int) -> dict[str, str]:
    """The residue of each of the 64 codons, `*` for stops."""
    return {codon: residue for codon, residue in read_code(table).residues.items() if not DNA.rest(codon.encode())}


def _count(sequences: tuple[str, ...]) -> tuple[Counter[str], int]:
    """The whole codons of all sequences, and how many bases follow the last ones."""
    counts: Counter[str] = Counter()
    for dna in sequences:
        counts.update(dna[place : place + _CODON] for place in range(0, len(dna) - _CODON + 1, _CODON))
    return counts, sum(len(dna) % _CODON for dna in sequences)
