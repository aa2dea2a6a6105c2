"""The table of predictions, written so that a killed run goes on: whole chunks of lines, and a note of how far it came.

While a run lasts there are `OUT.partial`, which holds whole lines, and `OUT.partial.json`, which says what they were
made from and up to which record and byte they count. The note is written after each chunk, so that lines behind it
(of a chunk that was killed) are cut off and made again. At the end the partial file is renamed.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from llama_gene.artifacts import locked, told_when_full, write_json
from llama_gene.errors import ConfigError, DataError

_SUFFIXES = (".tsv", ".jsonl")


@dataclass(frozen=True)
class Prediction:
    """One line: the answer of one item.

    `probabilities`: of each label, empty where the answer is free. `value`: the number a regression answer stands for.
    """

    id: str
    answer: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """How predictions are written: by the suffix of the file, with a column for each label."""

    labels: tuple[str, ...]
    has_value: bool
    suffix: str

    @property
    def header(self) -> str:
        """The first line of a TSV; "" for JSON lines."""
        if self.suffix == ".jsonl":
            return ""
        return _row(["id", "answer", *(f"p({label})" for label in self.labels), *["value"] * self.has_value, "notices"])

    def line(self, found: Prediction) -> str:
        """A prediction as one line, with its line feed.

        >>> Table(("no", "yes"), False, ".tsv").line(Prediction("a\\tb", "yes", {"no": 0.25, "yes": 0.75}))
        'a b\\tyes\\t0.25\\t0.75\\t\\n'
        """
        shares = {label: _rounded(found.probabilities[label]) for label in self.labels} if found.probabilities else {}
        value = None if found.value is None else _rounded(found.value)
        if self.suffix == ".jsonl":
            values: dict[str, Any] = {"id": found.id, "answer": found.answer, "probabilities": shares or None}
            values |= {"value": value} if self.has_value else {}
            return json.dumps(values | {"notices": list(found.notices)}, ensure_ascii=False) + "\n"
        cells = [found.id, found.answer, *(repr(shares[label]) if shares else "" for label in self.labels)]
        cells += ["" if value is None else repr(value)] if self.has_value else []
        return _row([*cells, " ".join(found.notices)])


def _row(cells: Sequence[str]) -> str:
    return "\t".join(" ".join(cell.split()) for cell in cells) + "\n"


def _rounded(value: float) -> float:
    """Six digits: beyond them lies the noise of the machine."""
    return float(f"{value:.6g}")


def check_output(output: Path, source: Path) -> str:
    """The suffix of a file that may be written.

    Raises:
        ConfigError: another suffix, or the input itself.
    """
    if output.suffix not in _SUFFIXES:
        raise ConfigError(f"{output}: written as {' or '.join(_SUFFIXES)}, by the suffix. Rename --output.")
    if output.is_dir() or output.absolute() == source.absolute():
        raise ConfigError(f"{output}: is a folder or the input itself. Choose another --output.")
    return output.suffix


@dataclass
class Progress:
    """How far a run came: records read of the input, bytes written, and what was counted while asking."""

    records: int = 0
    written: int = 0
    answered: int = 0
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Writer:
    """Appends chunks of lines to the partial file."""

    file: BinaryIO
    note: Path
    made_of: Mapping[str, str]
    progress: Progress

    def write(self, lines: Sequence[str], *, records: int, counts: Counter[str]) -> None:
        """Append the lines of the next records, and note it."""
        data = "".join(lines).encode()
        self.file.write(data)
        self.file.flush()
        done = self.progress
        done.records += records
        done.written += len(data)
        done.answered += len(lines)
        done.counts.update(counts)
        self.save()

    def save(self) -> None:
        """Write the note, whole or not at all."""
        done = vars(self.progress) | {"counts": dict(self.progress.counts)}
        write_json(self.note, {"made_of": dict(self.made_of), "progress": done})


@contextmanager
def open_partial(output: Path, header: str, made_of: Mapping[str, str]) -> Iterator[Writer]:
    """A writer that goes on where a killed run of the same model, task and input stopped; renamed when all went well.

    Args:
        output: Final file.
        header: First line, or "".
        made_of: Hash of everything that decides the lines, by what it is.

    Raises:
        DataError: a run with something else was begun here.
        ArtifactError: another run is writing it, or the disk is full.
    """
    partial, note = output.with_name(output.name + ".partial"), output.with_name(output.name + ".partial.json")
    with locked(partial), told_when_full(output):
        progress = _resume(partial, note, made_of)
        with partial.open("r+b" if progress.written else "wb") as file:
            file.seek(progress.written)
            file.truncate()
            writer = Writer(file, note, made_of, progress)
            if not progress.written:
                file.write(header.encode())
                file.flush()
                progress.written = len(header.encode())
                writer.save()
            try:
                yield writer
            finally:
                if not progress.answered:  # nothing to go on with, and nothing that a mended input would trip over
                    partial.unlink()
                    note.unlink()
        partial.replace(output)
        note.unlink()


def _resume(partial: Path, note: Path, made_of: Mapping[str, str]) -> Progress:
    if not partial.is_file() or not note.is_file():
        return Progress()
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        before, values = found["made_of"], found["progress"]
        progress = Progress(**values | {"counts": Counter(values["counts"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{note}: cannot be read ({error!r}). Remove it and {partial.name} to begin anew.") from None
    check_same(partial, before, made_of)
    # After a power cut the note may have reached the disk before the lines.
    return progress if partial.stat().st_size >= progress.written else Progress()


def check_same(partial: Path, before: Mapping[str, str], made_of: Mapping[str, str]) -> None:
    """Refuse to go on where something else was begun.

    Raises:
        DataError: a hash differs; it says which.
    """
    changed = sorted(name for name in made_of if before.get(name) != made_of[name])
    if changed:
        raise DataError(
            f"{partial}: was begun with another {' and '.join(changed)}. Expected the same to go on; choose another "
            "--output, or remove it to begin anew."
        )
