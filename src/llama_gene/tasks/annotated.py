"""Items from annotated records: coding sequences of GenBank, comments and terms of UniProt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_gene.config import Kind
from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector, list_files
from llama_gene.sequences.genbank import read_coding
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import PROTEIN_ANNOTATIONS, CodingSequence, Record
from llama_gene.sequences.terms import join_terms
from llama_gene.sequences.translate import translate_coding
from llama_gene.tasks.files import task_path
from llama_gene.tasks.items import RawItem
from llama_gene.tasks.sources import AnnotationReader, CodingReader
from llama_gene.tasks.steps import Reading

_CODON = 3
_CLASS = "ec_class"


def read_pairs_of_coding(reader: CodingReader, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    """Coding sequences with their own protein (two sequences), or with the name of their product.

    A pair in register holds the codons that are read, without the stop: exactly three bases to a residue.
    """
    for file in reader.files:
        for path in list_files(task_path(file.path, data)):
            for number, coding in enumerate(
                read_coding(path, on_invalid=inspector.on_invalid, counts=inspector.counts), start=1
            ):
                name = coding.locus_tag or f"{coding.record_id}.{number}"
                where = f"{path}: {name}"
                about = {None: coding.record_id, "organism": coding.organism}
                if reader.answer == "product":
                    if coding.product:
                        yield RawItem(name, where, (coding.dna,), coding.product, split=file.split, about=about)
                    else:
                        inspector.counts["coding sequence without a product"] += 1
                    continue
                pair = _in_register(coding)
                if pair is None:
                    inspector.counts["coding sequence not in register with its protein"] += 1
                else:
                    yield RawItem(name, where, pair, "", split=file.split, reading=_reading(coding), about=about)


def _in_register(coding: CodingSequence) -> tuple[str, str] | None:
    """Codons and residues one to one, or None (no protein, partial, a frame shift)."""
    codons = coding.dna[coding.codon_start - 1 :]
    protein = coding.protein.rstrip("*")
    if not protein or len(codons) not in (_CODON * len(protein), _CODON * (len(protein) + 1)):
        return None
    return codons[: _CODON * len(protein)], protein


def _reading(coding: CodingSequence) -> Reading | None:
    """How the gene is translated, or None where its genetic code or a letter of it is unknown."""
    try:
        return Reading(coding.table, translate_coding(coding))
    except DataError:
        return None


def read_annotations(reader: AnnotationReader, kind: Kind, data: Path, inspector: Inspector) -> Iterator[RawItem]:
    """Sequences with one annotation as the answer; several terms stand in a list.

    An enzyme of several classes has no single one, and is left out and counted where its class is asked.
    """
    for file in reader.files:
        for path in list_files(task_path(file.path, data)):
            for record in read_records(
                path,
                kind,
                format=reader.format,
                source=file.path,
                on_invalid=inspector.on_invalid,
                counts=inspector.counts,
            ):
                answers = _annotation(record, reader.field)
                if not answers:
                    inspector.counts[f"record without {reader.field}"] += 1
                elif reader.field == _CLASS and len(answers) > 1:
                    inspector.counts["enzyme of several classes"] += 1
                else:
                    # What a record does not say is an empty value, not an unknown column.
                    about: dict[Any, Any] = {None: record.id, **dict.fromkeys(PROTEIN_ANNOTATIONS, "")}
                    about |= record.annotations
                    place, answer = f"{path}: {record.id}", join_terms(answers)
                    yield RawItem(record.id, place, (record.text,), answer, split=file.split, about=about)


def _annotation(record: Record, field: str) -> tuple[str, ...]:
    """All that a record says in a field; the class of an enzyme is the first part of its number."""
    if field == _CLASS:
        return tuple(dict.fromkeys(number.partition(".")[0] for number in record.annotations.get("ec", ())))
    found = record.annotations.get(field, ())
    return (found,) if isinstance(found, str) else found
