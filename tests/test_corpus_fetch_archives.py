"""The layout of each archive, imitated by a local server: the right files with the archive's own checksums."""

import gzip
import hashlib
import json
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fetching import Faults, fetch_config, serving
from llama_gene.config import CorpusConfig, Source
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.fetch.fetch import fetch_corpus
from llama_gene.corpus.fetch.sum_kernel import add_bytes
from llama_gene.errors import ConfigError, DataError, MissingError, NetworkError
from published import COLI, ENSEMBL, PLAIN, PUBMED, STRUCTURED, WITHOUT, packed, s2orc_paper, write_parquet

GENOME = gzip.compress(b">chr1\n" + b"ACGT" * 500 + b"\n", mtime=0)


@pytest.fixture
def archive():
    with serving() as served:
        yield served


def md5(content):
    return hashlib.md5(content).hexdigest()


def fetch(archive, tmp_path, entry, *, seed=1, **settings):
    config = fetch_config(archive, {"name": "mine", **entry}, **settings)
    return fetch_corpus(config, seed=seed, output=tmp_path / "out")


def paths(manifest):
    return [file["path"] for file in manifest.facts["files"]]


# --- Ensembl ---------------------------------------------------------------------------------------------------------

COLUMNS = (
    "#name\tspecies\tdivision\ttaxonomy_id\tassembly\tassembly_accession\tgenebuild\tvariation\tmicroarray\t"
    "pan_compara\tpeptide_compara\tgenome_alignments\tother_alignments\tcore_db\tspecies_id"
)


def species_row(name, species, accession, core):
    return "\t".join([name, species, "x", "1", "A1", accession, "b", *"NNNNNN", core, "1", ""])


def unix_sum(content):
    return f"{add_bytes(content, 0):05d} {-(-len(content) // 1024):5d}"


def put_folder(archive, folder, names):
    for name in names:
        archive.files[f"{folder}/{name}"] = GENOME
    lines = [f"{unix_sum(GENOME)} {name}" for name in names]
    archive.files[f"{folder}/CHECKSUMS"] = ("\n".join(lines) + "\n").encode()


@pytest.fixture
def ensembl(archive):
    rows = [COLUMNS, species_row("Human", "homo_sapiens", "GCA_000001405.29", "homo_sapiens_core_114_38")]
    archive.files["/ensembl/current/species_EnsemblVertebrates.txt"] = "\n".join(rows).encode()
    stem = "Homo_sapiens.GRCh38"
    put_folder(
        archive,
        "/ensembl/release-114/fasta/homo_sapiens/dna",
        [f"{stem}.dna.{part}.fa.gz" for part in ("chromosome.1", "primary_assembly", "toplevel")]
        + [f"{stem}.dna_sm.toplevel.fa.gz"],
    )
    put_folder(
        archive,
        "/ensembl/release-114/fasta/homo_sapiens/pep",
        [f"{stem}.pep.{kind}.fa.gz" for kind in ("abinitio", "all")],
    )
    put_folder(
        archive,
        "/ensembl/release-114/gff3/homo_sapiens",
        [f"{stem}.114.{part}gff3.gz" for part in ("", "chr.", "abinitio.", "chromosome.1.")],
    )
    return archive


@pytest.mark.parametrize("species", ["Homo sapiens", "homo_sapiens", "GCA_000001405.29"])
def test_ensembl_finds_a_species_by_name_or_accession(ensembl, tmp_path, species):
    manifest = fetch(
        ensembl, tmp_path, {"archive": "ensembl", "species": [species], "files": ["dna", "dna_sm", "pep", "gff3"]}
    )
    assert paths(manifest) == [
        "mine/Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz",
        "mine/Homo_sapiens.GRCh38.dna_sm.toplevel.fa.gz",
        "mine/Homo_sapiens.GRCh38.pep.all.fa.gz",
        "mine/Homo_sapiens.GRCh38.114.gff3.gz",
    ]
    first = manifest.facts["files"][0]
    assert first["checksum_from"].endswith("/release-114/fasta/homo_sapiens/dna/CHECKSUMS")
    value, blocks = first["checksum"].removeprefix("sum:").split()
    file = tmp_path / "out" / first["path"]
    told = subprocess.run(["sum", str(file)], capture_output=True, text=True, check=True).stdout.split()
    assert (int(value), int(blocks)) == (int(told[0]), int(told[1]))
    assert first["licence"].startswith("no restrictions")
    assert first["citation"].startswith("Ensembl")


