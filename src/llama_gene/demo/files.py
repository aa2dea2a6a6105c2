"""Writes the organism in standard formats: FASTA, GenBank (through Biopython), English.

Gzip headers carry no time and no name, so the same organism gives the same bytes.
"""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

from llama_gene.demo.genome import Chromosome, Gene, all_genes
from llama_gene.demo.proteins import family_named

_LINE_LETTERS = 80
_EXPRESSION_WORDS = ((0.0, "very weak"), (2.0, "weak"), (4.0, "strong"), (99.0, "very strong"))


def write_gzip(path: Path, text: str) -> None:
    """Write a gzip file whose bytes depend on the text alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        file.write(text.encode())


def fasta(records: Iterable[tuple[str, str, str]]) -> str:
    """FASTA of (id, description, letters), 80 letters a line.

    >>> fasta([("a", "synthetic", "ACGT")])
    '>a synthetic\\nACGT\\n'
    """
    lines = []
    for name, description, letters in records:
        lines.append(f">{name} {description}".rstrip())
        lines += [letters[start : start + _LINE_LETTERS] for start in range(0, len(letters), _LINE_LETTERS)]
    return "\n".join(lines) + "\n"


def genbank(genome: tuple[Chromosome, ...]) -> str:
    """GenBank flat file with every CDS, its translation, and the signals as `regulatory` features."""
    records = []
    for chromosome in genome:
        record = SeqRecord(Seq(chromosome.letters), id=chromosome.id, name=chromosome.id)
        record.description = f"{chromosome.species.name}, {chromosome.id}, made by a program"
        record.annotations.update(
            molecule_type="DNA", topology="linear", data_file_division="SYN", date="01-JAN-2000",
            organism=chromosome.species.name, source=chromosome.species.name, taxonomy=["synthetic"],
            keywords=["synthetic"],
        )  # fmt: skip
        source = SimpleLocation(0, len(chromosome.letters), 1)
        qualifiers = {"organism": chromosome.species.name, "mol_type": "other DNA"}
        record.features.append(SeqFeature(source, type="source", qualifiers=qualifiers))
        for gene in chromosome.genes:
            record.features += _features(gene, chromosome)
        records.append(record)
    text = io.StringIO()
    SeqIO.write(records, text, "genbank")
    return text.getvalue()


def _features(gene: Gene, chromosome: Chromosome) -> list[SeqFeature]:
    whole = SimpleLocation(gene.exons[0][0], gene.exons[-1][1], gene.strand)
    features = [SeqFeature(whole, type="gene", qualifiers={"locus_tag": gene.locus_tag})]
    for name, start, end in gene.signals:
        qualifiers = {"regulatory_class": name, "locus_tag": gene.locus_tag}
        features.append(SeqFeature(SimpleLocation(start, end, gene.strand), type="regulatory", qualifiers=qualifiers))
    parts = [SimpleLocation(start, end, gene.strand) for start, end in gene.exons]
    # Biopython lists the parts of a minus-strand join in biological order.
    location = CompoundLocation(parts[:: gene.strand]) if len(parts) > 1 else parts[0]
    qualifiers = {
        "locus_tag": gene.locus_tag,
        "codon_start": "1",
        "transl_table": str(chromosome.species.table),
        "product": family_named(gene.protein.family).product,
        "protein_id": f"{gene.locus_tag}.p",
        "note": f"synthetic; expression {gene.expression:.3f}",
        "translation": gene.protein.residues,
    }
    return [*features, SeqFeature(location, type="CDS", qualifiers=qualifiers)]


def genome_pages(genome: tuple[Chromosome, ...]) -> str:
    """Markdown: a paragraph on each gene, in plain English made from its own facts."""
    species = genome[0].species
    lines = [f"# The genes of the {species.name}", "", f"The {species.name} was made by a program. It never lived.", ""]
    for chromosome in genome:
        lines += [f"## {chromosome.id.replace('_', ' ')}", ""]
        for number, gene in enumerate(chromosome.genes):
            lines += [_describe(gene, species.name, number), ""]
    return "\n".join(lines)


def _describe(gene: Gene, species_name: str, number: int) -> str:
    family = family_named(gene.protein.family)
    strand = "plus" if gene.strand == 1 else "minus"
    residues, helices, strands = len(gene.protein.residues), family.layout.count("H"), family.layout.count("E")
    strength = next(words for limit, words in _EXPRESSION_WORDS if gene.expression < limit)
    openings = (
        f"Gene {gene.locus_tag} of the {species_name} lies on the {strand} strand and codes for a {family.product}.",
        f"The {strand} strand of the {species_name} carries {gene.locus_tag}, the gene of a {family.product}.",
        f"A {family.product} is made from gene {gene.locus_tag} on the {strand} strand of the {species_name}.",
    )
    bodies = (
        f"The protein has {residues} residues, with {helices} helices and {strands} strands between loops.",
        f"Its chain of {residues} residues folds into {helices} helices and {strands} strands.",
    )
    details = (bodies[number % 2], _build(gene, strength), _face(gene) or bodies[0])
    return f"{openings[number % 3]} {family.function} {details[number // 3 % 3]}"


def _build(gene: Gene, strength: str) -> str:
    boxes = {name: (start, end) for name, start, end in gene.signals}
    if "minus_35_signal" in boxes:
        left, right = sorted((boxes["minus_35_signal"], boxes["minus_10_signal"]))
        return f"The promoter is {strength}: its two boxes lie {right[0] - left[1]} bases apart."
    introns = len(gene.exons) - 1
    count = ("no introns", "one intron", "two introns")[introns]
    return f"The promoter is {strength} and has a TATA box; the gene has {count}."


def _face(gene: Gene) -> str:
    faces = {
        "plus": "The chain binds partners with acidic faces.",
        "minus": "The chain binds partners with basic faces.",
        "greasy": "The chain binds partners with metal faces.",
        "metal": "The chain binds partners with greasy faces.",
    }
    return faces.get(gene.protein.face, "")


def protein_records(genome: tuple[Chromosome, ...]) -> Iterable[tuple[str, str, str]]:
    """(id, description, residues) of every protein of a genome, for FASTA."""
    for gene in all_genes(genome):
        product = family_named(gene.protein.family).product
        yield f"{gene.locus_tag}.p", f"{product} [{genome[0].species.name}]", gene.protein.residues
