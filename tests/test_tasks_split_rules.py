"""The rules of a split: the source's own, by column, by partners, by identity; what they refuse."""

import json
import os
import re
import shutil
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llama_gene.config import SplitRule
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.alike import near_identical
from llama_gene.tasks.cleaning import refuse_equal_sets
from llama_gene.tasks.definitions import Task, load_task
from llama_gene.tasks.groups import Links
from llama_gene.tasks.identity import choose_finder, identical_pairs
from llama_gene.tasks.items import Item, Words
from splitting import LABELS, TABLE, TWO_FILES, changed, csv, random_letters, rows_of, run, write_task

PAIRS = (
    'name = "pairs"\nfamily = "multi-sequence"\nswappable = true\n'
    f'inputs = [{{ kind = "protein" }}, {{ kind = "protein" }}]\n{LABELS}'
    'reader = { type = "pairs", files = [{ path = "p.txt" }], lookups = ["s.txt", "s.txt"] }\n'
)


def two_files(train: list[str], test: list[str]) -> dict[str, str]:
    return {
        "train.csv": csv([(letters, place % 2) for place, letters in enumerate(train)]),
        "test.csv": csv([(letters, place % 2) for place, letters in enumerate(test)]),
    }


# The source's own split


def test_items_of_several_files_that_number_their_records_alike_have_ids_of_their_own(tmp_path):
    rng = np.random.default_rng(1)
    files = {f"{name}.csv": csv([(random_letters(rng, 40), n % 2) for n in range(60)]) for name in ("train", "test")}
    folder = write_task(tmp_path, re.sub(', split = "[a-z]+"', "", TWO_FILES), files)
    run(folder, "table")
    for rows in rows_of(folder).values():
        assert len({row["id"] for row in rows}) == len(rows)


def test_training_copies_near_to_a_test_item_are_dropped_and_counted(tmp_path):
    rng = np.random.default_rng(1)
    train = [random_letters(rng, 80) for _ in range(60)]
    test = [changed(letters, 0.1, rng) for letters in train[:8]] + [random_letters(rng, 80) for _ in range(8)]
    folder = write_task(tmp_path, TWO_FILES, two_files(train, test))
    manifest = run(folder, "table", split={"identity": 0.8})
    assert manifest.counts["table: dropped: alike to an item of test"] == 8
    rows = rows_of(folder)
    assert sorted(row["sequences"][0] for row in rows["test"]) == sorted(test)
    assert not {row["sequences"][0] for row in rows["train"]} & set(train[:8])
    assert max(row["nearest"] for row in rows["test"]) < 0.8


def test_leaks_stay_where_they_are_allowed_and_are_counted(tmp_path):
    rng = np.random.default_rng(1)
    train = [random_letters(rng, 80) for _ in range(60)]
    test = [*train[:8], reverse_complement(train[8]), *(random_letters(rng, 80) for _ in range(7))]
    folder = write_task(tmp_path, TWO_FILES, two_files(train, test))
    manifest = run(folder, "table", split={"allow_leaks": True})
    assert manifest.counts["table: kept: alike to an item of test"] == 9
    rows = rows_of(folder)
    in_valid = sum(row["nearest"] is not None and row["sequences"][0] in train[:9] for row in rows["valid"])
    assert [row["nearest"] for row in rows["test"]].count(1.0) == 9 - in_valid


@pytest.mark.parametrize("other", [str, reverse_complement], ids=["same strand", "other strand"])
def test_a_test_set_that_is_the_training_set_is_refused(tmp_path, other):
    rng = np.random.default_rng(1)
    train = [random_letters(rng, 40) for _ in range(40)]
    folder = write_task(tmp_path, TWO_FILES, two_files(train, [other(letters) for letters in train]))
    with pytest.raises(DataError, match=r"40 of 40 test items stand in training, too\. Name other files, deal") as said:
        run(folder, "table")
    assert "allow_leaks = true" in str(said.value)
    assert run(folder, "table", split={"source": "ignore"}).facts["table"]["items"]["test"] > 0
    assert run(folder, "table", split={"allow_leaks": True}).facts["table"]["items"] == {
        "train": 36, "valid": 4, "test": 40,
    }  # fmt: skip


