"""Open-access articles, abstracts and Semantic Scholar shards.

PMC (https://pmc-oa-opendata.s3.amazonaws.com, layout of February 2026; the older bulk packages end in August 2026):
`PMC123.2/PMC123.2.xml`, `metadata/PMC123.2.json` with `license_code`, `is_retracted` and an `xml_url` that carries the
MD5; versions are found by the bucket's own listing (ListObjectsV2). PubMed
(https://ftp.ncbi.nlm.nih.gov/pubmed/baseline): `pubmed26n0001.xml.gz` and `.md5`. Semantic Scholar
(https://api.semanticscholar.org/datasets/v1): `release/latest/dataset/s2orc` lists signed addresses of shards.
"""

import os
import random
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from llama_gene.config import AddressConfig, NetworkConfig, PmcEntry, PubmedEntry, S2orcEntry
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.licences import PMC_CITATION, PMC_URL, PUBMED, S2ORC
from llama_gene.corpus.fetch.remote import Remote, Terms, Wanted, safe_path
from llama_gene.errors import ConfigError, MissingError, NetworkError

_MD5 = re.compile(r"\b[0-9a-f]{32}\b")
_BASELINE_FILE = re.compile(r'href="(?:[^"]*/)?(pubmed\d+n\d+\.xml\.gz)"')
_HIGHEST_PMC_NUMBER = 13_500_000
_FIRST_PMC_NUMBER = 10_000


def find_pmc(entry: PmcEntry, client: Client, addresses: AddressConfig, seed: int) -> Iterator[Wanted]:
    """The articles named, then those drawn: the first one after a random place in the list of all."""
    for article in entry.articles:
        yield Wanted(f"pmc {article}", partial(_locate_article, entry, client, addresses.pmc, article))
    chance = random.Random(f"{seed} {entry.name}")
    for number in range(entry.sample or 0):
        start = f"PMC{chance.randrange(_FIRST_PMC_NUMBER, _HIGHEST_PMC_NUMBER)}"
        locate = partial(_locate_after, entry, client, addresses.pmc, start)
        yield Wanted(f"pmc sample {seed} {number} {start}", locate, may_be_missing=True)


def _locate_article(entry: PmcEntry, client: Client, base: str, article: str) -> Remote:
    if "." in article:
        return _read_metadata(entry, client, base, article)
    keys = _list_keys(client, base, {"prefix": f"metadata/{article}."})
    versions = [key.removeprefix("metadata/").removesuffix(".json") for key in keys]
    if not versions:
        raise MissingError(f"{base}: no article {article}. Not every article of PMC is open; check the number.")
    return _read_metadata(entry, client, base, max(versions, key=lambda name: int(name.rpartition(".")[2])))


def _locate_after(entry: PmcEntry, client: Client, base: str, start: str) -> Remote:
    query = {"prefix": "metadata/PMC", "start-after": f"metadata/{start}", "max-keys": "1"}
    keys = _list_keys(client, base, query)
    if not keys:
        raise MissingError(f"{base}: no article after {start}.")
    return _read_metadata(entry, client, base, keys[0].removeprefix("metadata/").removesuffix(".json"))


def _list_keys(client: Client, base: str, query: dict[str, str]) -> list[str]:
    url = f"{base}/?{urlencode({'list-type': '2', **query})}"
    try:
        root = ET.fromstring(client.read(url))
    except ET.ParseError as error:
        raise NetworkError(f"{url}: not XML ({error}). Expected the list of a bucket; check the address.") from None
    return [key.text or "" for key in root.iterfind(".//{*}Contents/{*}Key")]


def _read_metadata(entry: PmcEntry, client: Client, base: str, version: str) -> Remote:
    source = f"{base}/metadata/{version}.json"
    about = client.read_json(source)
    licence = about.get("license_code") or "none given"
    if licence not in entry.licences:
        raise MissingError(f"{source}: licence {licence}. Expected one of {', '.join(entry.licences)}.")
    if about.get("is_retracted") in (True, "yes"):
        raise MissingError(f"{source}: the article is retracted. Leave it out.")
    if not about.get("xml_url"):
        raise MissingError(f"{source}: the article has no XML. Leave it out.")
    address, _, query = about["xml_url"].partition("?")
    name = address.rpartition("/")[2]
    digest = _MD5.search(query)
    terms = Terms(licence, PMC_URL, about.get("citation") or PMC_CITATION)
    checksum = f"md5:{digest[0]}" if digest else ""
    return Remote(safe_path(entry.name, name), f"{base}/{version}/{name}", terms, checksum, source)


def find_pubmed(entry: PubmedEntry, client: Client, addresses: AddressConfig, seed: int) -> Iterator[Wanted]:
    """All files of the baseline, or some drawn at random."""
    listing = f"{addresses.pubmed}/"
    names = sorted(set(_BASELINE_FILE.findall(client.read_text(listing))))
    if not names:
        raise MissingError(f"{listing}: no baseline files there. Check the address.")
    for name in _some(names, entry.sample, f"{seed} {entry.name}"):
        yield Wanted(f"pubmed {name}", partial(_locate_pubmed, entry, client, f"{addresses.pubmed}/{name}"))


def _locate_pubmed(entry: PubmedEntry, client: Client, url: str) -> Remote:
    digest = _MD5.search(client.read_text(f"{url}.md5"))
    checksum = f"md5:{digest[0]}" if digest else ""
    return Remote(safe_path(entry.name, url.rpartition("/")[2]), url, PUBMED, checksum, f"{url}.md5")


def find_s2orc(
    entry: S2orcEntry, client: Client, addresses: AddressConfig, network: NetworkConfig, seed: int
) -> Iterator[Wanted]:
    """All shards of a dataset, or some drawn at random.

    Raises:
        ConfigError: the environment holds no API key.
    """
    key = os.environ.get(network.semantic_scholar_key, "")
    if not key:
        raise ConfigError(
            f"fetch entry {entry.name!r}: Semantic Scholar wants an API key. Ask for one at "
            "https://www.semanticscholar.org/product/api and set the environment variable "
            f"{network.semantic_scholar_key}."
        )
    url = f"{addresses.semantic_scholar}/release/{entry.release}/dataset/{entry.dataset}"
    signed = {file.partition("?")[0]: file for file in client.read_json(url, {"x-api-key": key}).get("files", ())}
    for plain in _some(sorted(signed), entry.sample, f"{seed} {entry.name}"):
        path = safe_path(entry.name, plain.rpartition("/")[2])
        remote = Remote(path, signed[plain], S2ORC, shown=plain)
        yield Wanted(f"s2orc {plain}", partial(_as_is, remote))


def _as_is(remote: Remote) -> Remote:
    return remote


def _some(names: list[str], size: int | None, seed: str) -> list[str]:
    return names if size is None or size >= len(names) else sorted(random.Random(seed).sample(names, size))