def test_ensembl_genomes_looks_into_collections(archive, tmp_path):
    rows = [COLUMNS, species_row("E. coli", "e_coli_k12", "GCA_000005845.2", "bacteria_0_collection_core_61_114_1")]
    archive.files["/ensembl_genomes/bacteria/current/species_EnsemblBacteria.txt"] = "\n".join(rows).encode()
    folder = "/ensembl_genomes/bacteria/release-61/fasta/bacteria_0_collection/e_coli_k12/dna"
    put_folder(archive, folder, ["E_coli_k12.ASM584v2.dna.toplevel.fa.gz"])
    manifest = fetch(archive, tmp_path, {"archive": "ensembl", "species": ["e_coli_k12"], "division": "bacteria"})
    assert paths(manifest) == ["mine/E_coli_k12.ASM584v2.dna.toplevel.fa.gz"]


def test_ensembl_names_the_nearest_species_and_the_files_it_lacks(ensembl, tmp_path):
    with pytest.raises(MissingError, match=r"'Homo sapien' is not a species of .*; did you mean 'homo_sapiens'\?"):
        fetch(ensembl, tmp_path, {"archive": "ensembl", "species": ["Homo sapien"]})
    with pytest.raises(MissingError, match=r"no dna_rm file among 4\. Choose other files for 'Homo sapiens'"):
        fetch(ensembl, tmp_path, {"archive": "ensembl", "species": ["Homo sapiens"], "files": ["dna_rm"]})


def test_a_page_in_the_place_of_the_table_of_species_is_told(ensembl, tmp_path):
    ensembl.files["/ensembl/current/species_EnsemblVertebrates.txt"] = b"<html>moved</html>"
    with pytest.raises(NetworkError, match=r"not a table of species\. Expected Ensembl's layout"):
        fetch(ensembl, tmp_path, {"archive": "ensembl", "species": ["Homo sapiens"]})


def test_a_wrong_sum_is_refused(ensembl, tmp_path):
    ensembl.files["/ensembl/release-114/fasta/homo_sapiens/dna/Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz"] = (
        GENOME[::-1]
    )
    with pytest.raises(
        DataError, match=r"the checksum is sum:\d+ 1, but .*CHECKSUMS gives sum:\d+ 1\. It was so 3 times"
    ):
        fetch(ensembl, tmp_path, {"archive": "ensembl", "species": ["Homo sapiens"]})


# --- NCBI ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ncbi(archive):
    parent = "/ncbi_genomes/GCF/000/005/845"
    links = "".join(f'<a href="GCF_000005845.{n}_ASM584v{n}/">GCF_000005845.{n}_ASM584v{n}/</a>' for n in (9, 10))
    archive.files[f"{parent}/"] = f'<pre><a href="../">Parent</a>{links}</pre>'.encode()
    for number in (9, 10):
        stem = f"GCF_000005845.{number}_ASM584v{number}"
        names = [f"{stem}_genomic.fna.gz", f"{stem}_cds_from_genomic.fna.gz"]
        archive.files |= {f"{parent}/{stem}/{name}": GENOME for name in names}
        lines = "".join(f"{md5(GENOME)}  ./{name}\n" for name in names)
        archive.files[f"{parent}/{stem}/md5checksums.txt"] = lines.encode()
    return archive


def test_ncbi_takes_the_newest_version_or_the_one_named(ncbi, tmp_path):
    newest = {"archive": "ncbi", "accessions": ["GCF_000005845"], "files": ["genomic.fna", "cds_from_genomic.fna"]}
    manifest = fetch(ncbi, tmp_path, newest)
    assert paths(manifest) == [
        "mine/GCF_000005845.10_ASM584v10_genomic.fna.gz",
        "mine/GCF_000005845.10_ASM584v10_cds_from_genomic.fna.gz",
    ]
    assert manifest.facts["files"][0]["checksum"] == f"md5:{md5(GENOME)}"
    named = fetch(ncbi, tmp_path, {"archive": "ncbi", "accessions": ["GCF_000005845.9"]})
    assert paths(named) == ["mine/GCF_000005845.9_ASM584v9_genomic.fna.gz"]


