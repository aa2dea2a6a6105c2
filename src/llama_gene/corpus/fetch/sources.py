"""Which archive an entry is about."""

from collections.abc import Iterator

from llama_gene.config import (
    EnsemblEntry,
    FetchConfig,
    FetchEntry,
    HuggingFaceEntry,
    NcbiEntry,
    PmcEntry,
    PubmedEntry,
    S2orcEntry,
    UniprotEntry,
    UrlEntry,
)
from llama_gene.corpus.fetch.anywhere import find_huggingface, find_url
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.genomes import find_ensembl, find_ncbi
from llama_gene.corpus.fetch.papers import find_pmc, find_pubmed, find_s2orc
from llama_gene.corpus.fetch.proteins import find_uniprot
from llama_gene.corpus.fetch.remote import Wanted


def find_files(entry: FetchEntry, client: Client, config: FetchConfig, seed: int) -> Iterator[Wanted]:
    """The files of an entry, in order; looking one up is left to whoever needs it.

    Raises:
        ConfigError: a key is missing.
        MissingError: what the entry names is not there.
        NetworkError: a server cannot be reached.
    """
    addresses = config.addresses
    match entry:
        case EnsemblEntry():
            yield from find_ensembl(entry, client, addresses)
        case NcbiEntry():
            yield from find_ncbi(entry, client, addresses)
        case UniprotEntry():
            yield from find_uniprot(entry, client, addresses)
        case PmcEntry():
            yield from find_pmc(entry, client, addresses, seed)
        case PubmedEntry():
            yield from find_pubmed(entry, client, addresses, seed)
        case S2orcEntry():
            yield from find_s2orc(entry, client, addresses, config.network, seed)
        case HuggingFaceEntry():
            yield from find_huggingface(entry, client, addresses)
        case UrlEntry():
            yield from find_url(entry)
