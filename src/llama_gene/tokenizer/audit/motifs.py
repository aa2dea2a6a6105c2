"""Known motifs, and the tokens that hold one.

A small table of short, well-known motifs with where each was described. A token that holds one shows what a vocabulary
has learnt; it says nothing about the function of the places where that token stands. Not done here: position weight
matrices and gapped patterns longer than a token.

DNA patterns are in IUPAC letters (Cornish-Bowden 1985, Nucleic Acids Res. 13:3021). Protein patterns are residues, `x`
for any one, and `[ST]` for one of several, as PROSITE writes them (Sigrist et al. 2013, Nucleic Acids Res. 41:D344).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from llama_gene.config import GeneKind
from llama_gene.sequences.alphabets import reverse_complement

Strand = Literal["+", "-", "both", ""]

_IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "[AG]", "Y": "[CT]", "S": "[CG]", "W": "[AT]", "K": "[GT]",
    "M": "[AC]", "B": "[CGT]", "D": "[AGT]", "H": "[ACT]", "V": "[ACG]", "N": "[ACGT]",
}  # fmt: skip
_REBASE = "REBASE: Roberts et al. 2023, Nucleic Acids Res. 51:D629"
_BUCHER = "Bucher 1990, J. Mol. Biol. 212:563"
_SPLICE = "Shapiro and Senapathy 1987, Nucleic Acids Res. 15:7155"
_MOST_TOKENS = 10


class Motif(NamedTuple):
    """A motif and where it was described."""

    name: str
    pattern: str
    kind: GeneKind
    source: str


class MotifToken(NamedTuple):
    """A token that holds a motif: as written (+), on the other strand (-), on both; "" for proteins."""

    token: str
    strand: Strand


@dataclass(frozen=True)
class MotifFound:
    """A motif, the number of tokens that hold it, and the first ten of them."""

    name: str
    pattern: str
    kind: GeneKind
    source: str
    count: int
    tokens: tuple[MotifToken, ...]


MOTIFS: tuple[Motif, ...] = (
    Motif("TATA box", "TATAWAW", "dna", _BUCHER),
    Motif("CCAAT box", "RRCCAATSR", "dna", "Mantovani 1998, Nucleic Acids Res. 26:1135"),
    Motif("Kozak sequence", "GCCRCCATGG", "dna", "Kozak 1987, Nucleic Acids Res. 15:8125"),
    Motif("poly-A signal", "AATAAA", "dna", "Proudfoot and Brownlee 1976, Nature 263:211"),
    Motif("Shine-Dalgarno sequence", "AGGAGG", "dna", "Shine and Dalgarno 1974, Proc. Natl. Acad. Sci. 71:1342"),
    Motif("Pribnow box (-10)", "TATAAT", "dna", "Pribnow 1975, Proc. Natl. Acad. Sci. 72:784"),
    Motif("-35 box", "TTGACA", "dna", "Hawley and McClure 1983, Nucleic Acids Res. 11:2237"),
    Motif("splice donor", "MAGGTRAGT", "dna", _SPLICE),
    Motif("splice acceptor", "YYYYYYNCAGG", "dna", _SPLICE),
    Motif("Chi site", "GCTGGTGG", "dna", "Smith et al. 1981, Cell 24:429"),
    Motif("Haemophilus uptake sequence", "AAGTGCGGT", "dna", "Smith et al. 1995, Science 269:538"),
    Motif("Neisseria uptake sequence", "GCCGTCTGAA", "dna", "Goodman and Scocca 1988, Proc. Natl. Acad. Sci. 85:6982"),
    Motif("Alu core (part)", "GTAATCCCAGC", "dna", "Rüdiger et al. 1995, Nucleic Acids Res. 23:256"),
    Motif("vertebrate telomere, 2 units", "TTAGGGTTAGGG", "dna", "Moyzis et al. 1988, Proc. Natl. Acad. Sci. 85:6622"),
    Motif("plant telomere, 2 units", "TTTAGGGTTTAGGG", "dna", "Richards and Ausubel 1988, Cell 53:127"),
    Motif("(CA)n, 5 units", "CACACACACA", "dna", "Weber and May 1989, Am. J. Hum. Genet. 44:388"),
    Motif(
        "(CAG)n, 4 units", "CAGCAGCAGCAG", "dna", "Huntington's Disease Collaborative Research Group 1993, Cell 72:971"
    ),
    *(
        Motif(f"{name} site", pattern, "dna", _REBASE)
        for name, pattern in (
            ("BamHI", "GGATCC"), ("BglII", "AGATCT"), ("ClaI", "ATCGAT"), ("EcoRI", "GAATTC"), ("EcoRV", "GATATC"),
            ("HindIII", "AAGCTT"), ("KpnI", "GGTACC"), ("NcoI", "CCATGG"), ("NdeI", "CATATG"), ("NotI", "GCGGCCGC"),
            ("PstI", "CTGCAG"), ("SacI", "GAGCTC"), ("SalI", "GTCGAC"), ("SmaI", "CCCGGG"), ("SpeI", "ACTAGT"),
            ("XbaI", "TCTAGA"), ("XhoI", "CTCGAG"),
        )
    ),
    Motif("zinc-finger C2H2 linker", "TGEKPY", "protein", "Wolfe et al. 2000, Annu. Rev. Biophys. 29:183"),
    Motif("P-loop (Walker A)", "GxxxxGK[ST]", "protein", "Walker et al. 1982, EMBO J. 1:945"),
    Motif("DEAD box", "DEAD", "protein", "Linder et al. 1989, Nature 337:121"),
    Motif("KDEL retention signal", "KDEL", "protein", "Munro and Pelham 1987, Cell 48:899"),
    Motif("RGD cell attachment", "RGD", "protein", "Ruoslahti and Pierschbacher 1987, Science 238:491"),
    Motif("SV40 nuclear localisation signal", "PKKKRKV", "protein", "Kalderon et al. 1984, Cell 39:499"),
    Motif("sortase sorting signal", "LPxTG", "protein", "Fischetti et al. 1990, Mol. Microbiol. 4:1603"),
    Motif("His tag", "HHHHHH", "protein", "Hochuli et al. 1988, Bio/Technology 6:1321"),
)  # fmt: skip


def find_motifs(tokens: Iterable[str], kind: GeneKind) -> tuple[MotifFound, ...]:
    """The motifs of a kind that some token holds whole, in the order of the table.

    Args:
        tokens: Strings in capital letters, those to be shown first in front.
        kind: dna: both strands of a token are searched; protein: the token as it is.

    >>> [(found.name, found.tokens) for found in find_motifs(["CGAATTCG", "TTTATT"], "dna")]
    [('poly-A signal', (MotifToken(token='TTTATT', strand='-'),)),
     ('EcoRI site', (MotifToken(token='CGAATTCG', strand='both'),))]
    """
    searched = list(tokens)
    turned = [reverse_complement(token) for token in searched] if kind == "dna" else []
    found = []
    for motif in MOTIFS:
        if motif.kind == kind:
            held = _tokens_with(motif, searched, turned)
            if held:
                found.append(MotifFound(*motif, count=len(held), tokens=tuple(held[:_MOST_TOKENS])))
    return tuple(found)


def _tokens_with(motif: Motif, tokens: list[str], turned: list[str]) -> list[MotifToken]:
    holds = expand(motif).search
    if motif.kind == "protein":
        return [MotifToken(token, "") for token in tokens if holds(token)]
    strands: dict[tuple[bool, bool], Strand] = {(True, True): "both", (True, False): "+", (False, True): "-"}
    return [
        MotifToken(token, strands[sides])
        for token, other in zip(tokens, turned, strict=True)
        if (sides := (bool(holds(token)), bool(holds(other)))) in strands
    ]


def expand(motif: Motif) -> re.Pattern[str]:
    """The pattern of a motif as a regular expression over plain letters.

    >>> expand(Motif("donor", "AGGTR", "dna", "")).pattern, expand(Motif("loop", "GxG[ST]", "protein", "")).pattern
    ('AGGT[AG]', 'G[A-Z]G[ST]')
    """
    if motif.kind == "dna":
        return re.compile("".join(_IUPAC[letter] for letter in motif.pattern))
    return re.compile(motif.pattern.replace("x", "[A-Z]"))
