"""Inputs of any size for `corpus_build.py`: FASTA and texts as archives give them, grown from real or made-up ones.

With a data folder they start from its genomes, proteomes and English texts, else from made-up sequences and the English
pages of the package. Beyond that follow copies that no step may take for repeats: one letter in 20 is another, or the
words of each paragraph stand in another order. Files are written as they are made; a folder of links holds each size.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from xopen import xopen

from _learners import LETTERS
from _sequences import REAL, made_up
from llama_gene.config import GENE_KINDS, GeneKind, Kind
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.tokenizer.tiny import english_pages

REAL_PLACES: dict[Kind, tuple[str, ...]] = {**REAL, "text": ("text/craft", "text/openstax-*.zip", "text/plos_jats")}
_MUTATED = 0.05
_FILE_LETTERS = 5_000_000
_LINE = {"dna": 80, "protein": 60}
_HEADERS = {"dna": "{id}.{copy} {about}", "protein": "sp|B{number:07d}|{id}_{copy} {about} OS=Copy {copy} PE=1 SV=1"}
_SHORTEST_MIXED = 8
_ITEM_BP = 300
_ITEM_WORDS = 20
_LOWER = np.uint8(0x20)


@dataclass(frozen=True)
class Prepared:
    """A folder with files of one kind, and the letters in them: bases, residues, or bytes of text."""

    kind: Kind
    folder: Path
    letters: int


@dataclass(frozen=True)
class _Original:
    id: str
    about: str
    letters: str


def prepare(kind: Kind, sizes: Sequence[int], folder: Path, data: Path | None) -> list[Prepared]:
    """As many files as reach each size in letters; those that lie in `folder` from an earlier run are taken again.

    Args:
        kind: What the letters are.
        sizes: Letters, ascending.
        folder: Is made where it is missing.
        data: Data folder; None: made up.
    """
    per_file = min(_FILE_LETTERS, sizes[0] // 4)
    made_from = {"data": str(data), "letters_per_file": per_file}
    book = folder / f"{kind}.json"
    found = json.loads(book.read_text(encoding="utf-8")) if book.exists() else {}
    if found.get("made_from") != made_from or sum(letters for _, letters in found["files"]) < sizes[-1]:
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir(parents=True)
        found = {"made_from": made_from, "files": _write(kind, sizes[-1], per_file, folder / kind, data)}
        book.write_text(json.dumps(found), encoding="utf-8")
    return [_link(kind, size, found["files"], folder) for size in sizes]


def _link(kind: Kind, size: int, files: Iterable[tuple[str, int]], folder: Path) -> Prepared:
    place = folder / f"{kind}-{size}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    linked = 0
    for name, letters in files:
        os.link(folder / kind / name, place / name)
        linked += letters
        if linked >= size:
            break
    return Prepared(kind, place, linked)


def _write(kind: Kind, size: int, per_file: int, folder: Path, data: Path | None) -> list[tuple[str, int]]:
    """Write files until they hold so many letters; their names and letters."""
    written: list[tuple[str, int]] = []
    total = 0
    files = _texts(folder, data) if kind == "text" else _fastas(kind, per_file, folder, data)
    for name, letters in files:
        written.append((name, letters))
        total += letters
        if total >= size:
            break
    return written


def _fastas(kind: GeneKind, per_file: int, folder: Path, data: Path | None) -> Iterator[tuple[str, int]]:
    rng = np.random.default_rng(1)
    records = _copies(kind, _originals(kind, data), rng)
    for number in count():
        name, letters = f"{number:05d}.fa.gz", 0
        with xopen(folder / name, "wb", compresslevel=1, threads=1) as file:
            while letters < per_file:
                header, codes = next(records)
                file.write(f">{header}\n".encode() + _wrap(codes, _LINE[kind]))
                letters += len(codes)
        yield name, letters


def _originals(kind: Kind, data: Path | None) -> list[_Original]:
    if data:
        files = (file for place in REAL_PLACES[kind] for file in list_files(data / place))
        records = (record for file in files for record in read_records(file, kind, on_invalid="skip", case="keep"))
        return [_Original(record.id, record.description, record.text) for record in records]
    if kind == "text":
        return [_Original(name, "", page) for name, page in english_pages()]
    return [_Original(f"MADE{number}", "made up", letters) for number, letters in enumerate(made_up(kind))]


def _copies(
    kind: GeneKind, originals: Sequence[_Original], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Headers and letters: first all as they are, then copies of all, without end."""
    alphabet = np.frombuffer(LETTERS[kind].encode(), np.uint8)
    number = 0
    for copy in count():
        for original in originals:
            codes = np.frombuffer(original.letters.encode(), np.uint8)
            if copy:
                codes = codes.copy()
                hit = rng.integers(0, len(codes), int(len(codes) * _MUTATED))
                # Gaps stay gaps, and what is soft-masked stays so.
                hit = hit[(codes[hit] & ~_LOWER) != ord("N")] if kind == "dna" else hit
                codes[hit] = rng.choice(alphabet, len(hit)) | (codes[hit] & _LOWER)
            yield _HEADERS[kind].format(id=original.id, about=original.about, copy=copy, number=number), codes
            number += 1


