"""Wordings, definitions with solved examples, and both spellings of training questions."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import TaskChoice, TasksConfig, TokenizerConfig, WordingConfig
from llama_gene.errors import ConfigError
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.definitions import ExampleRule, read_task
from llama_gene.tasks.examples import Solved, draw_examples, pool_of
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.write import definition_text
from splitting import NO_CALLS
from vocabularies import grow

DEFINITION = """
name = "mine"
title = "binding"
family = "classification"
definition = "Does it bind?"
inputs = [{ kind = "dna" }]
labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]
examples = { positive = 2, negative = 1, letters = 12 }
reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], label = "l" }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 300 sites, each thrice with one base changed: three items make a leakage group."""
    place = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    rows = []
    for number in range(100):
        site = "".join(rng.choice(list("ACGT"), 40))
        rows += [f"{site[:20]}{base}{site[20:]},{number % 2}" for base in "ACG"]
    (place / "t.csv").write_text("\n".join(["s,l", *rows]))
    (place / "mine.toml").write_text(DEFINITION + "[split]\nsimilarity = 0.1\n")
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vocabulary."""
    return grow(None, tmp_path_factory.mktemp("vocabulary"), TokenizerConfig(dna_size=64, protein_size=64))


def build(data: Path, folder: Path, out: Path, spelling: Any = None, **said: Any) -> dict[str, list[dict[str, Any]]]:
    config = TasksConfig(tool_calls=NO_CALLS,
        choices=(TaskChoice(name="mine", spelling=spelling),), definitions=(".",), wording=WordingConfig(**said),
        max_tokens=1024,
    )  # fmt: skip
    split_tasks(config, data=data, seed=1, output=out / "splits")
    build_tasks(config, splits=out / "splits", tokenizer=folder, seed=1, output=out / "made")
    return {
        split: [json.loads(line) for line in (out / "made" / f"{split}.jsonl").read_text().splitlines()]
        for split in ("train", "valid", "test")
    }


def is_defined(record: dict[str, Any]) -> bool:
    return record["instruction"].startswith("Definition: ")


def test_training_questions_vary_by_their_shares_and_held_out_ones_never(
    data: Path, folder: Path, tmp_path: Path
) -> None:
    made = build(data, folder, tmp_path, others=0.5, defined=0.25)
    first = {record["instruction"] for record in made["valid"] + made["test"]}
    assert len(first) == 1
    train = made["train"]
    defined = sum(map(is_defined, train)) / len(train)
    plain = sum(record["instruction"] in first for record in train) / len(train)
    assert (defined, plain) == (pytest.approx(0.25, abs=0.08), pytest.approx(0.25, abs=0.08))
    assert len({record["instruction"] for record in train if not is_defined(record)}) == 4


def test_no_example_is_held_out_or_of_the_group_that_is_asked(data: Path, folder: Path, tmp_path: Path) -> None:
    made = build(data, folder, tmp_path, others=0, defined=1)
    group_of = {}
    for split, records in made.items():
        for record in records:
            middle = record["sequences"][0]
            start = (len(middle) - 12) // 2
            group_of.setdefault(middle[start : start + 12], (split, record["group"]))
    for record in made["train"]:
        shown = re.findall(r"^Input: (\w+)$", record["instruction"], re.MULTILINE)
        assert len(shown) == 3
        homes = [group_of[letters] for letters in shown]
        assert {split for split, _ in homes} == {"train"}
        assert record["group"] not in {group for _, group in homes}


def test_negative_examples_have_the_wrong_answer_and_say_the_right_one(
    data: Path, folder: Path, tmp_path: Path
) -> None:
    for record in build(data, folder, tmp_path, others=0, defined=1)["train"]:
        wrong = re.search(r"Output: (\w+)\nExplanation: .* the right one is (\w+)\.", record["instruction"])
        assert wrong is not None
        assert {wrong[1], wrong[2]} == {"no", "yes"}
        assert {"no", "yes"} >= set(re.findall(r"^Output: (\w+)$", record["instruction"], re.MULTILINE))


