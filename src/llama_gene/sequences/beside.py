"""Which FASTA files beside a GFF3 file hold its genome and its proteins.

Archives name files by species, assembly and content. Ensembl: `Zea_mays.AGPv4.60.gff3.gz`,
`Zea_mays.AGPv4.dna.toplevel.fa.gz`, `Zea_mays.AGPv4.pep.all.fa.gz`. NCBI: `GCF_1.1_ASM1v1_genomic.gff.gz`,
`GCF_1.1_ASM1v1_genomic.fna.gz`, `GCF_1.1_ASM1v1_protein.faa.gz`; in a zip of NCBI Datasets, each assembly in a folder
of its own, `genomic.gff` and `protein.faa`. So a folder may hold many species.
"""

import re
from pathlib import Path

from llama_gene.errors import DataError
from llama_gene.sequences.fasta import parse_fasta
from llama_gene.sequences.files import Item, list_items

_GENOME_SUFFIXES = (".fa", ".fasta", ".fna")
_GFF_SUFFIXES = (".gff3", ".gff")
_GENOME = re.compile(r"(?P<assembly>.+?)(?:\.dna(?P<mask>_sm|_rm)?\.|_genomic\.fna$)")
_PROTEINS = re.compile(r"(?P<assembly>.+?)(?:\.pep\.|_protein\.faa$)|protein\.faa$")
# Sequences of genes, not of a genome.
_TRANSCRIPTS = re.compile(r"\.(?:pep|cdna|cds|ncrna)\.|(?:^|_)(?:cds|rna)_from_genomic\.|(?:^|_)(?:protein|rna)\.")
# Of an assembly: unmasked letters, and those with every sequence that may be annotated.
_MASKS = (None, "_sm", "_rm")
_PARTS = (".toplevel.", ".primary_assembly.")
_VERSION = re.compile(r"\.\d+$")


def find_genome(item: Item) -> Item:
    """The FASTA of the genome of a GFF3 file: of the same name, else of the same assembly, else the only one there.

    Raises:
        DataError: there is none, or it cannot be told which.
    """
    stem = _stem(item)
    beside = _items_beside(item)
    genomes = [
        other for other in beside if other.name.endswith(_GENOME_SUFFIXES) and not _TRANSCRIPTS.search(other.name)
    ]
    for other in genomes:
        if other.name.rpartition(".")[0] == stem:
            return other
    if fitting := [other for other in genomes if _assembly(_GENOME, other, stem)]:
        return min(fitting, key=lambda other: (-len(_assembly(_GENOME, other, stem)), *_preference(other.name)))
    if len(genomes) == 1 and sum(other.name.endswith(_GFF_SUFFIXES) for other in beside) == 1:
        return genomes[0]
    raise DataError(f"{item.label}: no genome. Expected ##FASTA in the file or {stem}.fa beside it; add it or name it.")


def read_proteins(item: Item) -> dict[str, str]:
    """Residues of the proteins given for a GFF3 file, by name, with and without its version; none: {}."""
    stem = _stem(item)
    fitting = [
        other
        for other in _items_beside(item)
        if _PROTEINS.match(other.name) and (other.name == "protein.faa" or _assembly(_PROTEINS, other, stem))
    ]
    if not fitting:
        return {}
    # Ensembl has predicted proteins, too (`.pep.abinitio.`), which are not those of the GFF3 file.
    chosen = min(fitting, key=lambda other: (-len(_assembly(_PROTEINS, other, stem)), ".abinitio." in other.name))
    proteins: dict[str, str] = {}
    for title, letters in parse_fasta(chosen):
        name = title.partition(" ")[0]
        proteins[name] = letters
        proteins.setdefault(_VERSION.sub("", name), letters)
    return proteins


def _stem(item: Item) -> str:
    stem = item.name
    for suffix in _GFF_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem


def _items_beside(item: Item) -> list[Item]:
    """The files in the folder of a file; of a member of a zip, the members in its folder."""
    if item.member:
        folder = Path(item.member).parent
        return [other for other in list_items(item.path) if Path(other.member).parent == folder]
    return [Item(path) for path in sorted(item.path.parent.iterdir()) if path.is_file()]


def _assembly(pattern: re.Pattern[str], other: Item, stem: str) -> str:
    """The assembly that a FASTA is named by, if a GFF3 file of this stem is, too; else ""."""
    match = pattern.match(other.name)
    assembly = (match["assembly"] or "") if match else ""
    return assembly if assembly and stem.startswith((f"{assembly}.", f"{assembly}_")) else ""


def _preference(name: str) -> tuple[int, int]:
    match = _GENOME.match(name)
    part = next((place for place, part in enumerate(_PARTS) if part in name), len(_PARTS))
    return _MASKS.index(match["mask"] if match else None), part
