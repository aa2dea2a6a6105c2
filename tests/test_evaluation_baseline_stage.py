"""The stage: answers kept for the next model, what makes them anew, and the choice of the best."""

import json
from dataclasses import replace

import pytest

from answering import function_items, item, motif_items, strength_items, write_instructions
from llama_gene import cli
from llama_gene.config import EvaluateConfig
from llama_gene.errors import ArtifactError
from llama_gene.evaluation import baseline_stage
from llama_gene.evaluation.baseline_stage import choose_best, read_baselines, run_baselines
from running import options, refused

CONFIG = EvaluateConfig(bootstrap=100, kmer_max=3, neighbour_candidates=3, cnn_letters=5000)
SIZES = {"train": 60, "valid": 20, "test": 24}


def splits_of(*makers):
    return {name: [one for make in makers for one in make(count, seed=count)] for name, count in SIZES.items()}


@pytest.fixture
def instructions(tmp_path):
    return write_instructions(tmp_path / "instructions", splits_of(motif_items, strength_items, function_items))


@pytest.fixture
def fitted(monkeypatch):
    """Names of the tasks that a k-mer model was fitted on."""
    names = []
    whole = baseline_stage.answer_by_kmers

    def noted(train, *rest, **named):
        names.append(train[0].task)
        return whole(train, *rest, **named)

    monkeypatch.setattr(baseline_stage, "answer_by_kmers", noted)
    return names


def make(instructions, config=CONFIG):
    return run_baselines(config, instructions=instructions, seed=1, output=instructions.with_name("baselines"))


def test_every_method_answers_every_item_of_the_tasks_it_suits(instructions):
    make(instructions)
    found = read_baselines(instructions.with_name("baselines"))
    assert {task: list(one.answers) for task, one in found.items()} == {
        "boxes": ["majority", "kmer", "neighbour", "cnn"],
        "strength": ["majority", "kmer", "neighbour", "cnn"],
        "function": ["majority", "kmer", "neighbour"],
    }
    for one in found.values():
        assert {len(answers.texts) for answers in one.answers.values()} == {24}
        assert len(one.nearest) == 24
    assert all(answers.values for name, answers in found["strength"].answers.items() if name != "majority")


def test_scores_carry_size_interval_and_method(instructions):
    make(instructions)
    scores = json.loads((instructions.with_name("baselines") / "scores.json").read_text())
    for task in scores.values():
        assert (task["n"], task["train_items"]) == (24, 60)
        for metric in task["scores"].values():
            assert set(metric) == set(task["methods"])
            assert all(one["n"] == 24 for one in metric.values())
    assert list(scores["boxes"]["scores"]) == ["mcc", "accuracy", "macro_f1"]


def test_a_second_call_does_nothing_and_a_new_wording_takes_all_answers_over(instructions, fitted):
    make(instructions)
    make(instructions)
    assert sorted(fitted) == ["boxes", "function", "strength"]
    splits = splits_of(motif_items, strength_items, function_items)
    reworded = {name: [replace(one, instruction="Say it.") for one in items] for name, items in splits.items()}
    write_instructions(instructions, reworded)
    manifest = make(instructions)
    assert len(fitted) == 3
    assert manifest.counts == {"tasks taken over": 3}


def test_only_the_task_whose_items_changed_is_answered_anew(instructions, fitted):
    make(instructions)
    splits = splits_of(motif_items, strength_items, function_items)
    splits["test"] = [one for one in splits["test"] if one.id != "24-0"]
    write_instructions(instructions, splits)
    manifest = make(instructions)
    assert fitted[3:] == ["boxes"]
    assert manifest.counts == {"tasks answered": 1, "tasks taken over": 2}


def test_other_settings_of_a_method_answer_anew(instructions, fitted):
    make(instructions)
    make(instructions, CONFIG.model_copy(update={"kmer_max": 2}))
    assert len(fitted) == 6


