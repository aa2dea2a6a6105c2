"""Sources that are read several times, or in part: every letter more or less is counted."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from genes import make_gene, write_gff
from llama_gene.config import Source
from llama_gene.corpus.accounts import imbalances, removed_reasons
from llama_gene.corpus.build import build_corpus
from llama_gene.sequences.alphabets import reverse_complement
from test_corpus_build import config, dna, random_letters, read, write_fasta, write_items
from test_corpus_near_duplicates import page

KINDS = {"genome.fa": "dna", "proteins.faa": "protein", "pages": "text", "genes.gff3": "coding"}
OUTSIDE = "outside the source's epochs"


class Built(NamedTuple):
    """Counts of a corpus, and its training rows by kind."""

    counts: Mapping[str, int]
    rows: Mapping[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, proteins, pages and genes: several dozen documents of each."""
    folder = tmp_path_factory.mktemp("data")
    write_fasta(folder / "genome.fa", {"g": dna(60_000, 1)})
    write_fasta(folder / "proteins.faa", {f"p{n}": random_letters("ACDEFGHIKLMNPQRSTVWY", 80, n) for n in range(80)})
    write_gff(folder / "genes.gff3", [make_gene(60, n) for n in range(80)])
    (folder / "pages").mkdir()
    for number in range(80):
        (folder / f"pages/{number:02d}.txt").write_text(page(60, number))
    write_items(folder / "splits", "valid", [("gene", [dna(60_000, 1)[20_000:20_200]], ["dna"])])
    write_items(folder / "splits", "test", [("fold", [random_letters("ACDEFGHIKLMNPQRSTVWY", 80, 7)], ["protein"])])
    return folder


def built(data: Path, output: Path, epochs: float, exclude: Path | None = None) -> Built:
    sources = tuple(Source(path=path, kind=kind, epochs=epochs) for path, kind in KINDS.items())
    chosen = config().model_copy(update={"sources": sources})
    counts = build_corpus(chosen, data=data, seed=1, output=output, exclude=exclude).counts
    assert imbalances(counts) == {}
    rows = read(output, "train")
    return Built(counts, {kind: [row for row in rows if row["kind"] == kind] for kind in KINDS.values()})


@pytest.fixture(scope="module")
def once(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(data, tmp_path_factory.mktemp("once") / "corpus", 1)


@pytest.fixture(scope="module")
def twice(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(data, tmp_path_factory.mktemp("twice") / "corpus", 2)


@pytest.mark.parametrize("kind", KINDS.values())
def test_two_epochs_are_all_training_letters_twice_and_the_held_out_ones_once(once, twice, kind):
    letters = once.counts[f"{kind} letters train"]
    assert twice.counts[f"{kind} letters train"] == 2 * letters
    assert twice.counts[f"{kind} letters repeated"] == letters
    for entry in ("letters read", "letters valid", "records read", "records kept", "documents valid"):
        assert twice.counts[f"{kind} {entry}"] == once.counts[f"{kind} {entry}"]
    assert f"{kind} letters repeated" not in once.counts


def test_whole_records_are_read_twice_as_they_are_and_a_genome_is_cut_anew(once, twice):
    for kind in ("protein", "text", "coding"):
        texts = Counter(row["text"] for row in once.rows[kind])
        assert Counter(row["text"] for row in twice.rows[kind]) == Counter(dict.fromkeys(texts, 2))
    spans = [row["id"].rpartition(":")[0] for row in twice.rows["dna"]]
    assert len(set(spans)) > 1.8 * len(once.rows["dna"])
    genome, covered = dna(60_000, 1), np.zeros(60_000, int)
    for row in twice.rows["dna"]:
        start, end = map(int, row["id"].split(":")[1].split("-"))
        covered[start:end] += 1
        letters = genome[start:end]
        assert row["text"] == (reverse_complement(letters) if row["id"].endswith(":-") else letters)
    assert set(covered.tolist()) == {0, 2}, "0 where it is held out"


@pytest.mark.parametrize("kind", KINDS.values())
def test_half_an_epoch_reads_about_half_and_counts_the_rest(data, tmp_path, once, kind):
    half = built(data, tmp_path / "half", 0.5)
    whole, train = once.counts[f"{kind} letters train"], half.counts[f"{kind} letters train"]
    assert half.counts[f"{kind} letters valid"] == once.counts[f"{kind} letters valid"]
    assert train + removed_reasons(half.counts, kind, "letters")[OUTSIDE] == whole
    assert train == pytest.approx(whole / 2, rel=0.3)
    assert max(Counter(row["id"] for row in half.rows[kind]).values()) == 1


@pytest.mark.parametrize("kind", KINDS.values())
def test_one_and_a_half_epochs_read_about_half_of_it_again(data, tmp_path, once, kind):
    more = built(data, tmp_path / "more", 1.5)
    whole, repeated = once.counts[f"{kind} letters train"], more.counts[f"{kind} letters repeated"]
    assert more.counts[f"{kind} letters train"] == whole + repeated
    assert repeated == pytest.approx(whole / 2, rel=0.3)
    assert OUTSIDE not in removed_reasons(more.counts, kind, "letters")


def test_a_task_item_is_left_out_of_every_epoch(data, tmp_path):
    counts, rows = built(data, tmp_path / "out", 2, exclude=data / "splits")
    assert counts["protein documents that hold an item of fold"] == 2
    assert counts["protein letters removed: holds a task item"] == 160
    assert counts["dna documents that hold an item of gene"] == 2
    assert not {row["id"] for row in rows["protein"] if row["id"].startswith("p7:")}
