"""Questions that a tool answers: they fit the tools, are built without leaking, and are scored as calls."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answering import item
from chatting import make_chat_model
from llama_gene.assistant.agent import fill_inputs
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.model_tools import model_tools
from llama_gene.config import TaskChoice, TasksConfig, ToolCallsConfig
from llama_gene.evaluation.calls import answer_by_wording, are_calls, measure_calls, outcome
from llama_gene.sequences.records import Record
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.tool_calls import read_request, write_request
from llama_gene.tasks.tool_questions import TOOL_CALLS, Form, _fill, calls_near, say_result, tool_questions
from llama_gene.tools import Tool, all_tools
from models import make_vocabulary

SEQUENCES = {"dna": "ATGGCATTGACCTATAATGCGGAATTCTGA", "protein": "MALTYNAEFMALTYNAEFLL"}
FORMS = [(tool, form) for tool, asked in tool_questions().items() for form in asked.forms]
CALLED = [name for name in tool_questions() if name != "search_sequences"]


class Shelf:
    """An index that holds one sequence."""

    def find_sequences(self, letters, kind, most=10):
        from llama_gene.retrieval.hits import SequenceHit

        return [SequenceHit("P1", "a protein", "a.fa", kind, 0.5, 1.0, 1e-3, "phmmer")]

    def find_passages(self, question, most=5):
        return []


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> dict[str, Tool]:
    assistant = Assistant.open(make_chat_model(tmp_path_factory.mktemp("questions")))
    return dict(all_tools(Shelf(), model_tools(assistant)))


def calls(form: Form) -> list[dict[str, Any]]:
    """The arguments for each combination of values."""
    places = {
        place: list(values.values()) if isinstance(values, dict) else list(values)
        for place, values in form.values.items()
    }
    return [
        _fill(form.arguments, dict(zip(places, chosen, strict=True))) for chosen in product(*places.values())
    ]  # fmt: skip


def test_every_tool_that_takes_sequences_is_asked_for():
    assert set(all_tools()) | {"search_sequences"} <= set(tool_questions())


@pytest.mark.parametrize("name", tool_questions())
def test_every_call_is_one_that_its_tool_takes_and_its_result_is_said_in_words(tools, name):
    for form in tool_questions()[name].forms:
        records = [Record(str(place), kind, SEQUENCES[kind]) for place, kind in enumerate(form.kinds)]
        for arguments in calls(form):
            read = read_request(write_request(name, arguments))
            assert read is not None
            assert read.arguments == arguments
            result = tools[name].call(fill_inputs(arguments, records, tools[name].schema))
            said = say_result(name, result)
            assert said
            assert "{" not in said.replace('{"a":', "")


def test_results_are_said_with_their_numbers():
    found = {"total": 7, "hits": [{"start": 3, "end": 9, "strand": "+", "letters": "TATAAT"}] * 7}
    assert say_result("find_motif", found).startswith("Matches found: 7. 3 to 9 on strand +: TATAAT. 3 to 9")
    assert say_result("find_motif", found).endswith("And 2 more.")
    assert say_result("find_motif", {"total": 0, "hits": []}) == "Matches found: 0."
    assert "(1,700 more)" in say_result("reverse_complement", {"dna": "A" * 2000, "length_bp": 2000})
    assert say_result("my_own_tool", {"x": 1}) == ""


def test_wordings_name_the_values_of_their_form_and_none_is_both_taught_and_held_out():
    taught = {question for _, form in FORMS for question in form.questions}
    held_out = [question for _, form in FORMS for question in form.held_out]
    assert not taught & set(held_out)
    twice = [question for question, count in Counter([*taught, *held_out]).items() if count > 1]
    assert not twice
    for tool, form in FORMS:
        for question in (*form.questions, *form.held_out):
            assert set(re.findall(r"\{(\w+)\}", question)) == set(form.values), (tool, question)


# --- built -----------------------------------------------------------------------------------------------------------

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
    for name, number in (("out", 200), ("none", 0)):
        build_tasks(
            config(number), splits=folder / "splits", tokenizer=folder / "vocabulary", seed=1, output=folder / name
        )
    return folder


def config(number: int) -> TasksConfig:
    asked = ToolCallsConfig(train=number, valid=20, test=60)
    return TasksConfig(choices=(TaskChoice(name="boxes"),), definitions=("defs",), tool_calls=asked)


def records(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def asked(folder: Path, split: str) -> list[dict[str, Any]]:
    return [record for record in records(folder, split) if record["task"] == TOOL_CALLS]


def test_one_in_five_is_a_plain_question_with_its_own_answer(made):
    for split, number in (("train", 200), ("valid", 20), ("test", 60)):
        found = asked(made / "out", split)
        assert len(found) == number
        plain = [record for record in found if read_request(record["output"]) is None]
        assert len(plain) == number // 5
        assert {record["output"] for record in plain} <= {"no", "yes"}


def test_a_test_question_has_no_wording_and_no_letters_of_training(made):
    train, test = (
        [record for record in asked(made / "out", split) if read_request(record["output"])]
        for split in ("train", "test")
    )
    assert not {record["instruction"] for record in train} & {record["instruction"] for record in test}
    for split, found in (("train", train), ("test", test)):
        whole = [record["sequences"][0] for record in records(made / "out", split) if record["task"] == "boxes"]
        for record in found:
            pieces = re.findall(r"\b[ACGT]{20,}\b", record["input"])
            assert pieces
            assert all(any(letters.startswith(piece) for letters in whole) for piece in pieces)


def test_forms_for_which_the_run_has_no_sequences_are_left_out(made):
    called = {read.tool for record in asked(made / "out", "train") if (read := read_request(record["output"]))}
    assert "gc_content" in called
    assert "back_translate" not in called


def test_none_are_written_where_none_are_wanted(made):
    assert all(not asked(made / "none", split) for split in ("train", "valid", "test"))


# --- scored ----------------------------------------------------------------------------------------------------------

CALL = '{"tool": "translate", "dna": "@input", "frame": 2}'


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (CALL, "right"),
        ('{"frame": 2, "dna": "@input", "tool": "translate"}', "right"),
        ('{"tool": "translate", "dna": "@input", "frame": 3}', "other arguments"),
        ('{"tool": "translate", "dna": "@input"}', "other arguments"),
        ('{"tool": "gc_content", "dna": "@input"}', "other tool"),
        ('{"tool": "translate", "tool": "translate", "dna": "@input", "frame": 2}', "no call"),
        ("frame 2", "no call"),
        (f"{CALL} and more", "no call"),
    ],
)
def test_a_call_is_right_as_a_whole_or_named_for_what_it_is(written, found):
    assert outcome(written, CALL) == found


def test_a_plain_question_wants_no_call():
    assert outcome("whatever", "promoter") == "right"
    assert outcome(CALL, "promoter") == "called without need"


def question(words: str, output: str):
    return item(instruction=words, output=output, task=TOOL_CALLS, labels=None, sequences=(), kinds=())


def test_shares_are_counted_by_hand_and_the_nearest_wording_is_a_rival():
    train = [question("Translate it in frame 2.", CALL), question("Is it a promoter?", "yes")]
    test = [question("Please translate frame 2 now.", CALL), question("Is this a promoter or not?", "no")] * 2
    assert are_calls(test)
    assert not are_calls([item()])
    texts = [CALL, "yes", CALL.replace("2", "3"), CALL]
    shares = {name: float(one.sums_NK[:, -1].mean()) for name, one in measure_calls(test, texts).items()}
    assert shares == {"right_call": 0.5, "right_tool": 0.75}
    assert answer_by_wording(train, test).texts == (CALL, "yes") * 2


def test_a_question_names_the_values_of_the_wordings_it_may_be():
    near = {known.question: known for known in calls_near("Which protein is it in frame -2?")}
    assert read_request(near["Translate this DNA in frame -2."].call).arguments == {"dna": "@input", "frame": -2}
    assert not any("frame 2" in question for question in near), "-2 is not 2"
    assert not any("EcoRI" in question for question in near), "no enzyme is named"
