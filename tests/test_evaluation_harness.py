"""Exported tasks run in the LM Evaluation Harness and score as they do here."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answering import function_items, item, motif_items, write_answering_model, write_instructions
from llama_gene import cli
from llama_gene.config import EvaluateConfig
from llama_gene.errors import DataError, TokenizerError
from llama_gene.evaluation.answering import prompt_ids
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.harness import export_harness
from llama_gene.evaluation.items import read_items
from llama_gene.evaluation.shots import add_shots
from llama_gene.prompts import RESPONSE_HEADING
from llama_gene.tokenizer.load import load_tokenizer

NESTED = ("Conform", "Conform to", "Not Conform")


def nested_items(count: int, split: str) -> list[Any]:
    """Labels of which one begins another."""
    letters = [{"train": "ACGT", "valid": "ACCT", "test": "AGGT"}[split] * (place % 9 + 1) for place in range(count)]
    return [
        item(
            id=f"c{place}", task="nested", labels=NESTED, input=text, sequences=(text,), output=NESTED[place % 3],
            split=split,
        )
        for place, text in enumerate(letters)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, instructions/ and harness/ of three small tasks."""
    folder = tmp_path_factory.mktemp("harness")
    model = write_answering_model(folder / "model")
    splits = {
        name: [
            *motif_items(count, seed=count, split=name), *nested_items(count, name),
            *(replace(one, split=name) for one in function_items(4, seed=count)),
        ]
        for name, count in {"train": 20, "valid": 6, "test": 16}.items()
    }  # fmt: skip
    export_harness(write_instructions(folder / "instructions", splits), tokenizer=model, output=folder / "harness")
    return folder


def rows(folder: Path, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "harness" / "data" / f"{task}.jsonl").read_text().splitlines()]


