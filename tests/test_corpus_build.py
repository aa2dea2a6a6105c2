"""`corpus build` on small files: nothing lost, nothing leaked, the same bytes again."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llama_gene.config import CorpusConfig, Source
from llama_gene.corpus.accounts import imbalances
from llama_gene.corpus.build import build_corpus
from llama_gene.errors import ArtifactError, ConfigError, DataError
from llama_gene.sequences.alphabets import reverse_complement

RESIDUES = np.array(list("ACDEFGHIKLMNPQRSTVWY"))


def random_letters(letters: str, length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list(letters), length))


def dna(length: int, seed: int) -> str:
    return random_letters("ACGT", length, seed)


def write_fasta(path: Path, records: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in records.items()))


def config(*sources: tuple[str, str], **settings: object) -> CorpusConfig:
    chosen = {"region_bp": 5000, "valid_share": 0.1} | settings
    return CorpusConfig(sources=[Source(path=path, kind=kind) for path, kind in sources], **chosen)


def read(folder: Path, split: str) -> list[dict[str, str]]:
    return [row for file in sorted((folder / split).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two genomes, a twin of the first, a gene set, proteins and pages; with duplicates, gaps and scraps."""
    genome = dna(60_000, seed=1)
    twin = genome[:20_000] + dna(500, seed=2) + genome[20_000:]
    write_fasta(tmp_path / "genomes/a.fa", {"a1": genome, "a2": dna(2_000, 3) + "N" * 40 + dna(700, 4) + "R" + "ACGT"})
    write_fasta(tmp_path / "genomes/b.fa", {"b1": dna(40_000, 5), "copy": reverse_complement(genome)})
    write_fasta(tmp_path / "genomes/lone.fa", {"c1": dna(50_000, 6)})
    write_fasta(tmp_path / "twin/a.fa", {"t1": twin})
    write_fasta(tmp_path / "genes.fa", {f"g{n}": dna(400 + n, 100 + n) for n in range(40)})
    proteins = {f"p{n}": random_letters("".join(RESIDUES), 50 + 30 * n, n) for n in range(60)}
    write_fasta(tmp_path / "proteins.faa", proteins | {"again": proteins["p7"], "scrap": "MKL"})
    for number in range(30):
        letters = random_letters("abcdefgh", 2400, number)
        words = [letters[start : start + 6] for start in range(0, 2400, 6)]
        page = "\n\n".join(" ".join(words[start : start + 50]) for start in range(0, 400, 50))
        (tmp_path / f"pages/{number:02d}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"pages/{number:02d}.txt").write_text(
            page + "\n\n\n\nAll rights reserved by nobody, ever, anywhere.\n"
        )
    return tmp_path


SOURCES = (("genomes", "dna"), ("twin", "dna"), ("genes.fa", "dna"), ("proteins.faa", "protein"), ("pages", "text"))


def test_every_record_letter_and_document_is_accounted_for(folder):
    manifest = build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    counts = manifest.counts
    assert imbalances(counts) == {}
    assert counts["dna records removed: duplicate"] == 1
    assert counts["dna letters removed: duplicate"] == 60_000
    assert counts["dna letters removed: unknown base N"] == 40
    assert counts["dna letters removed: ambiguous base"] == 1
    assert counts["dna letters removed: shorter than min_letters"] == 4
    assert counts["protein records removed: duplicate"] == 1
    assert counts["protein letters removed: shorter than min_letters"] == 3
    for split in ("train", "valid"):
        rows = read(folder / "out", split)
        letters = Counter(f"{row['kind']} letters {split}" for row in rows for _ in row["text"].encode())
        assert {key: counts[key] for key in letters} == letters


def test_no_sequence_is_in_both_splits_on_either_strand(folder):
    build_corpus(config(*SOURCES, text_max_bytes=200, min_letters=10), data=folder, seed=1, output=folder / "out")
    train, valid = read(folder / "out", "train"), read(folder / "out", "valid")
    held = {row["text"] for row in valid} | {reverse_complement(row["text"]) for row in valid if row["kind"] == "dna"}
    assert {row["kind"] for row in valid} == {"dna", "protein", "text"}
    assert not held & {row["text"] for row in train}


def test_a_page_that_training_shares_with_validation_is_removed_and_counted(folder):
    settings = {"text_max_bytes": 360, "min_letters": 10}
    manifest = build_corpus(config(("pages", "text"), **settings), data=folder, seed=1, output=folder / "out")
    assert manifest.counts["text documents removed: also in validation"] == 27


