"""Genomes of Ensembl, Ensembl Genomes and NCBI: from species and accessions to files with checksums.

Ensembl (https://ftp.ensembl.org/pub) and Ensembl Genomes (one folder per division):
`current/species_Ensembl….txt`, `release-N/fasta/SPECIES/{dna,cdna,cds,ncrna,pep}/` and `release-N/gff3/SPECIES/`,
each folder with CHECKSUMS, lines of `sum` and name. Species of a collection are one folder deeper. NCBI
(https://ftp.ncbi.nlm.nih.gov/genomes/all): `GCF/000/005/845/GCF_000005845.2_ASM584v2/` with md5checksums.txt, or one
zip per assembly from the REST service of NCBI Datasets v2.
"""

import csv
import difflib
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, urlencode

from llama_gene.config import AddressConfig, EnsemblEntry, NcbiEntry
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.licences import ENSEMBL, ENSEMBL_GENOMES, NCBI
from llama_gene.corpus.fetch.remote import Remote, Wanted, safe_path
from llama_gene.errors import MissingError, NetworkError

_COLLECTION = re.compile(r"(\w+_collection)_core_\d+_")
_CORE_RELEASE = re.compile(r"_core_(\d+)_")
# Where there is a primary assembly, the top level repeats it with alternative haplotypes.
_ENDINGS = {
    "dna": (".dna.primary_assembly.fa.gz", ".dna.toplevel.fa.gz"),
    "dna_sm": (".dna_sm.primary_assembly.fa.gz", ".dna_sm.toplevel.fa.gz"),
    "dna_rm": (".dna_rm.primary_assembly.fa.gz", ".dna_rm.toplevel.fa.gz"),
    "cdna": (".cdna.all.fa.gz",),
    "cds": (".cds.all.fa.gz",),
    "ncrna": (".ncrna.fa.gz",),
    "pep": (".pep.all.fa.gz",),
}
_DATASETS_TYPES = {
    "genomic.fna": "GENOME_FASTA",
    "genomic.gbff": "GENOME_GBFF",
    "genomic.gff": "GENOME_GFF",
    "protein.faa": "PROT_FASTA",
    "cds_from_genomic.fna": "CDS_FASTA",
    "rna_from_genomic.fna": "RNA_FASTA",
}


def find_ensembl(entry: EnsemblEntry, client: Client, addresses: AddressConfig) -> Iterator[Wanted]:
    """The wanted files of each species."""
    base = addresses.ensembl if entry.division == "vertebrates" else f"{addresses.ensembl_genomes}/{entry.division}"
    folder = "current" if entry.release == "current" else f"release-{entry.release}"
    table = _Species(client, f"{base}/{folder}/species_Ensembl{entry.division.title()}.txt")
    for species in entry.species:
        for kind in entry.files:
            key = f"ensembl {entry.division} {entry.release} {species} {kind}"
            yield Wanted(key, partial(_locate_ensembl, entry, client, base, table, species, kind))


