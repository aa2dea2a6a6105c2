"""Tell the format of a file by its first bytes, and where they do not decide, by its name."""

from typing import get_args

from llama_gene.config import Kind, SourceFormat
from llama_gene.sequences.files import Item

_SUFFIXES: dict[str, SourceFormat] = {
    **dict.fromkeys((".fa", ".fasta", ".fna", ".faa", ".ffn", ".frn", ".fas"), "fasta"),
    **dict.fromkeys((".fq", ".fastq"), "fastq"),
    **dict.fromkeys((".gb", ".gbk", ".gbff", ".genbank"), "genbank"),
    **dict.fromkeys((".gff", ".gff3"), "gff3"),
    **dict.fromkeys((".dat", ".swiss", ".sprot"), "uniprot"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".xml", ".nxml"), "jats"),
    ".json": "json",
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".tsv", ".csv", ".tab"), "table"),
}  # fmt: skip
_SIGNATURES: tuple[tuple[bytes, SourceFormat], ...] = (
    (b"LOCUS ", "genbank"),
    (b"##gff-version", "gff3"),
    (b"ID   ", "uniprot"),
    (b"<?xml", "jats"),
    (b"<!DOCTYPE article", "jats"),
    (b"<article", "jats"),
)
FORMATS: tuple[SourceFormat, ...] = get_args(SourceFormat)


def detect_format(item: Item, start: bytes, kind: Kind) -> SourceFormat:
    """The format of an item, from its first bytes, else its name, else plain text.

    >>> from pathlib import Path
    >>> detect_format(Item(Path("a.txt")), b">seq1", "dna"), detect_format(Item(Path("a.md.gz")), b"# Title", "text")
    ('fasta', 'markdown')
    """
    body = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, name in _SIGNATURES:
        if body.startswith(signature):
            return name
    if kind != "text" and body.startswith((b">", b";")):
        return "fasta"
    suffix = item.name[item.name.rfind(".") :].lower() if "." in item.name else ""
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if kind != "text" and body.startswith(b"@"):
        return "fastq"
    return "text"
