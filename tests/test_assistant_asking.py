"""How a task is asked: in windows, with steps, after solved examples; and what is said of its score."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatting import CONTEXT, having, make_chat_model, prompt_text
from llama_gene.artifacts import write_json
from llama_gene.assistant.asking import Question, ask_task
from llama_gene.assistant.closed import Plan, _join, answer_plans, plan_item
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.examples import open_examples, shots_of
from llama_gene.assistant.measured import find_report, read_measured
from llama_gene.assistant.turn import reply_to
from llama_gene.assistant.windows import cut_windows
from llama_gene.config import ChatConfig
from llama_gene.errors import DataError
from llama_gene.prompts import Message
from llama_gene.tasks.definitions import load_task
from models import make_instructions

DNA = "ACGTTGCATATAAAGCACGT"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    folder = make_chat_model(tmp_path_factory.mktemp("turn"))
    write_json(folder / "llama_gene.json", {"tasks": ["promoter-core", "central-dogma"]})
    return Assistant.open(folder, ChatConfig(max_new_tokens=12))


# --- windows ---------------------------------------------------------------------------------------------------------


def test_parts_are_pooled_by_the_mean_of_their_probabilities():
    question = Question(Message("user", "?"), (), (1,))
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    plan = Plan(load_task("promoter-core"), ("no", "yes"), (question,) * 3, (1, 1, 1), windows=3)
    assert _join(plan, shares).probabilities == pytest.approx({"no": 0.4, "yes": 0.6})
    uneven = replace(plan, weights=(8, 1, 1))
    assert _join(uneven, shares).probabilities == pytest.approx({"no": 0.75, "yes": 0.25})
    assert _join(uneven, shares).label == "no"


def test_a_long_sequence_is_asked_in_windows_where_the_answer_may_be_asked_of_a_part(assistant):
    centred = load_task("promoter-core").model_copy(update={"keep": "centre"})
    letters = DNA * 120
    plan = plan_item(assistant, centred, [letters])
    assert plan.windows == len(plan.questions) > 1
    assert all(len(question.prompt) < CONTEXT for question in plan.questions)
    (answer,) = answer_plans(assistant, [plan], batch_items=4)
    alone = [
        answer_plans(assistant, [replace(plan, questions=(question,), weights=(1,), windows=1)], batch_items=4)[0]
        for question in plan.questions
    ]
    mean = np.mean([one.probabilities["promoter"] for one in alone])
    assert answer.probabilities["promoter"] == pytest.approx(mean, abs=1e-5)
    assert f"asked about in {plan.windows} windows" in answer.notices[0]
    assert "the mean of their probabilities" in answer.notices[0]


def test_a_place_that_decides_is_asked_alone_and_a_whole_is_refused(assistant):
    letters = DNA * 120
    start = load_task("promoter-core").model_copy(update={"keep": "start"})
    plan = plan_item(assistant, start, [letters])
    assert plan.windows == 1
    assert "(kept: start)" in plan.notices[0]
    whole = load_task("promoter-core").model_copy(update={"keep": "whole"})
    with pytest.raises(DataError, match="its answer would not hold for a part"):
        plan_item(assistant, whole, [letters])


def test_windows_cover_every_letter_and_their_number_is_bounded(assistant):
    parts = cut_windows(DNA * 5, 7, most=50)
    assert {len(part) for part in parts} == {7}
    assert "".join(part[:3] for part in parts[:-1]) + parts[-1] == DNA * 5
    with pytest.raises(DataError, match=r"Give a shorter sequence, or raise chat\.max_windows"):
        cut_windows(DNA * 5, 7, most=3)


# --- options ---------------------------------------------------------------------------------------------------------


def test_steps_can_be_asked_for_and_left_out(assistant):
    task = load_task("central-dogma").model_copy(update={"steps": True})
    pair = ["ATGAAACGT" * 7, "MKR" * 7]
    (plain,) = answer_plans(
        having(assistant, steps="never"), [plan_item(having(assistant, steps="never"), task, pair)], batch_items=1
    )
    assert plain.steps == ""
    always = having(assistant, steps="always")
    (stepped,) = answer_plans(always, [plan_item(always, load_task("promoter-core"), [DNA])], batch_items=1)
    assert stepped.steps


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    return make_instructions(tmp_path_factory.mktemp("shots"))


def test_solved_training_items_stand_before_the_question(assistant, examples):
    pool = open_examples(str(examples), seed=1)["boxes"]
    shots = shots_of(pool, 2, [DNA])
    assert {shots[1].content, shots[3].content} == {"promoter", "Non-promoter"}
    task = load_task("promoter-core")
    text = prompt_text(assistant, ask_task(assistant, task, [DNA], shots=shots))
    assert text.index(shots[0].content) < text.index(shots[1].content) < text.index(" ".join(DNA))
    assert text.count("### Response:") == 3
    assert text.count("Below is an instruction") == 1
    asked = next(iter(pool.shots.first))
    assert all(asked[0] not in turn.content for turn in shots_of(pool, 4, asked))


def test_examples_take_room_and_too_many_are_refused(assistant, examples):
    pool = open_examples(str(examples / "train.jsonl"), seed=1)["boxes"]
    shots = shots_of(pool, 2, [DNA])
    long = [DNA * 60]
    start = load_task("promoter-core").model_copy(update={"keep": "start"})
    with_shots, without = ask_task(assistant, start, long, shots=shots), ask_task(assistant, start, long)
    assert len(with_shots.prompt) <= CONTEXT
    assert len(with_shots.user.content) < len(without.user.content)
    with pytest.raises(DataError, match="100 examples asked for"):
        shots_of(pool, 100, [DNA])
    with pytest.raises(DataError, match=r"no training item of this task is known"):
        shots_of(None, 1, [DNA])


# --- measured --------------------------------------------------------------------------------------------------------


def report(task: str = "promoter-core") -> dict:
    ours = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 200}
    score = {"ours": ours, "majority": {"value": 0.0, "low": 0, "high": 0, "n": 200}}
    bins = [{"low": 0.0, "high": 1.0, "n": 200, "mean": 0.7, "right": 0.9}]
    fitted = {"temperature": 2.0, "bias": [0.0, 0.0], "items": 60}
    found = {
        "task": task, "n": 200, "headline": "mcc",
        "comparisons": [{"metric": "accuracy", **score}, {"metric": "mcc", **score}],
        "reliability": {"bins": bins}, "calibration": {"fitted": fitted},
    }  # fmt: skip
    return {"split": "test", "config": {"decide_by": "sum"}, "tasks": [found]}


def test_the_score_of_the_report_is_said_and_its_calibration_used(assistant, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(report()))
    config = assistant.config.model_copy(update={"report": str(tmp_path)})
    known = Assistant.open(assistant.folder, config)
    reply = reply_to(known, f"is it a promoter? {DNA}")
    assert "On 200 test items of this task it scored MCC 0.800 [0.700, 0.900] and accuracy 0.800" in reply.text
    assert "Probabilities are calibrated on 60 other items." in reply.text
    assert "Of the 200 whose answer had a probability of 0 % to 100 %, 90 % were right." in reply.text
    plain = reply_to(assistant, f"is it a promoter? {DNA}").answers[0].closed
    calibrated = reply.answers[0].closed
    assert plain is not None
    assert calibrated is not None
    odds = [np.log(one.probabilities["promoter"] / (1 - one.probabilities["promoter"])) for one in (plain, calibrated)]
    assert odds[1] == pytest.approx(odds[0] / 2, rel=1e-3)


def test_a_report_beside_the_model_counts_only_where_it_is_of_this_model(assistant, tmp_path):
    manifest = dict.fromkeys(("stage", "key"), "k") | {
        "format": 1, "config": {}, "inputs": {"model": "k"}, "seed": 1, "versions": {}, "counts": {}, "facts": {},
        "seconds": 0.0,
    }  # fmt: skip
    for name in ("finetuned", "evaluation"):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "manifest.json", manifest)
    write_json(tmp_path / "evaluation" / "report.json", report())
    assert find_report(tmp_path / "finetuned") == tmp_path / "evaluation" / "report.json"
    write_json(tmp_path / "finetuned" / "manifest.json", manifest | {"key": "other"})
    assert find_report(tmp_path / "finetuned") is None


@pytest.mark.parametrize("text", ["", "[]", '{"tasks": [{}]}'])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(DataError, match="not the report of an evaluation"):
        read_measured(tmp_path / "report.json")
    with pytest.raises(DataError, match="no such report"):
        find_report(tmp_path, str(tmp_path / "nowhere.json"))
