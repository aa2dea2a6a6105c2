"""With `soft_mask = "keep"` lower-case DNA is compared like any other, and stays as it was written."""

from pathlib import Path

import pytest

from llama_gene.artifacts import Manifest
from llama_gene.config import CleanConfig
from llama_gene.corpus.accounts import imbalances
from llama_gene.corpus.build import build_corpus
from llama_gene.sequences.alphabets import reverse_complement
from test_corpus_build import config, dna, read, write_fasta, write_items
from test_corpus_near_duplicates import substitute

GENES = {f"g{number}": dna(800, number) for number in range(30)}


def masked(letters: str) -> str:
    """The middle half in lower case, as a repeat is marked."""
    quarter = len(letters) // 4
    return letters[:quarter] + letters[quarter:-quarter].lower() + letters[-quarter:]


def build(folder: Path, records: dict[str, str], exclude: Path | None = None) -> Manifest:
    """A corpus of genes and these records, each of them one document."""
    write_fasta(folder / "genes.fa", GENES | records)
    chosen = config(("genes.fa", "dna"), clean=CleanConfig(soft_mask="keep"), reverse_share=0, valid_share=0.01)
    manifest = build_corpus(chosen, data=folder, seed=1, output=folder / "out", exclude=exclude)
    assert imbalances(manifest.counts) == {}
    return manifest


def names(folder: Path) -> set[str]:
    return {row["id"].split(":")[0] for split in ("train", "valid") for row in read(folder / "out", split)}


def test_the_mask_stays_in_the_corpus(tmp_path):
    repeat = masked(dna(900, 100))
    build(tmp_path, {"repeat": repeat})
    found = [row["text"] for split in ("train", "valid") for row in read(tmp_path / "out", split)]
    assert repeat in found


@pytest.mark.parametrize("mask", [masked, str.lower])
@pytest.mark.parametrize("strand", [str, reverse_complement])
def test_a_soft_masked_test_item_is_found_in_a_longer_record(tmp_path, mask, strand):
    item = dna(300, 100)
    for split in ("valid", "test"):
        write_items(tmp_path / "splits", split, [("promoter", [item], ["dna"])])
    records = {"planted": dna(250, 101) + strand(mask(item)) + dna(250, 102), "other": mask(dna(800, 103))}
    counts = build(tmp_path, records, exclude=tmp_path / "splits").counts
    assert counts["dna documents that hold an item of promoter"] == 1
    assert names(tmp_path) == {*GENES, "other"}


@pytest.mark.parametrize("mask", [masked, str.lower])
@pytest.mark.parametrize("strand", [str, reverse_complement])
def test_a_soft_masked_copy_is_an_exact_duplicate(tmp_path, mask, strand):
    counts = build(tmp_path, {"copy": mask(strand(GENES["g7"]))}).counts
    assert counts["dna records removed: duplicate"] == 1
    assert "dna records removed: near duplicate" not in counts
    assert names(tmp_path) == set(GENES)


def test_a_soft_masked_copy_with_few_substitutions_is_a_near_duplicate(tmp_path):
    counts = build(tmp_path, {"copy": masked(substitute(GENES["g7"], "dna", 0.0025, seed=1))}).counts
    assert counts["dna records removed: near duplicate"] == 1
    assert "dna records removed: duplicate" not in counts
    assert names(tmp_path) == set(GENES)


def test_a_soft_masked_genome_is_near_identical_to_the_same_without_masks(tmp_path):
    genome = dna(20_000, 1)
    write_fasta(tmp_path / "genomes/a.fa", {"a": genome})
    write_fasta(tmp_path / "genomes/b.fa", {"b": masked(genome[:9000] + dna(10, 2) + genome[9000:])})
    write_fasta(tmp_path / "genomes/c.fa", {"c": dna(20_000, 3)})
    chosen = config(("genomes", "dna"), clean=CleanConfig(soft_mask="keep"))
    facts = build_corpus(chosen, data=tmp_path, seed=1, output=tmp_path / "out").facts
    assert facts["near_identical"] == [["genomes/a.fa", "genomes/b.fa"]]
