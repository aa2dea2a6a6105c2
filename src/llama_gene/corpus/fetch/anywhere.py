"""Files by their address, and datasets of the Hugging Face hub.

Hub (https://huggingface.co): `api/datasets/ID/revision/REVISION?blobs=true` lists files with their size and SHA-256
(large files) or git id, and the licence; `datasets/ID/resolve/COMMIT/FILE` is the file. They go through the same
download as everything else, so they resume, keep to the rate limit and are checked alike.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from llama_gene.config import AddressConfig, HuggingFaceEntry, UrlEntry
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.remote import Remote, Terms, Wanted, safe_path
from llama_gene.errors import MissingError


def find_url(entry: UrlEntry) -> Iterator[Wanted]:
    """The file of an address."""
    yield Wanted(f"url {entry.url} {entry.checksum} {entry.sample}", partial(_locate_url, entry))


def _locate_url(entry: UrlEntry) -> Remote:
    name = unquote(urlsplit(entry.url).path.rpartition("/")[2])
    stem, dot, suffix = name.partition(".")
    stored = f"{stem}.sample-{entry.sample}{dot}{suffix}" if entry.sample else name
    terms = Terms(entry.licence, "", entry.citation)
    return Remote(
        safe_path(entry.name, stored), entry.url, terms, entry.checksum, "the recipe", sample=entry.sample
    )  # fmt: skip


def find_huggingface(entry: HuggingFaceEntry, client: Client, addresses: AddressConfig) -> Iterator[Wanted]:
    """The files of a dataset that match the globs; hidden ones are left out."""
    source = f"{addresses.huggingface}/api/datasets/{entry.dataset}/revision/{entry.revision}?blobs=true"
    about = client.read_json(source)
    commit = about.get("sha") or entry.revision
    files = [file for file in about.get("siblings", ()) if _is_wanted(file["rfilename"], entry.files)]
    if not files:
        raise MissingError(f"{source}: no file matches {', '.join(entry.files)}. Change the globs.")
    terms = Terms(_licence(about), f"{addresses.huggingface}/datasets/{entry.dataset}", _citation(entry, commit))
    for file in sorted(files, key=lambda file: str(file["rfilename"])):
        name = file["rfilename"]
        url = f"{addresses.huggingface}/datasets/{entry.dataset}/resolve/{commit}/{quote(name)}"
        yield Wanted(
            f"huggingface {entry.dataset} {commit} {name}", partial(_locate_file, entry, file, url, terms, source)
        )


def _locate_file(entry: HuggingFaceEntry, file: dict[str, Any], url: str, terms: Terms, source: str) -> Remote:
    large = file.get("lfs") or {}
    checksum = f"sha256:{large['sha256']}" if large else f"git:{file['blobId']}"
    return Remote(safe_path(entry.name, file["rfilename"]), url, terms, checksum, source, file.get("size"))


def _is_wanted(name: str, globs: tuple[str, ...]) -> bool:
    is_hidden = any(part.startswith(".") for part in name.split("/"))
    return not is_hidden and any(fnmatchcase(name, glob) for glob in globs)


def _licence(about: dict[str, Any]) -> str:
    stated = (about.get("cardData") or {}).get("license") or ""
    return ", ".join(stated) if isinstance(stated, list) else str(stated)


def _citation(entry: HuggingFaceEntry, commit: str) -> str:
    return f"{entry.dataset}, Hugging Face dataset, commit {commit}"