def test_an_accession_that_does_not_exist_is_one_line_or_a_counted_skip(ncbi, tmp_path):
    wrong = {"archive": "ncbi", "accessions": ["GCF_000005845.3", "GCF_999999999.1", "GCF_000005845.9"]}
    with pytest.raises(MissingError, match=r"845/: no assembly GCF_000005845\.3\. Check the accession and its version"):
        fetch(ncbi, tmp_path, wrong)
    manifest = fetch(ncbi, tmp_path, wrong, on_missing="skip")
    assert manifest.counts["skipped: not there or not wanted"] == 2
    assert manifest.counts["files"] == 1
    assert "GCF/999/999/999/: not there (404)" in manifest.facts["skipped"][1]


def test_a_taxon_stands_for_its_reference_genomes_over_all_pages(ncbi, tmp_path):
    base = "/ncbi_datasets/genome/taxon/Escherichia%20coli/dataset_report"
    query = "?filters.reference_only=true&filters.assembly_version=current&page_size=1000"
    first = {"reports": [{"accession": "GCF_000005845.9"}], "next_page_token": "more"}
    ncbi.files[base + query] = json.dumps(first).encode()
    ncbi.files[base + query + "&page_token=more"] = b'{"reports": [{"accession": "GCF_000005845.10"}]}'
    assert len(paths(fetch(ncbi, tmp_path, {"archive": "ncbi", "taxon": "Escherichia coli"}))) == 2
    ncbi.files["/ncbi_datasets/genome/taxon/562/dataset_report"] = b"{}"
    with pytest.raises(MissingError, match="no reference genome of '562'"):
        fetch(ncbi, tmp_path, {"archive": "ncbi", "taxon": "562"})


def test_datasets_gives_one_zip_that_proves_itself(archive, tmp_path):
    stored = BytesIO()
    with zipfile.ZipFile(stored, "w") as packed:
        packed.writestr("ncbi_dataset/data/GCF_000005845.2/genomic.fna", ">a\nACGT\n")
    url = "/ncbi_datasets/genome/accession/GCF_000005845.2/download"
    archive.files[f"{url}?include_annotation_type=GENOME_FASTA&include_annotation_type=PROT_FASTA"] = stored.getvalue()
    entry = {"archive": "ncbi", "layout": "datasets", "files": ["genomic.fna", "protein.faa"]}
    entry["accessions"] = ["GCF_000005845.2"]
    assert paths(fetch(archive, tmp_path, entry)) == ["mine/GCF_000005845.2.zip"]


# --- UniProt ---------------------------------------------------------------------------------------------------------

METALINK = """<?xml version="1.0" encoding="UTF-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/"><version>2026_01</version><files>
<file name="{name}"><size>{size}</size><verification><hash type="md5">{md5}</hash></verification>
<resources><url>ftp://elsewhere/{name}</url></resources></file></files></metalink>"""


def put_uniprot(archive, folder, name, content):
    archive.files[f"/uniprot/{folder}/{name}"] = content
    text = METALINK.format(name=name, size=len(content), md5=md5(content))
    archive.files[f"/uniprot/{folder}/RELEASE.metalink"] = text.encode()


def test_swissprot_comes_whole_as_fasta_or_flat_file(archive, tmp_path):
    for form in ("fasta", "dat"):
        put_uniprot(archive, "knowledgebase/complete", f"uniprot_sprot.{form}.gz", GENOME)
        manifest = fetch(archive, tmp_path, {"archive": "uniprot", "format": form})
        [file] = manifest.facts["files"]
        assert file["path"] == f"mine/uniprot_sprot.{form}.gz"
        assert file["checksum"] == f"md5:{md5(GENOME)}"
        assert file["licence"] == "CC BY 4.0"


@pytest.mark.parametrize(
    ("database", "folder"), [("trembl", "knowledgebase/complete"), ("uniref50", "uniref/uniref50")]
)
def test_a_sample_of_trembl_or_uniref_is_drawn_from_the_checked_stream(archive, tmp_path, database, folder):
    name = f"{'uniprot_' if database == 'trembl' else ''}{database}.fasta.gz"
    put_uniprot(archive, folder, name, gzip.compress("".join(f">p{n}\nMKV\n" for n in range(300)).encode(), mtime=0))
    archive.faults[f"/uniprot/{folder}/{name}"] = Faults(corrupt=1)
    manifest = fetch(archive, tmp_path, {"archive": "uniprot", "database": database, "sample": 30})
    [file] = manifest.facts["files"]
    assert file["path"] == f"mine/{name.replace('.fasta', '.sample-30.fasta')}"
    assert file["sampled_from"] == 300
    assert gzip.decompress((tmp_path / "out" / file["path"]).read_bytes()).count(b">") == 30


