"""Stream records from one file of any supported format, checked letter by letter and counted by reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_gene.config import Kind, OnInvalid, SourceFormat
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import DNA, PROTEIN, Alphabet, clean_letters, is_plain
from llama_gene.sequences.detect import detect_format
from llama_gene.sequences.fasta import (
    Entry,
    count_headless,
    find_letter,
    header_annotations,
    parse_fasta,
    parse_fastq,
    split_title,
)
from llama_gene.sequences.files import Inspector, Item, Lost, first_bytes, list_files, list_items
from llama_gene.sequences.genbank import parse_genbank
from llama_gene.sequences.gff import parse_gff
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.prose import parse_jats, parse_markdown, parse_pubmed, parse_text
from llama_gene.sequences.records import Record
from llama_gene.sequences.tables import parse_json, parse_jsonl, parse_lines, parse_parquet, parse_table
from llama_gene.sequences.uniprot import parse_uniprot

__all__ = ["list_files", "read_records"]

_ALPHABETS: dict[Kind, Alphabet] = {"dna": DNA, "protein": PROTEIN}
_PARSERS: dict[str, Callable[[Item, Kind, Inspector], Iterator[Entry]]] = {
    "fastq": parse_fastq,
    "genbank": parse_genbank,
    "gff3": parse_gff,
    "uniprot": parse_uniprot,
    "table": parse_table,
    "json": parse_json,
    "jsonl": parse_jsonl,
    "parquet": parse_parquet,
    "markdown": parse_markdown,
    "jats": parse_jats,
    "pubmed": parse_pubmed,
    "text": parse_text,
}
_AS_DNA = str.maketrans("Uu", "Tt")
_TEXT_ONLY = ("markdown", "jats", "pubmed")
_ANNOTATED = ("genbank", "gff3")
_SEQUENCE_ONLY = ("fasta", "fastq", "genbank", "gff3")


@dataclass(frozen=True)
class Reading:
    """The item being read, and what is expected of it."""

    item: Item
    kind: Kind
    source: str
    inspector: Inspector
    case: Literal["upper", "keep"] = "upper"
    repeats: Literal["refuse", "keep"] = "refuse"

    def refuse(self, reason: str, message: str, *, line: int = 0, records: int = 0, letters: int = 0) -> None:
        """Raise or count, with the place in front of the message; line 0: the whole item."""
        at = f":{line}" if line else ""
        self.inspector.refuse(reason, f"{self.item.label}{at}: {message}", records=records, letters=letters)

    def refuse_record(self, reason: str, message: str, text: str, *, line: int = 0) -> None:
        """Raise or count a whole record, and its letters."""
        self.refuse(reason, message, line=line, records=1, letters=count_letters(text, self.kind))


def read_records(
    path: Path,
    kind: Kind,
    *,
    format: SourceFormat = "auto",  # noqa: A002 - the name of the setting
    source: str = "",
    on_invalid: OnInvalid = "error",
    counts: Counter[str] | None = None,
    case: Literal["upper", "keep"] = "upper",
    repeats: Literal["refuse", "keep"] = "refuse",
    lost: Lost | None = None,
) -> Iterator[Record]:
    """Stream the records of one file: plain, .gz, .zst, or each member of a .zip.

    Letters come in upper case, U of DNA as T, a final `*` of a protein dropped, each counted. GenBank and GFF3 give
    the genome for "dna", the translations for "protein", and for "coding" the coding DNA of each gene, a line feed and
    its protein; a UniProt flat file gives its FUNCTION text for "text".
    Memory holds one record (or one JATS or JSON file) at a time, and the ids of one file unless repeats are kept.

    Args:
        path: The file.
        kind: What the letters are.
        format: auto: by the first bytes, else by the name.
        source: Name in the records; default: the path.
        on_invalid: error: stop at bad input; skip: count it.
        counts: Filled with changes and refusals, by reason.
        case: keep: lower-case DNA (soft masks) stays as it is, but not that of GenBank, which is always in lower case.
        repeats: keep: a second record of the same id is given like any other.
        lost: Filled with the whole records that are refused, and their letters.

    Raises:
        DataError: the file is missing, or bad input and `on_invalid` is "error".

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.fa"
    ...     _ = path.write_text(">x\\nacgu\\n")
    ...     [(record.id, record.text) for record in read_records(path, "dna")]
    [('x', 'ACGT')]
    """
    inspector = Inspector(on_invalid, Counter() if counts is None else counts, Lost() if lost is None else lost)
    for item in _items(path, inspector):
        try:
            yield from _read_item(Reading(item, kind, source or str(path), inspector, case, repeats), format)
        except DataError as error:
            inspector.refuse("unreadable file", str(error))


def _items(path: Path, inspector: Inspector) -> list[Item]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check the path.")
    try:
        return list_items(path)
    except DataError as error:
        inspector.refuse("unreadable file", str(error))
        return []


def _read_item(reading: Reading, format: SourceFormat) -> Iterator[Record]:  # noqa: A002
    chosen = _choose(reading, format)
    if chosen is None:
        return
    # Reads of a pair share their name, and a file may hold billions: FASTQ names are not compared.
    seen: set[str] | None = None if chosen == "fastq" or reading.repeats == "keep" else set()
    found = False
    _check_format(reading, chosen)
    for record, line in _check_fasta(reading) if chosen == "fasta" else _check_entries(reading, chosen):
        found = True
        if record is None:
            continue
        if seen is not None:
            if record.id in seen:
                _refuse_repeated(record, line, reading)
                continue
            seen.add(record.id)
        yield record
    if not found:
        reading.refuse("no records", f"no {reading.kind} records of format {chosen}. Set the right format.")


def _check_fasta(reading: Reading) -> Iterator[tuple[Record | None, int]]:
    """Each record, None after a refusal; a plain one, as nearly all are, goes no further way than it must."""
    kind, source, alphabet = reading.kind, reading.source, _ALPHABETS[reading.kind]
    for title, letters in parse_fasta(reading.item):
        name, description = split_title(title)
        if name and title.isascii() and is_plain(letters, alphabet):
            annotations = header_annotations(name, description)
            accession = str(annotations.get("accession") or name)
            record = Record(accession, kind, letters, source, description, annotations)
            yield record, 0
        else:
            entry = Entry(name, description, letters, {})
            yield _check_sequence(_readable(entry, reading.inspector), reading), 0


def _check_entries(reading: Reading, chosen: SourceFormat) -> Iterator[tuple[Record | None, int]]:
    """Each record, None after a refusal, and its line."""
    check = {"text": _check_text, "coding": _check_pair}.get(reading.kind, _check_sequence)
    parse = parse_lines if chosen == "text" and reading.kind != "text" else _PARSERS[chosen]
    for entry in parse(reading.item, reading.kind, reading.inspector):
        yield check(_readable(entry, reading.inspector), reading), entry.line


def _choose(reading: Reading, format: SourceFormat) -> SourceFormat | None:  # noqa: A002
    """The format of the item; None after a refusal."""
    start = first_bytes(reading.item)
    if not start.strip():
        reading.refuse("empty file", f"the file is empty. Expected {reading.kind} records; fetch it again.")
        return None
    chosen = detect_format(reading.item, start, reading.kind) if format == "auto" else format
    if b"\0" in start and chosen != "parquet":
        reading.refuse(
            "binary file", f"binary data. Expected {reading.kind} records in a text format; name the right file."
        )
        return None
    if chosen == "fasta" and not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b">", b";")):
        if b"\n>" in start.replace(b"\r", b"\n"):
            reading.refuse(
                "no first header",
                "letters before the first header. Expected a line that starts with '>'; add it, or skip these letters "
                "with on_invalid = 'skip'.",
                line=1,
                records=1,
                letters=count_headless(reading.item),
            )
            return chosen
        reading.refuse("not FASTA", "no FASTA. Expected a line that starts with '>'; set the right format.", line=1)
        return None
    return chosen


def _check_format(reading: Reading, chosen: SourceFormat) -> None:
    item, kind = reading.item, reading.kind
    if kind == "coding" and chosen not in _ANNOTATED:
        raise DataError(
            f"{item.label}: a {chosen} file says not which DNA codes for which protein. Expected GenBank, or GFF3 with "
            "its FASTA; name one."
        )
    if (kind == "text" and chosen in _SEQUENCE_ONLY) or (kind != "text" and chosen in _TEXT_ONLY):
        raise DataError(f"{item.label}: a {chosen} file holds no {kind}. Set kind or format to what it holds.")


def _readable(entry: Entry, inspector: Inspector) -> Entry:
    """The entry with replacement characters where its name or description is not UTF-8."""
    if entry.id.isascii() and entry.description.isascii() and not entry.annotations:
        return entry
    annotations = {
        key: _mend(value) if isinstance(value, str) else tuple(map(_mend, value))
        for key, value in entry.annotations.items()
    }
    mended = entry._replace(id=_mend(entry.id), description=_mend(entry.description), annotations=annotations)
    if mended != entry:
        inspector.note("headers that are not UTF-8 mended")
    return mended


def _mend(words: str) -> str:
    return words if words.isascii() else words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _check_text(entry: Entry, reading: Reading) -> Record | None:
    text = entry.letters.strip()
    if not text:
        _refuse_empty(entry, reading)
        return None
    if "\0" in text:
        message = f"record {entry.id!r} holds binary data. Expected text; leave it out."
        reading.refuse_record("binary file", message, text)
        return None
    if _mend(text) != text:
        message = f"record {entry.id!r} is not UTF-8. Expected UTF-8 text; convert it."
        reading.refuse_record("not UTF-8", message, text, line=entry.line)
        return None
    return Record(entry.id, reading.kind, text, reading.source, entry.description, entry.annotations)


def _check_pair(entry: Entry, reading: Reading) -> Record | None:
    return Record(entry.id, reading.kind, entry.letters, reading.source, entry.description, entry.annotations)


def _check_sequence(entry: Entry, reading: Reading) -> Record | None:
    if not entry.id:
        reading.refuse_record(
            "record without a name",
            f"a record of {len(entry.letters)} letters has no name. Expected one after '>'; name it.",
            entry.letters,
            line=entry.line,
        )
        return None
    cleaned = clean_letters(entry.letters, _ALPHABETS[reading.kind])
    if not cleaned.letters:
        _refuse_empty(entry, reading)
        return None
    if cleaned.problem:
        _refuse_letters(entry, cleaned.problem, reading)
        return None
    letters = cleaned.letters
    if cleaned.lower_case and reading.kind == "dna" and reading.case == "keep":
        letters = entry.letters.translate(_AS_DNA)
    elif cleaned.lower_case:
        reading.inspector.note("records upper-cased")
    if cleaned.uracil:
        reading.inspector.note("records with U read as T")
    if cleaned.final_stop:
        reading.inspector.note("final stops dropped")
    annotations = entry.annotations or header_annotations(entry.id, entry.description)
    name = str(annotations.get("accession") or entry.id)
    return Record(name, reading.kind, letters, reading.source, entry.description, annotations)


def _refuse_empty(entry: Entry, reading: Reading) -> None:
    reading.refuse_record(
        "empty record",
        f"record {entry.id!r} is empty. Expected letters; remove it or set on_invalid = 'skip'.",
        "",
        line=entry.line,
    )


def _refuse_letters(entry: Entry, problem: str, reading: Reading) -> None:
    alphabet = _ALPHABETS[reading.kind]
    looks_wrong = "look like" in problem
    line = entry.line
    if not line and reading.inspector.on_invalid == "error":
        unknown = alphabet.unknown(entry.letters.upper())
        line = find_letter(reading.item, entry.id, unknown.replace("U", "") if alphabet is DNA else unknown)
    remedy = "set the right kind" if looks_wrong else "clean the file or set on_invalid = 'skip'"
    reading.refuse_record(
        "wrong alphabet" if looks_wrong else "letters outside the alphabet",
        f"record {entry.id!r}: {problem}. Expected {alphabet.letters} or {alphabet.ambiguous}; {remedy}.",
        entry.letters,
        line=line,
    )


def _refuse_repeated(record: Record, line: int, reading: Reading) -> None:
    reading.refuse_record(
        "duplicate id",
        f"the id {record.id!r} comes twice. Expected each id once in a file; rename one or set on_invalid = 'skip' to "
        "keep the first.",
        record.text,
        line=line,
    )


def read_texts(
    paths: Iterable[Path], kind: Kind, *, on_invalid: OnInvalid = "error", counts: Counter[str] | None = None
) -> Iterator[str]:
    """The letters alone of every record of many files, folders or globs; arguments and errors as `read_records`."""
    for path in paths:
        for file in list_files(path):
            for record in read_records(file, kind, on_invalid=on_invalid, counts=counts):
                yield record.text