def _wrap(codes: np.ndarray, width: int) -> bytes:
    whole = len(codes) // width * width
    lines = np.full((whole // width, width + 1), ord("\n"), np.uint8)
    lines[:, :width] = codes[:whole].reshape(-1, width)
    rest = codes[whole:].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")


def _texts(folder: Path, data: Path | None) -> Iterator[tuple[str, int]]:
    """The files as they are published, then a file for each text with mixed words, without end."""
    rng = np.random.default_rng(1)
    files = (file for place in REAL_PLACES["text"] for file in list_files(data / place)) if data else ()
    for file in files:
        shutil.copyfile(file, folder / file.name)
        yield file.name, sum(len(record.text.encode()) for record in read_records(file, "text", on_invalid="skip"))
    originals = _originals("text", data)
    for copy in count(1):
        for place, original in enumerate(originals):
            text = "\n\n".join(_mixed(paragraph, rng) for paragraph in original.letters.split("\n\n")).encode()
            name = f"{copy:05d}-{place:05d}.txt.gz"
            with xopen(folder / name, "wb", compresslevel=1, threads=0) as out:
                out.write(text)
            yield name, len(text)


def _mixed(paragraph: str, rng: np.random.Generator) -> str:
    """The words in another order; headings stay."""
    words = paragraph.split()
    return (
        " ".join(words[place] for place in rng.permutation(len(words))) if len(words) >= _SHORTEST_MIXED else paragraph
    )


def write_items(folder: Path, inputs: Sequence[Prepared], number: int) -> Path:
    """A folder as `tasks split` writes it, with so many items of each kind out of the inputs; half of them for testing.

    DNA items are pieces of 300 bp, protein items whole proteins, and text is asked for in answers of 20 words.
    """
    rng = np.random.default_rng(2)
    rows = []
    for prepared in inputs:
        letters = _some_letters(prepared, number, rng)
        is_gene = prepared.kind in GENE_KINDS
        rows += [
            {
                "task": f"{prepared.kind} items", "family": "classification" if is_gene else "function",
                "target": "yes" if is_gene else text, "labels": ["yes", "no"] if is_gene else [],
                "sequences": [text] if is_gene else [], "kinds": [prepared.kind] if is_gene else [],
            }
            for text in letters
        ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    lists = {name: pa.list_(pa.string()) for name in ("labels", "sequences", "kinds")}
    schema = pa.schema({name: lists.get(name, pa.string()) for name in rows[0]})
    for place, split in enumerate(("valid", "test")):
        pq.write_table(pa.Table.from_pylist(rows[place::2], schema), folder / f"{split}.parquet")
    return folder


def _some_letters(prepared: Prepared, number: int, rng: np.random.Generator) -> Iterator[str]:
    """So many items from the first records."""
    left = number
    records = (
        record
        for file in list_files(prepared.folder)
        for record in read_records(file, prepared.kind, on_invalid="skip")
    )
    for record in records:
        parts = record.text.split() if prepared.kind == "text" else record.text
        length = {"dna": _ITEM_BP, "protein": len(parts), "text": _ITEM_WORDS}[prepared.kind]
        for _ in range(min(left, 1 if prepared.kind == "protein" else max(1, number // 20))):
            start = int(rng.integers(0, max(1, len(parts) - length + 1)))
            part = parts[start : start + length]
            yield part if isinstance(part, str) else " ".join(part)
            left -= 1
        if not left:
            return
