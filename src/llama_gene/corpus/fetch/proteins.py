"""Swiss-Prot, TrEMBL and UniRef of the current UniProt release.

Layout (https://ftp.uniprot.org/pub/databases/uniprot/current_release): `knowledgebase/complete/uniprot_sprot.fasta.gz`,
`uniref/uniref50/uniref50.fasta.gz`, each folder with RELEASE.metalink (Metalink 3), which lists sizes and MD5.
"""

from collections.abc import Iterator
from functools import partial
from xml.etree import ElementTree as ET

from llama_gene.config import AddressConfig, UniprotEntry
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.licences import UNIPROT
from llama_gene.corpus.fetch.remote import Remote, Wanted, safe_path
from llama_gene.errors import MissingError, NetworkError

_FILES = {"swissprot": "uniprot_sprot", "trembl": "uniprot_trembl"}


def find_uniprot(entry: UniprotEntry, client: Client, addresses: AddressConfig) -> Iterator[Wanted]:
    """The file of the database, or a sample of it."""
    stem = _FILES.get(entry.database, entry.database)
    place = "knowledgebase/complete" if entry.database in _FILES else f"uniref/{entry.database}"
    folder = f"{addresses.uniprot}/{place}"
    yield Wanted(
        f"uniprot {entry.database} {entry.format} {entry.sample}",
        partial(_locate, entry, client, folder, f"{stem}.{entry.format}.gz"),
    )


def _locate(entry: UniprotEntry, client: Client, folder: str, name: str) -> Remote:
    source = f"{folder}/RELEASE.metalink"
    try:
        root = ET.fromstring(client.read(source))
    except ET.ParseError as error:
        raise NetworkError(f"{source}: not XML ({error}). Expected a list of files; check the address.") from None
    for file in root.iterfind(".//{*}file"):
        if file.get("name", "").rpartition("/")[2] == name:
            digest = file.findtext(".//{*}hash[@type='md5']", "").strip()
            size = file.findtext(".//{*}size", "").strip()
            stored = name.replace(".fasta", f".sample-{entry.sample}.fasta") if entry.sample else name
            return Remote(
                safe_path(entry.name, stored), f"{folder}/{name}", UNIPROT, checksum=f"md5:{digest}" if digest else "",
                checksum_from=source, size=int(size) if size.isdecimal() else None, sample=entry.sample,
            )  # fmt: skip
    raise MissingError(f"{source}: does not list {name}. Check the address.")