def test_questions_without_a_sequence_are_compared_by_their_words():
    own = load_task("promoter-core").model_dump(mode="json") | {
        "inputs": [], "labels": [], "family": "function", "metric": "token_f1", "wordings": [], "table9": None,
        "reader": {"type": "instructions", "files": [{"path": "a.jsonl"}]},
    }  # fmt: skip
    task = Task.model_validate(own)
    train = Item("a", (), "It is a word.", split="train", words=Words("What is DNA?", ""))
    refuse_equal_sets(task, [train, replace(train, id="b", split="test", words=Words("What is RNA?", ""))])
    with pytest.raises(DataError, match="1 of 1 test items stand in training, too"):
        refuse_equal_sets(task, [train, replace(train, id="b", split="test")])


def test_the_source_of_a_split_can_be_ignored(tmp_path):
    rng = np.random.default_rng(1)
    train, test = ([random_letters(rng, 40) for _ in range(number)] for number in (60, 40))
    folder = write_task(tmp_path, TWO_FILES, two_files(train, test))
    assert run(folder, "table").facts["table"]["items"]["test"] == 40
    assert run(folder, "table", split={"source": "ignore"}).facts["table"]["items"]["test"] == 10


def test_a_run_changes_single_keys_of_a_task_s_rule():
    task = load_task("protein-function")
    assert task.split.similarity == 0.2
    changed_rule = task.split.changed(SplitRule(identity=0.3))
    assert (changed_rule.similarity, changed_rule.identity, changed_rule.shares) == (0.2, 0.3, task.split.shares)
    at_random = changed_rule.changed(SplitRule.model_validate({"similarity": 0, "identity": 0}))
    assert (at_random.similarity, at_random.identity) == (None, None)


# By column


def chromosome_table() -> str:
    rng = np.random.default_rng(1)
    rows = [(random_letters(rng, 40), place % 2, f"chr{place % 10}:{place}") for place in range(200)]
    return csv(rows, "sequence,label,place")


def chromosomes(rows: list[dict], table: str) -> set[str]:
    named = {line.split(",")[0]: line.split(",")[2].partition(":")[0] for line in table.splitlines()[1:]}
    return {named[row["sequences"][0]] for row in rows}


def test_a_chromosome_is_in_one_split_and_listed_ones_where_they_are_listed(tmp_path):
    table = chromosome_table()
    folder = write_task(tmp_path, TABLE, {"table.csv": table})
    rule = {"by": "column", "column": "place", "pattern": r"^(chr\d+):", "test_values": ["chr3", "chr8"]}
    run(folder, "table", split=rule)
    found = {split: chromosomes(rows, table) for split, rows in rows_of(folder).items()}
    assert found["test"] == {"chr3", "chr8"}
    assert len(found["valid"]) == 1
    assert sorted(found["train"] | found["valid"] | found["test"]) == [f"chr{number}" for number in range(10)]
    assert not found["train"] & (found["valid"] | found["test"])


@pytest.mark.parametrize(("species", "rule"), [(3, {}), (5, {"test_values": ["s3"]})])
def test_a_few_species_of_one_size_are_in_one_split_each_and_none_is_empty(tmp_path, species, rule):
    rng = np.random.default_rng(1)
    rows = [(random_letters(rng, 40), place % 2, f"s{place % species}") for place in range(60)]
    table = csv(rows, "sequence,label,of")
    folder = write_task(tmp_path, TABLE, {"table.csv": table})
    run(folder, "table", split={"by": "column", "column": "of", **rule})
    named = dict(line.split(",")[0::2] for line in table.splitlines()[1:])
    found = [{named[row["sequences"][0]] for row in rows} for rows in rows_of(folder).values()]
    assert all(found)
    assert sum(map(len, found)) == species


def test_copies_across_chromosomes_leave_training(tmp_path):
    table = chromosome_table()
    [*_, letters, _, _] = table.splitlines()[4].split(",")  # of chr3
    table += f"{reverse_complement(letters)},1,chr1:999\n"
    folder = write_task(tmp_path, TABLE, {"table.csv": table})
    rule = {"by": "column", "column": "place", "pattern": r"^(chr\d+)", "test_values": ["chr3"]}
    manifest = run(folder, "table", split={**rule, "valid_values": ["chr5"]})
    assert manifest.counts["table: dropped: alike to an item of test"] == 1


