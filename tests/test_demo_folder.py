"""The data folder of the synthetic organism: formats, balance, reproducibility."""

import csv
import gzip
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO

from llama_gene.config import DemoConfig, TaskChoice, TasksConfig
from llama_gene.demo.genome import BACTERIUM, EUKARYOTE, all_genes, make_genome
from llama_gene.demo.organism import write_demo
from llama_gene.demo.promoters import bacterial_log_odds
from llama_gene.demo.tables import Table, task_tables
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.genbank import read_coding
from llama_gene.sequences.translate import translate, translate_coding
from llama_gene.tasks.definitions import list_tasks, read_task
from llama_gene.tasks.split import split_tasks

SMALL = DemoConfig(genes=40, task_items=200, pairs=80)
TABLES = ("promoter", "tata", "splice", "structure", "interaction", "product", "function", "strength")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("demo") / "data"
    write_demo(SMALL, seed=3, output=output)
    return output


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return dict(task_tables(600, 300, seed=5))


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tasks" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def gc(letters: str) -> float:
    return (letters.count("G") + letters.count("C")) / len(letters)


def best_threshold_accuracy(values: list[float], is_positive: list[bool]) -> float:
    """Accuracy of the best single cut, either way round."""
    value, truth = np.array(values), np.array(is_positive)
    hits = [np.mean((value > cut) == truth) for cut in np.unique(value)]
    return float(max(*hits, *(1 - hit for hit in hits)))


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_and_another_seed_others(folder, tmp_path):
    def contents(root: Path) -> dict[str, bytes]:
        files = (file for file in root.rglob("*") if file.is_file() and file.name != "manifest.json")
        return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}

    write_demo(SMALL, seed=3, output=tmp_path / "again")
    write_demo(SMALL, seed=4, output=tmp_path / "other")
    first, again, other = contents(folder), contents(tmp_path / "again"), contents(tmp_path / "other")
    assert first == again
    assert first.keys() == other.keys()
    changed = {name for name in first if first[name] != other[name]}
    assert {name for name in first if name.startswith(("genomes/", "proteins/")) or name.endswith(".csv")} <= changed


def test_manifest_counts_what_was_written(folder):
    manifest = write_demo(SMALL, seed=3, output=folder)
    assert manifest.stage == "demo"
    assert manifest.counts["bacterium genes"] == manifest.counts["eukaryote genes"] == 40
    assert manifest.counts["items of interaction"] == 160
    assert manifest.counts["task definitions"] == len(TABLES) + 1
    assert "synthetic" in manifest.facts["note"]


@pytest.mark.parametrize(("species", "table"), [("bacterium", 11), ("eukaryote", 1)])
def test_every_genbank_cds_translates_to_its_translation_by_biopython(folder, species, table):
    with gzip.open(folder / "genomes" / f"{species}.gbk.gz", "rt", encoding="utf-8") as file:
        records = list(SeqIO.parse(file, "genbank"))
    features = [(record, feature) for record in records for feature in record.features if feature.type == "CDS"]
    assert len(features) == 40
    for record, feature in features:
        dna = str(feature.extract(record.seq))
        assert feature.qualifiers["transl_table"] == [str(table)]
        assert feature.qualifiers["product"][0].startswith("synthetic")
        assert translate(dna, table=table) == feature.qualifiers["translation"][0]
        assert dna[-3:] in ("TAA", "TAG", "TGA")


@pytest.mark.parametrize("species", ["bacterium", "eukaryote"])
def test_our_genbank_reader_reproduces_every_translation(folder, species):
    coding = list(read_coding(folder / "genomes" / f"{species}.gbk.gz"))
    assert len(coding) == 40
    assert all(translate_coding(item) == item.protein for item in coding)


def test_fasta_and_genbank_hold_the_same_letters(folder):
    with (
        gzip.open(folder / "genomes/eukaryote.gbk.gz", "rt") as first,
        gzip.open(folder / "genomes/eukaryote.fa.gz", "rt") as second,
    ):
        genbank = {record.id: str(record.seq) for record in SeqIO.parse(first, "genbank")}
        assert {record.id: str(record.seq) for record in SeqIO.parse(second, "fasta")} == genbank


def test_genes_lie_on_both_strands_and_their_exons_spell_the_coding_sequence():
    for species in (BACTERIUM, EUKARYOTE):
        strands = Counter()
        for chromosome in make_genome(species, 30, seed=1):
            for gene in chromosome.genes:
                strands[gene.strand] += 1
                spliced = "".join(chromosome.letters[start:end] for start, end in gene.exons)
                assert (spliced if gene.strand == 1 else reverse_complement(spliced)) == gene.coding
                assert translate(gene.coding, table=species.table) == gene.protein.residues
        assert min(strands[1], strands[-1]) >= 5


def test_bacterial_genes_have_no_introns_and_eukaryotic_ones_gt_ag_introns():
    assert all(len(gene.exons) == 1 for gene in all_genes(make_genome(BACTERIUM, 30, seed=1)))
    counts = Counter()
    for chromosome in make_genome(EUKARYOTE, 60, seed=1):
        for gene in chromosome.genes:
            counts[len(gene.exons) - 1] += 1
            for (_, start), (end, _) in zip(gene.exons, gene.exons[1:], strict=False):
                letters = chromosome.letters[start:end]
                letters = letters if gene.strand == 1 else reverse_complement(letters)
                assert letters[:2] + letters[-2:] == "GTAG"
                assert 60 <= len(letters) <= 100
    assert set(counts) == {0, 1, 2}


