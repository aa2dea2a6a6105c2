"""How near held-out items are to training: alignments, the search, and the report of `tasks split`."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from llama_gene.sequences.alignment import align
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks import neighbours
from llama_gene.tasks.leaks import band_names, band_of
from llama_gene.tasks.neighbours import find_neighbours
from splitting import TWO_FILES, changed, csv, random_letters, rows_of, run, write_task


def test_identity_counts_equal_letters_by_those_of_the_shorter_sequence():
    first = "ACGTTGCAACGGTCAATCGA"
    second = first[:10] + "T" + first[11:]  # one letter of twenty differs
    assert align(first, second, "dna").identity == 19 / 20
    assert align(first, "CCCC" + first + "GGGG", "dna").identity == 1.0
    assert align("MKTAYIAKQRQISF", "MKTAYIAKQRQISF"[3:10], "protein").coverage == 0.5


def test_ambiguous_bases_are_like_no_other():
    assert align("N" * 20, "N" * 20, "dna").identity == 0.0


@pytest.mark.parametrize(("kind", "length", "share"), [("dna", 70, 0.15), ("dna", 400, 0.2), ("protein", 200, 0.5)])
def test_a_changed_copy_is_found_among_strangers(kind, length, share):
    rng = np.random.default_rng(1)
    searched = [random_letters(rng, length, kind) for _ in range(300)]
    asking = [changed(searched[place], share, rng, kind) for place in range(30)]
    found = find_neighbours(asking, searched, kind, "searching")
    assert [one.place for one in found] == list(range(30))
    assert np.mean([one.identity for one in found]) == pytest.approx(1 - share, abs=0.03)


def test_the_other_strand_is_searched_and_named():
    rng = np.random.default_rng(1)
    searched = [random_letters(rng, 100) for _ in range(20)]
    [one] = find_neighbours([reverse_complement(searched[7])], searched, "dna", "searching")
    assert one == (7, 1.0, 1.0, "-")


def test_a_fragment_is_all_of_a_longer_sequence():
    rng = np.random.default_rng(1)
    searched = [random_letters(rng, 300, "protein") for _ in range(20)]
    fragment, longer = find_neighbours(
        [searched[3][100:160], searched[5] + searched[6]], searched, "protein", "searching"
    )
    assert (fragment.place, fragment.identity, fragment.coverage) == (3, 1.0, 1.0)
    assert longer.identity == 1.0
    assert longer.coverage == pytest.approx(0.5, abs=0.02)


def test_what_is_searched_in_blocks_gives_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    searched = [random_letters(rng, 70) for _ in range(200)]
    asking = [changed(letters, 0.3, rng) for letters in searched[:50]]
    whole = find_neighbours(asking, searched, "dna", "searching")
    monkeypatch.setattr(neighbours, "_BLOCK_LETTERS", 1000)
    assert find_neighbours(asking, searched, "dna", "searching") == whole


def test_a_repeat_of_one_letter_costs_no_more_than_another_sequence():
    asking = ["A" * 2000] * 50
    [*found] = find_neighbours(asking, ["A" * 2000] * 200 + ["ACGTACGGTT" * 200], "dna", "searching")
    assert {one.identity for one in found} <= {0.0, 1.0}  # one word alone is no evidence


def test_nothing_to_search_in_finds_nothing():
    assert find_neighbours(["ACGT"], [], "dna", "searching") == [(None, 0.0, 0.0, "+")]
    assert find_neighbours([], ["ACGT"], "dna", "searching") == []


def test_every_identity_lies_in_one_named_band():
    assert {band_of(identity / 100) for identity in range(101)} == set(band_names())


@pytest.fixture
def leaky(tmp_path) -> Path:
    """60 training and 30 test items, of which ten are training items with one letter in ten changed."""
    rng = np.random.default_rng(2)
    train = [random_letters(rng, 80) for _ in range(60)]
    test = [changed(letters, 0.1, rng) for letters in train[:10]] + [random_letters(rng, 80) for _ in range(20)]
    files = {
        "train.csv": csv([(letters, place % 2) for place, letters in enumerate(train)]),
        "test.csv": csv([(letters, place % 2) for place, letters in enumerate(test)]),
    }
    return write_task(tmp_path, TWO_FILES, files)


def test_a_split_reports_the_nearest_training_item_of_each_held_out_one(leaky):
    manifest = run(leaky, "table")
    found = json.loads((leaky / "out" / "leaks.json").read_text())
    report = found["tasks"]["table"]["test"]
    assert report["items"] == report["looked_up"] == 30
    assert manifest.facts["table"]["nearest"]["test"] == report["bands"]
    rows = rows_of(leaky)
    train = {row["id"].partition(":")[2]: row["sequences"][0] for row in rows["train"]}
    test = {row["id"].partition(":")[2]: row for row in rows["test"]}
    for one in report["closest"]:
        letters = test[one["id"]]["sequences"][0]
        asked = reverse_complement(letters) if one["strand"] == "-" else letters
        assert align(asked, train[one["neighbour"]], "dna").identity == pytest.approx(one["identity"], abs=0.001)
    near = [row["nearest"] for row in rows["test"]]
    assert sum(identity >= 0.8 for identity in near) in range(6, 11)  # copies of validation items are not of training
    assert all(row["nearest"] is None for row in rows["train"])
    assert report["above_chance"] == sum(identity > found["tasks"]["table"]["chance"]["dna"] for identity in near)


def test_the_report_is_written_for_people_and_for_tables(leaky):
    run(leaky, "table")
    page = (leaky / "out" / "leaks.md").read_text()
    assert "| table | test | 30 |" in page
    assert "nearest training item" in page
    table = pq.read_table(leaky / "out" / "leaks.parquet").to_pylist()
    assert {row["split"] for row in table} == {"valid", "test"}
    assert all(row["id"].startswith("table:") for row in table)


def test_fewer_items_are_looked_up_on_request(leaky):
    run(leaky, "table", settings={"leak_items": 5})
    known = [row["nearest"] is not None for row in rows_of(leaky)["test"]]
    assert known == [True] * 5 + [False] * 25
    run(leaky, "table", settings={"leak_items": 0})
    assert all(row["nearest"] is None for row in rows_of(leaky)["test"])


@pytest.mark.slow
@pytest.mark.real_data
def test_the_split_of_gue_leaks_and_is_told_so(data, tmp_path):
    from llama_gene.config import TasksConfig
    from llama_gene.tasks.split import split_tasks

    config = TasksConfig.model_validate({"choices": [{"name": "tf-0", "valid": 1}]})
    manifest = split_tasks(config, data=data, seed=1, output=tmp_path / "out")
    bands = manifest.facts["tf-0"]["nearest"]["test"]
    assert sum(bands.values()) == manifest.facts["tf-0"]["items"]["test"]
    assert bands["0.9 to 1"] > 10
