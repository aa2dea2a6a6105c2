"""Questions about three sequences and more: wording, marks between them, shortening, copies, leakage groups."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import ConfigError
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.cleaning import drop_duplicates
from llama_gene.tasks.definitions import Task, read_task
from llama_gene.tasks.groups import group_items
from llama_gene.tasks.items import Item
from llama_gene.tasks.shorten import cut_all, longest
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.wordings import input_text
from models import make_vocabulary
from splitting import NO_CALLS

TRIO = """
name = "trio"
title = "complex prediction"
family = "multi-sequence"
definition = "Do these three meet?"
inputs = [{ kind = "dna", name = "enhancer" }, { kind = "protein" }, { kind = "dna", name = "promoter" }]
labels = [{ name = "apart", values = ["0"] }, { name = "together", values = ["1"] }]
wordings = ["Does the {kind2} join {kind1} and {kind3}? {labels}"]
keep = "start"
reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["a", "b", "c"], label = "l" }
split = { by = "sequence" }
"""


def trio(folder: Path, text: str = TRIO) -> Task:
    (folder / "defs").mkdir(exist_ok=True)
    (folder / "defs" / "trio.toml").write_text(text)
    return read_task(folder / "defs" / "trio.toml")


def test_three_inputs_stand_in_order_with_four_marks_between():
    assert input_text(["AC", "MK", "GT"], ["enhancer", "protein", "promoter"], "joined") == (
        "enhancer sequence: AC\n####\nprotein sequence: MK\n####\npromoter sequence: GT"
    )


def test_the_letters_left_are_shared_and_a_short_sequence_stays_whole(tmp_path: Path):
    task = trio(tmp_path)
    sequences = ("ACGT" * 50, "MKV", "GGCC" * 20)
    assert [len(letters) for letters in cut_all(task, sequences, 30)] == [30, 3, 30]
    assert longest(task, sequences) == 200


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{kind3}", "{kind4}", r"wording names \{kind4\}; .*kind3"),
        ('sequences = ["a", "b", "c"]', 'sequences = ["a", "b"]', r"gives 2 sequence\(s\) of an item, inputs name 3"),
        ('keep = "start"', "swappable = true", "swappable needs inputs of one kind"),
        ('keep = "start"', "in_register = true", "in_register needs one dna and one protein"),
        ('family = "multi-sequence"', 'family = "classification"', "classification takes 1 input, not 3"),
        ('keep = "start"', "steps = true", "steps needs coding DNA"),
    ],
)  # fmt: skip
def test_a_bad_definition_of_three_inputs_is_explained(tmp_path: Path, old: str, new: str, said: str):
    with pytest.raises(ConfigError, match=said):
        trio(tmp_path, TRIO.replace(old, new))


def test_a_multi_sequence_task_of_one_input_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="takes two inputs or more"):
        trio(tmp_path, TRIO.replace(', { kind = "protein" }, { kind = "dna", name = "promoter" }', ""))


def test_a_trio_in_another_order_is_a_copy_where_the_order_means_nothing(tmp_path: Path):
    task = trio(tmp_path).model_copy(update={"swappable": True})
    items = [Item("1", ("AC", "GG", "TT"), "apart"), Item("2", ("TT", "AC", "GG"), "apart")]
    counts: Counter[str] = Counter()
    assert [item.id for item in drop_duplicates(task, items, "drop", counts)] == ["1"]
    assert counts["duplicate"] == 1


def test_trios_that_share_any_sequence_stay_together(tmp_path: Path):
    items = [
        Item("1", ("ACGTACGTAA", "MKV", "GGGGGCCA"), "apart"),
        Item("2", ("TTTACCATGA", "MKV", "CATCATCA"), "apart"),
        Item("3", ("CCCATTACCA", "WWW", "TGATGATG"), "apart"),
        Item("4", ("GACGACGACC", "LLL", "AAAAAATC"), "apart"),
    ]
    groups = [item.group for item in group_items(trio(tmp_path), items)]
    # The third shares the other strand of the second's promoter.
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_a_trio_goes_from_a_table_to_an_instruction_that_fits(tmp_path: Path):
    trio(tmp_path)
    rng = np.random.default_rng(1)
    rows = [
        ",".join(["".join(rng.choice(list(letters), 300)) for letters in ("ACGT", "MKVLAG", "ACGT")] + [str(n % 2)])
        for n in range(40)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,l", *rows]))
    config = TasksConfig(tool_calls=NO_CALLS, choices=(TaskChoice(name="trio"),), definitions=("defs",), max_tokens=256)
    split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "splits")
    build_tasks(
        config, splits=tmp_path / "splits", tokenizer=make_vocabulary(tmp_path), seed=1, output=tmp_path / "out"
    )
    records = [json.loads(line) for line in (tmp_path / "out" / "test.jsonl").read_text().splitlines()]
    for record in records:
        assert record["instruction"] == "Does the protein join enhancer and promoter? apart, together"
        assert record["input"] == input_text(record["sequences"], ["enhancer", "protein", "promoter"], "joined")
        assert len(set(map(len, record["sequences"]))) == 1
        assert record["kinds"] == ["dna", "protein", "dna"]