def test_the_title_of_a_fasta_record_is_a_column(tmp_path):
    rng = np.random.default_rng(1)
    titles = [f"p{place}|{'yes' if place % 2 else 'no'}|species{place % 5}" for place in range(60)]
    fasta = "".join(f">{title}\n{random_letters(rng, 40, 'protein')}\n" for title in titles)
    definition = (
        'name = "fasta"\nfamily = "classification"\ninputs = [{ kind = "protein" }]\n'
        'labels = [{ name = "no" }, { name = "yes" }]\n'
        "reader = { type = 'fasta', files = [{ path = 'p.fa' }], label_pattern = '\\|(yes|no)\\|' }\n"
        "split = { by = 'column', pattern = 'species\\d', test_values = ['species2'], shares = [0.75, 0.15, 0.1] }\n"
    )
    folder = write_task(tmp_path, definition, {"p.fa": fasta})
    run(folder, "fasta")
    assert {title.rpartition("|")[2] for title in titles if any(
        row["id"] == f"fasta:{title}" for row in rows_of(folder)["test"]
    )} == {"species2"}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"column": "chromosome"}, "column 'chromosome' is not there. It has 'sequence', 'label', 'place'"),
        ({"column": "place", "pattern": "chr\\d", "test_values": ["chrX"]}, "lists 'chrX', which no item has"),
        ({"column": "label"}, "has 2 values, too few to fill train and valid and test"),
    ],
)
def test_a_column_that_cannot_split_is_explained(tmp_path, rule, said):
    folder = write_task(tmp_path, TABLE, {"table.csv": chromosome_table()})
    with pytest.raises(DataError, match=said):
        run(folder, "table", split={"by": "column", **rule})


def test_an_item_without_the_value_is_counted_or_stops(tmp_path):
    rng = np.random.default_rng(1)
    folder = write_task(tmp_path, TABLE, {"table.csv": chromosome_table() + f"{random_letters(rng, 40)},1,scaffold\n"})
    rule = {"by": "column", "column": "place", "pattern": r"chr\d"}
    assert run(folder, "table", split=rule).counts["table: no value to split by"] == 1
    with pytest.raises(DataError, match=r"table\.csv:202: nothing in \[split\] column 'place' fits"):
        run(folder, "table", split=rule, settings={"on_invalid": "error"})


def test_null_is_no_value_and_no_sequence(tmp_path):
    rng = np.random.default_rng(1)
    rows = [
        {"sequence": random_letters(rng, 40, "protein"), "label": place % 2, "species": f"s{place % 5}"}
        for place in range(60)
    ]
    rows += [{**rows[0], "species": None}, {"sequence": None, "label": 1, "species": "s1"}]
    definition = TABLE.replace('"dna"', '"protein"').replace("table.csv", "table.jsonl")
    definition = definition.replace('type = "table"', 'type = "table", format = "jsonl"')
    folder = write_task(tmp_path, definition, {"table.jsonl": "\n".join(map(json.dumps, rows))})
    counts = run(folder, "table", split={"by": "column", "column": "species"}).counts
    assert (counts["table: no value to split by"], counts["table: empty sequence"]) == (1, 1)


def test_the_chromosome_of_a_region_is_a_column(tmp_path):
    rng = np.random.default_rng(1)
    genome = "".join(f">{name}\n{random_letters(rng, 1200)}\n" for name in "ABCDE")
    rows = [f"{name}\t{start}\t{start + 59}\tgene {name}{start}" for name in "ABCDE" for start in range(1, 1200, 60)]
    definition = (
        'name = "genes"\nfamily = "function"\ninputs = [{ kind = "dna" }]\n'
        'reader = { type = "regions", files = [{ path = "r.tsv" }], genome = "g.fa", label = "text", strand = "" }\n'
        'split = { by = "column", column = "chr", test_values = ["C"], valid_values = ["E"] }\n'
    )
    table = "\n".join(["chr\tstart\tend\ttext", *rows]) + "\n"
    folder = write_task(tmp_path, definition, {"r.tsv": table, "g.fa": genome})
    run(folder, "genes")
    found = {split: {row["target"][5] for row in rows} for split, rows in rows_of(folder).items()}
    assert found == {"train": set("ABD"), "valid": {"E"}, "test": {"C"}}


