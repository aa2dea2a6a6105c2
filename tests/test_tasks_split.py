"""Splits that do not leak, decoys, regression edges, and bad input."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.artifacts import Manifest
from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.alike import near_identical
from llama_gene.tasks.assign import assign_splits
from llama_gene.tasks.decoys import make_decoys
from llama_gene.tasks.definitions import Task, load_task
from llama_gene.tasks.groups import group_items
from llama_gene.tasks.items import Item
from llama_gene.tasks.split import SPLITS, split_tasks

HEAD = 'title = "a test"\ndefinition = "Is it?"\n'
DNA_TASK = (
    'name = "dna"\nfamily = "classification"\ninputs = [{ kind = "dna" }]\n'
    'labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]\n'
    'reader = { type = "table", files = [{ path = "dna.csv" }], sequences = ["sequence"], label = "label" }\n'
)
VALUE_TASK = (
    'name = "value"\nfamily = "regression"\ninputs = [{ kind = "dna" }]\nmetric = "spearman"\n'
    'reader = { type = "table", files = [{ path = "train.csv", split = "train" }, '
    '{ path = "test.csv", split = "test" }], sequences = ["sequence"], value = "y" }\n'
)
PAIR = load_task("ppi-yeast")
CORE = load_task("promoter-core")
DOGMA = load_task("central-dogma")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def random_dna(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list("ACGT"), length))


def write_folder(folder: Path, definition: str, files: dict[str, str]) -> Path:
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "t.toml").write_text(HEAD + definition, encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def dna_table(number: int = 60) -> str:
    rng = np.random.default_rng(5)
    rows = [f"{random_dna(rng, 30)},{place % 2}" for place in range(number)]
    return "\n".join(["sequence,label", *rows]) + "\n"


def run(folder: Path, name: str, *, on_invalid: str = "skip", seed: int = 1, **limits: Any) -> Manifest:
    config = TasksConfig.model_validate(
        {"choices": [{"name": name, **limits}], "definitions": ["tasks"], "on_invalid": on_invalid}
    )
    return split_tasks(config, data=folder, seed=seed, output=folder / "out")


def rows_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {split: pq.read_table(folder / "out" / f"{split}.parquet").to_pylist() for split in SPLITS}


def item_of(task: Task, number: int, sequences: tuple[str, ...], **more: Any) -> Item:
    return Item(str(number), sequences, task.label_names[number % 2], **more)


def strands(sequences: tuple[str, ...], kind: str) -> tuple[str, ...]:
    found = (min(text, reverse_complement(text)) if kind == "dna" else text for text in sequences)
    return tuple(sorted(found))


@settings(max_examples=60, deadline=None)
@given(
    pool=st.lists(st.text("ACGT", min_size=4, max_size=6), min_size=12, max_size=40, unique=True),
    copies=st.lists(
        st.tuples(st.integers(0, 11), st.booleans(), st.sampled_from([None, "train", "test"])), max_size=40
    ),
    seed=st.integers(0, 99),
)
def test_no_sequence_and_no_reverse_complement_is_in_two_splits(pool: Any, copies: Any, seed: int) -> None:
    items = [item_of(CORE, number, (letters,)) for number, letters in enumerate(pool)]
    for place, is_reverse, split in copies:
        letters = reverse_complement(pool[place]) if is_reverse else pool[place]
        items.append(item_of(CORE, len(items), (letters,), split=split))
    try:
        placed = assign_splits(CORE, group_items(CORE, items), np.random.default_rng(seed), Counter())
    except DataError:
        return
    found: dict[tuple[str, ...], set[str | None]] = {}
    for item in placed:
        found.setdefault(strands(item.sequences, "dna"), set()).add(item.split)
    assert all(len(splits) == 1 for splits in found.values())


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.text("MKV", min_size=2, max_size=3), st.text("MKV", min_size=2, max_size=3)),
        min_size=30, max_size=60,
    ),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_pair_and_its_swap_share_a_split(pairs: Any, seed: int) -> None:
    items = [item_of(PAIR, number, pair) for number, pair in enumerate([*pairs, *((b, a) for a, b in pairs)])]
    try:
        placed = assign_splits(PAIR, group_items(PAIR, items), np.random.default_rng(seed), Counter())
    except DataError:
        return
    found: dict[tuple[str, ...], set[str | None]] = {}
    for item in placed:
        found.setdefault(strands(item.sequences, "protein"), set()).add(item.split)
    assert all(len(splits) == 1 for splits in found.values())


def test_a_test_set_keeps_its_items_and_training_copies_are_dropped() -> None:
    items = [
        item_of(CORE, 0, ("AACC",), split="train"),
        item_of(CORE, 1, ("GGTT",), split="test"),  # the other strand of the first
        *(item_of(CORE, n, ("ACGT" * n,), split="train") for n in range(2, 40)),
    ]
    counts: Counter[str] = Counter()
    placed = assign_splits(CORE, group_items(CORE, items), np.random.default_rng(1), counts)
    assert [item.id for item in placed if item.split == "test"] == ["1"]
    assert "0" not in {item.id for item in placed}
    assert counts == {"dropped: alike to an item of test": 1}


def test_near_identical_proteins_are_found_and_unrelated_ones_are_not() -> None:
    rng = np.random.default_rng(3)
    first, other = ("".join(rng.choice(list(RESIDUES), 200)) for _ in range(2))
    changed = first[:90] + "W" + first[91:]
    assert list(near_identical([first, other, changed], "protein", 0.5)) == [(0, 2)]


def test_near_identical_dna_is_found_on_the_other_strand() -> None:
    letters = random_dna(np.random.default_rng(3), 200)
    assert list(near_identical([letters, reverse_complement(letters)], "dna", 1.0)) == [(0, 1)]


def test_shares_are_kept_where_groups_are_small(tmp_path: Path) -> None:
    manifest = run(write_folder(tmp_path, DNA_TASK, {"dna.csv": dna_table(200)}), "dna")
    assert manifest.facts["dna"]["items"] == {"train": 160, "valid": 20, "test": 20}


def test_equal_sequences_with_opposite_labels_are_dropped_and_counted(tmp_path: Path) -> None:
    table = dna_table(60) + "AAAACCCC,0\naaaacccc,1\nUUUUGGGA,1\nTTTTGGGA,1\n"
    folder = write_folder(tmp_path, DNA_TASK, {"dna.csv": table})
    manifest = run(folder, "dna")
    assert manifest.counts["dna: equal sequences with different answers"] == 2
    assert manifest.counts["dna: duplicate"] == 1
    letters = [row["sequences"][0] for rows in rows_of(folder).values() for row in rows]
    assert "AAAACCCC" not in letters
    assert letters.count("TTTTGGGA") == 1


def test_limits_keep_the_share_of_each_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [f"{random_dna(rng, 30)},{int(place % 4 == 0)}" for place in range(400)]
    folder = write_folder(tmp_path, DNA_TASK, {"dna.csv": "\n".join(["sequence,label", *rows])})
    manifest = run(folder, "dna", train=40)
    train = Counter(row["target"] for row in rows_of(folder)["train"])
    assert 9 <= train["yes"] <= 11
    assert sum(train.values()) == 40
    assert manifest.counts["dna: over the limit"] == 280


def test_the_same_seed_gives_the_same_splits_and_another_does_not(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        folder = write_folder(tmp_path / name, DNA_TASK, {"dna.csv": dna_table()})
        run(folder, "dna", seed=seed)
        found.append([row["id"] for row in rows_of(folder)["test"]])
    assert found[0] == found[1] != found[2]


def test_regression_edges_come_from_training_values_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    train = "sequence,y\n" + "".join(f"{random_dna(rng, 30)},{place}\n" for place in range(50))
    test = "sequence,y\n" + "".join(f"{random_dna(rng, 30)},{1000 + place}\n" for place in range(20))
    folder = write_folder(tmp_path, VALUE_TASK, {"train.csv": train, "test.csv": test})
    manifest = run(folder, "value")
    rows = rows_of(folder)
    assert manifest.facts["value"]["edges"] == [float(np.median([row["value"] for row in rows["train"]]))]
    assert {row["target"] for row in rows["test"]} == {"high"}
    assert rows["test"][0]["labels"] == ["low", "high"]


def test_bins_ask_for_quantiles(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    files = {
        f"{split}.csv": "sequence,y\n" + "".join(f"{random_dna(rng, 30)},{place}\n" for place in range(100))
        for split in ("train", "test")
    }
    manifest = run(write_folder(tmp_path, VALUE_TASK, files), "value", bins=4)
    counts = manifest.facts["value"]["labels"]["train"]
    assert set(counts) == {"lowest", "low", "high", "highest"}
    assert max(counts.values()) - min(counts.values()) <= 1


def true_pairs(number: int, split: str = "train") -> list[Item]:
    rng = np.random.default_rng(7)
    items = []
    for place in range(number):
        length = int(rng.integers(40, 60))
        protein = "M" + "".join(rng.choice(list(RESIDUES), length - 1))
        items.append(Item(f"g{place}", (random_dna(rng, 3 * length), protein), "", split=split))  # type: ignore[arg-type]
    return items


def test_decoys_are_wrong_and_have_the_lengths_of_true_pairs() -> None:
    items = true_pairs(40)
    own = {item.sequences[0][:60]: item.sequences[1] for item in items}
    made = make_decoys(DOGMA, items, np.random.default_rng(1), Counter())
    assert Counter(item.target for item in made) == {"Conform": len(made) // 2, "Not Conform": len(made) // 2}
    lengths: dict[str, list[int]] = {"Conform": [], "Not Conform": []}
    for item in made:
        dna, protein = item.sequences
        assert len(dna) == 3 * len(protein)
        assert own[dna[:60]].startswith(protein[:20]) == (item.target == "Conform")
        lengths[item.target].append(len(protein))
    assert sorted(lengths["Conform"]) == sorted(lengths["Not Conform"])


def test_every_protein_is_as_often_true_as_false() -> None:
    made = make_decoys(DOGMA, true_pairs(40), np.random.default_rng(1), Counter())
    for label in DOGMA.label_names:
        assert max(Counter(item.sequences[1] for item in made if item.target == label).values()) == 1
    assert {i.sequences[1] for i in made if i.target == "Conform"} == {
        i.sequences[1] for i in made if i.target == "Not Conform"
    }


def test_proteins_that_begin_alike_are_never_swapped() -> None:
    twin = "M" + "KLVE" * 12
    items = [Item(name, ("ACG" * len(twin), twin), "", split="train") for name in ("a", "b")]
    counts: Counter[str] = Counter()
    assert make_decoys(DOGMA, items, np.random.default_rng(1), counts) == []
    assert counts == {"no partner of like length for a decoy": 2}


BAD_ROWS = {
    "label never seen": ("ACGTACGTAA,7", "label never seen", "'7' is not one of"),
    "wrong alphabet": ("MKLVVEQWPF,1", "not dna letters", "protein"),
    "empty sequence": (",1", "empty sequence", "no sequence"),
    "gap": ("ACGT-ACGTA,1", "not dna letters", "'-'"),
}


@pytest.mark.parametrize("case", sorted(BAD_ROWS))
def test_a_bad_row_stops_or_is_counted(tmp_path: Path, case: str) -> None:
    row, reason, said = BAD_ROWS[case]
    folder = write_folder(tmp_path, DNA_TASK, {"dna.csv": dna_table() + row + "\n"})
    with pytest.raises(DataError) as caught:
        run(folder, "dna", on_invalid="error")
    assert said in str(caught.value)
    assert "dna.csv:62" in str(caught.value)
    assert run(folder, "dna").counts[f"dna: {reason}"] == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("sequence,lable\nACGT,1\n", "no column 'label'. It has sequence, lable"),
        ("sequence,label\nACGT\n", "1 columns where the header has 2"),
        ("", "holds no items"),
        ("sequence,label\n", "holds no items"),
        (dna_table().replace(",1\n", ",0\n"), "one class only"),
        ("sequence,label\nACGT,1\nCCCC,1\n", "leave 'valid' empty"),
    ],
)
def test_a_bad_table_is_explained_in_one_line(tmp_path: Path, table: str, said: str) -> None:
    folder = write_folder(tmp_path, DNA_TASK, {"dna.csv": table})
    with pytest.raises(DataError) as caught:
        run(folder, "dna")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_give_all_to_the_test_set_are_named_as_such(tmp_path: Path) -> None:
    held_out = DNA_TASK.replace('{ path = "dna.csv" }', '{ path = "dna.csv", split = "test" }')
    folder = write_folder(tmp_path, held_out, {"dna.csv": dna_table(40)})
    with pytest.raises(DataError, match=r"give every item to validation or test.*source = 'ignore'"):
        run(folder, "dna")
    again = write_folder(tmp_path / "again", held_out + 'split = { source = "ignore" }\n', {"dna.csv": dna_table(40)})
    assert all(run(again, "dna").facts["dna"]["items"].values())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dna\.csv: no such file"):
        run(write_folder(tmp_path, DNA_TASK, {}), "dna")


def test_a_truncated_gzip_file_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, DNA_TASK.replace("dna.csv", "dna.csv.gz"), {})
    (folder / "dna.csv.gz").write_bytes(gzip.compress(dna_table(500).encode())[:-30])
    with pytest.raises(DataError, match=r"dna\.csv\.gz"):
        run(folder, "dna")


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, DNA_TASK, {})
    (folder / "dna.csv").write_bytes(b"sequence,label\nACGT\xff,1\n")
    with pytest.raises(DataError, match="not UTF-8"):
        run(folder, "dna")


def test_a_task_chosen_twice_is_refused(tmp_path: Path) -> None:
    config = TasksConfig(choices=(TaskChoice(name="gb1"), TaskChoice(name="gb1")))
    with pytest.raises(ConfigError, match="twice"):
        split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "out")


def test_states_are_read_with_their_mask(tmp_path: Path) -> None:
    definition = (
        'name = "states"\nfamily = "structure"\ninputs = [{ kind = "protein" }]\n'
        'labels = [{ name = "helix", values = ["H"] }, { name = "coil", values = ["C"] }]\n'
        'reader = { type = "states", sequences = "s.fa", states = "c.fa", mask = "m.fa" }\n'
    )
    rng = np.random.default_rng(1)
    chains = ["".join(rng.choice(list(RESIDUES), 20)) for _ in range(20)]
    files = {
        "s.fa": "".join(f">c{n}\n{chain}\n" for n, chain in enumerate(chains)),
        "c.fa": "".join(f">c{n} SET=train\n{'H' * 10}{'C' * 10}\n" for n in range(20)),
        "m.fa": "".join(f">c{n}\n0{'1' * 19}\n" for n in range(20)),
    }
    folder = write_folder(tmp_path, definition, files)
    run(folder, "states")
    targets = {row["target"] for rows in rows_of(folder).values() for row in rows}
    assert targets == {"-" + "H" * 9 + "C" * 10}


def test_json_lines_and_pairs_are_read(tmp_path: Path) -> None:
    definition = (
        'name = "pairs"\nfamily = "multi-sequence"\nswappable = true\n'
        'inputs = [{ kind = "protein" }, { kind = "protein" }]\n'
        'labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]\n'
        'reader = { type = "pairs", files = [{ path = "p.txt" }], lookups = ["s.txt", "s.txt"] }\n'
    )
    rng = np.random.default_rng(1)
    lines = "".join(f"p{n} M{''.join(rng.choice(list(RESIDUES), 12))}\n" for n in range(40))
    pairs = "".join(f"p{n} p{n + 1} {n % 2}\n" for n in range(39)) + "p1 p0 0\np2 gone 1\n"
    manifest = run(write_folder(tmp_path, definition, {"p.txt": pairs, "s.txt": lines}), "pairs")
    assert manifest.counts["pairs: identifier without a sequence"] == 1
    assert manifest.counts["pairs: duplicate"] == 1  # p0 p1 and p1 p0


def test_the_definitions_used_are_saved_with_the_splits(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, DNA_TASK, {"dna.csv": dna_table()})
    run(folder, "dna")
    assert json.loads((folder / "out" / "tasks.json").read_text())["dna"]["title"] == "a test"
