"""Bad data of tasks: each is an error that says what and where, or a count; classes and how they are sampled."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from llama_gene.errors import ConfigError, DataError
from llama_gene.tasks.balance import remarks
from splitting import LABELS, TABLE, TWO_FILES, csv, random_letters, rows_of, run, write_task

VALUES = (
    'name = "value"\nfamily = "regression"\ninputs = [{ kind = "dna" }]\nmetric = "spearman"\n'
    'reader = { type = "table", files = [{ path = "table.csv" }], sequences = ["sequence"], value = "label" }\n'
)
STATES = (
    'name = "states"\nfamily = "structure"\ninputs = [{ kind = "protein" }]\n'
    'labels = [{ name = "helix", values = ["H"] }, { name = "coil", values = ["C"] }]\n'
    'reader = { type = "states", sequences = "s.fa", states = "c.fa", mask = "m.fa" }\n'
)
THREE = TABLE.replace(LABELS, 'labels = [{ name = "a" }, { name = "b" }, { name = "c" }]\n')


def rows(labels: str, length: int = 30) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(5)
    return [(random_letters(rng, length), label) for label in labels]


def with_bad(folder: Path, definition: str, line: str, good: str = "01" * 30) -> Path:
    return write_task(folder, definition, {"table.csv": csv(rows(good)) + line + "\n"})


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "NA", "None"])
def test_an_item_without_a_label_is_counted_or_stops(tmp_path, missing):
    folder = with_bad(tmp_path, TABLE, f"ACGTACGTAA,{missing}")
    assert run(folder, "table").counts["table: no label"] == 1
    with pytest.raises(DataError, match=r"table\.csv:62: no label"):
        run(folder, "table", settings={"on_invalid": "error"})


def test_a_label_named_none_is_a_label_where_the_task_knows_it(tmp_path):
    definition = TABLE.replace(LABELS, 'labels = [{ name = "None" }, { name = "some" }]\n')
    lines = [(letters, ("None", "some")[int(label)]) for letters, label in rows("01" * 30)]
    assert run(write_task(tmp_path, definition, {"table.csv": csv(lines)}), "table").facts["table"]["items"]["train"]


@pytest.mark.parametrize("target", ["nan", "inf", "", "high", "1,5e"])
def test_a_target_that_is_no_number_is_counted_or_stops(tmp_path, target):
    target = target.replace(",", ";")
    folder = with_bad(tmp_path, VALUES, f"ACGTACGTAA,{target}", good="0123456789" * 6)
    assert run(folder, "value").counts["value: value is not a number"] == 1
    with pytest.raises(DataError, match=r"table\.csv:62: the value is not a finite number"):
        run(folder, "value", settings={"on_invalid": "error"})


def chains(folder: Path, *, states: str, mask: str) -> Path:
    """Twenty good chains and one with these states and mask for its 20 residues."""
    rng = np.random.default_rng(1)
    letters = [random_letters(rng, 20, "protein") for _ in range(21)]
    of_states, of_mask = ["H" * 10 + "C" * 10] * 20 + [states], ["1" * 20] * 20 + [mask]
    files = {
        name: "".join(f">c{place}\n{text}\n" for place, text in enumerate(texts))
        for name, texts in (("s.fa", letters), ("c.fa", of_states), ("m.fa", of_mask))
    }
    return write_task(folder, STATES, files)


@pytest.mark.parametrize(
    ("states", "mask", "reason", "said"),
    [
        ("H" * 19, "1" * 19, "states do not fit the chain", "19 states for 20 letters"),
        ("H" * 20, "1" * 21, "mask does not fit the chain", "the mask has 21 places for 20 states"),
        ("H" * 19 + "X", "1" * 20, "state never seen", "state 'X' is not one of H, C"),
    ],
)
def test_a_structure_of_another_length_is_counted_or_stops(tmp_path, states, mask, reason, said):
    folder = chains(tmp_path, states=states, mask=mask)
    assert run(folder, "states").counts[f"states: {reason}"] == 1
    with pytest.raises(DataError, match=said):
        run(folder, "states", settings={"on_invalid": "error"})


def test_a_class_with_one_example_is_named_or_dropped(tmp_path):
    folder = write_task(tmp_path, THREE, {"table.csv": csv(rows("ab" * 30 + "c"))})
    with pytest.raises(DataError, match=r"task 'table': class 'c' has 1 example\. A class needs one to learn from"):
        run(folder, "table")
    manifest = run(folder, "table", settings={"on_rare_class": "drop"})
    assert manifest.counts["table: class with one example"] == 1
    assert manifest.facts["table"]["labels"]["train"]["c"] == 0


def test_a_class_that_training_lacks_is_named_or_dropped(tmp_path):
    files = {"train.csv": csv(rows("ab" * 30)), "test.csv": csv(rows("abcc" * 5, length=40))}
    definition = THREE.replace(TABLE.partition("reader")[2], TWO_FILES.partition("reader")[2])
    folder = write_task(tmp_path, definition, files)
    with pytest.raises(DataError, match=r"class 'c' has 10 held-out examples and none in training"):
        run(folder, "table")
    manifest = run(folder, "table", settings={"on_rare_class": "drop"})
    assert manifest.counts["table: held out, of a class that training lacks"] == 10
    assert manifest.facts["table"]["items"]["test"] == 10


def test_equal_sequences_with_different_labels_stay_on_request(tmp_path):
    folder = with_bad(tmp_path, TABLE, "AAAACCCC,0\nAAAACCCC,1\nAAAACCCC,1")
    assert run(folder, "table").counts["table: equal sequences with different answers"] == 3
    manifest = run(folder, "table", settings={"on_conflict": "keep"})
    assert manifest.counts["table: equal sequences with different answers"] == 3
    assert manifest.counts["table: duplicate"] == 1
    kept = [
        (split, row["target"]) for split, found in rows_of(folder).items() for row in found
        if row["sequences"] == ["AAAACCCC"]
    ]  # fmt: skip
    assert sorted(target for _, target in kept) == ["no", "yes"]
    assert len({split for split, _ in kept}) == 1


def test_a_swapped_pair_with_the_opposite_label_is_a_conflict(tmp_path):
    definition = (
        f'name = "pairs"\nfamily = "multi-sequence"\nswappable = true\n{LABELS}'
        'inputs = [{ kind = "protein" }, { kind = "protein" }]\n'
        'reader = { type = "pairs", files = [{ path = "p.txt" }], lookups = ["s.txt", "s.txt"] }\n'
    )
    rng = np.random.default_rng(1)
    sequences = "".join(f"p{place} {random_letters(rng, 30, 'protein')}\n" for place in range(40))
    lines = "".join(f"p{place} p{place + 1} {place % 2}\n" for place in range(39)) + "p1 p0 1\n"
    folder = write_task(tmp_path, definition, {"p.txt": lines, "s.txt": sequences})
    assert run(folder, "pairs").counts["pairs: equal sequences with different answers"] == 2
    first, second = (line.split()[1] for line in sequences.splitlines()[:2])
    asked = [sorted(row["sequences"]) for found in rows_of(folder).values() for row in found]
    assert len(asked) == 38
    assert sorted((first, second)) not in asked


# Classes


def test_balanced_classes_have_as_many_items_and_the_others_stay_as_they_are(tmp_path):
    folder = write_task(tmp_path, TABLE, {"table.csv": csv(rows("0001" * 50))})
    manifest = run(folder, "table", balance=["train"])
    train = Counter(row["target"] for row in rows_of(folder)["train"])
    assert train["no"] == train["yes"] > 30
    test = Counter(row["target"] for row in rows_of(folder)["test"])
    assert test["no"] > test["yes"]
    left_out = manifest.counts["table: left out to balance the classes"]
    assert sum(train.values()) + left_out == 160


def test_a_limit_and_balance_share_the_limit_out_evenly(tmp_path):
    folder = write_task(tmp_path, TABLE, {"table.csv": csv(rows("0001" * 50))})
    run(folder, "table", balance=["train"], train=20)
    assert Counter(row["target"] for row in rows_of(folder)["train"]) == {"no": 10, "yes": 10}
    with pytest.raises(ConfigError, match="train = 1 is less than one item of each of 2 classes"):
        run(folder, "table", balance=["train"], train=1)


def test_the_classes_of_each_split_are_reported(tmp_path):
    folder = write_task(tmp_path, TABLE, {"table.csv": csv(rows("0001" * 50))})
    manifest = run(folder, "table", train=20)
    found = json.loads((folder / "out" / "balance.json").read_text())["table"]
    assert found["classes"] == manifest.facts["table"]["labels"]
    assert found["remarks"][0].startswith("few in training: 'yes' (")
    assert "| no | 7" in (folder / "out" / "balance.md").read_text()


def test_states_are_counted_by_letter(tmp_path):
    manifest = run(chains(tmp_path, states="H" * 20, mask="1" * 20), "states")
    found = manifest.facts["states"]["labels"]
    assert sum(sizes["helix"] + sizes["coil"] for sizes in found.values()) == 21 * 20


def test_shifted_classes_are_remarked():
    classes = {"train": {"a": 50, "b": 50}, "valid": {"a": 50, "b": 50}, "test": {"a": 90, "b": 10}}
    assert remarks(classes) == ["test and training differ in 40 % of the shares"]