def test_held_out_regions_share_no_word_with_training(folder):
    build_corpus(config(("genomes", "dna"), ("twin", "dna")), data=folder, seed=1, output=folder / "out")
    words = set()
    for row in read(folder / "out", "train"):
        for text in (row["text"], reverse_complement(row["text"])):
            words.update(text[start : start + 30] for start in range(len(text) - 29))
    held = [row["text"] for row in read(folder / "out", "valid")]
    assert held
    assert not any(text[start : start + 30] in words for text in held for start in range(len(text) - 29))


def test_near_identical_genomes_go_to_training_whole(folder):
    manifest = build_corpus(config(("genomes", "dna"), ("twin", "dna")), data=folder, seed=1, output=folder / "out")
    assert manifest.facts["near_identical"] == [["genomes/a.fa", "genomes/b.fa", "twin/a.fa"]]
    assert manifest.counts["files split by nothing"] == 3
    assert {row["id"].split(":")[0] for row in read(folder / "out", "valid")} == {"c1"}


def test_a_genome_is_the_sum_of_its_fragments(folder):
    build_corpus(config(("genomes/lone.fa", "dna")), data=folder, seed=3, output=folder / "out")
    rows = read(folder / "out", "train") + read(folder / "out", "valid")
    pieces = {}
    for row in rows:
        name, span, strand = row["id"].split(":")
        start, end = map(int, span.split("-"))
        assert name == "c1"
        assert len(row["text"]) == end - start
        pieces[start] = row["text"] if strand == "+" else reverse_complement(row["text"])
    assert "".join(pieces[start] for start in sorted(pieces)) == dna(50_000, 6)
    assert all(300 <= len(piece) <= 1000 for piece in pieces.values())
    assert 0.3 < sum(row["id"].endswith("-") for row in rows) / len(rows) < 0.7


def test_held_out_regions_start_and_end_on_region_borders(folder):
    build_corpus(config(("genomes/lone.fa", "dna")), data=folder, seed=3, output=folder / "out")
    spans = sorted(tuple(map(int, row["id"].split(":")[1].split("-"))) for row in read(folder / "out", "valid"))
    assert spans[0][0] % 5000 == 0
    assert spans[-1][1] == spans[0][0] + 5000
    assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(folder):
    def built(seed: int, name: str) -> dict[str, bytes]:
        build_corpus(config(*SOURCES, max_letters={"dna": 90_000}), data=folder, seed=seed, output=folder / name)
        return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in (folder / name).rglob("*.parquet")}

    first = built(1, "one")
    assert first == built(1, "two")
    assert first.keys() == built(2, "three").keys()
    assert first != built(2, "three")


def test_a_limit_keeps_a_random_part_of_a_kind(folder):
    limits = {"dna": 50_000, "protein": 20_000}
    counts = build_corpus(config(*SOURCES, max_letters=limits), data=folder, seed=1, output=folder / "out").counts
    for kind, limit in limits.items():
        assert counts[f"{kind} letters train"] == pytest.approx(limit, rel=0.1)
    assert "text letters removed: over max_letters" not in counts
    assert imbalances(counts) == {}
    sources = {row["id"].split(":")[0] for row in read(folder / "out", "train") if row["kind"] == "dna"}
    assert len(sources) > 5


def test_documents_of_all_kinds_are_shuffled_together(folder):
    build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    kinds = [row["kind"] for row in read(folder / "out", "train")]
    changes = sum(before != after for before, after in pairwise(kinds))
    assert changes > len(kinds) / 4


def test_small_shards_chunks_and_batches_hold_the_same_letters(folder, monkeypatch):
    build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "one")
    monkeypatch.setattr("llama_gene.corpus.collect._CHUNK_BYTES", 20_000)
    monkeypatch.setattr("llama_gene.corpus.build.BATCH_LETTERS", 20_000)
    build_corpus(config(*SOURCES, shard_letters=30_000), data=folder, seed=1, output=folder / "many")
    assert len(list((folder / "many/train").glob("*.parquet"))) > 5
    for kind in ("dna", "protein", "text"):
        one, many = (letters_of(folder / name, kind) for name in ("one", "many"))
        assert one == many


def letters_of(folder: Path, kind: str) -> Counter[str]:
    """Letters of both splits, each record's DNA turned to the strand that was read."""
    rows = [row for split in ("train", "valid") for row in read(folder, split) if row["kind"] == kind]
    return Counter(
        letter
        for row in rows
        for letter in (reverse_complement(row["text"]) if row["id"].endswith(":-") else row["text"])
    )


