"""FASTA and FASTQ, parsed by Biopython, with what the common headers say."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from Bio.SeqIO.FastaIO import SimpleFastaParser
from Bio.SeqIO.QualityIO import FastqGeneralIterator

from llama_gene.config import Kind
from llama_gene.sequences.files import Inspector, Item, open_text

_UNIPROT_TITLE = re.compile(
    r"^(?P<product>.*?)(?: OS=(?P<organism>.*?))?(?: OX=\d+)?(?: GN=(?P<gene>\S+))?(?: PE=\d.*)?$"
)


class Entry(NamedTuple):
    """A parsed, unchecked record; `line` is 1-based, 0 where finding it means reading the file again."""

    id: str
    description: str
    letters: str
    annotations: Mapping[str, str | tuple[str, ...]]
    line: int = 0


def parse_fasta(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a FASTA file, one at a time."""
    with open_text(item) as text:
        for title, letters in SimpleFastaParser(text):
            yield _entry(title, letters)


def parse_fastq(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Entries of a FASTQ file, one at a time; qualities are checked for their length and left out."""
    with open_text(item) as text:
        entries = FastqGeneralIterator(text)
        number = 0
        while True:
            number += 1
            try:
                title, letters, _ = next(entries)
            except StopIteration:
                return
            except (ValueError, IndexError) as error:
                inspector.refuse(
                    "broken FASTQ",
                    f"{item.label}: record {number} is broken ({error}). Expected @name, letters, + and as many "
                    "qualities; mend the file. What follows was not read.",
                )
                return
            yield _entry(title, letters)


def _entry(title: str, letters: str) -> Entry:
    name, _, description = title.partition(" ")
    if "\t" in name:
        name, _, description = title.partition("\t")
    return Entry(name, description.strip(), letters, {})


def header_annotations(name: str, description: str) -> dict[str, str]:
    """What a UniProt, `ID EC~~~gene~~~product~~~` or RefSeq `product [organism]` header says.

    >>> header_annotations("sp|P69905|HBA_HUMAN", "Hemoglobin subunit alpha OS=Homo sapiens OX=9606 GN=HBA1 PE=1 SV=2")
    {'accession': 'P69905', 'product': 'Hemoglobin subunit alpha', 'organism': 'Homo sapiens', 'gene': 'HBA1'}
    >>> header_annotations("O57809", "3.5.99.7~~~~~~Putative deaminase~~~")
    {'ec': '3.5.99.7', 'product': 'Putative deaminase'}
    >>> header_annotations("WP_1.1", "DNA helicase [Escherichia coli]")
    {'product': 'DNA helicase', 'organism': 'Escherichia coli'}
    """
    if name.startswith(("sp|", "tr|")) and name.count("|") == 2:
        match = _UNIPROT_TITLE.match(description)
        found = {"accession": name.split("|")[1], **(match.groupdict() if match else {})}
    elif description.count("~~~") >= 2:
        ec, gene, product = description.split("~~~")[:3]
        found = {"ec": ec, "gene": gene, "product": product}
    elif description.endswith("]"):
        product, _, organism = description[:-1].rpartition(" [")
        found = {"product": product.strip(), "organism": organism} if product else {}
    else:
        return {}
    return {key: value.strip() for key, value in found.items() if value}


def find_letter(item: Item, name: str, bad: str) -> int:
    """The 1-based line of the first of the `bad` characters in the FASTA record of this name; 0: not found."""
    inside = False
    with open_text(item) as text:
        for number, line in enumerate(text, start=1):
            if line.startswith(">"):
                inside = line[1:].split()[:1] == [name]
            elif inside and any(letter in line.upper() for letter in bad):
                return number
    return 0
