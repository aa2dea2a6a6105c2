"""Two runs side by side: the same items, item by item; anything else is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from answering import item, motif_items, strength_items, write_answering_model, write_instructions
from llama_gene.config import EvaluateConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.items import read_splits
from llama_gene.evaluation.metrics import difference, draw_scores, measure_labels, measure_mean
from llama_gene.evaluation.predictions import name_runs, read_run

CONFIG = EvaluateConfig(bootstrap=100, generate_items=0, baselines=("kmer",), kmer_max=2)


def run(folder: Path, name: str, *, seed: int, against=()) -> Path:
    model = write_answering_model(folder / f"model-{name}", seed=seed)
    output = folder / name / "evaluation"
    output.parent.mkdir()
    evaluate(CONFIG, model=model, instructions=folder / "instructions", seed=1, output=output, against=against)
    return output


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    splits = {
        name: [*motif_items(count, seed=count), *strength_items(count, seed=count)]
        for name, count in {"train": 40, "valid": 20, "test": 30}.items()
    }
    write_instructions(folder / "instructions", splits)
    first = run(folder, "first", seed=1)
    second = run(folder, "second", seed=2)
    return folder, first, second, run(folder, "third", seed=1, against=[first, second])


def rivals(folder: Path) -> dict[str, dict]:
    tasks = json.loads((folder / "report.json").read_text())["tasks"]
    return {task["task"]: {rival["run"]: rival for rival in task["rivals"]} for task in tasks}


def test_the_same_model_differs_by_nothing_with_p_one(runs):
    for task in rivals(runs[3]).values():
        for apart in task["first/evaluation"]["differences"].values():
            assert (apart["value"], apart["low"], apart["high"], apart["p"]) == (0.0, 0.0, 0.0, 1.0)


def test_each_other_run_stands_with_its_own_scores_and_the_difference(runs):
    _, _, second, third = runs
    theirs = {task["task"]: task for task in json.loads((second / "report.json").read_text())["tasks"]}
    for name, task in rivals(third).items():
        rival = task["second/evaluation"]
        for found in theirs[name]["comparisons"]:
            assert rival["scores"][found["metric"]] == pytest.approx(found["ours"])


def test_the_reports_show_both_runs(runs):
    text = (runs[3] / "report.md").read_text()
    assert "Against first/evaluation, item by item:" in text
    assert "Against second/evaluation, item by item:" in text
    page = (runs[3] / "report.html").read_text()
    assert page.count("Against second/evaluation") == 1


def test_the_baselines_were_made_once_for_all_three(runs):
    assert len(list((runs[0] / "baselines").iterdir())) == 2


def changed(folder: Path, change) -> Path:
    """A copy of a run whose prediction records are changed."""
    copy = folder.parent.with_name(f"{folder.parent.name}-changed")
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    records = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    (copy / "predictions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in change(records)))
    return copy


def relabelled(records):
    records[0]["output"] = "promoter" if records[0]["output"] != "promoter" else "Non-promoter"
    return records


def respelled(records):
    records[0]["sequences"] = ["A" * len(records[0]["sequences"][0])]
    return records


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda records: records[1:], "task 'boxes' has 29 items here and 30 in this run, and '30-0' is in one only"),
        (lambda records: [*records, records[0]], "item '30-0' stands twice in its task"),
        (lambda records: [one for one in records if one["task"] == "boxes"], "task 'strength' is in one run only"),
        (relabelled, "item '30-0' of task 'boxes' has output"),
        (respelled, "item '30-0' of task 'boxes' has other letters there"),
        (lambda records: [{**records[0], "response": None}], "predictions.jsonl:1: no response"),
    ],
)
def test_other_items_are_refused_with_what_differs(runs, change, message):
    asked = read_splits(runs[0] / "instructions", "test")["test"]
    with pytest.raises(DataError, match=message):
        read_run(changed(runs[1], change), asked)


def test_a_shortened_sequence_and_another_wording_are_the_same_item(runs):
    def change(records):
        return [
            {**one, "instruction": "Say it.", "input": "", "sequences": [text[:-1] for text in one["sequences"]]}
            for one in records
        ]

    asked = read_splits(runs[0] / "instructions", "test")["test"]
    again = read_run(changed(runs[1], change), asked)
    assert again["boxes"].texts == read_run(runs[1], asked)["boxes"].texts


def test_a_folder_without_predictions_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no predictions\.jsonl\. Expected a folder that `llama-gene evaluate`"):
        read_run(tmp_path, {"boxes": [item()]})


def test_runs_are_named_by_as_much_of_their_path_as_tells_them_apart():
    assert list(name_runs([Path("/x/a"), Path("/x/b"), Path("/x/a")])) == ["a", "b"]
    assert list(name_runs([Path("/x/a/e"), Path("/x/b/e")])) == ["a/e", "b/e"]
    assert name_runs([]) == {}


def test_a_paired_test_sees_what_overlapping_intervals_hide():
    # Both are right on the same hard half; one is also right on 12 more of 200 items.
    units = np.arange(200)
    worse = np.r_[np.ones(100), np.zeros(100)]
    better = np.r_[np.ones(112), np.zeros(88)]
    drawn = draw_scores(
        {"better": measure_mean(better), "worse": measure_mean(worse)}, units=units, resamples=2000, seed=1
    )
    found = difference(drawn["better"], drawn["worse"])
    assert found.value == pytest.approx(0.06)
    assert found.low > 0
    assert found.p < 0.01
    assert np.percentile(drawn["better"].resamples_R, 2.5) < np.percentile(drawn["worse"].resamples_R, 97.5)


def test_the_difference_of_mcc_has_the_sign_of_the_better_and_p_is_symmetric():
    rng = np.random.default_rng(1)
    right = rng.integers(0, 2, 300)
    good = np.where(rng.random(300) < 0.9, right, 1 - right)
    bad = np.where(rng.random(300) < 0.6, right, 1 - right)
    measured = {name: measure_labels(right, said, 2)["mcc"] for name, said in (("good", good), ("bad", bad))}
    drawn = draw_scores(measured, units=np.arange(300), resamples=500, seed=1)
    there, back = difference(drawn["good"], drawn["bad"]), difference(drawn["bad"], drawn["good"])
    assert there.low > 0 > back.high
    assert there.p == back.p == pytest.approx(2 / 501)
    assert there.value == -back.value
