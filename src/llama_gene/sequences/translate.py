"""Translation of coding DNA as NCBI does it, by the genetic codes of NCBI (through Biopython).

Followed: the INSDC feature table definition (codon_start, transl_table, transl_except, partial ends) and NCBI's
`CSeqTranslator::TranslateToProtein` (ncbi-cxx-toolkit-public, commit dbc9f5c): a complete 5' end makes any start codon
of the table an M, the final stop is left out, codons with ambiguity codes give a residue where all readings agree, and
one or two last bases give one where every completion agrees.

Two differences: where a complete 5' end has no start codon NCBI writes `-`, here the codon is read as any other; and
in tables 27, 28 and 31 a codon that can be both is a stop when it is the last one.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

from Bio.Data.CodonTable import unambiguous_dna_by_id
from Bio.Data.IUPACData import ambiguous_dna_values

from llama_gene.errors import DataError
from llama_gene.sequences.records import CodingSequence, CodonException

_SHARED_CODES = {frozenset("DN"): "B", frozenset("EQ"): "Z", frozenset("IL"): "J"}


class GeneticCode(NamedTuple):
    """Codon to residue (`*`: stop); start codon to M, or X where only some readings start; codons that can stop."""

    residues: dict[str, str]
    starts: dict[str, str]
    stops: frozenset[str]


@cache
def genetic_code(table: int) -> GeneticCode:
    """The genetic code of an NCBI table number, all IUPAC codons included.

    Raises:
        DataError: NCBI has no such table.

    >>> code = genetic_code(4)
    >>> code.residues["TGA"], code.residues["GCN"], code.residues["RAY"], code.starts["GTG"]
    ('W', 'A', 'B', 'M')
    """
    if table not in unambiguous_dna_by_id:
        known = ", ".join(str(number) for number in sorted(unambiguous_dna_by_id))
        raise DataError(f"transl_table={table}: no such genetic code. Expected one of {known}; mend the table number.")
    source = unambiguous_dna_by_id[table]
    # A codon that is both (tables 27, 28, 31) is read through inside and stops at the end.
    plain = dict.fromkeys(source.stop_codons, "*") | dict(source.forward_table)
    letters = {letter: values for letter, values in ambiguous_dna_values.items() if letter != "X"}
    residues, starts, stops = {}, {}, set()
    for codon in map("".join, product(letters, repeat=3)):
        readings = ["".join(bases) for bases in product(*(letters[letter] for letter in codon))]
        residues[codon] = _shared_residue({plain[reading] for reading in readings})
        starting = sum(reading in source.start_codons for reading in readings)
        if starting:
            starts[codon] = "M" if starting == len(readings) else "X"
        if all(reading in source.stop_codons for reading in readings):
            stops.add(codon)
    return GeneticCode(residues, starts, frozenset(stops))


def _shared_residue(found: set[str]) -> str:
    return next(iter(found)) if len(found) == 1 else _SHARED_CODES.get(frozenset(found), "X")


def translate(
    dna: str,
    *,
    table: int = 1,
    codon_start: int = 1,
    exceptions: Sequence[CodonException] = (),
    complete_start: bool = True,
    complete_end: bool = True,
) -> str:
    """The protein of a spliced coding sequence; an inner stop stays as `*`.

    Args:
        dna: Coding strand, 5' to 3', ACGT and IUPAC codes, any case.
        table: NCBI genetic code.
        codon_start: 1, 2 or 3: the base where the first full codon starts.
        exceptions: Codons the table does not read; their `start` counts from the start of `dna`.
        complete_start: False where the 5' end is missing: the first codon is then read as any other.
        complete_end: False where the 3' end is missing.

    Raises:
        DataError: codon_start or table is unknown, or a character is no DNA letter.

    >>> translate("GTGGCATGA", table=11), translate("GTGGCATGA", table=11, complete_start=False)
    ('MA', 'VA')
    """
    if codon_start not in (1, 2, 3):
        raise DataError(f"codon_start={codon_start}: expected 1, 2 or 3; mend the annotation.")
    code = genetic_code(table)
    frame = codon_start - 1
    letters = dna.upper().replace("U", "T")[frame:]
    codons = [letters[start : start + 3] for start in range(0, len(letters), 3)]
    tail = codons.pop() if codons and len(codons[-1]) < 3 else ""
    try:
        residues = [code.residues[codon] for codon in codons]
    except KeyError as error:
        raise DataError(f"{error.args[0]!r} is not a codon. Expected ACGT and IUPAC codes; clean the DNA.") from None
    if codons and complete_start and codon_start == 1:
        residues[0] = code.starts.get(codons[0], residues[0])
    if codons and complete_end and not tail and codons[-1] in code.stops:
        residues[-1] = "*"
    if tail:
        residues.append(_read_tail(tail, code))
    for exception in exceptions:
        index = (exception.start - frame) // 3
        if 0 <= index < len(residues):
            residues[index] = exception.residue
    protein = "".join(residues)
    return protein[:-1] if protein.endswith("*") else protein


def _read_tail(tail: str, code: GeneticCode) -> str:
    residue = code.residues.get(tail.ljust(3, "N"), "X")
    return "" if residue == "X" else residue


def translate_coding(coding: CodingSequence) -> str:
    """The protein of a coding sequence, by its own table, frame, exceptions and ends.

    >>> translate_coding(CodingSequence("chr", "b1", "x", "TTGTGGTGA", table=11))
    'MW'
    """
    return translate(
        coding.dna,
        table=coding.table,
        codon_start=coding.codon_start,
        exceptions=coding.exceptions,
        complete_start=not coding.partial_start,
        complete_end=not coding.partial_end,
    )
