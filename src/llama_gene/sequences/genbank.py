"""Coding sequences and genomes from GenBank flat files, parsed by gb-io.

Pseudogenes, and regions that reach into another record, are left out and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gb_io
from Bio.Data.IUPACData import protein_letters_3to1_extended

from llama_gene.config import Kind, OnInvalid
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.coding import coding_pair
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector, Item, list_items, open_bytes
from llama_gene.sequences.records import CodingSequence, CodonException
from llama_gene.sequences.translate import translate_coding

__all__ = ["CodingSequence", "genome_letters", "read_coding", "read_genbank", "read_location", "splice"]

_EXCEPTION = re.compile(r"pos:\s*(?P<place>.+?)\s*,\s*aa:\s*(?P<residue>[A-Za-z]+)")
_NUMBER = re.compile(r"\d+")
_RESIDUES = {name.upper(): letter for name, letter in protein_letters_3to1_extended.items()} | {
    "TERM": "*", "OTHER": "X", "FMET": "M"
}  # fmt: skip


class Part(NamedTuple):
    """A stretch of a record, 0-based and half-open, on strand 1 or -1."""

    start: int
    end: int
    strand: int


class Place(NamedTuple):
    """The parts of a location in the order they are read, and which ends lie outside."""

    parts: tuple[Part, ...]
    partial_start: bool
    partial_end: bool
    words: str


def read_coding(
    path: Path, *, on_invalid: OnInvalid = "error", counts: Counter[str] | None = None
) -> Iterator[CodingSequence]:
    """Stream the protein-coding regions of a GenBank file, plain, compressed or zipped.

    Args:
        path: .gb, .gbk, .gbff, also .gz, .zst or .zip.
        on_invalid: error: stop at a bad region; skip: count it.
        counts: Filled with what was left out, by reason.

    Raises:
        DataError: the file is broken, or a region is and `on_invalid` is "error".

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.gbk"
    ...     _ = path.write_text(
    ...         "LOCUS       X  9 bp DNA linear BCT 01-JAN-2020\\nFEATURES             Location/Qualifiers\\n"
    ...         "     CDS             complement(1..9)\\nORIGIN\\n        1 ttatgccat\\n//\\n"
    ...     )
    ...     [coding.dna for coding in read_coding(path)]
    ['ATGGCATAA']
    """
    inspector = Inspector(on_invalid, Counter() if counts is None else counts)
    for item in list_items(path):
        for record in read_genbank(item, inspector):
            yield from _coding_of(record, item, inspector)


def read_genbank(item: Item, inspector: Inspector) -> Iterator[Any]:
    """The gb-io records of one file, one at a time."""
    with open_bytes(item) as stream:
        records = gb_io.iter(stream)
        number = 0
        while True:
            number += 1
            try:
                record = next(records, None)
            except (RuntimeError, ValueError) as error:
                inspector.refuse(
                    "broken GenBank record",
                    f"{item.label}: record {number} cannot be parsed ({error}). Expected a GenBank flat file; "
                    "fetch it again. What follows was not read.",
                    records=1,
                )
                return
            if record is None:
                return
            yield record


def parse_genbank(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Genomes for "dna", translations of the coding regions for "protein", both of each region for "coding"."""
    for record in read_genbank(item, inspector):
        if kind == "dna":
            yield Entry(record_name(record), record.definition or "", genome_letters(record), {})
        else:
            yield from entries_of(_coding_of(record, item, inspector), kind, inspector)


