"""Made-up genomes with annotated genes, whose proteins were drawn before their codons: nothing is translated here."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llama_gene.sequences.alphabets import reverse_complement

CODONS = {
    "A": ("GCT", "GCC"), "C": ("TGT", "TGC"), "D": ("GAT", "GAC"), "E": ("GAA", "GAG"), "F": ("TTT", "TTC"),
    "G": ("GGT", "GGC"), "H": ("CAT", "CAC"), "I": ("ATT", "ATC"), "K": ("AAA", "AAG"), "L": ("CTT", "TTA"),
    "M": ("ATG",), "N": ("AAT", "AAC"), "P": ("CCT", "CCA"), "Q": ("CAA", "CAG"), "R": ("CGT", "AGA"),
    "S": ("TCT", "AGC"), "T": ("ACT", "ACA"), "V": ("GTT", "GTG"), "W": ("TGG",), "Y": ("TAT", "TAC"),
}  # fmt: skip
_SPACER = 20


class Gene(NamedTuple):
    """Codons with the final stop, and the residues they are read as."""

    dna: str
    protein: str

    @property
    def pair(self) -> str:
        """Both as one text, as the corpus writes them."""
        return f"{self.dna}\n{self.protein}"


def make_gene(residues: int, seed: int) -> Gene:
    """A gene of so many residues, the first of them M."""
    rng = np.random.default_rng(seed)
    protein = "M" + "".join(rng.choice(list(CODONS), residues - 1))
    return Gene("".join(str(rng.choice(CODONS[residue])) for residue in protein) + "TAA", protein)


def _lay_out(genes: Sequence[Gene], seed: int) -> tuple[str, list[tuple[int, int, bool]]]:
    """A genome of these genes, every second one on the other strand, and their 0-based borders and strands."""
    rng = np.random.default_rng(seed)
    genome, places = "", []
    for number, gene in enumerate(genes):
        genome += "".join(rng.choice(list("ACGT"), _SPACER))
        places.append((len(genome), len(genome) + len(gene.dna), bool(number % 2)))
        genome += reverse_complement(gene.dna) if number % 2 else gene.dna
    return genome, places


def write_genbank(path: Path, genes: Sequence[Gene], seed: int = 0) -> list[str]:
    """Write a genome with its genes; the names of their pairs."""
    genome, places = _lay_out(genes, seed)
    name = f"{path.stem}.1"
    lines = [f"LOCUS       {path.stem}  {len(genome)} bp DNA linear BCT 01-JAN-2020", f"VERSION     {name}"]
    lines.append("FEATURES             Location/Qualifiers")
    locations = []
    for gene, (start, end, is_reverse) in zip(genes, places, strict=True):
        span = f"{start + 1}..{end}"
        locations.append(f"complement({span})" if is_reverse else span)
        lines += [f"     CDS             {locations[-1]}", f'                     /translation="{gene.protein}"']
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, "ORIGIN", f"        1 {genome.lower()}", "//", ""]))
    return [f"{name}:{location}" for location in locations]


def write_gff(path: Path, genes: Sequence[Gene], seed: int = 0) -> None:
    """The same as GFF3 with its FASTA; the proteins are not in it."""
    genome, places = _lay_out(genes, seed)
    rows = [
        f"{path.stem}\tx\tCDS\t{start + 1}\t{end}\t.\t{'-' if is_reverse else '+'}\t0\tParent=t{number}\n"
        for number, (start, end, is_reverse) in enumerate(places)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"##gff-version 3\n{''.join(rows)}##FASTA\n>{path.stem}\n{genome}\n")
