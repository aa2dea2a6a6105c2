"""Settings of `corpus fetch`: what to download from which archive, from which address, and how politely."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llama_gene.config.section import OnInvalid, Section

Division = Literal["vertebrates", "plants", "fungi", "metazoa", "protists", "bacteria"]
EnsemblFile = Literal["dna", "dna_sm", "dna_rm", "cdna", "cds", "ncrna", "pep", "gff3"]
NcbiFile = Literal[
    "genomic.fna", "genomic.gbff", "genomic.gff", "protein.faa", "cds_from_genomic.fna", "rna_from_genomic.fna"
]
UniprotDatabase = Literal["swissprot", "trembl", "uniref50", "uniref90", "uniref100"]
_CHECKSUM = r"^$|^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"


class FetchEntry(Section):
    """What is common to the entries of all archives."""

    name: str = Field(description="Folder of the files, below --output.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class EnsemblEntry(FetchEntry):
    """Genomes of Ensembl and Ensembl Genomes by species."""

    archive: Literal["ensembl"]
    species: tuple[str, ...] = Field(min_length=1, description="Scientific names or assembly accessions.")
    division: Division = Field("vertebrates", description="All but vertebrates are in Ensembl Genomes.")
    release: str = Field("current", pattern=r"^(current|\d+)$", description="current, or a number.")
    files: tuple[EnsemblFile, ...] = Field(("dna",), min_length=1, description="Which files of each species.")


class NcbiEntry(FetchEntry):
    """Genomes of RefSeq and GenBank by assembly accession or taxon."""

    archive: Literal["ncbi"]
    accessions: tuple[Annotated[str, Field(pattern=r"^GC[AF]_\d{9}(\.\d+)?$")], ...] = Field(
        (), description="Assemblies; without a version: the newest."
    )
    taxon: str = Field("", description="Name or NCBI number of a taxon: its reference genomes.")
    files: tuple[NcbiFile, ...] = Field(("genomic.fna",), min_length=1, description="Which files of each assembly.")
    layout: Literal["genomes", "datasets"] = Field(
        "genomes", description="genomes: single files with checksums; datasets: one zip for each assembly."
    )

    @model_validator(mode="after")
    def _check(self) -> "NcbiEntry":
        if not self.accessions and not self.taxon:
            raise ValueError("expected accessions or a taxon")
        return self


class UniprotEntry(FetchEntry):
    """Swiss-Prot, TrEMBL or UniRef of the current release, whole or a random sample."""

    archive: Literal["uniprot"]
    database: UniprotDatabase = Field("swissprot", description="Which part of UniProt.")
    format: Literal["fasta", "dat"] = Field("fasta", description="dat: the flat file, with FUNCTION text.")
    sample: int | None = Field(None, ge=1, description="Random records, drawn from the stream; none: all.")

    @model_validator(mode="after")
    def _check(self) -> "UniprotEntry":
        if self.format == "dat" and (self.sample or self.database.startswith("uniref")):
            raise ValueError("format = 'dat' is for whole swissprot or trembl")
        return self


class PmcEntry(FetchEntry):
    """Open-access articles of PubMed Central as JATS XML."""

    archive: Literal["pmc"]
    articles: tuple[Annotated[str, Field(pattern=r"^PMC\d+(\.\d+)?$")], ...] = Field(
        (), description="Articles; without a version: the newest."
    )
    sample: int | None = Field(None, ge=1, description="Articles drawn at random; other licences are counted.")
    licences: tuple[str, ...] = Field(("CC0", "CC BY"), min_length=1, description="Licences that are taken.")

    @model_validator(mode="after")
    def _check(self) -> "PmcEntry":
        if not self.articles and not self.sample:
            raise ValueError("expected articles or a sample")
        return self


class PubmedEntry(FetchEntry):
    """Titles and abstracts of the yearly PubMed baseline."""

    archive: Literal["pubmed"]
    sample: int | None = Field(None, ge=1, description="Files drawn at random (30,000 citations each); none: all.")


class S2orcEntry(FetchEntry):
    """Shards of the Semantic Scholar datasets; needs an API key."""

    archive: Literal["s2orc"]
    dataset: Literal["s2orc", "s2orc_v2", "abstracts", "tldrs"] = Field(
        "s2orc", description="s2orc, s2orc_v2 (newer releases): full texts."
    )
    release: str = Field("latest", pattern=r"^(latest|\d{4}-\d{2}-\d{2})$", description="latest, or a date.")
    sample: int | None = Field(None, ge=1, description="Shards drawn at random; none: all.")


class UrlEntry(FetchEntry):
    """Any file by its address."""

    archive: Literal["url"]
    url: str = Field(pattern=r"^https?://[^/]+/.*[^/]$", description="http or https; ends in the name of the file.")
    checksum: str = Field("", pattern=_CHECKSUM, description="md5:, sha1:, sha256: or sha512: and hex digits.")
    sample: int | None = Field(None, ge=1, description="Random FASTA records, drawn from the stream; none: all.")
    licence: str = Field("", description="For the manifest.")
    citation: str = Field("", description="For the manifest.")


class HuggingFaceEntry(FetchEntry):
    """Files of a dataset on the Hugging Face hub."""

    archive: Literal["huggingface"]
    dataset: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$", description="Id of the dataset: owner/name.")
    revision: str = Field("main", pattern=r"^[\w.-]+$", description="Branch, tag or commit.")
    files: tuple[str, ...] = Field(("*",), min_length=1, description="Globs of the files wanted.")


Entry = Annotated[
    EnsemblEntry | NcbiEntry | UniprotEntry | PmcEntry | PubmedEntry | S2orcEntry | UrlEntry | HuggingFaceEntry,
    Field(discriminator="archive"),
]


class AddressConfig(Section):
    """Where the archives are; change one to use a mirror of the same layout."""

    ensembl: str = Field("https://ftp.ensembl.org/pub", description="Ensembl (vertebrates).")
    ensembl_genomes: str = Field("https://ftp.ensemblgenomes.ebi.ac.uk/pub", description="The other divisions.")
    ncbi_genomes: str = Field("https://ftp.ncbi.nlm.nih.gov/genomes/all", description="RefSeq and GenBank files.")
    ncbi_datasets: str = Field("https://api.ncbi.nlm.nih.gov/datasets/v2", description="NCBI Datasets.")
    uniprot: str = Field("https://ftp.uniprot.org/pub/databases/uniprot/current_release", description="UniProt.")
    pmc: str = Field("https://pmc-oa-opendata.s3.amazonaws.com", description="PMC article datasets.")
    pubmed: str = Field("https://ftp.ncbi.nlm.nih.gov/pubmed/baseline", description="PubMed baseline.")
    semantic_scholar: str = Field("https://api.semanticscholar.org/datasets/v1", description="Semantic Scholar.")
    huggingface: str = Field("https://huggingface.co", description="Hugging Face hub.")


class NetworkConfig(Section):
    """Patience and politeness of downloads."""

    attempts: int = Field(6, ge=1, description="Tries without progress before giving up.")
    backoff_s: float = Field(1.0, ge=0, description="First wait between tries; doubled each time, at most 120 s.")
    timeout_s: float = Field(60.0, gt=0, description="Longest silence of a server.")
    bytes_per_s: float | None = Field(None, gt=0, description="Limit of the download; none: no limit.")
    requests_per_s: float = Field(3.0, gt=0, description="Limit of requests (NCBI asks for at most 3).")
    semantic_scholar_key: str = Field("S2_API_KEY", description="Environment variable with the key.")
    huggingface_token: str = Field("HF_TOKEN", description="Environment variable with the token of gated datasets.")


class FetchConfig(Section):
    """Download what the corpus is made of."""

    entries: tuple[Entry, ...] = Field((), description="What to fetch, in order.")
    on_missing: OnInvalid = Field("error", description="error: stop where an archive lacks something; skip: count it.")
    # Excluded from what a stage is known by: they change no result.
    addresses: AddressConfig = Field(AddressConfig(), exclude=True, description="Mirrors.")
    network: NetworkConfig = Field(NetworkConfig(), exclude=True, description="Retries and rate limits.")

    @model_validator(mode="after")
    def _check(self) -> "FetchConfig":
        names = [entry.name for entry in self.entries]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two entries are named {doubled[0]!r}")
        return self