def test_methods_can_be_left_out(instructions):
    make(instructions, CONFIG.model_copy(update={"baselines": ("kmer",)}))
    found = read_baselines(instructions.with_name("baselines"))["boxes"]
    assert (list(found.answers), found.nearest) == (["majority", "kmer"], None)


def test_the_best_is_chosen_on_validation_whatever_the_test_says(tmp_path):
    # On validation the majority is always wrong, on the test always right.
    splits = {
        "train": motif_items(200, seed=1) + [item(id="x")] * 200,
        "valid": [replace(one, split="valid") for one in motif_items(200, seed=2)],
        "test": [one for one in motif_items(60, seed=3) if one.output == "promoter"],
    }
    instructions = write_instructions(tmp_path / "instructions", splits)
    make(instructions, CONFIG.model_copy(update={"kmer_max": 6}))
    found = read_baselines(tmp_path / "baselines")["boxes"]
    assert found.best != "majority"
    assert found.valid["majority"] == 0.0


def test_without_validation_items_a_fifth_of_the_training_groups_stands_for_them(tmp_path):
    splits = {"train": motif_items(100, seed=1), "test": motif_items(30, seed=2)}
    make(write_instructions(tmp_path / "instructions", splits))
    scores = json.loads((tmp_path / "baselines" / "scores.json").read_text())["boxes"]
    assert scores["train_items"] == 80
    assert set(scores["valid"]) == {"majority", "kmer", "neighbour", "cnn"}


def test_items_without_sequences_have_only_the_majority(tmp_path):
    bare = {"sequences": (), "kinds": ()}
    splits = {name: motif_items(30, seed=1, **bare) for name in ("train", "valid", "test")}
    make(write_instructions(tmp_path / "instructions", splits))
    assert list(read_baselines(tmp_path / "baselines")["boxes"].answers) == ["majority"]


def test_nothing_known_of_validation_chooses_the_kmer_model():
    assert choose_best({"majority": None, "kmer": None}) == "kmer"
    assert choose_best({"majority": None}) == "majority"


def test_a_folder_without_baselines_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds no baselines"):
        read_baselines(tmp_path)


def test_a_line_that_a_kill_cut_short_is_made_again(instructions, fitted):
    make(instructions)
    answers = instructions.with_name("baselines") / "answers.jsonl"
    answers.write_text(answers.read_text()[:-20])
    splits = splits_of(motif_items, strength_items, function_items)
    write_instructions(
        instructions, {name: [replace(one, input="") for one in items] for name, items in splits.items()}
    )
    make(instructions)
    assert fitted[3:] == ["function"]


def test_baselines_only_needs_no_model_and_shows_every_score(instructions, tmp_path, capsys):
    small = options("evaluate.bootstrap=100", "evaluate.kmer_max=2", "evaluate.cnn_letters=1000")
    command = ["evaluate", "--baselines-only", "--instructions", str(instructions), "--output", str(tmp_path / "b")]
    assert cli.run([*command, *small]) == 0
    shown = capsys.readouterr().out
    for word in ("boxes", "mcc", "accuracy", "neighbour", "spearman", "token_f1", " *"):
        assert word in shown, word
    assert cli.run([*command, *small, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"tasks answered": 3}


def test_evaluate_without_a_model_says_what_to_give(instructions, tmp_path, capsys):
    command = ["evaluate", "--instructions", instructions, "--output", tmp_path / "b"]
    refused(capsys, command, r"no model\. Name its folder, or give --baselines-only")


def test_a_folder_of_baselines_that_cannot_be_written_names_the_option(instructions, tmp_path, capsys):
    instructions.with_name("baselines").mkdir()
    (instructions.with_name("baselines") / "mine.txt").write_text("kept")
    command = ["evaluate", tmp_path / "model", "--instructions", instructions, "--output", tmp_path / "b"]
    refused(capsys, command, "baselines: exists and is not a stage folder", "--baselines")