class _Species:
    """The table of the species of a release, read when the first of them is looked up."""

    def __init__(self, client: Client, url: str) -> None:
        self.client = client
        self.url = url
        self._rows: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> dict[str, str]:
        """The row of a species by its name, with blanks or underscores, or its assembly accession."""
        if not self._rows:
            lines = self.client.read_text(self.url).removeprefix("#").splitlines()
            if not lines or not {"species", "assembly_accession", "core_db"} <= set(lines[0].split("\t")):
                raise NetworkError(f"{self.url}: not a table of species. Expected Ensembl's layout; check the address.")
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                for column in ("assembly_accession", "species"):
                    self._rows[row[column].lower()] = row
        wanted = name.strip().lower().replace(" ", "_")
        if wanted not in self._rows:
            near = difflib.get_close_matches(wanted, self._rows, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "check the name and the division."
            raise MissingError(f"{name!r} is not a species of {self.url}; {advice}")
        return self._rows[wanted]


def _locate_ensembl(entry: EnsemblEntry, client: Client, base: str, table: _Species, species: str, kind: str) -> Remote:
    row = table.find(species)
    release = _CORE_RELEASE.search(row["core_db"])
    number = release[1] if release else entry.release
    collection = _COLLECTION.match(row["core_db"])
    place = f"{collection[1]}/{row['species']}" if collection else row["species"]
    parts = f"gff3/{place}" if kind == "gff3" else f"fasta/{place}/{kind.partition('_')[0]}"
    folder = f"{base}/release-{number}/{parts}"
    listed = _unix_sums(client.read_text(f"{folder}/CHECKSUMS"))
    for ending in _ENDINGS.get(kind, (f".{number}.gff3.gz",)):
        for name in sorted(listed):
            if name.endswith(ending) and ".chromosome." not in name:
                terms = ENSEMBL if entry.division == "vertebrates" else ENSEMBL_GENOMES
                path = safe_path(entry.name, name)
                return Remote(path, f"{folder}/{name}", terms, listed[name], f"{folder}/CHECKSUMS")
    raise MissingError(f"{folder}: no {kind} file among {len(listed)}. Choose other files for {species!r}.")


def _unix_sums(text: str) -> dict[str, str]:
    """Name to checksum, from lines of "sum blocks name".

    >>> _unix_sums("09527 12 a.fa.gz\\n")
    {'a.fa.gz': 'sum:9527 12'}
    """
    rows = (line.split(maxsplit=2) for line in text.splitlines())
    return {row[2].strip(): f"sum:{int(row[0])} {int(row[1])}" for row in rows if len(row) == 3}


def find_ncbi(entry: NcbiEntry, client: Client, addresses: AddressConfig) -> Iterator[Wanted]:
    """The wanted files of each assembly, or one zip each."""
    accessions = [*entry.accessions, *(_reference_genomes(entry.taxon, client, addresses) if entry.taxon else ())]
    for accession in dict.fromkeys(accessions):
        if entry.layout == "datasets":
            key = f"ncbi datasets {accession} {' '.join(entry.files)}"
            yield Wanted(key, partial(_locate_package, entry, addresses, accession))
            continue
        folder = _AssemblyFolder(client, addresses.ncbi_genomes, accession)
        for kind in entry.files:
            yield Wanted(f"ncbi genomes {accession} {kind}", partial(_locate_ncbi, entry, folder, kind))


def _reference_genomes(taxon: str, client: Client, addresses: AddressConfig) -> Iterator[str]:
    """Accessions of the reference genomes of a taxon, over all pages of the report."""
    url = f"{addresses.ncbi_datasets}/genome/taxon/{quote(taxon)}/dataset_report"
    query = {"filters.reference_only": "true", "filters.assembly_version": "current", "page_size": "1000"}
    found = False
    while True:
        page = client.read_json(f"{url}?{urlencode(query)}")
        for report in page.get("reports", ()):
            found = True
            yield report["accession"]
        if not page.get("next_page_token"):
            break
        query["page_token"] = page["next_page_token"]
    if not found:
        raise MissingError(f"{url}: no reference genome of {taxon!r}. Check the name, or give accessions.")


class _AssemblyFolder:
    """The folder of an assembly and its md5 checksums, read when its first file is looked up."""

    def __init__(self, client: Client, base: str, accession: str) -> None:
        self.client = client
        self.accession = accession
        digits = accession[4:13]
        self.parent = "/".join((base, accession[:3], digits[:3], digits[3:6], digits[6:9]))
        self._sums: dict[str, str] = {}
        self.url = ""

    def sums(self) -> dict[str, str]:
        """Name to checksum of the files of the newest version that fits the accession."""
        if self._sums:
            return self._sums
        links = set(
            re.findall(r'href="(?:[^"]*/)?(GC[AF]_\d{9}\.\d+_[^/"]*)/"', self.client.read_text(self.parent + "/"))
        )
        exact = f"{self.accession}_" if "." in self.accession else f"{self.accession}."
        fitting = sorted((name for name in links if name.startswith(exact)), key=_version_of)
        if not fitting:
            raise MissingError(f"{self.parent}/: no assembly {self.accession}. Check the accession and its version.")
        self.url = f"{self.parent}/{fitting[-1]}"
        lines = self.client.read_text(f"{self.url}/md5checksums.txt").splitlines()
        pairs = (line.split(maxsplit=1) for line in lines)
        self._sums = {pair[1].strip().removeprefix("./"): f"md5:{pair[0]}" for pair in pairs if len(pair) == 2}
        return self._sums


def _version_of(name: str) -> int:
    return int(name.partition(".")[2].partition("_")[0])


def _locate_ncbi(entry: NcbiEntry, folder: _AssemblyFolder, kind: str) -> Remote:
    listed = folder.sums()
    stem = folder.url.rpartition("/")[2]
    name = f"{stem}_{kind}.gz"
    if name not in listed:
        raise MissingError(f"{folder.url}: no {name} there. Choose other files for {folder.accession}.")
    path = safe_path(entry.name, name)
    return Remote(path, f"{folder.url}/{name}", NCBI, listed[name], f"{folder.url}/md5checksums.txt")


def _locate_package(entry: NcbiEntry, addresses: AddressConfig, accession: str) -> Remote:
    query = [("include_annotation_type", _DATASETS_TYPES[kind]) for kind in entry.files]
    url = f"{addresses.ncbi_datasets}/genome/accession/{accession}/download?{urlencode(query)}"
    return Remote(safe_path(entry.name, f"{accession}.zip"), url, NCBI)
