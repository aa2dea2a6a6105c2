"""The baselines of a task: kept for the next model, what makes them anew, the choice of the best; and their stage."""

import json
from dataclasses import replace

import pytest

from answering import function_items, item, motif_items, strength_items, write_instructions
from llama_gene import cli
from llama_gene.config import EvaluateConfig
from llama_gene.errors import ArtifactError, DataError
from llama_gene.evaluation import baseline_answers
from llama_gene.evaluation.baseline_answers import choose_best, find_baselines
from llama_gene.evaluation.baseline_stage import run_baselines
from running import options, refused

CONFIG = EvaluateConfig(bootstrap=100, kmer_max=3, neighbour_candidates=3, cnn_letters=5000)
SIZES = {"train": 60, "valid": 20, "test": 24}


def split(*makers):
    """Items by split and task."""
    found = {}
    for name, count in SIZES.items():
        made = [make(count, seed=count) for make in makers]
        found[name] = {items[0].task: items for items in made}
    return found


ALL = split(motif_items, strength_items, function_items)


@pytest.fixture
def fitted(monkeypatch):
    """Names of the tasks that a k-mer model was fitted on."""
    names = []
    whole = baseline_answers.answer_by_kmers

    def noted(train, *rest, **named):
        names.append(train[0].task)
        return whole(train, *rest, **named)

    monkeypatch.setattr(baseline_answers, "answer_by_kmers", noted)
    return names


def find(kept, splits=ALL, config=CONFIG):
    return {task: find_baselines(config, splits, task, seed=1, kept=kept) for task in splits["test"]}


def changed(splits, change):
    return {
        name: {task: [change(one) for one in items] for task, items in tasks.items()} for name, tasks in splits.items()
    }


def test_every_method_answers_every_item_of_the_tasks_it_suits(tmp_path):
    found = find(tmp_path)
    assert {task: list(one.answers) for task, one in found.items()} == {
        "boxes": ["majority", "kmer", "neighbour", "cnn"],
        "strength": ["majority", "kmer", "neighbour", "cnn"],
        "function": ["majority", "kmer", "neighbour"],
    }
    for one in found.values():
        assert {len(answers.texts) for answers in one.answers.values()} == {24}
        assert len(one.nearest) == 24
        assert one.train_items == 60
        assert set(one.seconds) == set(one.answers) - {"majority"}
    assert all(answers.values for name, answers in found["strength"].answers.items() if name != "majority")


def test_kept_answers_serve_again_whatever_the_wording(tmp_path, fitted):
    first = find(tmp_path)
    reworded = changed(ALL, lambda one: replace(one, instruction="Say it.", input="", split="?"))
    assert find(tmp_path, reworded) == first
    assert sorted(fitted) == ["boxes", "function", "strength"]


def test_only_the_task_whose_items_changed_is_answered_anew(tmp_path, fitted):
    find(tmp_path)
    fewer = {name: {**tasks, "boxes": tasks["boxes"][1:]} for name, tasks in ALL.items()}
    find(tmp_path, fewer)
    assert fitted[3:] == ["boxes"]


def test_settings_that_decide_the_answers_make_them_anew_and_others_do_not(tmp_path, fitted):
    find(tmp_path)
    find(tmp_path, config=CONFIG.model_copy(update={"bootstrap": 200, "batch_items": 3}))
    assert len(fitted) == 3
    find(tmp_path, config=CONFIG.model_copy(update={"kmer_max": 2}))
    assert len(fitted) == 6
    find(tmp_path)
    assert len(fitted) == 6


def test_methods_can_be_left_out(tmp_path):
    found = find(tmp_path, config=CONFIG.model_copy(update={"baselines": ("kmer",)}))["boxes"]
    assert (list(found.answers), found.nearest) == (["majority", "kmer"], None)


def test_the_best_is_chosen_on_validation_whatever_the_test_says(tmp_path):
    # The majority is right on every test item, and no better than a guess on validation.
    splits = {
        "train": motif_items(200, seed=1) + [item(id="x")] * 200,
        "valid": motif_items(200, seed=2),
        "test": [one for one in motif_items(60, seed=3) if one.output == "promoter"],
    }
    config = CONFIG.model_copy(update={"kmer_max": 6})
    found = find(tmp_path, {name: {"boxes": items} for name, items in splits.items()}, config)["boxes"]
    assert found.best != "majority"
    assert found.valid["majority"] == 0.0