def test_the_family_of_a_protein_is_a_column_and_a_protein_without_one_is_counted(tmp_path):
    rng = np.random.default_rng(1)
    entries = "".join(
        f"ID   P{place}   Reviewed;   60 AA.\nAC   P{place};\nDE   RecName: Full=Enzyme {place};\n"
        + (f"CC   -!- SIMILARITY: Belongs to the F{place % 5} family. {{ECO:1}}.\n" if place else "")
        + f"SQ   SEQUENCE   60 AA;  1 MW;  0 CRC64;\n     {random_letters(rng, 60, 'protein')}\n//\n"
        for place in range(51)
    )
    definition = (
        'name = "names"\nfamily = "function"\ninputs = [{ kind = "protein" }]\n'
        'reader = { type = "annotation", files = [{ path = "u.dat" }], field = "product" }\n'
    )
    folder = write_task(tmp_path, definition, {"u.dat": entries})
    manifest = run(folder, "names", split={"by": "column", "column": "family", "test_values": ["F3 family"]})
    assert manifest.counts["names: no value to split by"] == 1
    families = {split: {int(row["target"][7:]) % 5 for row in rows} for split, rows in rows_of(folder).items()}
    assert families["test"] == {3}
    assert sorted([*families["train"], *families["valid"]]) == [0, 1, 2, 4]


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no regular expression"):
        SplitRule(pattern="(")


# By partners


@pytest.fixture
def pairs(tmp_path) -> Path:
    rng = np.random.default_rng(1)
    proteins = [random_letters(rng, 60, "protein") for _ in range(60)]
    chosen = {tuple(sorted(rng.choice(60, 2, replace=False).tolist())) for _ in range(900)}
    lines = "".join(f"p{a} p{b} {(a + b) % 2}\n" for a, b in sorted(chosen))
    sequences = "".join(f"p{place} {letters}\n" for place, letters in enumerate(proteins))
    return write_task(tmp_path, PAIRS, {"p.txt": lines, "s.txt": sequences})


def test_a_random_split_of_pairs_asks_of_proteins_that_training_knows(pairs):
    manifest = run(pairs, "pairs")
    assert set(manifest.facts["pairs"]["pair_classes"]["test"]) == {"C1"}


def test_a_split_by_partners_has_pairs_of_both_one_and_no_known_protein(pairs):
    manifest = run(pairs, "pairs", split={"by": "partners", "shares": [0.6, 0.1, 0.3]})
    rows = rows_of(pairs)
    known = {letters for row in rows["train"] for letters in row["sequences"]}
    classes = Counter(row["pair_class"] for row in rows["test"])
    for row in rows["test"]:
        number = sum(letters in known for letters in row["sequences"])
        assert row["pair_class"] == {2: "C1", 1: "C2", 0: "C3"}[number]
    assert min(classes[name] for name in ("C1", "C2", "C3")) >= 20
    assert manifest.facts["pairs"]["pair_classes"]["test"] == dict(sorted(classes.items()))
    assert manifest.counts["pairs: dropped: partners held out for validation and for test"] > 0
    assert all(row["pair_class"] is None for row in rows["train"])


def test_a_pair_is_as_near_as_its_farther_partner(pairs):
    run(pairs, "pairs", split={"by": "partners", "shares": [0.6, 0.1, 0.3]})
    for row in rows_of(pairs)["test"]:
        assert (row["nearest"] == 1.0) == (row["pair_class"] == "C1")


def test_alike_proteins_are_one_partner(pairs):
    lines = (pairs / "s.txt").read_text().splitlines()
    for place in range(0, 60, 2):  # every second protein becomes a near copy of the one before
        lines[place + 1] = f"p{place + 1} {lines[place].split()[1][:-1]}W"
    (pairs / "s.txt").write_text("\n".join(lines) + "\n")
    run(pairs, "pairs", split={"by": "partners", "identity": 0.9, "shares": [0.6, 0.1, 0.3]})
    for row in rows_of(pairs)["test"]:
        if row["pair_class"] == "C3":
            assert row["nearest"] < 0.9


# By identity


