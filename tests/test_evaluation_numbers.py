"""Numbers back from bins, their scores, and answers by a tool from the call to the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score

from answering import item, strength_items, write_answering_model, write_instructions
from llama_gene.artifacts import Manifest
from llama_gene.config import EvaluateConfig, FinetuneConfig, SpecialistConfig, TaskChoice, TasksConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.linear import answer_by_kmers
from llama_gene.evaluation.numbers import bin_values, expected_values, value_scores
from llama_gene.evaluation.specialist import load_specialist
from llama_gene.evaluation.specialist_train import train_specialist
from llama_gene.evaluation.tools import Tool, answer_calls
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.definitions import read_task
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.tool_calls import write_call
from llama_gene.training.finetune import finetune
from models import make_model, make_vocabulary
from splitting import NO_CALLS

CONFIG = EvaluateConfig(
    bootstrap=100, generate_items=2, max_new_tokens=4, kmer_max=3, batch_items=8, baselines=("kmer", "neighbour")
)
DEFINITION = (
    'name = "gc"\ntitle = "richness prediction"\nfamily = "regression"\ndefinition = "How rich?"\nmetric = "spearman"\n'
    'inputs = [{ kind = "dna" }]\nnumbers = { tool = "measure", unit = "%" }\n'
    'reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], value = "y" }\n'
    "split = { shares = [0.6, 0.1, 0.3] }\n"
)


def binned(value: float, label: str) -> Any:
    return item(id=str(value), output=label, labels=("low", "high"), value=value, family="regression")


TRAIN = [binned(1.0, "low"), binned(2.0, "low"), binned(6.0, "low"), binned(10.0, "high"), binned(20.0, "high")]


def test_a_number_is_the_mean_or_median_of_each_bin_weighted_by_its_probability() -> None:
    shares = np.array([[1.0, 0.0], [0.25, 0.75]])
    test = [binned(3.0, "low"), binned(12.0, "high")]
    assert expected_values(shares, TRAIN, test) == (3.0, 0.25 * 3 + 0.75 * 15)
    assert expected_values(shares, TRAIN, test, "median") == (2.0, 0.25 * 2 + 0.75 * 15)


def test_held_out_values_change_no_number() -> None:
    shares = np.array([[0.5, 0.5]])
    numbers = {expected_values(shares, TRAIN, [binned(value, "low")]) for value in (-1e9, 0.0, 1e9)}
    assert len(numbers) == 1


def test_a_bin_that_training_never_showed_stands_for_the_middle_of_all() -> None:
    assert bin_values(TRAIN, ("low", "other"), "mean").tolist() == [3.0, 7.8]


def test_a_task_without_values_has_no_numbers() -> None:
    assert expected_values(np.array([[0.5, 0.5]]), [item()], [item()]) is None
    assert expected_values(None, TRAIN, TRAIN) is None


def test_scores_of_numbers_equal_scipy_and_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    right = 1e6 + rng.normal(0, 3, 300)
    given = right + rng.normal(1, 2, 300)
    found = value_scores(right, given, units=np.arange(300), resamples=500, seed=1)
    assert list(found) == ["spearman", "pearson", "r2"]
    assert found["spearman"].value == pytest.approx(spearmanr(right, given).statistic)
    assert found["pearson"].value == pytest.approx(pearsonr(right, given).statistic)
    assert found["r2"].value == pytest.approx(r2_score(right, given))
    for one in found.values():
        assert one.low < one.value < one.high


def test_the_same_number_for_every_item_has_no_correlation_and_an_r2_below_zero() -> None:
    found = value_scores(np.array([1.0, 2, 3, 6]), np.full(4, 4.0), units=np.arange(4), resamples=100, seed=1)
    assert (found["spearman"].value, found["pearson"].value) == (0.0, 0.0)
    assert found["r2"].value == pytest.approx(1 - (9 + 4 + 1 + 4) / 14)
    equal = value_scores(np.ones(4), np.arange(4.0), units=np.arange(4), resamples=100, seed=1)
    assert [one.value for one in equal.values()] == [None, None, None]


def test_the_baseline_of_a_number_is_ridge_regression() -> None:
    numbers = [
        [item(**one.record() | {"labels": None, "kinds": ("dna",)}) for one in strength_items(count, seed=count)]
        for count in (80, 20, 40)
    ]
    found = answer_by_kmers(*numbers, kmer_max=2)
    assert found.method == "k-mer ridge regression"
    assert spearmanr([one.value for one in numbers[2]], found.values).statistic > 0.9


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task answered by a tool: splits, its specialist, and instructions for two vocabularies."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(DEFINITION)
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(100):
        share = rng.random()
        letters = "".join(rng.choice(list("GC" if rng.random() < share else "AT")) for _ in range(40))
        rows.append(f"{letters},{100 * share:.2f}")
    (folder / "t.csv").write_text("\n".join(["s,y", *rows]))
    config = TasksConfig(
        tool_calls=NO_CALLS, choices=(TaskChoice(name="gc", answer="tool"),), definitions=("defs",), max_tokens=512
    )
    split_tasks(config, data=folder, seed=1, output=folder / "splits")
    small = SpecialistConfig(model="kmer", kmer_max=2)
    train_specialist(small, task="gc", splits=folder / "splits", seed=1, output=folder / "specialist")
    for name, tokenizer in (("random", write_answering_model(folder / "model")), ("tuned", make_vocabulary(folder))):
        build_tasks(config, splits=folder / "splits", tokenizer=tokenizer, seed=1, output=folder / name)
    return folder


def tool_of(parts: Path) -> Tool:
    return Tool(read_task(parts / "defs" / "t.toml"), load_specialist(parts / "specialist"))


def asked(values: list[float]) -> list[Any]:
    fields: dict[str, Any] = {"task": "gc", "family": "regression", "labels": None, "output": write_call("measure")}
    return [item(**fields, value=value, sequences=("ACGT" * 8,)) for value in values]


def test_a_valid_call_gets_the_specialists_number_and_a_wrong_one_the_training_mean(parts: Path) -> None:
    written = [write_call("measure"), write_call("predict"), "high", '{"tool": "measure", "sequence": "ACGT"}']
    found = answer_calls(asked([1, 2, 3, 4]), written, tool_of(parts), train=asked([10.0, 20.0]))
    assert found.calls == ("valid", "unknown tool", "no JSON object", "sequence not @input")
    assert found.values == (tool_of(parts).specialist.predict(["ACGT" * 8])[0], 15.0, 15.0, 15.0)


def judge(parts: Path, model: Path, name: str, **more: Any) -> Manifest:
    given = {"specialists": {"gc": parts / "specialist"}} | more
    return evaluate(CONFIG, model=model, instructions=parts / name, seed=1, output=parts / f"{name}-out", **given)


def test_a_model_that_cannot_call_scores_nothing_and_each_reason_is_counted(parts: Path) -> None:
    made = judge(parts, parts / "model", "random")
    report = json.loads((parts / "random-out" / "report.json").read_text())["tasks"][0]
    assert [found["metric"] for found in report["comparisons"]] == ["spearman", "pearson", "r2"]
    assert report["comparisons"][0]["ours"]["value"] == 0.0
    assert report["comparisons"][0]["kmer"]["value"] > 0.8
    assert sum(report["calls"].values()) == report["n"] == 30
    assert "valid" not in report["calls"]
    assert sum(count for name, count in made.counts.items() if name.startswith("calls of gc: ")) == 30
    assert made.inputs["specialist gc"]
    lines = (parts / "random-out" / "predictions.jsonl").read_text().splitlines()
    train = (parts / "random" / "train.jsonl").read_text().splitlines()
    mean = np.mean([json.loads(line)["value"] for line in train])
    for record in map(json.loads, lines):
        assert (record["correct"], record["final_answer"]) == (False, None)
        assert record["predicted_value"] == pytest.approx(mean)


@pytest.mark.slow
def test_a_model_that_is_tuned_to_call_scores_what_its_specialist_does(parts: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(
        method="full", epochs=14, row_tokens=512, learning_rate=8e-3, rows_per_step=2, save_minutes=60, bf16="off"
    )
    made = finetune(
        config, model=make_model(tmp_path, parts / "vocabulary"), instructions=parts / "tuned", seed=1,
        output=tmp_path / "tuned",
    )  # fmt: skip
    assert made.counts["instructions"] == 60
    manifest = judge(parts, tmp_path / "tuned", "tuned")
    assert manifest.counts["calls of gc: valid"] == 30
    report = json.loads((parts / "tuned-out" / "report.json").read_text())["tasks"][0]
    own = json.loads((parts / "specialist" / "metrics.json").read_text())["candidates"]["kmer"]["test"]
    for found in report["comparisons"]:
        assert found["ours"]["value"] == pytest.approx(own[found["metric"]]["value"])
    record = json.loads((parts / "tuned-out" / "predictions.jsonl").read_text().splitlines()[0])
    assert record["final_answer"] == f"The richness prediction gives {record['predicted_value']:.4g} %."
    assert "| gc | 30 | 30 |  |" in (parts / "tuned-out" / "report.md").read_text()
    assert "Answered by a tool" in (parts / "tuned-out" / "report.html").read_text()


def test_a_task_answered_by_a_tool_needs_its_own_specialist(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"task 'gc' is answered by a tool, and its specialist is not given"):
        judge(parts, parts / "model", "random", specialists={})
    other = tmp_path / "other"
    other.mkdir()
    for name in ("specialist.json", "specialist.safetensors"):
        (other / name).write_bytes((parts / "specialist" / name).read_bytes())
    card = json.loads((other / "specialist.json").read_text())
    (other / "specialist.json").write_text(json.dumps(card | {"task": "solubility"}))
    with pytest.raises(DataError, match=r"a specialist of 'solubility' that gives a number\. Expected one of 'gc'"):
        judge(parts, parts / "model", "random", specialists={"gc": other})


def test_predictions_of_bins_hold_the_number_too(tmp_path: Path) -> None:
    splits = {"train": strength_items(60, seed=1), "test": strength_items(12, seed=2)}
    instructions = write_instructions(tmp_path / "instructions", splits)
    model = write_answering_model(tmp_path / "model")
    evaluate(CONFIG, model=model, instructions=instructions, seed=1, output=tmp_path / "out")
    means = bin_values(splits["train"], ("low", "middle", "high"), "mean")
    for record in map(json.loads, (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()):
        assert record["predicted_value"] == pytest.approx(np.dot(list(record["scores"].values()), means))
    report = json.loads((tmp_path / "out" / "report.json").read_text())["tasks"][0]
    assert [found["metric"] for found in report["comparisons"]][:3] == ["spearman", "pearson", "r2"]