def run_harness(folder: Path, model: Path, tasks: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What lm_eval finds with its Hugging Face backend, from inside the exported folder."""
    lm_eval = pytest.importorskip("lm_eval")
    datasets = pytest.importorskip("datasets")
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder.parent / "cache")
    monkeypatch.chdir(folder)
    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf", model_args={"pretrained": str(model), "dtype": "float32"}, tasks=tasks, device="cpu",
        batch_size=8, bootstrap_iters=0, task_manager=TaskManager(include_path=".", include_defaults=False),
    )  # fmt: skip
    return found


def scores_of(evaluation: Path, task: str) -> dict[str, float]:
    """Score name to value in a report of ours."""
    reports = json.loads((evaluation / "report.json").read_text())["tasks"]
    (found,) = [report for report in reports if report["task"] == task]
    return {score["metric"]: score["ours"]["value"] for score in found["comparisons"]}


@pytest.mark.slow
def test_every_label_has_the_probability_it_has_here(exported, tmp_path, monkeypatch):
    config = EvaluateConfig(bootstrap=100, generate_items=0, max_new_tokens=4, kmer_max=2)
    evaluate(
        config, model=exported / "model", instructions=exported / "instructions", seed=1, output=tmp_path / "evaluation"
    )
    found = run_harness(exported / "harness", exported / "model", ["llama_gene"], monkeypatch)
    lines = (tmp_path / "evaluation" / "predictions.jsonl").read_text().splitlines()
    ours = {record["id"]: record for record in map(json.loads, lines) if record["labels"]}
    compared = 0
    for name in ("boxes", "nested"):
        for sample in found["samples"][f"llama_gene_{name}"]:
            likelihoods = np.array([float(answer[0][0]) for answer in sample["resps"]])
            probabilities = np.exp(likelihoods - np.logaddexp.reduce(likelihoods))
            expected = [ours[sample["doc"]["id"]]["scores"][label] for label in ours[sample["doc"]["id"]]["labels"]]
            assert probabilities == pytest.approx(expected, abs=1e-4)
            compared += 1
        assert (
            found["results"][f"llama_gene_{name}"]["acc,none"] == scores_of(tmp_path / "evaluation", name)["accuracy"]
        )
    assert compared == 32
    assert "exact_match,none" in found["results"]["llama_gene_function"]


@pytest.mark.slow
def test_a_tuned_model_has_the_accuracy_and_mcc_it_has_here(small_run, tmp_path, monkeypatch):
    run = small_run / "runs" / "demo"
    export_harness(run / "instructions", tokenizer=run / "tokenizer", output=tmp_path / "harness")
    tasks = ["demo-promoter", "demo-interaction"]
    found = run_harness(tmp_path / "harness", run / "finetuned", [f"llama_gene_{task}" for task in tasks], monkeypatch)
    for task in tasks:
        theirs, ours = found["results"][f"llama_gene_{task}"], scores_of(run / "evaluation", task)
        assert theirs["acc,none"] == pytest.approx(ours["accuracy"])
        assert theirs["mcc,none"] == pytest.approx(ours["mcc"])


def test_context_and_choice_are_prompt_and_answer(exported):
    tokenizer = load_tokenizer(exported / "model")
    for row in rows(exported, "nested"):
        for label, choice in zip(NESTED, row["choices"], strict=True):
            text = row["context"] + choice
            assert text.startswith("<s>Below is an instruction")
            assert text.endswith(f"{RESPONSE_HEADING}{label}</s>")
            ids = tokenizer.encode_prompt(text)
            assert ids[-1] == tokenizer.eos_id
        assert not row["context"][-1].isspace()
        assert NESTED[row["answer"]] in NESTED


def test_examples_stand_in_the_context_as_they_stand_in_the_prompt(exported, tmp_path):
    instructions, model = exported / "instructions", exported / "model"
    export_harness(instructions, tokenizer=model, output=tmp_path / "harness", shots=2, seed=1)
    tokenizer = load_tokenizer(model)
    items = {name: list(read_items(instructions / f"{name}.jsonl")) for name in ("train", "test")}
    for task in ("boxes", "function"):
        asked, train = ([one for one in items[name] if one.task == task] for name in ("test", "train"))
        shown = add_shots(asked, train, 2, seed=1, fits=lambda _: True)
        for row, one in zip(rows(tmp_path, task), shown, strict=True):
            whole = row["context"] + (":\n" if "choices" in row else "")
            assert tokenizer.encode_prompt(whole) == prompt_ids(one, tokenizer)
            assert whole.count(RESPONSE_HEADING) == 3


def test_free_text_is_written_behind_the_whole_prompt(exported):
    for row in rows(exported, "function"):
        assert row["context"].endswith(RESPONSE_HEADING)
        assert isinstance(row["answer"], str)
        assert "choices" not in row


def test_a_vocabulary_that_joins_heading_and_answer_is_refused(exported, tmp_path, monkeypatch):
    from llama_gene.tokenizer import load

    plain = load.GeneTokenizer.encode_prompt

    def joining(self: Any, text: str) -> list[int]:
        return plain(self, text.replace("Response:\nC", "Response:C"))

    monkeypatch.setattr(load.GeneTokenizer, "encode_prompt", joining)
    with pytest.raises(TokenizerError, match=r"joins '### Response:' with the answer 'Conform'.*line breaks"):
        export_harness(exported / "instructions", tokenizer=exported / "model", output=tmp_path / "harness")


def test_no_items_are_refused(exported, tmp_path):
    empty = write_instructions(tmp_path / "instructions", {"test": []})
    with pytest.raises(DataError, match=r"test\.jsonl: holds no instructions"):
        export_harness(empty, tokenizer=exported / "model", output=tmp_path / "harness")


@pytest.mark.slow
def test_tasks_build_exports_on_the_way(small_run, tmp_path, capsys):
    run = small_run / "runs" / "demo"
    command = ["tasks", "build", "--splits", run / "splits", "--tokenizer", run / "tokenizer", "--config"]
    command += [
        small_run / "recipes" / "demo",
        "--output",
        tmp_path / "built",
        "--harness",
        tmp_path / "harness",
        "--json",
    ]
    assert cli.run([str(word) for word in command]) == 0
    assert json.loads(capsys.readouterr().out)["stage"] == "tasks-build"
    assert (tmp_path / "harness" / "llama_gene.yaml").read_text().count("llama_gene_demo-") == 8