def entries_of(codings: Iterator[CodingSequence], kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Proteins, or for "coding" the pairs of DNA and protein that fit together."""
    if kind == "coding":
        yield from filter(None, (coding_pair(coding, inspector) for coding in codings))
    else:
        yield from map(protein_entry, codings)


def protein_entry(coding: CodingSequence) -> Entry:
    """The protein of a coding sequence: as the source gives it, else translated."""
    found = coding.annotations
    if coding.partial_start or coding.partial_end:
        found |= {"fragment": "partial"}
    letters = coding.protein or translate_coding(coding)
    name = coding.protein_id or coding.locus_tag or f"{coding.record_id}:{coding.location}"
    return Entry(name, coding.product, letters, found)


def record_name(record: Any) -> str:
    """The accession with its version where there is one."""
    return str(record.version or record.accession or record.name or "")


def genome_letters(record: Any) -> str:
    """The sequence of a record in upper case."""
    return bytes(record.sequence).decode("ascii", "replace").upper()


def _coding_of(record: Any, item: Item, inspector: Inspector) -> Iterator[CodingSequence]:
    genome = ""
    organism = " ".join(str(record.source.name).split()) if record.source else ""
    for feature in record.features:
        if feature.kind != "CDS":
            continue
        qualifiers: dict[str, list[str]] = {}
        for qualifier in feature.qualifiers:
            qualifiers.setdefault(qualifier.key, []).append(qualifier.value or "")
        if "pseudo" in qualifiers or "pseudogene" in qualifiers:
            inspector.note("pseudogene left out")
            continue
        genome = genome or genome_letters(record)
        if not genome:
            inspector.refuse(
                "record without its sequence",
                f"{item.label}: {record_name(record)} has coding regions but no sequence. Expected letters behind "
                "ORIGIN; fetch the full record.",
                records=sum(other.kind == "CDS" for other in record.features),
            )
            return
        try:
            yield _coding(feature.location, qualifiers, genome, record_name(record), organism)
        except DataError as error:
            name = _words(qualifiers, "locus_tag", "protein_id", "gene") or "unnamed CDS"
            where = f"{item.label}: {record_name(record)}, {name}"
            inspector.refuse("bad coding region", f"{where}: {error}", records=1)


def _coding(location: Any, qualifiers: dict[str, list[str]], genome: str, name: str, organism: str) -> CodingSequence:
    place = read_location(location)
    dna = splice(genome, place.parts)
    return CodingSequence(
        record_id=name,
        locus_tag=_words(qualifiers, "locus_tag", "gene", "protein_id"),
        product=_words(qualifiers, "product"),
        dna=dna,
        protein="".join(_words(qualifiers, "translation").split()).upper(),
        table=_number(qualifiers, "transl_table"),
        codon_start=_number(qualifiers, "codon_start"),
        exceptions=tuple(read_exception(text, place.parts) for text in qualifiers.get("transl_except", [])),
        partial_start=place.partial_start,
        partial_end=place.partial_end,
        location=place.words,
        start=min(part.start for part in place.parts),
        end=max(part.end for part in place.parts),
        strand=place.parts[0].strand,
        gene=_words(qualifiers, "gene"),
        protein_id=_words(qualifiers, "protein_id"),
        ec=tuple(dict.fromkeys("".join(number.split()) for number in qualifiers.get("EC_number", ()))),
        organism=organism,
    )


def _words(qualifiers: dict[str, list[str]], *keys: str) -> str:
    """The first value found, on one line."""
    return next((" ".join(qualifiers[key][0].split()) for key in keys if key in qualifiers), "")


def _number(qualifiers: dict[str, list[str]], key: str) -> int:
    text = _words(qualifiers, key) or "1"
    if not text.isdecimal():
        raise DataError(f"/{key}={text!r}: expected a number; mend the annotation.")
    return int(text)


def read_location(location: Any) -> Place:
    """The parts of a gb-io location in reading order (complement(join(a,b)) is read b first).

    Raises:
        DataError: part of it lies in another record or has no length.
    """
    if isinstance(location, gb_io.Range):
        words = f"{'<' * location.before}{location.start + 1}..{'>' * location.after}{location.end}"
        return Place((Part(location.start, location.end, 1),), location.before, location.after, words)
    if isinstance(location, gb_io.Complement):
        inner = read_location(location.location)
        parts = tuple(Part(part.start, part.end, -part.strand) for part in reversed(inner.parts))
        return Place(parts, inner.partial_end, inner.partial_start, f"complement({inner.words})")
    if isinstance(location, gb_io.Join | gb_io.Order):
        inners = [read_location(inner) for inner in location.locations]
        if not inners:
            raise DataError("an empty join. Expected ranges; mend the annotation.")
        kind = type(location).__name__.lower()
        words = f"{kind}({','.join(inner.words for inner in inners)})"
        parts = tuple(part for inner in inners for part in inner.parts)
        return Place(parts, inners[0].partial_start, inners[-1].partial_end, words)
    raise DataError(f"a {type(location).__name__} location. Expected ranges of this record; leave the region out.")


def splice(genome: str, parts: tuple[Part, ...]) -> str:
    """The parts joined in reading order, each on its own strand.

    Raises:
        DataError: a part reaches beyond the record.

    >>> splice("AACCGGTT", (Part(0, 3, 1), Part(4, 6, -1)))
    'AACCC'
    """
    pieces = []
    for start, end, strand in parts:
        if not 0 <= start < end <= len(genome):
            raise DataError(
                f"{start + 1}..{end} lies outside the record of {len(genome)} bases. "
                "Expected a record with its sequence; fetch the full file."
            )
        pieces.append(genome[start:end] if strand == 1 else reverse_complement(genome[start:end]))
    return "".join(pieces)


def read_exception(text: str, parts: tuple[Part, ...]) -> CodonException:
    """A `transl_except` value, its genome position turned into one of the spliced sequence.

    Raises:
        DataError: the value is not understood or lies outside the region.

    >>> read_exception("(pos:complement(4..6),aa:Sec)", (Part(0, 9, -1),))
    CodonException(start=3, residue='U')
    """
    match = _EXCEPTION.search(" ".join(text.split()))
    residue = _RESIDUES.get(match["residue"].upper()) if match else None
    if not match or residue is None:
        raise DataError(f"transl_except {text!r}: expected (pos:1..3,aa:Sec); mend the annotation.")
    offsets = []
    for number in _NUMBER.findall(match["place"]):
        before = 0
        for start, end, strand in parts:
            if start < int(number) <= end:
                offsets.append(before + (int(number) - 1 - start if strand == 1 else end - int(number)))
                break
            before += end - start
    if not offsets:
        raise DataError(f"transl_except {text!r}: lies outside the region; mend the annotation.")
    return CodonException(min(offsets), residue)