def test_a_size_that_the_archive_does_not_list_is_refused(archive, tmp_path):
    put_uniprot(archive, "knowledgebase/complete", "uniprot_sprot.fasta.gz", GENOME)
    archive.files["/uniprot/knowledgebase/complete/uniprot_sprot.fasta.gz"] = GENOME + b"x"
    with pytest.raises(DataError, match=r"bytes came, but the archive lists [\d,]+\. It was so 3 times"):
        fetch(archive, tmp_path, {"archive": "uniprot"})
    archive.files["/uniprot/knowledgebase/complete/RELEASE.metalink"] = b"<html>"
    with pytest.raises(NetworkError, match=r"RELEASE\.metalink: not XML"):
        fetch(archive, tmp_path, {"archive": "uniprot"})


# --- papers ----------------------------------------------------------------------------------------------------------

BUCKET = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>'


def put_article(archive, version, licence="CC BY", **about):
    xml = f"<article>{version}</article>".encode()
    archive.files[f"/pmc/{version}/{version}.xml"] = xml
    facts = {
        "license_code": licence, "is_retracted": False, "citation": f"Somebody, {version}",
        "xml_url": f"s3://pmc-oa-opendata/{version}/{version}.xml?md5={md5(xml)}", **about,
    }  # fmt: skip
    archive.files[f"/pmc/metadata/{version}.json"] = json.dumps(facts).encode()


def listing(*versions):
    return BUCKET.format("".join(f"<Contents><Key>metadata/{v}.json</Key></Contents>" for v in versions)).encode()


def test_pmc_takes_the_newest_version_with_the_licence_of_the_article(archive, tmp_path):
    for version in ("PMC12.2", "PMC12.10", "PMC7.1"):
        put_article(archive, version)
    archive.files["/pmc/?list-type=2&prefix=metadata%2FPMC12."] = listing("PMC12.10", "PMC12.2")
    manifest = fetch(archive, tmp_path, {"archive": "pmc", "articles": ["PMC12", "PMC7.1"]})
    assert paths(manifest) == ["mine/PMC12.10.xml", "mine/PMC7.1.xml"]
    file = manifest.facts["files"][0]
    assert (file["licence"], file["citation"]) == ("CC BY", "Somebody, PMC12.10")
    assert file["checksum"].startswith("md5:")


def test_pmc_refuses_other_licences_retractions_and_what_is_not_open(archive, tmp_path):
    put_article(archive, "PMC1.1", licence="CC BY-NC")
    put_article(archive, "PMC2.1", is_retracted=True)
    archive.files["/pmc/"] = listing()
    for article, message in (
        ("PMC1.1", r"licence CC BY-NC\. Expected one of CC0, CC BY"),
        ("PMC2.1", "the article is retracted"),
        ("PMC3", r"no article PMC3\. Not every article of PMC is open"),
    ):
        with pytest.raises(MissingError, match=message):
            fetch(archive, tmp_path, {"archive": "pmc", "articles": [article]})
    wider = fetch(archive, tmp_path, {"archive": "pmc", "articles": ["PMC1.1"], "licences": ["CC BY-NC"]})
    assert wider.facts["files by licence"] == {"CC BY-NC": 1}


def test_a_sample_of_pmc_counts_what_it_may_not_take(archive, tmp_path):
    put_article(archive, "PMC5.1")
    archive.files["/pmc/"] = listing("PMC5.1")
    manifest = fetch(archive, tmp_path, {"archive": "pmc", "sample": 3})
    assert manifest.counts["files"] == 1
    assert manifest.counts["skipped: not there or not wanted"] == 2
    assert "PMC5.1.xml: there already" in manifest.facts["skipped"][0]
    assert archive.counts()["/pmc/"] == 3


