"""Answers by a tool: calls are read strictly, questions are built so that the whole conversation fits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import ConfigError
from llama_gene.prompts import Message, render, user_content
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.definitions import load_task
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.tool_calls import as_asked, read_call, tool_name, write_call
from llama_gene.tokenizer.load import load_tokenizer
from models import make_vocabulary
from splitting import NO_CALLS

TOOL = "predict_expression"
DEFINITION = (
    'name = "strength"\ntitle = "promoter strength prediction"\nfamily = "regression"\ndefinition = "How strong?"\n'
    'inputs = [{ kind = "dna" }]\nnumbers = { tool = "predict_expression", unit = "units" }\n'
    'reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], value = "y" }\n'
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("high", "no JSON object"),
        ("null", "no JSON object"),
        (f'"{TOOL}"', "no JSON object"),
        (f'[{{"tool": "{TOOL}", "sequence": "@input"}}]', "no JSON object"),
        (write_call(TOOL) + " and more", "no JSON object"),
        (write_call(TOOL)[:-1], "no JSON object"),
        (write_call(TOOL).replace('"', "'"), "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        (f"{TOOL}('@input')", "no JSON object"),
        ('__import__("os").getcwd()', "no JSON object"),
        (f'{{"tool": "{TOOL}"}}', "fields other than tool and sequence"),
        (f'{{"tool": "{TOOL}", "sequence": "@input", "path": "/etc"}}', "fields other than tool and sequence"),
        (f'{{"tool": "{TOOL}", "tool": "{TOOL}", "sequence": "@input"}}', "fields other than tool and sequence"),
        (write_call("predict"), "unknown tool"),
        (write_call(TOOL.upper()), "unknown tool"),
        ('{"tool": ["predict_expression"], "sequence": "@input"}', "unknown tool"),
        (f'{{"tool": "{TOOL}", "sequence": "ACGT"}}', "sequence not @input"),
        (f'{{"tool": "{TOOL}", "sequence": null}}', "sequence not @input"),
    ],
)
def test_a_call_that_is_wrong_in_any_way_is_read_as_what_is_wrong(text: str, problem: str) -> None:
    assert read_call(text, {TOOL}) == ("", problem)


def test_a_right_call_is_read_with_white_space_around_and_fields_in_any_order() -> None:
    assert write_call(TOOL) == '{"tool": "predict_expression", "sequence": "@input"}'
    for text in (write_call(TOOL), f" {write_call(TOOL)}\n", f'{{"sequence": "@input", "tool": "{TOOL}"}}'):
        assert read_call(text, {TOOL, "other"}) == (TOOL, None)


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_no_text_makes_the_reading_fail_and_only_a_call_passes(text: str) -> None:
    call = read_call(text, {TOOL})
    assert (call.problem is None) == (call.tool == TOOL)
    assert call.problem is not None or json.loads(text) == json.loads(write_call(TOOL))


def test_a_tool_is_named_by_the_definition_or_after_the_task() -> None:
    assert tool_name(load_task("promoter-strength-yeast")) == TOOL
    assert tool_name(load_task("promoter-core")) == "predict_promoter_core"


def test_a_tool_is_refused_where_the_answer_is_no_number() -> None:
    with pytest.raises(
        ConfigError, match="'promoter-core' is a classification task; answer = 'tool' is for regression"
    ):
        as_asked(load_task("promoter-core"), TaskChoice(name="promoter-core", answer="tool"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TasksConfig]:
    """Splits and instructions of a task whose long sequences must be shortened."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(DEFINITION)
    rng = np.random.default_rng(1)
    rows = [f"{''.join(rng.choice(list('ACGT'), 400))},{number / 7:.5f}" for number in range(100)]
    (folder / "t.csv").write_text("\n".join(["s,y", *rows]))
    make_vocabulary(folder)
    config = TasksConfig(
        tool_calls=NO_CALLS,
        choices=(TaskChoice(name="strength", answer="tool"),),
        definitions=("defs",),
        max_tokens=300,
        max_answer_tokens=4,
    )
    split_tasks(config, data=folder, seed=1, output=folder / "splits")
    build(folder, config)
    return folder, config


def build(folder: Path, config: TasksConfig) -> Any:
    vocabulary = folder / "vocabulary"
    return build_tasks(config, splits=folder / "splits", tokenizer=vocabulary, seed=1, output=folder / "out")


def records(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / f"{split}.jsonl").read_text().splitlines()]


def test_held_out_questions_ask_for_the_call_and_offer_no_bins(built: tuple[Path, TasksConfig]) -> None:
    for record in records(built[0], "test"):
        assert record["output"] == write_call(TOOL)
        assert record["labels"] is None
        assert record["value"] is not None
        assert record["instruction"].endswith("The result will be a number computed by a tool.")
        assert "history" not in record


def test_training_goes_on_with_the_result_and_the_answer_with_the_number(built: tuple[Path, TasksConfig]) -> None:
    found = records(built[0], "train")
    assert len(found) == 80
    for record in found:
        ((asked, called),) = record["history"]
        assert asked.endswith(f"\n\n### Input:\n{record['sequences'][0]}")
        assert called == write_call(TOOL)
        number = f"{record['value']:.4g}"
        assert record["instruction"] == f"The tool predict_expression gives {number}."
        assert record["output"] == f"The promoter strength prediction gives {number} units."


def test_a_whole_conversation_fits_and_leaves_little_room_unused(built: tuple[Path, TasksConfig]) -> None:
    tokenizer = load_tokenizer(built[0] / "vocabulary")
    sizes = []
    for record in records(built[0], "train"):
        turns = [Message(*turn) for turn in zip(("user", "assistant"), record["history"][0], strict=True)]
        turns += [Message("user", user_content(record["instruction"])), Message("assistant", record["output"])]
        sizes.append(len(tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos))))
    assert 270 < min(sizes) <= max(sizes) <= 300


def test_the_kept_definition_asks_as_the_model_was_taught(built: tuple[Path, TasksConfig]) -> None:
    kept = json.loads((built[0] / "out" / "tasks.json").read_text())["strength"]
    assert kept["wordings"] == [as_asked(load_task("gb1"), TaskChoice(name="gb1", answer="tool")).wordings[0]]


def test_an_answer_leaves_the_splits_alone_and_a_specialist_the_instructions_too(
    built: tuple[Path, TasksConfig],
) -> None:
    folder, config = built
    before = build(folder, config).key
    chosen = config.choices[0]
    trained = config.model_copy(update={"choices": (chosen.model_copy(update={"specialist": "kmer"}),)})
    assert build(folder, trained).key == before
    binned = config.model_copy(update={"choices": (chosen.model_copy(update={"answer": "bins"}),)})
    keys = {split_tasks(each, data=folder, seed=1, output=folder / "splits").key for each in (config, trained, binned)}
    assert len(keys) == 1
