"""A stage is a function from a config and inputs to a folder with its result and `manifest.json`.

The folder is built beside its final name and renamed when it is whole, so an earlier result stays until the new
one is complete, and a killed stage that can resume finds its own partial work again. A stage whose config, inputs,
seed and code format are unchanged is not run again.
"""

import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from llama_gene.config import Section, describe
from llama_gene.errors import ArtifactError
from llama_gene.storage import is_remote, remove_tree, told_when_out_of_reach

FORMAT = 1
MANIFEST = "manifest.json"
_MARK = ".key"
_WHOLE_FILE_BYTES = 256 * 1024 * 1024
_WORTH_A_THREAD = 1024 * 1024
FULL_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file is larger than this disk or your limits allow",
}
# safetensors and tokenizers name the errno in words, torch.save not even that.
_FULL_IN_WORDS = re.compile(
    rf"os error ({'|'.join(map(str, FULL_DISK))})\b|PytorchStreamWriter failed writing|inline_container.*unexpected pos"
)
_VERSIONS_OF = ("llama-gene", "datasets", "numpy", "peft", "tokenizers", "torch", "transformers")


@dataclass
class Ledger:
    """What a stage writes down while it works: counts by reason, and measured facts."""

    counts: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What a stage folder says of itself."""

    stage: str
    key: str
    format: int
    config: dict[str, Any]
    inputs: dict[str, str]
    seed: int
    versions: dict[str, str]
    counts: dict[str, int]
    facts: dict[str, Any]
    seconds: float


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished stage folder.

    Raises:
        ArtifactError: the folder is no finished stage.
    """
    try:
        return Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder}: not a finished stage folder (no {MANIFEST}). Run the stage that makes it first."
        ) from None
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{folder / MANIFEST}: cannot be read ({error}). Remove it and run again.") from None


def fingerprint(path: Path) -> str:
    """A short hash that changes when an input does.

    A stage folder stands for its key. A file up to 256 MiB is read whole; a larger one counts by size,
    modification time, first and last MiB. A folder is all of its files.

    Raises:
        ArtifactError: nothing is there.
    """
    if (path / MANIFEST).is_file():
        return read_manifest(path).key
    digest = hashlib.blake2b(digest_size=16)
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(file.relative_to(path).as_posix().encode() + b"\0" + fingerprint(file).encode())
    elif path.is_file():
        _hash_file(path, digest)
    else:
        raise ArtifactError(f"{path}: no such file or folder. Check the path.")
    return digest.hexdigest()


def _fingerprints(inputs: Mapping[str, Path]) -> dict[str, str]:
    """The hash of each input; large files side by side, since hashing, not opening, lets go of Python's lock."""
    is_large = {name: path.is_file() and path.stat().st_size > _WORTH_A_THREAD for name, path in inputs.items()}
    with ThreadPoolExecutor() as pool:
        waiting = {name: pool.submit(fingerprint, path) for name, path in inputs.items() if is_large[name]}
        return {name: waiting[name].result() if name in waiting else fingerprint(path) for name, path in inputs.items()}


def _hash_file(path: Path, digest: "hashlib.blake2b") -> None:
    status = path.stat()
    with path.open("rb") as file:
        if status.st_size <= _WHOLE_FILE_BYTES:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            return
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode() + file.read(1 << 20))
        file.seek(-(1 << 20), os.SEEK_END)
        digest.update(file.read())