def test_pubmed_comes_with_its_md5_whole_or_a_seeded_part(archive, tmp_path):
    names = [f"pubmed26n{number:04d}.xml.gz" for number in range(1, 7)]
    archive.files["/pubmed/"] = "".join(f'<a href="{n}">{n}</a><a href="{n}.md5">x</a>' for n in names).encode()
    for name in names:
        archive.files[f"/pubmed/{name}"] = GENOME
        archive.files[f"/pubmed/{name}.md5"] = f"MD5({name})= {md5(GENOME)}\n".encode()
    assert paths(fetch(archive, tmp_path, {"archive": "pubmed"})) == [f"mine/{name}" for name in names]
    some = paths(fetch(archive, tmp_path, {"archive": "pubmed", "sample": 2}, seed=5))
    assert len(some) == 2
    assert some == paths(fetch(archive, tmp_path / "again", {"archive": "pubmed", "sample": 2}, seed=5))


def test_s2orc_needs_a_key_and_keeps_signatures_out_of_the_manifest(archive, tmp_path, monkeypatch):
    monkeypatch.delenv("S2_API_KEY", raising=False)
    with pytest.raises(
        ConfigError, match=r"Semantic Scholar wants an API key\. .* the environment variable S2_API_KEY"
    ):
        fetch(archive, tmp_path, {"archive": "s2orc"})
    monkeypatch.setenv("S2_API_KEY", "secret")
    shards = [f"/shards/{n}.jsonl.gz" for n in "ab"]
    archive.files |= dict.fromkeys(shards, GENOME)
    url = "/semantic_scholar/release/latest/dataset/s2orc"
    archive.files[url] = json.dumps({"files": [f"{archive.url}{s}?X-Amz-Signature=abc" for s in shards]}).encode()
    manifest = fetch(archive, tmp_path, {"archive": "s2orc"})
    assert paths(manifest) == ["mine/a.jsonl.gz", "mine/b.jsonl.gz"]
    assert archive.requests(url)[0]["x-api-key"] == "secret"
    assert "x-api-key" not in archive.requests(shards[0])[0]
    written = "".join(file.read_text() for file in (tmp_path / "out").glob("*.json*"))
    assert "Signature" not in written
    assert "secret" not in written


# --- Hugging Face ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(archive):
    table, card = GENOME, b"# A card\n"
    files = {"data/train.jsonl.gz": table, "README.md": card, ".gitattributes": b"x"}
    siblings = [
        {"rfilename": "data/train.jsonl.gz", "size": len(table), "lfs": {"sha256": hashlib.sha256(table).hexdigest()}},
        *({"rfilename": n, "size": len(c), "blobId": git_id(c)} for n, c in files.items() if not n.startswith("data")),
    ]
    about = {"sha": "c0ffee", "siblings": siblings, "cardData": {"license": ["cc-by-4.0"]}}
    archive.files["/huggingface/api/datasets/me/genes/revision/main"] = json.dumps(about).encode()
    archive.files |= {f"/huggingface/datasets/me/genes/resolve/c0ffee/{n}": c for n, c in files.items()}
    return archive


