"""Specialists: trained on training items, chosen on validation, kept without pickle, and the same when read again."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene import cli
from llama_gene.artifacts import read_manifest
from llama_gene.config import SpecialistConfig, TasksConfig
from llama_gene.errors import ArtifactError, DataError
from llama_gene.evaluation.specialist import Specialist, load_specialist, task_folders
from llama_gene.evaluation.specialist_fit import Examples, validation_score
from llama_gene.evaluation.specialist_network import network_outputs, training_batches
from llama_gene.evaluation.specialist_train import train_specialist
from llama_gene.tasks.split import split_tasks

TASKS = {
    "gc": (
        'family = "regression"\ninputs = [{ kind = "dna" }]\nmetric = "spearman"\n'
        'reader = { type = "table", files = [{ path = "gc.csv" }], sequences = ["s"], value = "y" }\n'
    ),
    "same": (
        'family = "multi-sequence"\ninputs = [{ kind = "dna" }, { kind = "protein" }]\n'
        'labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]\n'
        'reader = { type = "table", files = [{ path = "same.csv" }], sequences = ["s", "p"], label = "y" }\n'
    ),
}
SMALL = SpecialistConfig(channels=16, epochs=3, kmer_max=3)


def write_rows() -> dict[str, list[str]]:
    """Value: the share of G and C. Label: whether the DNA holds TATA, which the protein then begins with WW."""
    rng = random.Random(1)
    rows: dict[str, list[str]] = {"gc": ["s,y"], "same": ["s,p,y"]}
    for _ in range(160):
        share = rng.random()
        letters = "".join(rng.choice("GC" if rng.random() < share else "AT") for _ in range(rng.randint(30, 60)))
        rows["gc"].append(f"{letters},{100 + 50 * share + rng.gauss(0, 1):.3f}")
        label = rng.randint(0, 1)
        protein = "".join(rng.choices("ACDEFGHIKL", k=20))
        rows["same"].append(f"{letters},{'WW' * label}{protein},{label}")
    return rows


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specialists")
    (folder / "defs").mkdir()
    for name, text in TASKS.items():
        head = f'name = "{name}"\ntitle = "a test"\ndefinition = "What is it?"\n'
        (folder / "defs" / f"{name}.toml").write_text(head + text)
    for name, rows in write_rows().items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    config = TasksConfig.model_validate({"choices": [{"name": name} for name in TASKS], "definitions": ["defs"]})
    split_tasks(config, data=folder, seed=1, output=folder / "splits")
    return folder / "splits"


@pytest.fixture(scope="module")
def trained(splits: Path) -> dict[tuple[str, str], Path]:
    """Both kinds of both tasks."""
    found = {}
    for task in TASKS:
        for model in ("kmer", "cnn"):
            config = SMALL.model_copy(update={"model": model, "epochs": 40 if task == "gc" else 3})
            found[task, model] = splits.parent / f"{task}-{model}"
            train_specialist(config, task=task, splits=splits, seed=1, output=found[task, model])
    return found


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("model", ["kmer", "cnn"])
def test_a_number_that_letters_decide_is_learnt_and_given_on_its_own_scale(
    trained: dict[tuple[str, str], Path], model: str
) -> None:
    specialist = load_specialist(trained["gc", model])
    low, high = specialist.predict(["ATATTAATATATTTAATATATTAAATATAT", "GCGGCGCGCCGGCGCGCGCGGGCCCGCGCG"])
    assert 85 < low < 115
    assert 135 < high < 165
    scores = metrics(trained["gc", model])["candidates"][model]["test"]
    assert scores["spearman"]["value"] > 0.9
    assert scores["r2"]["low"] < scores["r2"]["value"] < scores["r2"]["high"]
    assert scores["pearson"]["n"] == 16


def test_two_inputs_and_labels_are_learnt_and_probabilities_sum_to_one(trained: dict[tuple[str, str], Path]) -> None:
    specialist = load_specialist(trained["same", "kmer"])
    shares = specialist.predict([("ACGT" * 8, "WWACDEFGHIKLACDEFGHIKL"), ("ACGT" * 8, "ACDEFGHIKLACDEFGHIKL")])
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert shares.argmax(axis=1).tolist() == [1, 0]
    assert metrics(trained["same", "kmer"])["candidates"]["kmer"]["test"]["mcc"]["value"] == 1.0


def test_a_folder_holds_json_and_safetensors_alone(trained: dict[tuple[str, str], Path]) -> None:
    for folder in trained.values():
        names = sorted(file.name for file in folder.iterdir())
        assert names == ["manifest.json", "metrics.json", "specialist.json", "specialist.safetensors"]


@pytest.mark.parametrize("model", ["kmer", "cnn"])
@settings(max_examples=15, deadline=None)
@given(items=st.lists(st.text("ACGTN", min_size=1, max_size=80), min_size=1, max_size=9))
def test_an_item_gets_the_same_number_alone_and_in_any_batch(
    trained: dict[tuple[str, str], Path], model: str, items: list[str]
) -> None:
    specialist = load_specialist(trained["gc", model])
    alone = [specialist.predict([item])[0] for item in items]
    assert specialist.predict(items) == pytest.approx(alone, rel=1e-5)
    assert specialist.predict([[item] for item in items], batch_items=2) == pytest.approx(alone, rel=1e-5)


def test_a_long_sequence_is_cut_as_the_task_says(trained: dict[tuple[str, str], Path]) -> None:
    specialist = load_specialist(trained["gc", "cnn"])
    middle, ends = "AT" * 500, "GC" * 300
    assert specialist.predict([ends + middle + ends]) == pytest.approx(specialist.predict([middle]), rel=1e-6)


def test_no_items_give_no_numbers(trained: dict[tuple[str, str], Path]) -> None:
    assert load_specialist(trained["gc", "kmer"]).predict([]).shape == (0,)
    assert load_specialist(trained["same", "kmer"]).predict([]).shape == (0, 2)


def test_another_number_of_sequences_is_refused(trained: dict[tuple[str, str], Path]) -> None:
    with pytest.raises(DataError, match=r"'same' reads 2 sequence\(s\) per item \(dna, protein\), not 1"):
        load_specialist(trained["same", "kmer"]).predict(["ACGT"])


@pytest.mark.parametrize("model", ["kmer", "cnn"])
def test_the_same_seed_gives_the_same_bytes(
    trained: dict[tuple[str, str], Path], splits: Path, tmp_path: Path, model: str
) -> None:
    config = SMALL.model_copy(update={"model": model, "epochs": 40})
    train_specialist(config, task="gc", splits=splits, seed=1, output=tmp_path / "again")
    for name in ("specialist.json", "specialist.safetensors", "metrics.json"):
        assert (tmp_path / "again" / name).read_bytes() == (trained["gc", model] / name).read_bytes()


def test_the_better_on_validation_stays_and_a_second_run_does_nothing(splits: Path, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"epochs": 1})
    made = train_specialist(config, task="gc", splits=splits, seed=1, output=tmp_path / "auto")
    scores = {name: one["valid"]["spearman"]["value"] for name, one in made.facts["candidates"].items()}
    assert made.facts["chosen"] == max(scores, key=lambda name: scores[name])
    assert load_specialist(tmp_path / "auto").card.model == made.facts["chosen"]
    assert made.counts == {"train items": 128, "valid items": 16, "test items": 16}
    before = (tmp_path / "auto").stat().st_ino
    assert train_specialist(config, task="gc", splits=splits, seed=1, output=tmp_path / "auto") == made
    assert (tmp_path / "auto").stat().st_ino == before


def test_nothing_held_out_is_learnt_from(splits: Path, trained: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    shutil.copytree(splits, tmp_path / "splits")
    (tmp_path / "splits" / "test.parquet").write_bytes((splits / "valid.parquet").read_bytes())
    config = SMALL.model_copy(update={"model": "kmer", "epochs": 40})
    train_specialist(config, task="gc", splits=tmp_path / "splits", seed=1, output=tmp_path / "out")
    name = "specialist.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (trained["gc", "kmer"] / name).read_bytes()


def test_every_training_item_is_read_once_per_epoch() -> None:
    rng = np.random.default_rng(1)
    batches = list(training_batches([int(length) for length in rng.integers(10, 90, 1500)], 64, rng))
    assert sorted(place for places in batches for place in places) == list(range(1500))
    assert max(map(len, batches)) == 64


def test_a_validation_score_without_a_meaning_is_the_lowest(trained: dict[tuple[str, str], Path]) -> None:
    specialist = load_specialist(trained["gc", "kmer"])
    assert validation_score(specialist, Examples((("ACGT",),), np.array([1.0]), ("",))) == -np.inf


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "specialist.json").unlink(), r"specialist\.json: no such file"),
        (lambda folder: (folder / "specialist.safetensors").unlink(), r"specialist\.safetensors: no such file"),
        (lambda folder: (folder / "specialist.json").write_text("{"), r"specialist\.json: cannot be read"),
        (lambda folder: (folder / "specialist.safetensors").write_bytes(b"no"), "not the weights of this specialist"),
        (lambda folder: rewrite(folder, kmer_max=2), "not the weights of this specialist"),
        (lambda folder: rewrite(folder, format=9), "format 9, this version reads 1"),
        (lambda folder: rewrite(folder, path="/etc"), "cannot be read"),
    ],
)
def test_a_broken_folder_is_refused(
    trained: dict[tuple[str, str], Path], tmp_path: Path, spoil: Any, said: str
) -> None:
    folder = Path(shutil.copytree(trained["gc", "kmer"], tmp_path / "broken"))
    spoil(folder)
    with pytest.raises(ArtifactError, match=said):
        load_specialist(folder)


def rewrite(folder: Path, **changes: Any) -> None:
    file = folder / "specialist.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_two_specialists_of_one_task_are_refused(trained: dict[tuple[str, str], Path]) -> None:
    folders = [trained["gc", "kmer"], trained["same", "kmer"]]
    assert task_folders(folders) == {"gc": folders[0], "same": folders[1]}
    with pytest.raises(DataError, match="both are specialists of 'gc'"):
        task_folders([trained["gc", "kmer"], trained["gc", "cnn"]])


def test_a_task_that_is_not_there_or_not_for_a_specialist_is_refused(splits: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no task 'gb1'; it holds gc, same"):
        train_specialist(SMALL, task="gb1", splits=splits, seed=1, output=tmp_path / "out")
    copy = Path(shutil.copytree(splits, tmp_path / "splits"))
    tasks = json.loads((copy / "tasks.json").read_text())
    tasks["same"] |= {"family": "function", "inputs": [{"kind": "dna"}], "labels": []}
    tasks["same"]["reader"]["sequences"] = ["s"]
    (copy / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match="this is a function task with free text"):
        train_specialist(SMALL, task="same", splits=copy, seed=1, output=tmp_path / "out")


def test_the_command_trains_and_says_what_it_chose(splits: Path, tmp_path: Path, capsys: Any) -> None:
    arguments = ["tasks", "specialist", "gc", "--splits", str(splits), "--output", str(tmp_path / "out")]
    assert cli.run([*arguments, "--model", "kmer", "--set", "specialist.kmer_max=2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["facts"]["chosen"] == "kmer"
    assert shown["facts"]["spearman on test"] > 0.9
    assert read_manifest(tmp_path / "out").config["kmer_max"] == 2


def test_a_network_reads_a_single_letter(trained: dict[tuple[str, str], Path]) -> None:
    specialist: Specialist = load_specialist(trained["gc", "cnn"])
    given_items = {"max_letters": 5, "keep": "start", "batch_items": 2}
    assert network_outputs(specialist._network, [["A"], ["N"]], ["dna"], **given_items).shape == (2, 1)


@pytest.mark.real_data
@pytest.mark.slow
def test_a_linear_specialist_orders_real_proteins_by_solubility(data: Path, tmp_path: Path) -> None:
    config = TasksConfig.model_validate({"choices": [{"name": "solubility"}]})
    split_tasks(config, data=data, seed=1, output=tmp_path / "splits")
    linear = SpecialistConfig(model="kmer")
    made = train_specialist(linear, task="solubility", splits=tmp_path / "splits", seed=1, output=tmp_path / "out")
    assert made.facts["candidates"]["kmer"]["test"]["spearman"]["low"] > 0.5
