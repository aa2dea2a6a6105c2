"""Find the sequences in what a user types: FASTA, `@file`, an accession, or bare letters among the words.

What looks like a sequence is a guess, so the rules are few: `>` starts a FASTA record that an empty line ends; `@name`
reads a file, where the caller allows files; 10 or more letters of ACGTUN are DNA in any case; 20 or more capitals (40
of any case) are protein; a word that the caller's store knows is an accession. Lines of bare letters that follow each
other are one sequence.

Text alone reads nothing: which folder and which store it may name is an argument of the call.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from llama_gene.assistant.store import Store
from llama_gene.config import Kind
from llama_gene.errors import DataError, TooLargeError
from llama_gene.sequences.alphabets import DNA, PROTEIN, Alphabet, clean_letters, guess_kind
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import Record

_FILE = re.compile(r'(?<!\S)@(?:"([^"]+)"|(\S+))')
_DNA_WORD = re.compile(r"[ACGTUN]{10,}", re.IGNORECASE)
_PROTEIN_WORD = re.compile(r"[A-Z]{20,}\*?|[A-Za-z]{40,}\*?")
_TAIL = {"dna": re.compile(r"[ACGT]{4,}|[acgt]{4,}"), "protein": re.compile(r"[A-Z]{2,}\*?")}
# Letters and digits, as NC_000913.3, P0A7G6 or b0001; a word without a digit is never looked up.
_ACCESSION = re.compile(r"(?=\S*\d)[A-Za-z][A-Za-z0-9_.|-]{3,39}")
# What the archives give: a word like these that is not in the store is worth a notice.
_SURE_ACCESSION = re.compile(r"[A-Z]{2}_\d{6,9}(\.\d+)?|[OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d([A-Z][A-Z0-9]{2}\d){1,2}")
_LONE_WORD_LETTERS = 15
_PUNCTUATION = ".,;:!?()[]'\"#"
_ALPHABETS: dict[Kind, Alphabet] = {"dna": DNA, "protein": PROTEIN}


class Typed(NamedTuple):
    """A typed message: the words, the sequences in order, and what was mended in them."""

    question: str
    sequences: tuple[Record, ...]
    notices: tuple[str, ...]


class _Piece(NamedTuple):
    """Words (kind ""), raw letters of a guessed kind, the name of a file ("file") or an accession ("stored")."""

    kind: str
    text: str
    id: str = ""


def read_typed(
    text: str, *, kinds: Sequence[Kind] = (), most: int = 16, folder: Path | None = None, store: Store | None = None
) -> Typed:
    """Split a message into its question and its sequences.

    Args:
        text: What was typed or pasted.
        kinds: What the task's sequences are, in order, repeated as needed; empty: guess from the letters.
        most: Most sequences of one message.
        folder: Where the names after `@` start; None: no file is read, and `@name` stays among the words.
        store: Where accessions are looked up; None: nowhere.

    Raises:
        DataError: a file cannot be read, letters are not of the expected alphabet, a record is empty, too many.

    >>> typed = read_typed("Is it a promoter? tataaagcta gcgcat")
    >>> typed.question, [record.text for record in typed.sequences]
    ('Is it a promoter?', ['TATAAAGCTAGCGCAT'])
    """
    pieces = [each for piece in _pieces(text, expected=bool(kinds)) for each in _look_up(piece, store)]
    records: list[Record] = []
    notices: list[str] = []
    if folder is None:
        notices = [f"@{piece.text}: not read; no file can be named here." for piece in pieces if piece.kind == "file"]
        pieces = [_Piece("", f"@{piece.text}") if piece.kind == "file" else piece for piece in pieces]
    for piece in pieces:
        if not piece.kind:
            continue
        wanted = kinds[len(records) % len(kinds)] if kinds else None
        if piece.kind == "stored" and store is not None:
            found, mended = _stored(store, piece.text, wanted)
        elif piece.kind == "file" and folder is not None:
            found, mended = _read_file(folder / Path(piece.text).expanduser(), kinds, wanted, most - len(records)), ()
        else:
            name = piece.id or f"sequence {len(records) + 1}"
            record, mended = checked_record(piece.text, wanted or guess_kind(piece.text), name)
            found = [record]
        records.extend(found)
        notices.extend(mended)
        if len(records) > most:
            raise DataError(f"more than {most} sequences. Ask about at most {most} at a time (chat.max_sequences).")
    # A comma or `####` between two sequences is no question.
    words = [piece.text for piece in pieces if not piece.kind]
    question = " ".join(word for word in words if not records or word.strip(_PUNCTUATION))
    return Typed(question, tuple(records), (*notices, *_unknown_accessions(question, store)))


def _look_up(piece: _Piece, store: Store | None) -> Iterator[_Piece]:
    """The piece, or its words apart from the accessions among them that the store knows."""
    if store is None or piece.kind:
        yield piece
        return
    cores = [word.strip(_PUNCTUATION) for word in piece.text.split()]
    known = store.known({core for core in cores if _ACCESSION.fullmatch(core)})
    words: list[str] = []
    for word, core in zip(piece.text.split(), cores, strict=True):
        if core not in known:
            words.append(word)
            continue
        if words:
            yield _Piece("", " ".join(words))
        words = []
        yield _Piece("stored", core)
    if words:
        yield _Piece("", " ".join(words))


def _stored(store: Store, accession: str, wanted: Kind | None) -> tuple[list[Record], tuple[str, ...]]:
    """The record of an accession, checked, and where it comes from."""
    found = store.find(accession)
    if found is None:
        raise DataError(f"{accession}: in the index of the store, but not in its files. Open the chat again.")
    record, mended = checked_record(found.text, wanted or found.kind, found.id)
    called = f", {found.description.rstrip('.')}" if found.description else ""
    told = f"{found.id}: {len(record.text):,} letters from {found.source}{called}."
    return [record._replace(source=found.source)], (told, *mended)


def _unknown_accessions(question: str, store: Store | None) -> list[str]:
    if store is None:
        return []
    words = [word.strip(_PUNCTUATION) for word in question.split()]
    return [f"{word}: not in the store of sequences (chat.store)." for word in words if _SURE_ACCESSION.fullmatch(word)]


def _pieces(text: str, *, expected: bool) -> Iterator[_Piece]:
    """The parts of a message in order."""
    words: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line.startswith(">"):
            words.append(line)
            continue
        yield from _loose_pieces("\n".join(words), expected=expected)
        words = []
        yield from _fasta_pieces(line, lines)
    yield from _loose_pieces("\n".join(words), expected=expected)


def _fasta_pieces(header: str, lines: Iterator[str]) -> Iterator[_Piece]:
    """Records from a header on, up to an empty line."""
    letters: list[str] = []
    for line in lines:
        if not line.strip():
            break
        if line.startswith(">"):
            yield _fasta_piece(header, letters)
            header, letters = line, []
        else:
            letters.append("".join(line.split()))
    yield _fasta_piece(header, letters)


def _fasta_piece(header: str, letters: list[str]) -> _Piece:
    name = header[1:].split()
    return _Piece("fasta", "".join(letters), name[0] if name else "")


def _loose_pieces(text: str, *, expected: bool) -> Iterator[_Piece]:
    """Files, bare sequences and words of text without FASTA records."""
    # With a task the message is its sequence, even a short or a wrong one: the alphabet check then says why.
    if expected and _is_lone_sequence(text.strip()):
        yield _Piece("bare", text.strip())
        return
    place = 0
    for match in _FILE.finditer(text):
        yield from _bare_pieces(text[place : match.start()])
        yield _Piece("file", match[1] or match[2])
        place = match.end()
    yield from _bare_pieces(text[place:])


def _is_lone_sequence(text: str) -> bool:
    if len(text.split()) != 1 or text.startswith("@"):
        return False
    return len(text) >= _LONE_WORD_LETTERS or (text.isalpha() and text.isupper())


def _bare_pieces(text: str) -> Iterator[_Piece]:
    """Runs of words that are letters of one sequence, and the words between them; punctuation ends a run."""
    kind, run = "", list[str]()
    for word in text.split():
        core = word.strip(_PUNCTUATION)
        found = _word_kind(core) or (kind if kind and _TAIL[kind].fullmatch(core) else "")
        if run and (found != kind or (found and not word.startswith(core))):
            yield _joined(kind, run)
            run = []
        kind = found
        run.append(core if found else word)
        if found and not word.endswith(core):
            yield _joined(kind, run)
            kind, run = "", []
    if run:
        yield _joined(kind, run)


def _joined(kind: str, run: Sequence[str]) -> _Piece:
    return _Piece(kind, ("" if kind else " ").join(run))


def _word_kind(word: str) -> str:
    if _DNA_WORD.fullmatch(word):
        return "dna"
    return "protein" if _PROTEIN_WORD.fullmatch(word) else ""


def checked_record(letters: str, kind: Kind, name: str = "") -> tuple[Record, tuple[str, ...]]:
    """A record of upper-case letters, and what was mended in them.

    Args:
        letters: Raw letters, any case; white space is left out.
        kind: What they should be.
        name: For messages.

    Raises:
        DataError: no letters, or some outside the alphabet.

    >>> checked_record("acg uug", "dna", "mine")
    (Record(id='mine', kind='dna', text='ACGTTG', ...), ('mine: U was read as T.',))
    """
    cleaned = clean_letters("".join(letters.split()), _ALPHABETS[kind])
    alphabet = _ALPHABETS[kind]
    if cleaned.problem:
        raise DataError(
            f"{name}: {cleaned.problem}. Expected {alphabet.letters}, or {alphabet.ambiguous} where unknown; "
            "mend the letters or give another sequence."
        )
    if not cleaned.letters:
        raise DataError(f"{name}: no letters. Expected a {alphabet.name} sequence; paste it again.")
    mended = [f"{name}: U was read as T."] * cleaned.uracil + [
        f"{name}: the final * was left out."
    ] * cleaned.final_stop
    return Record(name, kind, cleaned.letters, "typed"), tuple(mended)


def _read_file(path: Path, kinds: Sequence[Kind], wanted: Kind | None, most: int) -> list[Record]:
    """At most `most` + 1 records; without an expected kind the letters decide."""
    if not path.is_file():
        raise DataError(f"@{path}: no such file. Expected a FASTA, GenBank or UniProt file; check the path.")
    if wanted is None:
        return _guessed_records(path, most + 1)
    records = _first_records(path, wanted, most + 1)
    if len(set(kinds)) > 1 and len(records) > 1:
        raise DataError(
            f"@{path}: holds several records, but the task asks about {' and '.join(kinds)}. "
            "Give one file with one record for each."
        )
    return records


def _guessed_records(path: Path, most: int) -> list[Record]:
    try:
        records = _first_records(path, "dna", most)
    except DataError:
        return _first_records(path, "protein", most)
    if all(guess_kind(record.text) == "dna" for record in records):
        return records
    return _first_records(path, "protein", most)


def _first_records(path: Path, kind: Kind, most: int) -> list[Record]:
    records = []
    for record in read_records(path, kind):
        records.append(record)
        if len(records) >= most:
            break
    return records


def readable(message: str, most: int) -> tuple[str, list[str]]:
    """The message as text that can be encoded, and what was mended.

    Raises:
        DataError: it is empty.
        TooLargeError: it is too long.
    """
    if len(message) > most:
        raise TooLargeError(
            f"the message has {len(message):,} letters. Expected at most {most:,} (chat.max_message_letters); put long "
            "sequences into a file, or ask about a part."
        )
    if not message.strip():
        raise DataError("the message is empty. Type a question, a sequence, or both.")
    text = message.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return text, ["Characters that are no text were replaced by ?."] * (text != message)


def check_lengths(records: Sequence[Record], longest: int | None) -> None:
    """Refuse a sequence of more letters than one may have.

    Raises:
        TooLargeError: there is one.

    >>> check_lengths([Record("mine", "dna", "ACGT", "typed")], longest=4)
    """
    for record in records:
        if longest is not None and len(record.text) > longest:
            raise TooLargeError(
                f"{record.id}: {len(record.text):,} letters; a sequence may have {longest:,}. Ask about a part of it."
            )


def count_letters(records: Sequence[Record]) -> str:
    """How many sequences there are, and letters in them."""
    letters = sum(len(record.text) for record in records)
    return f"{len(records)} sequence{'s' * (len(records) > 1)} ({letters:,} letters)"