def git_id(content):
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def test_a_dataset_of_the_hub_comes_at_one_commit_with_its_own_checksums(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    manifest = fetch(hub, tmp_path, {"archive": "huggingface", "dataset": "me/genes"})
    assert paths(manifest) == ["mine/README.md", "mine/data/train.jsonl.gz"]
    card, table = manifest.facts["files"]
    assert (card["checksum"][:4], table["checksum"][:7]) == ("git:", "sha256:")
    assert (table["licence"], table["citation"]) == ("cc-by-4.0", "me/genes, Hugging Face dataset, commit c0ffee")
    sent = hub.requests("/huggingface/datasets/me/genes/resolve/c0ffee/README.md")[0]
    assert sent["Authorization"] == "Bearer hf_secret"
    assert "hf_secret" not in Path(tmp_path / "out/manifest.json").read_text()


def test_globs_choose_files_of_a_dataset(hub, tmp_path):
    entry = {"archive": "huggingface", "dataset": "me/genes", "files": ["data/*.gz"]}
    assert paths(fetch(hub, tmp_path, entry)) == ["mine/data/train.jsonl.gz"]
    with pytest.raises(MissingError, match=r"no file matches \*\.parquet\. Change the globs"):
        fetch(hub, tmp_path, {**entry, "files": ["*.parquet"]})
    with pytest.raises(MissingError, match=r"datasets/me/none/revision/main: not there \(404\)"):
        fetch(hub, tmp_path, {**entry, "dataset": "me/none"})


# --- From archives to documents --------------------------------------------------------------------------------------


def serve_four(archive, tmp_path):
    """One file of each kind that is not plain sequence, and what names it in a recipe."""
    name = "pubmed26n0001.xml.gz"
    baseline = packed(PUBMED.format(articles=STRUCTURED + WITHOUT + PLAIN.format(number=13, version=1)))
    archive.files["/pubmed/"] = f'<a href="{name}">{name}</a>'.encode()
    archive.files |= {f"/pubmed/{name}": baseline, f"/pubmed/{name}.md5": f"MD5({name})= {md5(baseline)}\n".encode()}

    archive.files["/shards/20260101_000042"] = packed(f"{json.dumps(s2orc_paper(7))}\n")
    listing = json.dumps({"files": [f"{archive.url}/shards/20260101_000042?X-Amz-Signature=abc"]})
    archive.files["/semantic_scholar/release/latest/dataset/s2orc"] = listing.encode()

    rows = [{"id": f"row{number}", "text": f"Page {number} of a set."} for number in range(3)]
    table = write_parquet(tmp_path / "train.parquet", rows).read_bytes()
    large = {
        "rfilename": "data/train.parquet",
        "size": len(table),
        "lfs": {"sha256": hashlib.sha256(table).hexdigest()},
    }
    about = {"sha": "c0ffee", "siblings": [large], "cardData": {"license": "mit"}}
    archive.files["/huggingface/api/datasets/own/set/revision/main?blobs=true"] = json.dumps(about).encode()
    archive.files["/huggingface/datasets/own/set/resolve/c0ffee/data/train.parquet"] = table

    species = COLI.partition(".")[0].lower()
    row = species_row("Coli", species, "GCA_1.1", "bacteria_core_60_113_1")
    archive.files["/ensembl_genomes/bacteria/release-60/species_EnsemblBacteria.txt"] = f"{COLUMNS}\n{row}\n".encode()
    for folder, ending in (("fasta/{}/dna", ".dna."), ("fasta/{}/pep", ".pep."), ("gff3/{}", ".gff3.")):
        place = f"/ensembl_genomes/bacteria/release-60/{folder.format(species)}"
        files = {file: packed(text) for file, text in ENSEMBL.items() if file.startswith(COLI) and ending in file}
        archive.files |= {f"{place}/{file}": content for file, content in files.items()}
        archive.files[f"{place}/CHECKSUMS"] = "\n".join(f"{unix_sum(c)} {f}" for f, c in files.items()).encode()
    return (
        {"name": "abstracts", "archive": "pubmed"},
        {"name": "papers", "archive": "s2orc"},
        {"name": "pages", "archive": "huggingface", "dataset": "own/set"},
        {
            "name": "genes", "archive": "ensembl", "division": "bacteria", "release": "60", "species": [species],
            "files": ["dna", "pep", "gff3"],
        },
    )  # fmt: skip


def test_what_is_fetched_becomes_documents(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("S2_API_KEY", "secret")
    config = fetch_config(archive, *serve_four(archive, tmp_path))
    fetch_corpus(config, seed=1, output=tmp_path / "data")
    kinds = {"abstracts": "text", "papers": "text", "pages": "text", "genes/*.gff3.gz": "coding"}
    sources = [Source(path=path, kind=kind) for path, kind in kinds.items()]
    manifest = build_corpus(
        CorpusConfig(sources=sources, min_letters=1), data=tmp_path / "data", seed=1, output=tmp_path / "corpus"
    )
    shards = sorted((tmp_path / "corpus").glob("*/*.parquet"))
    found = {row["text"] for shard in shards for row in pq.read_table(shard).to_pylist()}
    assert found == {
        "On E. coli.\n\nAIM: To see 10^6 cells.\n\nWe saw H2O.", "Short.\n\nCells live.",
        "On cells\n\nCells live.\n\nMethods\n\nWe looked (1).",
        "Page 0 of a set.", "Page 1 of a set.", "Page 2 of a set.", "GTGGCTTGGTAA\nMAW",
    }  # fmt: skip
    assert manifest.counts["text records read"] == 6
    assert manifest.counts["text reading: article without abstract left out"] == 1
    assert manifest.counts["coding records read"] == 1