@pytest.mark.parametrize(("kind", "length", "share", "level"), [("dna", 70, 0.15, 0.8), ("protein", 150, 0.4, 0.5)])
def test_families_are_found_by_identity_and_strangers_stay_apart(kind, length, share, level):
    rng = np.random.default_rng(1)
    founders = [random_letters(rng, length, kind) for _ in range(40)]
    families = [[one, *(changed(one, share, rng, kind) for _ in range(3))] for one in founders]
    links = Links()
    for first, second in identical_pairs([one for family in families for one in family], kind, level, "kmers"):
        links.join(first, second)
    clusters = Counter(links.root(place) for place in range(160))
    assert list(clusters.values()) == [4] * 40


def test_identity_finds_what_a_sketch_misses():
    """At 90 % identity two stretches of 70 bases share a tenth of their 16-mers."""
    rng = np.random.default_rng(1)
    first = [random_letters(rng, 70) for _ in range(100)]
    both = [*first, *(changed(letters, 0.1, rng) for letters in first)]
    assert len(list(near_identical(both, "dna", 0.2))) < 40
    assert len(set(identical_pairs(both, "dna", 0.85, "kmers"))) == 200 // 2


def test_no_test_item_of_an_identity_split_is_as_near_as_the_level(tmp_path):
    rng = np.random.default_rng(1)
    founders = [random_letters(rng, 100) for _ in range(50)]
    rows = [(changed(one, share, rng), place % 2) for place, one in enumerate(founders) for share in (0.0, 0.1, 0.2)]
    folder = write_task(tmp_path, TABLE, {"table.csv": csv(rows)})
    run(folder, "table")
    assert max(row["nearest"] for row in rows_of(folder)["test"]) > 0.7
    manifest = run(folder, "table", split={"identity": 0.65})
    assert max(row["nearest"] for row in rows_of(folder)["test"]) < 0.65
    assert manifest.facts["table"]["identity_by"] == {"dna": "kmers"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mmseqs") is None, reason="MMseqs2 is not installed (conda, brew or apt: mmseqs2)")
def test_the_real_mmseqs_finds_families_of_proteins_and_keeps_strangers_apart():
    rng = np.random.default_rng(1)
    founders = [random_letters(rng, 150, "protein") for _ in range(20)]
    families = [[one, *(changed(one, 0.3, rng, "protein") for _ in range(3))] for one in founders]
    proteins = [one for family in families for one in [*family, family[0]]]  # the founder comes again at the end
    links = Links()
    for first, second in identical_pairs(proteins, "protein", 0.5, "mmseqs"):
        assert first < second
        links.join(first, second)
    clusters = [[links.root(place) for place in range(start, start + 5)] for start in range(0, 100, 5)]
    assert all(len(set(roots)) == 1 for roots in clusters)
    assert len({roots[0] for roots in clusters}) == 20


def fake_mmseqs(folder: Path, script: str) -> None:
    program = folder / "mmseqs"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_mmseqs_is_asked_where_it_is_installed(tmp_path, monkeypatch):
    fake_mmseqs(tmp_path, 'echo "$@" > "$0.arguments"; printf "0\\t0\\n0\\t2\\n1\\t1\\n" > "$3_cluster.tsv"')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert choose_finder("auto", "protein") == "mmseqs"
    assert choose_finder("auto", "dna") == "kmers"
    # The program sees each different sequence once, sorted: AAAA, CCCC, DDDD.
    assert list(identical_pairs(["DDDD", "CCCC", "AAAA", "CCCC"], "protein", 0.5)) == [(1, 3), (0, 2)]
    arguments = (tmp_path / "mmseqs.arguments").read_text()
    assert "easy-cluster" in arguments
    assert "--min-seq-id 0.5 --seq-id-mode 1" in arguments


def test_a_failure_of_mmseqs_is_one_line(tmp_path, monkeypatch):
    fake_mmseqs(tmp_path, 'echo "no memory" >&2; exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DataError, match=r"mmseqs easy-cluster failed \(no memory\)"):
        list(identical_pairs(["MKV", "MKL"], "protein", 0.5))


def test_mmseqs_that_is_not_installed_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_finder("auto", "protein") == "kmers"
    with pytest.raises(ConfigError, match="no program 'mmseqs' on the path"):
        choose_finder("mmseqs", "protein")
