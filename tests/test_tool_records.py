"""Records of questions that a tool answers: real results between the turns, and nothing of test in training."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_gene.config import TaskChoice, TasksConfig, ToolCallsConfig
from llama_gene.prompts import INPUT_HEADING
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.tool_calls import read_request, tell
from llama_gene.tasks.tool_questions import TOOL_CALLS, say_result
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tools import all_tools
from llama_gene.tools.references import fill_references
from llama_gene.training.instructions import encode_instruction
from models import make_vocabulary

DEFINITION = (
    'name = "boxes"\ntitle = "boxes"\nfamily = "classification"\ndefinition = "Boxes?"\ninputs = [{ kind = "dna" }]\n'
    'labels = [{ name = "no" }, { name = "yes" }]\n'
    'reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], label = "y" }\n'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(DEFINITION)
    rng = np.random.default_rng(1)
    rows = [f"{''.join(rng.choice(list('ACGT'), 60))},{('no', 'yes')[place % 2]}" for place in range(200)]
    (folder / "t.csv").write_text("\n".join(["s,y", *rows]))
    make_vocabulary(folder)
    split_tasks(config(10), data=folder, seed=1, output=folder / "splits")
    for name, number in (("out", 300), ("none", 0)):
        build_tasks(
            config(number), splits=folder / "splits", tokenizer=folder / "vocabulary", seed=1, output=folder / name
        )
    return folder


def config(number: int) -> TasksConfig:
    asked = ToolCallsConfig(train=number, valid=20, test=120)
    return TasksConfig(choices=(TaskChoice(name="boxes"),), definitions=("defs",), tool_calls=asked)


def records(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def asked(folder: Path, split: str) -> list[dict[str, Any]]:
    return [record for record in records(folder, split) if record["task"] == TOOL_CALLS]


def turns(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What is asked and what is answered, the first question as its words and letters."""
    first = record["instruction"] + (f"\n\n{INPUT_HEADING}{record['input']}" if record["input"] else "")
    return [*map(tuple, record.get("history", [])), (first, record["output"])]


def calls(record: dict[str, Any]) -> list[Any]:
    return [read for _, answer in turns(record) if (read := read_request(answer)) is not None]


def letters(record: dict[str, Any]) -> list[str]:
    shown = turns(record)[0][0].partition(INPUT_HEADING)[2]
    return re.findall(r"\b[ACGT]{20,}\b", shown)


def test_one_in_five_is_a_plain_question_with_its_own_answer(made):
    for split, number in (("train", 300), ("valid", 20), ("test", 120)):
        found = asked(made / "out", split)
        assert len(found) == number
        plain = [record for record in found if not calls(record)]
        assert len(plain) == number // 5
        assert {record["output"] for record in plain} <= {"no", "yes"}


def test_a_test_question_has_no_wording_no_letters_and_no_values_of_training(made):
    found = {split: [record for record in asked(made / "out", split) if calls(record)] for split in ("train", "test")}
    words = {split: {turns(record)[0][0].split("\n")[0] for record in each} for split, each in found.items()}
    assert not words["train"] & words["test"]
    for split, each in found.items():
        whole = [record["sequences"][0] for record in records(made / "out", split) if record["task"] == "boxes"]
        for record in each:
            assert bool(letters(record)) == (calls(record)[0].tool != "search_passages")
            assert all(any(known.startswith(piece) for known in whole) for piece in letters(record))
    values = {split: set() for split in found}
    for split, each in found.items():
        for record in each:
            for call in calls(record):
                for place in ("genetic_code", "frame", "min_codons", "k", "motif", "enzymes", "matrix", "end", "start"):
                    if place in call.arguments and (call.tool, place) != ("map_mutations", "start"):
                        values[split].add((call.tool, place, repr(call.arguments[place])))
    assert {tool for tool, _, _ in values["test"]} >= {"translate", "restriction_sites", "effect_of_variant"}
    assert not values["train"] & values["test"]


def test_what_stands_between_the_turns_is_what_the_real_tools_give(made):
    tools, several = all_tools(), 0
    for record in asked(made / "out", "train"):
        asked_turns, results = turns(record), []
        for (_, answer), (told, _) in pairwise(asked_turns):
            call = read_request(answer)
            tool = tools[call.tool]
            results.append(tool.call(fill_references(call.arguments, letters(record), results, tool.schema)))
            assert told == tell(call.tool, results[-1], 2000)
        last = asked_turns[-1][1]
        if results and read_request(last) is None:
            assert last == say_result(calls(record)[-1].tool, results[-1])
        several += len(calls(record)) > 1
    assert several > 10


def test_of_a_model_and_of_an_index_the_call_alone_is_taught(made):
    last = [calls(record)[-1].tool for record in asked(made / "out", "train") if calls(record)]
    ends = {calls(record)[-1].tool for record in asked(made / "out", "train") if read_request(record["output"])}
    told = {calls(record)[-1].tool for record in asked(made / "out", "train") if calls(record)} - ends
    alone = {"ask_task", "effect_of_variant", "map_mutations", "search_sequences", "search_passages"}
    assert alone <= set(last)
    assert not alone & told
    assert "gc_content" in told


def test_a_change_names_a_letter_that_stands_there(made):
    for split, held in (("train", False), ("test", True)):
        found = [
            (call.arguments, letters(record)[0])
            for record in asked(made / "out", split)
            for call in calls(record)
            if call.tool == "effect_of_variant"
        ]
        assert found
        for change, shown in found:
            assert shown[change["start"]] == change["reference"] != change["alternative"]
            assert (change["start"] % 3 == 0) == held


def test_forms_for_which_the_run_has_no_sequences_are_left_out(made):
    called = [call for record in asked(made / "out", "train") for call in calls(record)]
    assert "gc_content" in {call.tool for call in called}
    assert not [call for call in called if call.tool == "effect_of_variant" and call.arguments["kind"] == "protein"]


def test_no_record_is_longer_than_the_tasks_may_be(made):
    words = load_tokenizer(made / "vocabulary")
    for record in asked(made / "out", "train"):
        ids, _ = encode_instruction(record, words, whole_text=False)
        assert len(ids) <= config(1).max_tokens
        if record.get("history") and read_request(record["output"]) is None:
            assert len(words.encode(record["output"])) <= config(1).max_answer_tokens


def test_none_are_written_where_none_are_wanted(made):
    assert all(not asked(made / "none", split) for split in ("train", "valid", "test"))