@pytest.mark.slow
def test_datasets_opens_the_shards(folder):
    datasets = pytest.importorskip("datasets")
    build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    files = {split: str(folder / "out" / split / "*.parquet") for split in ("train", "valid")}
    opened = datasets.load_dataset("parquet", data_files=files, cache_dir=str(folder / "cache"))
    assert opened["train"].column_names == ["id", "kind", "text", "source", "split"]
    assert set(opened["valid"]["split"]) == {"valid"}


def test_a_corpus_that_is_up_to_date_is_left_alone_and_moved_data_do_not_matter(folder):
    first = build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    moved = folder / "moved"
    moved.mkdir()
    for name in ("genomes", "twin", "genes.fa", "proteins.faa", "pages"):
        (folder / name).rename(moved / name)
    assert build_corpus(config(*SOURCES), data=moved, seed=1, output=folder / "out") == first


# --- task items -----------------------------------------------------------------------------------------------------


def write_items(folder: Path, split: str, items: list[tuple[str, list[str], list[str]]]) -> None:
    folder.mkdir(exist_ok=True)
    table = pa.table(
        {
            "task": [task for task, _, _ in items],
            "family": ["classification" for _ in items],
            "target": ["yes" for _ in items],
            "labels": pa.array([["yes", "no"] for _ in items], pa.list_(pa.string())),
            "sequences": pa.array([sequences for _, sequences, _ in items], pa.list_(pa.string())),
            "kinds": pa.array([kinds for _, _, kinds in items], pa.list_(pa.string())),
        }
    )
    pq.write_table(table, folder / f"{split}.parquet")


@pytest.fixture
def splits(folder: Path) -> Path:
    genome, genes = dna(50_000, 6), {n: dna(400 + n, 100 + n) for n in range(40)}
    protein = random_letters("".join(RESIDUES), 50 + 30 * 9, 9)
    write_items(folder / "splits", "train", [("promoter", [genes[5]], ["dna"])])
    write_items(
        folder / "splits", "valid", [("promoter", [reverse_complement(genome[7000:7070]), "ACGT"], ["dna", "dna"])]
    )
    pair = [genes[11][100:300].lower(), protein[20:80] + "WWWWWWWWWW"]
    write_items(folder / "splits", "test", [("pairs", pair, ["dna", "protein"])])
    return folder / "splits"


def test_training_fragments_that_hold_a_task_item_are_dropped_and_counted_per_task(folder, splits):
    chosen = config(("genomes/lone.fa", "dna"), ("genes.fa", "dna"), valid_share=0.001)
    manifest = build_corpus(chosen, data=folder, seed=5, output=folder / "out", exclude=splits)
    counts = manifest.counts
    assert imbalances(counts) == {}
    assert counts["dna documents that hold an item of pairs"] == 1
    assert 1 <= counts["dna documents that hold an item of promoter"] <= 2
    assert manifest.facts["task_items"]["promoter"] == {"dna looked for": 1, "dna too short": 1}
    train = read(folder / "out", "train")
    names = {row["id"].split(":")[0] for row in train}
    assert "g11" not in names
    assert len(names) == 1 + 38, "one gene is held out, one dropped; the training item's gene is read like any other"
    promoter = dna(50_000, 6)[7000:7070]
    assert not any(promoter in text for row in train for text in (row["text"], reverse_complement(row["text"])))


def test_proteins_that_share_half_of_a_task_item_are_dropped(folder, splits):
    chosen = config(("proteins.faa", "protein"), valid_share=0.001)
    counts = build_corpus(chosen, data=folder, seed=5, output=folder / "out", exclude=splits).counts
    assert counts["protein documents that hold an item of pairs"] == 1
    assert counts["protein documents removed: holds a task item"] == 1
    assert "p9" not in {row["id"].split(":")[0] for row in read(folder / "out", "train")}


def test_task_items_change_the_key(folder, splits):
    chosen = config(("genes.fa", "dna"))
    without = build_corpus(chosen, data=folder, seed=1, output=folder / "one")
    assert build_corpus(chosen, data=folder, seed=1, output=folder / "two", exclude=splits).key != without.key


def test_an_exclude_folder_of_something_else_is_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(
        ArtifactError, match=r"valid\.parquet: no such file\. Expected the folder of `llama-gene tasks split`"
    ):
        build_corpus(config(("genes.fa", "dna")), data=folder, seed=1, output=folder / "out", exclude=folder / "empty")


# --- bad input ------------------------------------------------------------------------------------------------------


def test_a_path_that_leads_nowhere_is_named(folder):
    with pytest.raises(DataError, match=r"nowhere: no such file or folder"):
        build_corpus(config(("nowhere", "dna")), data=folder, seed=1, output=folder / "out")


