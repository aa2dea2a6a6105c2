"""FASTA and FASTQ, with what the common headers say.

FASTQ is parsed by Biopython. FASTA is read here by the megabyte, since a genome is millions of short lines: three times
as fast as line by line, from any stream (a member of a zip, object storage), with what `Bio.SeqIO` makes of it.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import BinaryIO, NamedTuple

from Bio.SeqIO.QualityIO import FastqGeneralIterator

from llama_gene.config import Kind
from llama_gene.sequences.files import Inspector, Item, open_bytes, open_text

_BLOCK_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\n\v\f"
_UNIPROT_FIELD = re.compile(r" (OS|OX|GN|PE|SV)=")


class Entry(NamedTuple):
    """A parsed, unchecked record; `line` is 1-based, 0 where finding it means reading the file again."""

    id: str
    description: str
    letters: str
    annotations: Mapping[str, str | tuple[str, ...]]
    line: int = 0


def parse_fasta(item: Item) -> Iterator[tuple[str, str]]:
    """(title, letters) of each record of a FASTA file."""
    with open_bytes(item) as stream:
        yield from read_fasta(stream)


def read_fasta(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    r"""(title, letters) of each record of a FASTA stream; white space between letters is left out.

    What stands before the first title belongs to no record and is passed over.

    >>> from io import BytesIO
    >>> list(read_fasta(BytesIO(b">a one\nAC\nGT\n>b\n\nacgt")))
    [('a one', 'ACGT'), ('b', 'acgt')]
    """
    return chain.from_iterable(read_blocks(stream))


def count_headless(item: Item) -> int:
    """Letters before the first title of a FASTA file, which belong to no record."""
    letters = 0
    with open_text(item) as text:
        for line in text:
            if line.startswith(">"):
                break
            letters += len("".join(line.split()))
    return letters


def read_blocks(stream: BinaryIO) -> Iterator[list[tuple[str, str]]]:
    """The records of `read_fasta`, those together that end in one block of the stream."""
    title: bytes | None = None
    letters = bytearray()
    # A record begins at a line that starts with >, the first of them, too.
    carried = b"\n"
    is_first = True
    # What there is, not what was asked for: the records before a cut in a compressed file are whole.
    read = getattr(stream, "read1", stream.read)
    while block := read(_BLOCK_BYTES):
        if is_first:
            block, is_first = block.removeprefix(_BYTE_ORDER_MARK), False
        data = carried + (block.replace(b"\r", b"\n") if b"\r" in block else block)
        # Most blocks of a genome hold no title, and one byte is found ten times as fast as two.
        rest, *records = data.split(b"\n>") if b">" in data else (data,)
        letters += _join_lines(rest)
        if records:
            before, letters = letters, bytearray()
            ended = [] if title is None else [(_decode(title), _decode(before))]
            del before  # a chromosome is not held twice while it is worked on
            lines_of = [record.partition(b"\n") for record in records]
            ended += [(_decode(name), _decode(lines.translate(None, _WHITE_SPACE))) for name, _, lines in lines_of[:-1]]
            if ended:
                yield ended
            title, border, rest = lines_of[-1]
            # Whether the block ends inside a title, or where one may begin, the next one tells.
            if not border:
                carried, title = b"\n>" + title, None
                continue
            letters += _join_lines(rest)
        carried = b"\n" if data.endswith(b"\n") else b""
    if title is None and carried.startswith(b"\n>"):
        title = carried[2:]
    text = _decode(letters)
    del letters
    if title is not None:
        yield [(_decode(title), text)]


def _join_lines(lines: bytes) -> bytes:
    """Many lines without white space; nearly always they hold none but their ends, which go faster alone."""
    joined = lines.replace(b"\n", b"")
    has_more = b" " in joined or b"\t" in joined or b"\v" in joined or b"\f" in joined
    return joined.translate(None, _WHITE_SPACE) if has_more else joined


def _decode(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "surrogateescape").rstrip()


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
                    records=1,
                )
                return
            yield Entry(*split_title(title), letters, {})


def split_title(title: str) -> tuple[str, str]:
    r"""The name of a record, which ends at a blank or tab, and what follows it.

    >>> split_title("P1 globin"), split_title("P1\tglobin, two")
    (('P1', 'globin'), ('P1', 'globin, two'))
    """
    name, _, description = title.partition(" ")
    if "\t" in name:
        name, _, description = title.partition("\t")
    return name, description.strip()


def header_annotations(name: str, description: str) -> dict[str, str | tuple[str, ...]]:
    """What a UniProt, `ID EC~~~gene~~~product~~~` or RefSeq `product [organism]` header says.

    >>> header_annotations("sp|P69905|HBA_HUMAN", "Hemoglobin subunit alpha OS=Homo sapiens OX=9606 GN=HBA1 PE=1 SV=2")
    {'accession': 'P69905', 'product': 'Hemoglobin subunit alpha', 'organism': 'Homo sapiens', 'gene': 'HBA1'}
    >>> header_annotations("O57809", "3.5.99.7~~~~~~Putative deaminase~~~")
    {'ec': ('3.5.99.7',), 'product': 'Putative deaminase'}
    >>> header_annotations("WP_1.1", "DNA helicase [Escherichia coli]")
    {'product': 'DNA helicase', 'organism': 'Escherichia coli'}
    """
    numbers: dict[str, str | tuple[str, ...]] = {}
    if name.startswith(("sp|", "tr|")) and name.count("|") == 2:
        product, *named = _UNIPROT_FIELD.split(description)
        fields = dict(zip(named[::2], named[1::2], strict=True))
        found = {"accession": name.split("|")[1], "product": product, "organism": fields.get("OS", "")}
        found["gene"] = fields.get("GN", "")
    elif description.count("~~~") >= 2:
        ec, gene, product = description.split("~~~")[:3]
        found = {"gene": gene, "product": product}
        if ec.strip():
            numbers["ec"] = (ec.strip(),)
    elif description.endswith("]"):
        product, _, organism = description[:-1].rpartition(" [")
        found = {"product": product.strip(), "organism": organism} if product else {}
    else:
        return {}
    return numbers | {key: value.strip() for key, value in found.items() if value}


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
