"""`corpus build` on real genomes, proteins and texts."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from llama_gene.artifacts import read_manifest
from llama_gene.config import CorpusConfig, Source
from llama_gene.corpus.accounts import imbalances, removed_reasons
from llama_gene.corpus.build import build_corpus


@pytest.mark.real_data
@pytest.mark.slow
def test_real_genomes_proteins_and_papers_make_a_balanced_corpus(data, tmp_path):
    sources = (
        ("genomes/yeast/R64-1-1.fa.gz", "dna"),
        ("genomes/bacteria/GCF_000148585.2.fa.gz", "dna"),
        ("proteins/proteomes/archaea_178306.faa.gz", "protein"),
        ("text/craft", "text"),
    )
    chosen = CorpusConfig(
        sources=[Source(path=path, kind=kind) for path, kind in sources],
        max_letters={"dna": 1_200_000, "text": 600_000},
    )
    manifest = build_corpus(chosen, data=data, seed=1, output=tmp_path / "out")
    assert imbalances(manifest.counts) == {}
    assert manifest.counts["dna records read"] == 18
    assert manifest.counts["files split by region"] == 2
    assert all(manifest.counts[f"{kind} documents valid"] for kind in ("dna", "protein", "text"))
    assert manifest.counts["text letters train"] == pytest.approx(600_000, rel=0.03)
    assert json.loads((tmp_path / "out/manifest.json").read_text())["stage"] == read_manifest(tmp_path / "out").stage


def count_plainly(path: Path) -> tuple[int, int]:
    """Records and letters of a FASTA or GenBank file by its lines alone; of GFF3 those of the FASTA beside it."""
    if ".gff" in path.name:
        path = next(path.parent.glob("*.fa.gz"))
    is_genbank = ".gb" in path.name
    inside = not is_genbank
    records = letters = 0
    with gzip.open(path, "rb") as lines:
        for line in lines:
            if is_genbank and line.startswith((b"ORIGIN", b"//")):
                inside = line.startswith(b"ORIGIN")
            elif inside and not line.startswith(b">"):
                letters += len(line.translate(None, b" \r\n0123456789"))
            records += line.startswith(b"LOCUS" if is_genbank else b">")
    return records, letters


@pytest.mark.real_data
@pytest.mark.slow
def test_all_genomes_proteins_and_texts_make_a_corpus_that_accounts_for_every_record_and_letter(data, tmp_path):
    sources = (("genomes", "dna"), ("genomes/genbank", "coding"), ("proteins", "protein"), ("text", "text"))
    chosen = CorpusConfig(sources=[Source(path=path, kind=kind) for path, kind in sources])
    manifest = build_corpus(chosen, data=data, seed=1, output=tmp_path / "out")
    counts = manifest.counts
    genomes = [file for file in sorted((data / "genomes").rglob("*.gz")) if ".tsv" not in file.name]
    assert (counts["dna records read"], counts["dna letters read"]) == tuple(
        map(sum, zip(*map(count_plainly, genomes), strict=True))
    )
    rows = Counter[tuple[str, str, str]]()
    for split in ("train", "valid"):
        for file in sorted((tmp_path / "out" / split).glob("*.parquet")):
            table = pq.read_table(file)
            letters = pc.binary_length(table["text"]).to_numpy() - (pc.equal(table["kind"], "coding").to_numpy())
            for source, kind in sources:
                mine = pc.and_(pc.equal(table["source"], source), pc.equal(table["kind"], kind)).to_numpy()
                rows[source, split, "documents"] += int(mine.sum())
                rows[source, split, "letters"] += int(letters[mine].sum())
    for facts, (source, kind) in zip(manifest.facts["sources"], sources, strict=True):
        for unit in ("documents", "letters"):
            for split in ("train", "valid"):
                assert counts[f"{kind} {unit} {split}"] == rows[source, split, unit] > 0
        for unit, stays in (
            ("records", facts["records"]),
            ("letters", rows[source, "train", "letters"] + rows[source, "valid", "letters"]),
        ):
            removed = removed_reasons(counts, kind, unit)
            assert counts[f"{kind} {unit} read"] == stays + sum(removed.values()), (kind, unit)
    assert imbalances(counts) == {}


@pytest.mark.real_data
@pytest.mark.slow
def test_the_near_identical_escherichia_and_shigella_genomes_are_found(data, tmp_path):
    names = ("GCF_002949675.1", "GCF_003697165.2", "GCF_006742205.1")
    sources = [Source(path=f"genomes/bacteria/{name}.fa.gz", kind="dna") for name in names]
    chosen = CorpusConfig(sources=sources, max_letters={"dna": 100_000})
    found = build_corpus(chosen, data=data, seed=1, output=tmp_path / "out").facts["near_identical"]
    assert found == [[f"genomes/bacteria/{name}.fa.gz" for name in names[:2]]]