def test_no_sources_is_an_error_that_says_what_to_add(folder):
    with pytest.raises(ConfigError, match=r"corpus\.sources is empty\. Expected at least one"):
        build_corpus(config(), data=folder, seed=1, output=folder / "out")


def test_an_unknown_kind_is_refused_by_the_settings():
    with pytest.raises(ValueError, match="'dna', 'protein', 'text' or 'coding'"):
        Source(path="x", kind="rna")


def test_a_corpus_of_which_nothing_is_left_says_why(folder):
    with pytest.raises(DataError, match=r"nothing is left for training of 40 records.*shorter than min_letters 40"):
        build_corpus(config(("genes.fa", "dna"), min_letters=900), data=folder, seed=1, output=folder / "out")
    assert not (folder / "out").exists()


def test_a_limit_that_leaves_no_room_is_named(folder):
    write_fasta(folder / "few.fa", {f"g{number}": dna(30_000, number) for number in range(2)})
    chosen = config(("few.fa", "dna"), fragment_min_bp=9000, fragment_max_bp=20_000, max_letters={"dna": 1000})
    with pytest.raises(DataError, match=r"corpus\.max_letters leaves no room"):
        build_corpus(chosen, data=folder, seed=1, output=folder / "out")


def test_a_bad_record_stops_the_build_or_is_counted(folder):
    write_fasta(folder / "bad.faa", {"good": "MKLVAW" * 10, "bad": "MKJ" * 20})
    with pytest.raises(DataError, match=r"bad\.faa.*'J'"):
        build_corpus(config(("bad.faa", "protein"), on_invalid="error"), data=folder, seed=1, output=folder / "out")
    counts = build_corpus(config(("bad.faa", "protein")), data=folder, seed=1, output=folder / "out").counts
    assert counts["protein reading: letters outside the alphabet"] == 1
    assert counts["protein records kept"] == 1


def test_records_that_are_refused_are_in_the_books_with_their_letters(folder):
    headless = "ACGTACGT\nAC GT\n"
    (folder / "bad.fa").write_text(f"{headless}>a\n{'ACGTT' * 90}\n>a\nGGCCA\n>b\n\n>c\nAC-GTA\n>\nACG\n")
    (folder / "bad.gz").write_bytes(b"\x1f\x8b")
    (folder / "notes").mkdir()
    (folder / "notes/latin.txt").write_bytes("é".encode("latin-1") * 7)
    (folder / "notes/utf.txt").write_text("words and words " * 20)
    sources = (("genes.fa", "dna"), ("bad.fa", "dna"), ("bad.gz", "dna"), ("notes", "text"))
    counts = build_corpus(config(*sources), data=folder, seed=1, output=folder / "out").counts
    assert imbalances(counts) == {}
    found = {name: number for name, number in counts.items() if "removed" in name}
    assert found == {
        "dna records removed: no first header": 1, "dna letters removed: no first header": 12,
        "dna records removed: duplicate id": 1, "dna letters removed: duplicate id": 5,
        "dna records removed: empty record": 1,
        "dna records removed: letters outside the alphabet": 1, "dna letters removed: letters outside the alphabet": 6,
        "dna records removed: record without a name": 1, "dna letters removed: record without a name": 3,
        "text records removed: not UTF-8": 1, "text letters removed: not UTF-8": 7,
    }  # fmt: skip
    assert counts["dna reading: unreadable file"] == 1, "of a file that cannot be read nothing is known"
    assert counts["dna records read"] == 40 + 6
    assert counts["dna letters read"] == sum(400 + n for n in range(40)) + 450 + 12 + 5 + 6 + 3


def test_an_earlier_corpus_stays_when_a_later_build_fails(folder):
    build_corpus(config(("genes.fa", "dna")), data=folder, seed=1, output=folder / "out")
    before = (folder / "out/manifest.json").read_bytes()
    with pytest.raises(DataError):
        build_corpus(config(("genes.fa", "dna"), min_letters=900), data=folder, seed=1, output=folder / "out")
    assert (folder / "out/manifest.json").read_bytes() == before


def test_what_a_killed_build_left_does_not_disturb_the_next(folder, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("llama_gene.corpus.build.ShardTask", stop)
    with pytest.raises(KeyboardInterrupt):
        build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    monkeypatch.undo()
    killed = build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "out")
    clean = build_corpus(config(*SOURCES), data=folder, seed=1, output=folder / "clean")
    assert killed.counts == clean.counts
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["manifest.json", "train", "valid"]
