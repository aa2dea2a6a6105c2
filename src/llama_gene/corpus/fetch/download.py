"""Store one remote file, whole and checked, or leave what came for the next run.

The bytes go into a hidden `.NAME.part`; `.NAME.part.json` beside it says which version of the file they belong to.
Only a file that is whole and sound gets its name.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_gene.artifacts import write_json
from llama_gene.corpus.fetch.checks import Check, unsoundness
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.remote import Remote
from llama_gene.corpus.fetch.transfer import ChangedError, Transfer, Version
from llama_gene.errors import ArtifactError, DataError

WHOLE_TRIES = 3
Advance = Callable[[int, int | None], None]


class CorruptError(DataError):
    """What came is not what the archive says it is."""


@dataclass(frozen=True)
class Received:
    """What a finished download is known by; `records_seen` counts the stream of a sample."""

    bytes: int
    checksum: str
    checksum_from: str
    version: Version
    records_seen: int | None = None


@dataclass(frozen=True)
class _Part:
    """The unfinished file and its note."""

    data: Path
    note: Path

    def clear(self) -> None:
        self.data.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _part_of(target: Path) -> _Part:
    return _Part(target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.part.json"))


def download(client: Client, remote: Remote, target: Path, advance: Advance) -> Received:
    """Store the file at `target`; goes on with what an earlier run left.

    Args:
        client: The session.
        remote: The file.
        target: Its final path.
        advance: Told the bytes so far and in all.

    Raises:
        ArtifactError: it is larger than the space left.
        DataError: it came damaged or changed each time.
        MissingError: there is no such file.
        NetworkError: no progress in all tries; what came is kept.
    """
    part = _part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)

    def once() -> Received:
        transfer = _resume(client, remote, part)
        _store(transfer, part, advance)
        _refuse_damage(remote, transfer, part.data)
        part.data.replace(target)
        part.note.unlink(missing_ok=True)
        return received(transfer)

    return try_again(once, part.clear)


def try_again(once: Callable[[], Received], clear: Callable[[], None]) -> Received:
    """Do a download from nothing again where it came damaged or changed.

    Raises:
        DataError: so each time.
    """
    for _ in range(WHOLE_TRIES - 1):
        try:
            return once()
        except (ChangedError, CorruptError):
            clear()
    try:
        return once()
    except (ChangedError, CorruptError) as error:
        clear()
        raise DataError(
            f"{error} It was so {WHOLE_TRIES} times. Run again later, or use another mirror (fetch.addresses)."
        ) from None


def received(transfer: Transfer, records_seen: int | None = None) -> Received:
    """What a transfer that ended well is known by."""
    source = transfer.remote.checksum_from if transfer.check.expected else "computed here: the archive gives none"
    return Received(transfer.position, transfer.check.value, source, transfer.version, records_seen)


def refuse_mismatch(remote: Remote, transfer: Transfer) -> None:
    """Compare what came with the size and checksum that the archive lists.

    Raises:
        CorruptError: they differ.
    """
    if remote.size is not None and transfer.position != remote.size:
        raise CorruptError(
            f"{remote.address}: {transfer.position:,} bytes came, but the archive lists {remote.size:,}."
        )
    if transfer.check.expected and not transfer.check.agrees():
        raise CorruptError(
            f"{remote.address}: the checksum is {transfer.check.value}, but {remote.checksum_from} gives "
            f"{remote.checksum}."
        )


def _resume(client: Client, remote: Remote, part: _Part) -> Transfer:
    transfer = Transfer(client, remote, Check(remote.checksum, remote.size))
    note = _read_note(part)
    if note is None or note["address"] != remote.address or note["checksum"] != remote.checksum:
        part.clear()
        return transfer
    transfer.version = Version(**note["version"])
    transfer.position = part.data.stat().st_size
    transfer.check.update_from(part.data)
    return transfer


def _read_note(part: _Part) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads(part.note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return note if part.data.is_file() else None


def _store(transfer: Transfer, part: _Part, advance: Advance) -> None:
    with ExitStack() as stack:
        file = None
        for chunk in transfer.chunks():
            if file is None:
                _note_version(transfer, part, len(chunk))
                file = stack.enter_context(part.data.open("ab"))
            file.write(chunk)
            advance(transfer.position, transfer.version.size)
    part.data.touch()  # a file may be empty


def _note_version(transfer: Transfer, part: _Part, came: int) -> None:
    """Write down whose bytes these are before the first of them is written."""
    to_come = (transfer.version.size or 0) - transfer.position + came
    free = shutil.disk_usage(part.data.parent).free
    if to_come > free:
        raise ArtifactError(
            f"{transfer.remote.address}: {to_come:,} bytes are to come, but {part.data.parent} has room for {free:,}. "
            "Free some space, or choose another --output."
        )
    remote = transfer.remote
    note = {"address": remote.address, "checksum": remote.checksum, "version": asdict(transfer.version)}
    write_json(part.note, note)


def _refuse_damage(remote: Remote, transfer: Transfer, path: Path) -> None:
    refuse_mismatch(remote, transfer)
    if not transfer.check.expected and (damage := unsoundness(path, remote.path)):
        raise CorruptError(f"{remote.address}: the file is damaged ({damage}).")