def test_the_same_seed_draws_the_same_words(data: Path, folder: Path, tmp_path: Path) -> None:
    first = build(data, folder, tmp_path / "a", others=0.4, defined=0.3)
    assert first == build(data, folder, tmp_path / "b", others=0.4, defined=0.3)


def test_both_spellings_are_two_training_records_and_one_held_out(data: Path, folder: Path, tmp_path: Path) -> None:
    made = build(data, folder, tmp_path, spelling="both", others=0, defined=0)
    ids = [record["id"] for record in made["train"]]
    assert len(ids) == len(set(ids))
    assert {identifier.rpartition("~")[2] for identifier in ids} == {"joined", "spaced"}
    spaced = next(record for record in made["train"] if record["id"].endswith("~spaced"))
    assert spaced["input"] == " ".join(spaced["sequences"][0])
    test = [record["id"] for record in made["test"]]
    assert len(test) == len(set(test))
    assert not any("~" in identifier for identifier in test)


def test_a_definition_without_room_is_asked_plainly(data: Path, folder: Path, tmp_path: Path) -> None:
    config = TasksConfig(tool_calls=NO_CALLS,
        choices=(TaskChoice(name="mine"),), definitions=(".",), wording=WordingConfig(others=0, defined=1),
        max_tokens=180,
    )  # fmt: skip
    split_tasks(config, data=data, seed=1, output=tmp_path / "splits")
    manifest = build_tasks(config, splits=tmp_path / "splits", tokenizer=folder, seed=1, output=tmp_path / "made")
    assert manifest.counts["mine: asked without examples: no room beside the sequence"] > 100
    assert manifest.facts["mine"]["items"]["train"] > 200


def test_shares_over_one_are_refused() -> None:
    with pytest.raises(ValueError, match="exceed 1"):
        WordingConfig(others=0.7, defined=0.7)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30),
    positive=st.integers(0, 4),
    negative=st.integers(0, 4),
    seed=st.integers(0, 5),
)
def test_examples_are_at_most_what_is_asked_and_from_other_groups(
    groups: list[str], positive: int, negative: int, seed: int
) -> None:
    pool = pool_of(Solved(f"{group}{place}", "yn"[place % 2], group) for place, group in enumerate(groups))
    rule = ExampleRule(positive=positive, negative=negative)
    text = draw_examples(pool, rule, labels=["y", "n"], group="a", rng=np.random.default_rng(seed))
    shown = re.findall(r"Input: (\w)", text)
    assert "a" not in shown
    assert len(shown) == len(set(shown))
    assert len(re.findall("Positive", text)) <= positive
    assert len(re.findall("Negative", text)) <= negative
    assert len(shown) == min(positive + negative, len(set(groups) - {"a"}))


def test_free_answers_get_the_answer_of_another_item_as_a_wrong_one() -> None:
    pool = [Solved("AC", "kinase", "1"), Solved("GT", "ligase", "2")]
    text = draw_examples(
        pool, ExampleRule(positive=0, negative=1), labels=[], group="3", rng=np.random.default_rng(1)
    )  # fmt: skip
    found = re.search(r"Output: (\w+)\n.*right one is (\w+)\.", text)
    assert found is not None
    assert found[1] != found[2]


def test_a_definition_may_say_that_no_example_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEFINITION.replace("positive = 2, negative = 1, letters = 12", "positive = 0, negative = 0"))
    task = read_task(path)
    assert draw_examples([Solved("A", "no", "1")], task.examples, labels=["no", "yes"], group="2",
                         rng=np.random.default_rng(1)) == ""  # fmt: skip
    assert "[examples]\npositive = 0\nnegative = 0\n" in definition_text(task)
    path.write_text(DEFINITION.replace("letters = 12", "letters = 1"))
    with pytest.raises(ConfigError, match=r"examples\.letters"):
        read_task(path)
