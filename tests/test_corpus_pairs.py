"""Sources of coding pairs, from annotated genomes to blocks: nothing lost, nothing leaked, both sides together."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from genes import Gene, make_gene, write_genbank, write_gff
from llama_gene.artifacts import Manifest
from llama_gene.config import CorpusConfig, EngineConfig, PackConfig
from llama_gene.corpus.accounts import imbalances
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus
from llama_gene.corpus.plan import plan_corpus
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tokenizer.load import load_tokenizer
from test_corpus_build import config, read, write_fasta, write_items
from test_corpus_near_duplicates import substitute
from test_corpus_pack import BOS, EOS, documents, write_tokenizer

SPLITS = ("train", "valid")
GENES = [make_gene(60 + 7 * number, number) for number in range(60)]
SHORT, WRONG = make_gene(6, 100), make_gene(90, 101)._replace(protein="MAD")


def letters_of(genes: Sequence[Gene]) -> int:
    return sum(len(gene.dna) + len(gene.protein) for gene in genes)


def build(folder: Path, chosen: CorpusConfig, exclude: Path | None = None) -> Manifest:
    manifest = build_corpus(chosen, data=folder, seed=1, output=folder / "out", exclude=exclude)
    assert imbalances(manifest.counts) == {}
    return manifest


def rows_of(folder: Path) -> list[dict[str, str]]:
    return [row for split in SPLITS for row in read(folder / "out", split)]


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """Names of what `a` holds: 30 genes, one too short, one with another protein; `b` has 30 others and one again."""
    write_gff(tmp_path / "genomes/b.gff3", [*GENES[30:], GENES[4]], seed=2)
    return write_genbank(tmp_path / "genomes/a.gbk", [*GENES[:30], SHORT, WRONG], seed=1)


CODING = ("genomes", "coding")


def test_every_pair_base_and_residue_is_accounted_for(tmp_path, names):
    counts = build(tmp_path, config(CODING, coding_max_bp=3000)).counts
    assert counts["coding records read"] == len(GENES) + 3
    assert counts["coding letters read"] == letters_of([*GENES, SHORT, WRONG, GENES[4]])
    assert counts["coding records removed: no coding pair: the given translation is another"] == 1
    assert counts["coding letters removed: no coding pair: the given translation is another"] == letters_of([WRONG])
    assert counts["coding records removed: duplicate"] == 1
    assert counts["coding letters removed: duplicate"] == letters_of([GENES[4]])
    assert counts["coding records removed: shorter than min_letters"] == 1
    assert counts["coding letters removed: shorter than min_letters"] == letters_of([SHORT])
    assert sum(counts[f"coding letters {split}"] for split in SPLITS) == letters_of(GENES)
    assert Counter(row["text"] for row in rows_of(tmp_path)) == Counter(gene.pair for gene in GENES)
    assert [len(read(tmp_path / "out", split)) for split in SPLITS] == [54, 6]


def test_a_long_pair_is_cut_between_codons_and_no_piece_is_in_the_other_split(tmp_path, names):
    counts = build(tmp_path, config(CODING, coding_max_bp=300)).counts
    whole: dict[str, dict[int, tuple[str, str]]] = {}
    splits: dict[str, set[str]] = {}
    for row in rows_of(tmp_path):
        name, _, span = row["id"].rpartition(":")
        begin, end = map(int, span.split("-"))
        dna, protein = row["text"].split("\n")
        assert (len(dna), len(dna) % 3) == (end - begin, 0)
        assert len(protein) == len(dna) // 3 - dna.endswith("TAA") * (len(protein) < len(dna) // 3)
        whole.setdefault(name, {})[begin] = (dna, protein)
        splits.setdefault(name, set()).add(row["split"])
    joined = {
        "\n".join("".join(side) for side in zip(*(pieces[at] for at in sorted(pieces)), strict=True))
        for pieces in whole.values()
    }
    assert joined == {gene.pair for gene in GENES}
    assert all(len(found) == 1 for found in splits.values())
    assert counts["coding documents made"] > len(GENES)


def test_a_test_protein_and_test_dna_of_either_strand_take_the_pair_out(tmp_path, names):
    dna = [("promoter", [reverse_complement(GENES[3].dna[30:200])], ["dna"])]
    protein = [("function", ["GGG" + GENES[8].protein[5:60]], ["protein"])]
    for split, items in zip(("valid", "test"), (dna, protein), strict=True):
        write_items(tmp_path / "splits", split, items)
    # So that none of the two is held out, where it may stay.
    chosen = config(CODING, valid_share=0.001, coding_max_bp=3000)
    manifest = build(tmp_path, chosen, exclude=tmp_path / "splits")
    left = {row["id"].rpartition(":")[0] for row in rows_of(tmp_path)}
    assert set(names[:30]) - left == {names[3], names[8]}
    assert manifest.counts["coding documents removed: holds a task item"] == 2
    assert manifest.counts["coding letters removed: holds a task item"] == letters_of([GENES[3], GENES[8]])
    for task in ("promoter", "function"):
        assert manifest.counts[f"coding documents that hold an item of {task}"] == 1


def test_genes_of_near_identical_genomes_are_not_held_out(tmp_path):
    """A second assembly: each gene with one base in a hundred changed, so none is an exact duplicate."""
    twins = [Gene(substitute(gene.dna[:-3], "dna", 0.01, 1) + "TAA", "") for gene in GENES[:30]]
    assert not {twin.dna for twin in twins} & {gene.dna for gene in GENES}
    write_gff(tmp_path / "genomes/a.gff3", GENES[:30], seed=1)
    write_gff(tmp_path / "genomes/b.gff3", twins, seed=2)
    write_gff(tmp_path / "genomes/c.gff3", GENES[30:], seed=3)
    manifest = build(tmp_path, config(CODING))
    assert manifest.facts["near_identical"] == [["genomes/a.gff3", "genomes/b.gff3"]]
    assert {row["id"].split(":")[0] for row in read(tmp_path / "out", "valid")} == {"c"}


def test_a_genome_is_no_twin_of_its_own_pairs(tmp_path):
    write_gff(tmp_path / "a.gff3", GENES[:30], seed=1)
    manifest = build(tmp_path, config(("a.gff3", "coding"), ("a.gff3", "dna")))
    assert manifest.facts["near_identical"] == []
    assert {row["kind"] for row in read(tmp_path / "out", "valid")} == {"coding", "dna"}


def test_blocks_hold_both_sides_of_a_pair_with_the_border_between(tmp_path, names):
    write_fasta(tmp_path / "genome.fa", {"g": "ACGTTGCA" * 500})
    chosen = config(CODING, ("genome.fa", "dna"), coding_max_bp=600)
    build(tmp_path, chosen)
    tokenizer = write_tokenizer(tmp_path, bos="<s>")
    packing = PackConfig(weights={}, block_tokens=1200)
    manifest = pack_corpus(packing, corpus=tmp_path / "out", tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    opened = load_tokenizer(tokenizer)
    for split in SPLITS:
        pairs = [row["text"] for row in read(tmp_path / "out", split) if row["kind"] == "coding"]
        packed = [(ids, letters) for kind, ids, letters in documents(tmp_path / "p", split) if kind == "coding"]
        assert pairs
        assert Counter((tuple(ids), letters) for ids, letters in packed) == Counter(
            ((BOS, *opened.encode(text), EOS), len(text) - 1) for text in pairs
        )
        (border,) = opened.encode("\n")
        assert all(ids.count(border) == 1 for ids, _ in packed)
        assert manifest.facts[split]["kinds"]["coding"]["letters"] == sum(len(text) - 1 for text in pairs)


def test_a_plan_counts_pairs(tmp_path, names):
    chosen = config(CODING)
    plan = plan_corpus(chosen, PackConfig(weights={}), data=tmp_path, seed=1, engine=EngineConfig(workers=1))
    counts = build(tmp_path, chosen).counts
    (kind,) = plan.kinds
    assert kind.kind == "coding"
    assert plan.sources[0].letters == pytest.approx(letters_of([*GENES, GENES[4]]), rel=0.01)
    assert kind.train_letters == pytest.approx(counts["coding letters train"], rel=0.05)
    assert plan.documents == pytest.approx(counts["coding documents made"], rel=0.05)
