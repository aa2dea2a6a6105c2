"""Coding sequences from GFF3 with its genome: after `##FASTA` in the same file, or in a FASTA file beside it.

Where a FASTA file of its proteins lies beside it too, they are the translations that the source gives.

The parts of a coding sequence are joined by their Parent. Where one Parent has several coding sequences, the ID tells
them apart; the same parts under several Parents (transcripts that differ in their untranslated ends) are given once.
GFF3 coordinates are 1-based and inclusive; all here are 0-based and half-open.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from Bio.SeqIO.FastaIO import SimpleFastaParser

from llama_gene.config import Kind, OnInvalid
from llama_gene.errors import DataError
from llama_gene.sequences.beside import find_genome, read_proteins
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector, Item, list_items, open_text
from llama_gene.sequences.genbank import Part, entries_of, read_exception, splice
from llama_gene.sequences.records import CodingSequence, CodonException
from llama_gene.sequences.translate import translate_coding

_REGIONS = ("region", "chromosome", "contig", "scaffold")
_REGION_NAME = re.compile(r"(?:^|;)(?:Name|chromosome|Alias)=([^;,]+)")
_MITOCHONDRION = ("MT", "Mito", "MtDNA", "chrM", "ChrM", "chrMT", "M")
# Genetic codes that are tried, in this order, where a line names none and the protein is given: Ensembl names none.
_CODES = (1, 11, 2, 3, 4, 5, 12)


@dataclass(frozen=True)
class Row:
    """One CDS line."""

    seqid: str
    start: int
    end: int
    strand: int
    phase: int
    attributes: dict[str, str]
    line: int
    parent: str = ""


def read_gff_coding(
    path: Path,
    *,
    fasta: Path | None = None,
    table: int = 1,
    on_invalid: OnInvalid = "error",
    counts: Counter[str] | None = None,
) -> Iterator[CodingSequence]:
    """Stream the coding sequences of a GFF3 file, sequence by sequence in the order of the FASTA.

    Args:
        path: .gff or .gff3, plain or compressed.
        fasta: The genome; None: in the file itself, else the FASTA of the same name or assembly beside it.
        table: Genetic code where a line has no transl_table.
        on_invalid: error: stop at a bad line; skip: count it.
        counts: Filled with what was left out, by reason.

    Raises:
        DataError: no genome is found, or a line is bad and `on_invalid` is "error".

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.gff3"
    ...     line = "c\\tx\\tCDS\\t1\\t9\\t.\\t-\\t0\\tParent=t1\\n"
    ...     _ = path.write_text(f"{line}##FASTA\\n>c\\nTTATGCCAT\\n")
    ...     [coding.dna for coding in read_gff_coding(path)]
    ['ATGGCATAA']
    """
    inspector = Inspector(on_invalid, Counter() if counts is None else counts)
    for item in list_items(path):
        yield from _coding_of(item, fasta, table, inspector)


def parse_gff(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """Genome sequences for "dna", translations for "protein", both of each coding sequence for "coding"."""
    if kind == "dna":
        yield from (Entry(name, "", letters, {}) for name, letters in read_genome(item))
    else:
        yield from entries_of(_coding_of(item, None, 1, inspector), kind, inspector)


def _coding_of(item: Item, fasta: Path | None, table: int, inspector: Inspector) -> Iterator[CodingSequence]:
    aliases: dict[str, str] = {}
    groups = _groups(_read_rows(item, aliases, inspector), inspector)
    proteins = read_proteins(item)
    seen: set[str] = set()
    for name, genome in read_genome(item, fasta):
        name = name if name in groups else aliases.get(name, name)
        seen.add(name)
        letters = genome.upper() if name in groups else ""
        for rows in groups.get(name, ()):
            try:
                yield _with_protein(_coding(rows, letters, table), rows, proteins)
            except DataError as error:
                inspector.refuse("bad coding region", f"{item.label}:{rows[0].line}: {error}", records=1)
    missing = sorted(set(groups) - seen)
    if missing:
        inspector.refuse(
            "annotated sequence is missing",
            f"{item.label}: {len(missing)} annotated sequences are not in the FASTA, first {missing[0]!r}. "
            "Expected the same names in both; name the right FASTA.",
            records=sum(len(groups[name]) for name in missing),
        )


def read_genome(item: Item, fasta: Path | None = None) -> Iterator[tuple[str, str]]:
    """(name, letters) of the genome of a GFF3 file, one sequence at a time.

    Raises:
        DataError: there is none.
    """
    found = False
    if fasta is None:
        with open_text(item) as text:
            for line in text:
                if line.startswith(("##FASTA", ">")):
                    found = True
                    if line.startswith(">"):
                        raise DataError(f"{item.label}: a FASTA record before ##FASTA. Add the line ##FASTA.")
                    yield from ((title.split()[0], letters) for title, letters in SimpleFastaParser(text) if title)
    if not found:
        with open_text(Item(fasta) if fasta else find_genome(item)) as text:
            yield from ((title.split()[0], letters) for title, letters in SimpleFastaParser(text) if title)


def _read_rows(item: Item, aliases: dict[str, str], inspector: Inspector) -> Iterator[Row]:
    """CDS rows; other names of the sequences (`Name=IV` of a region line) are put into `aliases`."""
    with open_text(item) as text:
        for number, line in enumerate(text, start=1):
            if line.startswith("##FASTA"):
                return
            columns = line.rstrip("\n").split("\t")
            if line.startswith("#") or len(columns) < 3 or columns[2] not in ("CDS", *_REGIONS):
                continue
            if columns[2] in _REGIONS:
                aliases |= dict.fromkeys(_REGION_NAME.findall(columns[-1]), columns[0])
                if "genome=mitochondrion" in columns[-1]:
                    aliases |= dict.fromkeys(_MITOCHONDRION, columns[0])
                continue
            try:
                yield _row(columns, number)
            except (ValueError, KeyError) as error:
                inspector.refuse(
                    "bad GFF3 line",
                    f"{item.label}:{number}: not a CDS line ({error}). Expected nine columns with start <= end, strand "
                    "and phase; mend the line.",
                )


def _row(columns: list[str], number: int) -> Row:
    if len(columns) != 9:
        raise ValueError(f"{len(columns)} columns")
    attributes = {}
    for pair in columns[8].strip().strip(";").split(";"):
        key, _, value = pair.partition("=")
        attributes[key.strip()] = value
    start, end = int(columns[3]), int(columns[4])
    if not 1 <= start <= end:
        raise ValueError(f"start {start}, end {end}")
    phase = 0 if columns[7] == "." else int(columns[7])
    if phase not in (0, 1, 2):
        raise ValueError(f"phase {phase}")
    return Row(unquote(columns[0]), start - 1, end, {"+": 1, "-": -1}[columns[6]], phase, attributes, number)


def _groups(rows: Iterator[Row], inspector: Inspector) -> dict[str, list[list[Row]]]:
    """Rows of each coding sequence, in reading order, by sequence name."""
    by_parent: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.attributes.get("pseudo") == "true" or "pseudogene" in row.attributes:
            inspector.note("pseudogene left out")
            continue
        identifier = row.attributes.get("ID", "")
        for parent in row.attributes.get("Parent", identifier or f"line {row.line}").split(","):
            by_parent.setdefault((row.seqid, parent), []).append(replace(row, parent=parent))
    groups: dict[str, list[list[Row]]] = {}
    seen: set[tuple[str, int, tuple[tuple[int, int], ...]]] = set()
    for (seqid, _), parts in by_parent.items():
        for group in _split_by_id(parts):
            key = (seqid, group[0].strand, tuple((row.start, row.end) for row in group))
            if key in seen:
                inspector.note("same coding sequence under another transcript")
                continue
            seen.add(key)
            groups.setdefault(seqid, []).append(group)
    return groups


def _split_by_id(parts: list[Row]) -> list[list[Row]]:
    """The coding sequences of one Parent, each in reading order.

    Lines of one ID are one coding sequence. Where no ID comes twice, the IDs number the parts, unless parts overlap.
    """
    names = [row.attributes.get("ID", "") for row in parts]
    ordered = sorted(parts, key=lambda row: row.start)
    overlap = any(left.end > right.start for left, right in pairwise(ordered))
    if len(set(names)) == 1 or (len(set(names)) == len(names) and not overlap):
        return [_reading_order(parts)]
    return [
        _reading_order([row for row in parts if row.attributes.get("ID", "") == name]) for name in dict.fromkeys(names)
    ]


def _reading_order(parts: list[Row]) -> list[Row]:
    # A slipping ribosome reads a base twice: such parts overlap by a base or two and still sort by their starts.
    unique = {(row.start, row.end): row for row in parts}
    return sorted(unique.values(), key=lambda row: row.start, reverse=parts[0].strand == -1)


def _coding(rows: list[Row], genome: str, table: int) -> CodingSequence:
    first, last = rows[0], rows[-1]
    if any(row.strand != first.strand for row in rows):
        raise DataError("parts on both strands. Expected one strand; mend the annotation.")
    parts = tuple(Part(row.start, row.end, row.strand) for row in rows)
    text = {key: unquote(value) for key, value in first.attributes.items()}
    number = text.get("transl_table", str(table))
    if not number.isdecimal():
        raise DataError(f"transl_table={number!r}: expected a number; mend the annotation.")
    spans = ",".join(f"{row.start + 1}..{row.end}" for row in sorted(rows, key=lambda row: row.start))
    location = f"join({spans})" if len(rows) > 1 else spans
    return CodingSequence(
        record_id=first.seqid,
        locus_tag=text.get("locus_tag") or unquote(first.parent),
        product=text.get("product", ""),
        dna=splice(genome, parts),
        table=int(number),
        codon_start=first.phase + 1,
        exceptions=_exceptions(text.get("transl_except", ""), parts),
        partial_start=first.phase > 0 or _is_partial(first, "start_range" if first.strand == 1 else "end_range"),
        partial_end=_is_partial(last, "end_range" if first.strand == 1 else "start_range"),
        location=location if first.strand == 1 else f"complement({location})",
        start=min(row.start for row in rows),
        end=max(row.end for row in rows),
        strand=first.strand,
        gene=text.get("gene", ""),
        protein_id=text.get("protein_id", ""),
    )


def _with_protein(coding: CodingSequence, rows: list[Row], proteins: Mapping[str, str]) -> CodingSequence:
    """The coding sequence with the protein that is given for it, and the code it is read with where no line says so."""
    protein = proteins.get(coding.protein_id, "").rstrip("*")
    if not protein:
        return coding
    if coding.codon_start > 1:
        protein = protein.removeprefix("X")  # Ensembl's residue for a first codon of which a part is missing
    codes = (coding.table,) if "transl_table" in rows[0].attributes else dict.fromkeys((coding.table, *_CODES))
    read = (replace(coding, protein=protein, table=code) for code in codes)
    return next((one for one in read if translate_coding(one) == protein), replace(coding, protein=protein))


def _is_partial(row: Row, key: str) -> bool:
    return key in row.attributes


def _exceptions(text: str, parts: tuple[Part, ...]) -> tuple[CodonException, ...]:
    return tuple(read_exception(f"({piece.strip('(),')})", parts) for piece in text.split("),(") if piece)