def test_the_score_that_a_definition_names_chooses_the_best(tmp_path, fitted):
    usual, named = (
        find_baselines(CONFIG, ALL, "boxes", seed=1, kept=tmp_path, metric=metric) for metric in ("mcc", "macro_f1")
    )
    # A constant answer has no MCC; of two labels one has an F1.
    assert usual.valid["majority"] == 0.0
    assert named.valid["majority"] == pytest.approx(1 / 3, abs=0.1)
    assert fitted == ["boxes", "boxes"]
    assert find_baselines(CONFIG, ALL, "boxes", seed=1, kept=tmp_path, metric="macro_f1") == named
    with pytest.raises(DataError, match="task 'boxes': its definition says that fmax decides, and its items have only"):
        find_baselines(CONFIG, ALL, "boxes", seed=1, kept=tmp_path, metric="fmax")


def test_without_validation_items_a_fifth_of_the_training_groups_stands_for_them(tmp_path):
    splits = {"train": {"boxes": motif_items(100, seed=1)}, "valid": {}, "test": {"boxes": motif_items(30, seed=2)}}
    found = find(tmp_path, splits)["boxes"]
    assert found.train_items == 80
    assert set(found.valid) == {"majority", "kmer", "neighbour", "cnn"}


def test_validation_items_that_are_asked_choose_nothing(tmp_path):
    config = CONFIG.model_copy(update={"split": "valid"})
    found = find_baselines(config, ALL, "boxes", seed=1, kept=tmp_path)
    assert len(found.answers["kmer"].texts) == 20
    assert found.train_items == 48


def test_items_without_sequences_have_only_the_majority(tmp_path):
    bare = {"sequences": (), "kinds": ()}
    splits = {name: {"boxes": motif_items(30, seed=1, **bare)} for name in ("train", "valid", "test")}
    assert list(find(tmp_path, splits)["boxes"].answers) == ["majority"]


def test_nothing_known_of_validation_chooses_the_kmer_model():
    assert choose_best({"majority": None, "kmer": None}) == "kmer"
    assert choose_best({"majority": None}) == "majority"


@pytest.mark.parametrize("text", ["{", "[]", '{"task": "boxes"}'])
def test_a_file_that_is_not_ours_is_named(tmp_path, text):
    find(tmp_path, {name: {"boxes": tasks["boxes"]} for name, tasks in ALL.items()})
    (file,) = tmp_path.glob("*.json")
    file.write_text(text)
    with pytest.raises(ArtifactError, match=rf"{file.name}: no baselines of ours .* Remove the file"):
        find(tmp_path)


def test_a_place_where_nothing_can_be_kept_is_named_with_the_option(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ArtifactError, match=r"taken: the baselines cannot be kept here .* --baselines"):
        find(tmp_path / "taken")


@pytest.fixture
def instructions(tmp_path):
    splits = {name: [one for items in tasks.values() for one in items] for name, tasks in ALL.items()}
    return write_instructions(tmp_path / "instructions", splits)


def test_the_stage_writes_every_score_with_size_interval_and_method(instructions, tmp_path):
    made = run_baselines(CONFIG, instructions=instructions, seed=1, output=tmp_path / "b")
    scores = json.loads((tmp_path / "b" / "scores.json").read_text())
    for task in scores.values():
        assert (task["n"], task["train_items"]) == (24, 60)
        for metric in task["scores"].values():
            assert set(metric) <= set(task["methods"])
            assert all(one["n"] == 24 and one["low"] <= one["value"] <= one["high"] for one in metric.values())
    assert list(scores["boxes"]["scores"]) == ["mcc", "accuracy", "macro_f1"]
    assert made.facts["best"] == {task: one["best"] for task, one in scores.items()}
    assert len(list((tmp_path / "baselines").glob("*.json"))) == 3


def test_baselines_only_needs_no_model_and_shows_every_score(instructions, tmp_path, capsys):
    small = options("evaluate.bootstrap=100", "evaluate.kmer_max=2", "evaluate.cnn_letters=1000")
    command = ["evaluate", "--baselines-only", "--instructions", str(instructions), "--output", str(tmp_path / "b")]
    assert cli.run([*command, *small]) == 0
    shown = capsys.readouterr().out
    for word in ("boxes", "mcc", "accuracy", "neighbour", "spearman", "token_f1", " *"):
        assert word in shown, word
    assert cli.run([*command, *small, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"items": 72}


def test_evaluate_without_a_model_says_what_to_give(instructions, tmp_path, capsys):
    command = ["evaluate", "--instructions", instructions, "--output", tmp_path / "b"]
    refused(capsys, command, r"no model\. Name its folder, or give --baselines-only")
