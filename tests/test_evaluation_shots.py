"""`evaluate.shots`: solved training items before each question, drawn as the chat draws them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from answering import LABELS, item, motif_items, write_answering_model, write_instructions
from llama_gene.assistant.examples import open_examples, shots_of
from llama_gene.config import EvaluateConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.answering import has_room, prompt_ids
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.shots import add_shots
from llama_gene.prompts import RESPONSE_HEADING, render
from llama_gene.tokenizer.load import load_tokenizer

TRAIN = [replace(one, group=f"g{place // 2}") for place, one in enumerate(motif_items(40, seed=1, split="train"))]
TEST = motif_items(12, seed=2, split="test")


def anything(_item):
    return True


def shown(asked, training=TRAIN, count=4):
    (found,) = add_shots([asked], training, count, seed=1, fits=anything)
    return found.shots


def test_questions_stand_behind_solved_items_as_many_of_each_label():
    found = add_shots(TEST, TRAIN, 4, seed=1, fits=anything)
    assert len({one.shots for one in found}) == 1
    assert sorted(answer for _, answer in found[0].shots) == sorted(LABELS * 2)
    text = render(found[0].messages, bos="", eos="</s>")
    assert text.count(RESPONSE_HEADING) == 5
    assert text.index(found[0].shots[3][0]) < text.rindex(TEST[0].input)
    assert "shots" not in found[0].record()


def test_no_example_is_of_the_items_own_group_or_has_its_sequences():
    usual = shown(item(input="ACGT"))
    (first,) = [one for one in TRAIN if usual[0][0].endswith(one.input)]
    kin = shown(item(group=first.group))
    assert not {one.input for one in TRAIN if one.group == first.group} & {asked.split("\n")[-1] for asked, _ in kin}
    same = shown(item(sequences=first.sequences))
    assert len(same) == 4
    assert all(first.input not in asked for asked, _ in same)


def test_the_chat_draws_the_same_examples(tmp_path):
    write_instructions(tmp_path, {"train": TRAIN})
    turns = shots_of(open_examples(str(tmp_path), seed=1)["boxes"], 4, TEST[0].sequences)
    assert [turn.content for turn in turns] == [text for pair in shown(TEST[0]) for text in pair]


def test_structure_tasks_and_calls_are_asked_as_they_are():
    call = item(labels=None, output='{"tool": "translate", "dna": "@input"}')
    for asked in (item(family="structure"), call):
        assert shown(asked) == ()


def test_examples_that_leave_no_room_to_answer_are_left_out(tmp_path):
    tokenizer = load_tokenizer(write_answering_model(tmp_path / "model"))
    fits = has_room(EvaluateConfig(max_new_tokens=4), tokenizer, TRAIN, context=900)
    (found,) = add_shots(TEST[:1], TRAIN, 8, seed=1, fits=fits)
    assert 0 < len(found.shots) < 8
    longest = len("Non-promoter") + 1
    assert len(prompt_ids(found, tokenizer)) + longest <= 900
    with_one_more = replace(found, shots=shown(TEST[0], count=8)[: len(found.shots) + 1])
    assert len(prompt_ids(with_one_more, tokenizer)) + longest > 900


def test_a_test_item_is_never_an_example_and_too_few_are_told():
    with pytest.raises(DataError, match="belongs to 'test'"):
        shown(TEST[0], training=TEST)
    with pytest.raises(DataError, match="30 examples asked for, and training has 20 that are not alike"):
        shown(TEST[0], count=30)


def test_an_evaluation_with_shots_answers_otherwise_and_says_so(tmp_path: Path) -> None:
    model = write_answering_model(tmp_path / "model", positions=1024)
    splits = {"train": TRAIN, "valid": motif_items(6, seed=3, split="valid"), "test": TEST}
    instructions = write_instructions(tmp_path / "instructions", splits)
    scores = []
    for shots in (0, 2):
        config = EvaluateConfig(
            bootstrap=100, generate_items=0, max_new_tokens=4, kmer_max=2, baselines=(), shots=shots
        )
        made = evaluate(config, model=model, instructions=instructions, seed=1, output=tmp_path / f"out{shots}")
        lines = (tmp_path / f"out{shots}" / "predictions.jsonl").read_text().splitlines()
        scores.append([json.loads(line)["scores"]["promoter"] for line in lines])
        assert made.counts.get("solved training items shown", 0) == shots * 12
    assert scores[0] != scores[1]
    assert "asked with 2 solved training items before them" in (tmp_path / "out2" / "report.md").read_text()
