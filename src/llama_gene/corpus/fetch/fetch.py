"""The stage `corpus fetch`: from the entries of a recipe to a folder of files with their provenance.

The folder is filled in place: `NAME/FILE` is always whole, what is under way is hidden, and `manifest.json` is there
only when everything is. A changed recipe keeps the files it still names and removes the others that this stage wrote.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llama_gene.artifacts import (
    MANIFEST,
    Ledger,
    Manifest,
    is_fresh,
    locked,
    read_manifest,
    stage_key,
    told_when_full,
    write_manifest,
)
from llama_gene.config import FetchConfig, FetchEntry
from llama_gene.corpus.fetch.client import Client, open_client
from llama_gene.corpus.fetch.download import Received, download
from llama_gene.corpus.fetch.records import RECORDS, Fetched, append_record, read_records, rewrite_records
from llama_gene.corpus.fetch.remote import Remote, Wanted
from llama_gene.corpus.fetch.sample import download_sample
from llama_gene.corpus.fetch.sources import find_files
from llama_gene.errors import ArtifactError, ConfigError, MissingError, NetworkError
from llama_gene.progress import show_bytes

STAGE = "corpus fetch"
CODE = 1


@dataclass(frozen=True)
class Planned:
    """A file of the plan: `bytes` is None where the archive does not say, `state` is fetched, to fetch or why not."""

    path: str
    url: str
    bytes: int | None
    checksum_from: str
    licence: str
    state: str


@dataclass
class _Run:
    """A fetch under way: what was finished before, and what is accounted for."""

    config: FetchConfig
    seed: int
    output: Path
    client: Client
    before: dict[str, Fetched]
    done: dict[str, Fetched]  # by path
    skipped: list[str]


def fetch_corpus(config: FetchConfig, *, seed: int, output: Path) -> Manifest:
    """Download what the entries name; goes on from what an earlier run finished.

    Args:
        config: The `fetch` section.
        seed: Seed of all samples.
        output: Folder of the files: `output/NAME/FILE` for the entry NAME.

    Returns:
        The manifest; `facts["files"]` has address, size, checksum, date, licence and citation of each file.

    Raises:
        ArtifactError: `output` is in use or holds something else, or the disk is full.
        ConfigError: no entries, or a key is missing.
        DataError: a file came damaged each time.
        MissingError: an archive lacks something and `on_missing` is "error".
        NetworkError: a server cannot be reached.
    """
    key = _key_of(config, seed)
    if is_fresh(output, key) and _has_all(output):
        return read_manifest(output)
    _refuse_other_folders(output)
    with locked(output), told_when_full(output):
        started = time.monotonic()
        output.mkdir(parents=True, exist_ok=True)
        (output / RECORDS).touch()  # marks the folder as ours
        (output / MANIFEST).unlink(missing_ok=True)
        run = _Run(config, seed, output, open_client(config), read_records(output), {}, [])
        for entry in config.entries:
            _fetch_entry(run, entry)
        ledger = Ledger(_counts(run), _facts(run))
        _remove_the_rest(run)
        return write_manifest(
            output, STAGE, key, ledger, config=config, inputs={}, seed=seed, seconds=time.monotonic() - started
        )


def plan_fetch(config: FetchConfig, *, seed: int, output: Path) -> list[Planned]:
    """What `fetch_corpus` would download, with sizes asked of the servers; nothing is written.

    Raises:
        ConfigError: no entries, or a key is missing.
        NetworkError: a server cannot be reached.
    """
    _key_of(config, seed)
    client, before = open_client(config), read_records(output)
    planned = []
    for entry in config.entries:
        try:
            for wanted in find_files(entry, client, config, seed):
                planned.append(_plan_one(wanted, before.get(f"{entry.name} {wanted.key}"), client))
        except MissingError as error:
            planned.append(Planned(entry.name, "", None, "", "", f"not there: {error}"))
    return planned


def _fetch_entry(run: _Run, entry: FetchEntry) -> None:
    try:
        for wanted in find_files(entry, run.client, run.config, run.seed):
            key = f"{entry.name} {wanted.key}"
            if key in run.before:
                run.done[run.before[key].path] = run.before[key]
                continue
            try:
                _fetch_one(run, key, wanted.locate())
            except MissingError as error:
                _skip(run, error, is_allowed=wanted.may_be_missing)
    except MissingError as error:
        _skip(run, error, is_allowed=False)


def _skip(run: _Run, error: MissingError, *, is_allowed: bool) -> None:
    if run.config.on_missing == "error" and not is_allowed:
        raise error
    run.skipped.append(str(error))


def _fetch_one(run: _Run, key: str, remote: Remote) -> None:
    if remote.path in run.done:
        raise MissingError(f"{remote.path}: there already, fetched by another item of this entry. Drop one of them.")
    target = run.output / remote.path
    with show_bytes(remote.path) as advance:
        if remote.sample is None:
            received = download(run.client, remote, target, advance)
        else:
            received = download_sample(run.client, remote, target, advance, run.seed)
    fetched = _describe(key, remote, received, target.stat().st_size)
    append_record(run.output, fetched)
    run.done[fetched.path] = fetched


def _describe(key: str, remote: Remote, received: Received, size: int) -> Fetched:
    return Fetched(
        key=key, path=remote.path, url=remote.address, bytes=size, checksum=received.checksum,
        checksum_from=received.checksum_from, retrieved=datetime.now(UTC).isoformat(timespec="seconds"),
        etag=received.version.etag, last_modified=received.version.last_modified, licence=remote.terms.licence,
        licence_url=remote.terms.licence_url, citation=remote.terms.citation, sampled_from=received.records_seen,
    )  # fmt: skip


def _plan_one(wanted: Wanted, fetched: Fetched | None, client: Client) -> Planned:
    if fetched is not None:
        return Planned(fetched.path, fetched.url, fetched.bytes, fetched.checksum_from, fetched.licence, "fetched")
    try:
        remote = wanted.locate()
        size = remote.size if remote.size is not None else _ask_size(client, remote)
    except MissingError as error:
        return Planned("", "", None, "", "", f"not there: {error}")
    source = remote.checksum_from if remote.checksum else "none"
    return Planned(remote.path, remote.address, size, source, remote.terms.licence, "to fetch")


def _ask_size(client: Client, remote: Remote) -> int | None:
    try:
        with client.open(remote.url, {}, method="HEAD") as response:
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None
    except NetworkError:  # some servers answer GET alone
        return None


def _key_of(config: FetchConfig, seed: int) -> str:
    if not config.entries:
        raise ConfigError("fetch.entries: nothing to fetch. Add [[fetch.entries]] tables to the recipe.")
    return stage_key(STAGE, config, {}, seed, CODE)


def _has_all(output: Path) -> bool:
    """False where a file of a finished folder was removed or cut since."""
    return len(read_records(output)) == len(read_manifest(output).facts["files"])


def _refuse_other_folders(output: Path) -> None:
    if not output.exists() or (output / RECORDS).is_file():
        return
    if not output.is_dir() or any(output.iterdir()):
        raise ArtifactError(f"{output}: exists and was not made by {STAGE}. Choose another --output or move it away.")


def _counts(run: _Run) -> Counter[str]:
    counts = Counter({"files": len(run.done), "bytes": sum(fetched.bytes for fetched in run.done.values())})
    counts["files fetched before"] = sum(fetched.key in run.before for fetched in run.done.values())
    counts["skipped: not there or not wanted"] = len(run.skipped)
    return +counts


def _facts(run: _Run) -> dict[str, Any]:
    licences = Counter(fetched.licence or "not stated" for fetched in run.done.values())
    files = [{name: value for name, value in asdict(fetched).items() if name != "key"} for fetched in run.done.values()]
    return {"files by licence": dict(sorted(licences.items())), "files": files, "skipped": run.skipped}


def _remove_the_rest(run: _Run) -> None:
    """Remove what the recipe no longer names: files of earlier recipes, and beginnings of others."""
    for fetched in run.before.values():
        if fetched.path not in run.done:
            (run.output / fetched.path).unlink(missing_ok=True)
    for part in run.output.rglob(".*.part*"):
        part.unlink()
    rewrite_records(run.output, run.done.values())
