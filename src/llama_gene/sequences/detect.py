"""Tell the format of a file by its first bytes, and where they do not decide, by its name."""

import json
import re

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
    ".parquet": "parquet",
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".tsv", ".csv", ".tab"), "table"),
}  # fmt: skip
# XML as JATS is: its root comes behind the declaration.
_PUBMED = b"<PubmedArticleSet"
_SIGNATURES: tuple[tuple[bytes, SourceFormat], ...] = (
    (b"LOCUS ", "genbank"),
    (b"##gff-version", "gff3"),
    (b"ID   ", "uniprot"),
    (b"PAR1", "parquet"),
    (b"<?xml", "jats"),
    (b"<!DOCTYPE article", "jats"),
    (b"<article", "jats"),
    (b"<!DOCTYPE PubmedArticleSet", "pubmed"),
    (_PUBMED, "pubmed"),
)
_JSON = re.compile(rb"\{\s*[\"}]|\[\s*\{")


def detect_format(item: Item, start: bytes, kind: Kind) -> SourceFormat:
    """The format of an item, from its first bytes, else its name, else plain text.

    >>> from pathlib import Path
    >>> detect_format(Item(Path("a.txt")), b">seq1", "dna"), detect_format(Item(Path("a.md.gz")), b"# Title", "text")
    ('fasta', 'markdown')
    >>> detect_format(Item(Path("20260101_000.gz")), b'{"corpusid": 1, "title": "Cells"', "text")
    'jsonl'
    """
    body = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, name in _SIGNATURES:
        if body.startswith(signature):
            return "pubmed" if name == "jats" and _PUBMED in body else name
    if kind != "text" and body.startswith((b">", b";")):
        return "fasta"
    suffix = item.name[item.name.rfind(".") :].lower() if "." in item.name else ""
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if kind != "text" and body.startswith(b"@"):
        return "fastq"
    if _JSON.match(body):
        return "jsonl" if _is_object_by_line(body) else "json"
    return "text"


def _is_object_by_line(body: bytes) -> bool:
    """Whether the first line is an object, or may become one behind the bytes there are."""
    line, is_whole, _ = body.partition(b"\n")
    if line.startswith(b"[") or not is_whole:
        return line.startswith(b"{")
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