def test_bacterial_genes_carry_boxes_and_a_ribosome_site_before_their_start():
    for chromosome in make_genome(BACTERIUM, 30, seed=1):
        for gene in chromosome.genes:
            ordered = gene.signals[:: gene.strand]
            assert [name for name, _, _ in ordered] == ["minus_35_signal", "minus_10_signal", "ribosome_binding_site"]
            (_, start_35, end_35), (_, start_10, end_10), (_, start, end) = ordered
            spacing = start_10 - end_35 if gene.strand == 1 else start_35 - end_10
            assert spacing in (16, 17, 18)
            gap = gene.exons[0][0] - end if gene.strand == 1 else start - gene.exons[-1][1]
            assert 5 <= gap <= 8


def test_the_two_species_use_different_codons():
    def third_gc(species):
        thirds = "".join(gene.coding[2::3] for gene in all_genes(make_genome(species, 30, seed=1)))
        return gc(thirds)

    assert third_gc(BACTERIUM) > 0.65
    assert third_gc(EUKARYOTE) < 0.40


@pytest.mark.parametrize("name", TABLES)
def test_no_sequence_and_no_id_occurs_twice(folder, name):
    table = rows(folder, name)
    sequences = [tuple(row[key] for key in row if key.startswith("sequence")) for row in table]
    assert len(set(sequences)) == len(sequences) == (160 if name == "interaction" else 200)
    assert len({row["id"] for row in table}) == len(table)


@pytest.mark.parametrize(
    ("name", "column", "classes"),
    [
        ("promoter", "label", 2), ("tata", "label", 2), ("splice", "label", 3), ("interaction", "label", 2),
        ("product", "product", 8), ("function", "function", 8),
    ],
)  # fmt: skip
def test_classes_are_balanced(folder, name, column, classes):
    counts = Counter(row[column] for row in rows(folder, name))
    assert len(counts) == classes
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("name", ["promoter", "tata", "interaction"])
def test_length_and_composition_do_not_tell(tables, name):
    table = tables[name]
    is_positive = [row[-1] in ("promoter", "binding") for row in table.rows]
    letters = ["".join(row[1:-1]) for row in table.rows]
    assert best_threshold_accuracy([float(len(text)) for text in letters], is_positive) < 0.6
    if name != "interaction":
        assert best_threshold_accuracy([gc(text) for text in letters], is_positive) < 0.6


def test_knowing_the_boxes_tells_promoters_where_gc_does_not(folder):
    table = rows(folder, "promoter")
    hits = [(bacterial_log_odds(row["sequence"]) > 5) == (row["label"] == "promoter") for row in table]
    assert np.mean(hits) > 0.85


def test_strength_is_spread_and_follows_the_boxes(folder):
    table = rows(folder, "strength")
    values = np.array([float(row["strength"]) for row in table])
    scores = np.array([bacterial_log_odds(row["sequence"], start=40) for row in table])
    agree = np.mean((values > np.median(values)) == (scores > np.median(scores)))
    assert {len(row["sequence"]) for row in table} == {60}
    assert values.std() > 1
    assert agree > 0.85


def test_definitions_cover_five_families_and_say_synthetic(folder):
    tasks = [read_task(path) for path in sorted((folder / "tasks" / "definitions").glob("*.toml"))]
    families = {"classification", "structure", "multi-sequence", "function", "regression"}
    assert {task.family for task in tasks} == families
    assert {item.kind for task in tasks for item in task.inputs} == {"dna", "protein"}
    assert all("synthetic" in task.title and "synthetic" in task.definition for task in tasks)


@pytest.mark.slow
def test_every_task_can_be_split_and_loses_no_item(folder, tmp_path):
    names = [f"demo-{name}" for name in (*TABLES, "central-dogma")]
    config = TasksConfig(
        choices=tuple(TaskChoice(name=name) for name in names), definitions=("tasks/definitions",), on_invalid="error"
    )
    manifest = split_tasks(config, data=folder, seed=1, output=tmp_path / "splits")
    items = [
        item
        for name in ("train", "valid", "test")
        for item in pq.read_table(tmp_path / "splits" / f"{name}.parquet").to_pylist()
    ]
    counts = Counter(item["task"] for item in items)
    assert set(counts) == set(names)
    assert all(counts[f"demo-{name}"] == (160 if name == "interaction" else 200) for name in TABLES)
    assert counts["demo-central-dogma"] >= 60
    assert not any("duplicate" in reason for reason, count in manifest.counts.items() if count)


def test_definitions_can_be_added_to_the_registered_ones(folder):
    names = {task.name for task in list_tasks([folder / "tasks" / "definitions"])}
    assert {f"demo-{name}" for name in (*TABLES, "central-dogma")} <= names


def test_gene_pages_and_fasta_titles_say_synthetic(folder):
    for species in ("bacterium", "eukaryote"):
        page = (folder / "text" / f"{species}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# The genes of the synthetic {species}")
        assert page.count(f"synthetic {species}") >= 40
    for path in sorted(folder.glob("*/*.f*a.gz")):
        titles = [line for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line.startswith(">")]
        assert titles
        assert all("synthetic" in title for title in titles)


def test_recipe_is_complete_and_names_only_files_the_demo_writes(folder):
    recipe = tomllib.loads((Path(__file__).parents[1] / "recipes/demo/recipe.toml").read_text(encoding="utf-8"))
    names = {task.name for task in list_tasks([folder / "tasks" / "definitions"])}
    assert {choice["name"] for choice in recipe["tasks"]["choices"]} <= names
    for source in recipe["corpus"]["sources"]:
        assert list(folder.glob(source["path"])), source["path"]
    for place in recipe["tasks"]["definitions"]:
        assert (folder / place).is_dir()
