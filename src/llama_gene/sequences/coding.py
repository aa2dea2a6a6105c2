r"""Coding DNA and its protein as one text, so that both are read together.

A pair is the codons, a line feed, and the residues: codon i is read as residue i. It holds whole codons only: bases
before the first full codon and behind the last are left out. A final stop stays in the DNA and is no residue.

A region whose protein cannot be vouched for gives no pair, and is counted. The translation is NCBI's way, see
`translate.py`.
"""

from llama_gene.sequences.alphabets import DNA
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector
from llama_gene.sequences.records import CodingSequence
from llama_gene.sequences.translate import translate_coding

PAIR_BORDER = "\n"
_CODON = 3


def coding_pair(coding: CodingSequence, inspector: Inspector) -> Entry | None:
    r"""Codons and residues of a coding sequence, or None where they do not fit together.

    Args:
        coding: As the source gives it; where it gives no translation, ours is used and counted.
        inspector: Its counts are filled, one reason for each region that gives no pair.

    Raises:
        DataError: the genetic code or frame is unknown, or a letter is no DNA letter.

    >>> coding_pair(CodingSequence("chr", "b1", "a kinase", "GTGTGGTGA", table=11), Inspector()).letters
    'GTGTGGTGA\nMW'
    """
    reason = _reason_against(coding)
    if reason:
        inspector.leave_out(f"no coding pair: {reason}", len(coding.dna) + len(coding.protein))
        return None
    codons, residues = _in_register(coding)
    if not residues:
        inspector.leave_out("no coding pair: no whole codon", len(coding.dna) + len(coding.protein))
        return None
    if not coding.protein:
        inspector.note("coding pairs with our translation, since none is given")
    name = coding.locus_tag or coding.protein_id
    # Names may repeat (ribosomal slippage gives one gene two proteins), places on a record do not.
    return Entry(
        f"{coding.record_id}:{coding.location}",
        " ".join(filter(None, (name, coding.product))),
        f"{codons}{PAIR_BORDER}{residues}",
        coding.annotations,
    )


def _reason_against(coding: CodingSequence) -> str:
    if DNA.rest(coding.dna.upper().encode("ascii", "replace")):
        return "ambiguous base"
    is_whole = not (coding.partial_start or coding.partial_end)
    # A stop that poly-adenylation completes leaves one or two bases behind the last codon.
    ends_early = any(exception.residue == "*" for exception in coding.exceptions)
    if is_whole and not ends_early and (len(coding.dna) - coding.codon_start + 1) % _CODON:
        return "length is no multiple of three"
    protein = translate_coding(coding)
    if coding.protein and coding.protein.rstrip("*") != protein:
        return "the given translation is another"
    return "stop inside" if "*" in protein else ""


def _in_register(coding: CodingSequence) -> tuple[str, str]:
    """Whole codons and as many residues, or one fewer where the last codon is a stop."""
    dna = coding.dna.upper()[coding.codon_start - 1 :]
    codons = dna[: len(dna) - len(dna) % _CODON]
    return codons, translate_coding(coding)[: len(codons) // _CODON]