def stage_key(stage: str, config: Section | Mapping[str, Any], inputs: Mapping[str, str], seed: int, code: int) -> str:
    """The hash of everything that can change a stage's result.

    >>> a = stage_key("s", {"x": 1}, {}, seed=1, code=1)
    >>> a == stage_key("s", {"x": 1}, {}, seed=1, code=1), a == stage_key("s", {"x": 2}, {}, seed=1, code=1)
    (True, False)
    """
    text = json.dumps([FORMAT, code, stage, describe(config), dict(inputs), seed], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def is_fresh(folder: Path, key: str) -> bool:
    """True where the folder holds the finished result of this very key."""
    return (folder / MANIFEST).is_file() and read_manifest(folder).key == key


def build_stage(
    stage: str,
    output: Path,
    build: Callable[[Path, Ledger], None],
    *,
    config: Section | Mapping[str, Any],
    inputs: Mapping[str, Path],
    seed: int,
    code: int,
) -> Manifest:
    """Run `build(work, ledger)` unless `output` is up to date; give the manifest.

    Args:
        stage: Name of the stage.
        output: Final folder.
        build: Fills the work folder. Where an earlier run of the same key was killed, the folder holds what it left.
        config: The section that decides the result.
        inputs: Name to file or folder.
        seed: Seed of the stage's random choices.
        code: Format number of the stage's code; raise it when the result changes.

    Raises:
        ArtifactError: an input is missing, the disk is full, `output` is in use or holds something else.
    """
    hashes = _fingerprints(dict(sorted(inputs.items())))
    key = stage_key(stage, config, hashes, seed, code)
    if is_fresh(output, key):
        return read_manifest(output)
    work = output if is_remote(output) else output.with_name(output.name + ".partial")
    is_ours = (output / MANIFEST).is_file() or (output / _MARK).is_file()
    if output.exists() and not is_ours and (not output.is_dir() or any(output.iterdir())):
        raise ArtifactError(f"{output}: exists and is not a stage folder. Choose another --output or move it away.")
    with _claimed(work, key):
        started = time.monotonic()
        ledger = Ledger()
        with told_when_full(output):
            build(work, ledger)
        manifest = write_manifest(
            work, stage, key, ledger, config=config, inputs=hashes, seed=seed, seconds=time.monotonic() - started
        )
        _finish(work, output)
    return manifest


def write_manifest(
    folder: Path,
    stage: str,
    key: str,
    ledger: Ledger,
    *,
    config: Section | Mapping[str, Any],
    inputs: Mapping[str, str],
    seed: int,
    seconds: float,
) -> Manifest:
    """Write `manifest.json`, which makes a folder a finished stage, and give it."""
    manifest = Manifest(
        stage=stage, key=key, format=FORMAT, config=describe(config), inputs=dict(inputs), seed=seed,
        versions=_versions(), counts=dict(sorted(ledger.counts.items())), facts=ledger.facts,
        seconds=round(seconds, 2),
    )  # fmt: skip
    write_json(folder / MANIFEST, asdict(manifest))
    return manifest


@contextmanager
def told_when_full(output: Path) -> Iterator[None]:
    """Say in one line that the disk is full, whichever library found out."""
    try:
        yield
    except Exception as error:
        # Each library says it by an error of its own; what is no full disk goes on as it came.
        reason = _full_disk(error)
        if reason is None:
            raise
        raise ArtifactError(f"{output}: {reason}. Free some space and run again; finished stages are whole.") from error


def _full_disk(error: BaseException) -> str | None:
    """What is full where an error, or one it came from, says that something is."""
    asked: list[BaseException] = []
    before: BaseException | None = error
    while before is not None and before not in asked:
        if isinstance(before, OSError) and before.errno in FULL_DISK:
            return FULL_DISK[before.errno]
        if found := _FULL_IN_WORDS.search(str(before)):
            return FULL_DISK[int(found[1] or errno.ENOSPC)]
        asked.append(before)
        before = before.__cause__ or before.__context__
    return None


@contextmanager
def _claimed(work: Path, key: str) -> Iterator[None]:
    """Hold the work folder for this process; clear what another key left in it."""
    with locked(work):
        mark = work / _MARK
        with told_when_out_of_reach(work) if is_remote(work) else nullcontext():
            if work.exists() and (not mark.is_file() or mark.read_text(encoding="utf-8") != key):
                remove_tree(work)
            work.mkdir(exist_ok=True)
            mark.write_text(key, encoding="utf-8")
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder that is being built; object storage has no locks.

    Raises:
        ArtifactError: another process is in it.
    """
    if is_remote(folder):
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.with_name(folder.name + ".lock")
    with lock_path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArtifactError(f"{folder}: another run is building this folder. Wait for it or stop it.") from None
        try:
            yield
        finally:
            lock_path.unlink(missing_ok=True)


def _finish(work: Path, output: Path) -> None:
    """Give the work folder its final name. In object storage it has it already: the manifest makes it whole."""
    (work / _MARK).unlink()
    if work == output:
        return
    old = output.with_name(output.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    work.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    if is_remote(path):
        path.write_text(text, encoding="utf-8")
        return
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all, keys as given, UTF-8."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
