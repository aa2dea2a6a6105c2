"""Which records a file gives to an index: sequences, texts, or both."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from llama_gene.config import GeneKind, Kind, OnInvalid, SourceFormat
from llama_gene.errors import ConfigError, DataError
from llama_gene.retrieval.pdf import SIGNATURE, read_pdf
from llama_gene.sequences.alphabets import guess_kind
from llama_gene.sequences.detect import detect_format
from llama_gene.sequences.files import first_bytes, list_items
from llama_gene.sequences.genbank import read_coding
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import Record

AskedKind = Literal["auto", "dna", "protein", "text"]
_BY_FORMAT: dict[SourceFormat, tuple[Kind, ...]] = {
    "genbank": ("dna", "protein"),
    "gff3": ("dna", "protein"),
    "uniprot": ("protein", "text"),
    "markdown": ("text",),
    "jats": ("text",),
    "pubmed": ("text",),
}
_TABLES = ("table", "json", "jsonl", "parquet")
_RANGE = re.compile(r"(\d+)\.\.>?(\d+)")
_GUESSED_LETTERS = 64 * 1024


class Gene(NamedTuple):
    """An exon of a coding region of a DNA record, 0-based and half-open; name and product are "" where unknown."""

    record: str
    start: int
    end: int
    name: str
    product: str


def kinds_of(path: Path, asked: AskedKind) -> tuple[Kind, ...]:
    """What a file is read for; the first is what it must hold.

    Args:
        path: The file: plain, compressed or a zip, of which the first member decides.
        asked: auto: GenBank gives its DNA and its proteins, a UniProt flat file its proteins and what they do.

    Raises:
        DataError: the file cannot be read, or does not say what it holds.
    """
    if asked != "auto":
        return (asked,)
    if path.is_file() and path.open("rb").read(len(SIGNATURE)) == SIGNATURE:
        return ("text",)
    items = list_items(path)
    if not items:
        raise DataError(f"{path}: nothing in it. Expected sequences or texts; leave it out.")
    start = first_bytes(items[0], _GUESSED_LETTERS)
    found = detect_format(items[0], start, "text")
    if found in _TABLES:
        raise DataError(f"{path}: a {found} file says not what it holds. Set --kind to dna, protein or text.")
    if found in _BY_FORMAT:
        return _BY_FORMAT[found]
    if found == "fastq" or detect_format(items[0], start, "dna") == "fastq":
        return ("dna",)
    is_fasta = detect_format(items[0], start, "dna") == "fasta"
    return (_kind_of_fasta(start.decode("utf-8", "replace")),) if is_fasta else ("text",)


def _kind_of_fasta(start: str) -> GeneKind:
    lines = start.replace("\r", "\n").split("\n")
    letters = (line for line in lines if not line.startswith((">", ";")))
    return guess_kind("".join(part for line in letters for part in line.split()))


def read_file(path: Path, kinds: Sequence[Kind], on_invalid: OnInvalid, counts: Counter[str]) -> Iterator[Record]:
    """Every record of a file, each checked; `counts` gets what was mended and refused, by kind and reason.

    Args:
        path: The file.
        kinds: From `kinds_of`; bad records of the further ones are skipped in any case.
        on_invalid: error: stop at a bad record; skip: count it.
        counts: Filled while reading.

    Raises:
        DataError: bad input and `on_invalid` is "error".
    """
    for number, kind in enumerate(kinds):
        noted: Counter[str] = Counter()
        yield from _records(path, kind, on_invalid if number == 0 else "skip", noted)
        counts.update({f"{kind} reading: {reason}": times for reason, times in noted.items()})


def _records(path: Path, kind: Kind, on_invalid: OnInvalid, counts: Counter[str]) -> Iterator[Record]:
    if kind == "text" and path.is_file() and path.open("rb").read(len(SIGNATURE)) == SIGNATURE:
        return read_pdf(path, on_invalid, counts)
    return read_records(path, kind, on_invalid=on_invalid, counts=counts)


def read_genes(path: Path) -> Iterator[Gene]:
    """The coding regions of a GenBank file, each exon by itself; nothing for other files."""
    items = list_items(path)
    if not items or detect_format(items[0], first_bytes(items[0]), "dna") != "genbank":
        return
    for coding in read_coding(path, on_invalid="skip"):
        # Part by part: from its first to its last base, a gene across the origin of a circle would be everywhere.
        for start, end in _RANGE.findall(coding.location):
            yield Gene(coding.record_id, int(start) - 1, int(end), coding.gene or coding.locus_tag, coding.product)


def read_queries(text: str, asked: AskedKind) -> list[Record]:
    """What is looked for: bare letters as one nameless record, or the records of the file that the text names.

    Args:
        text: Letters, or the path of a file.
        asked: What they are; auto: by the letters.

    Raises:
        ConfigError: texts are asked for.
        DataError: the file cannot be read or holds no sequences.

    >>> read_queries("ACGTTGCA", "auto")
    [Record(id='query', kind='dna', text='ACGTTGCA', ...)]
    """
    if asked == "text":
        raise ConfigError("--find looks for sequences. Expected --kind dna or protein; ask texts with --ask.")
    letters = "".join(text.split()).removesuffix("*")
    if letters.isalpha() or not letters:
        return [Record("query", guess_kind(letters) if asked == "auto" else asked, letters)]
    path = Path(text).expanduser()
    kind = kinds_of(path, asked)[0]
    if kind == "text":
        raise DataError(f"{path}: holds texts. Expected a file of sequences; ask texts with --ask.")
    return list(read_records(path, kind))
