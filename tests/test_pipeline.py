"""The whole chain: nothing is done twice, a change rebuilds what depends on it, and every folder is a standard one."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from llama_gene import artifacts, cli
from llama_gene.artifacts import read_manifest
from llama_gene.config import load_recipe
from llama_gene.evaluation import evaluate as evaluation
from llama_gene.recipe import steps
from llama_gene.training import finetune as tuning
from llama_gene.training import pretrain as pretraining
from running import RECIPE, options, run_small, small

STAGES = {
    "demo data": "data",
    "tasks split": "splits",
    "corpus build": "corpus",
    "tokenizer extend": "tokenizer",
    "corpus pack": "blocks",
    "model extend": "model",
    "pretrain": "pretrained",
    "tasks build": "instructions",
    "finetune": "finetuned",
    "evaluate": "evaluation",
}
ORDER = list(STAGES)


def document(capsys):
    """What was printed, which is one JSON document and nothing else."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def traces(folder):
    """Every file and folder with what a rewrite would change."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_size)
        for path in sorted([folder, *folder.rglob("*")])
    }


@pytest.fixture
def run_copy(small_run, tmp_path):
    """A copy of the small run that a test may change."""
    return Path(shutil.copytree(small_run / "runs" / "demo", tmp_path / "run"))


# --- what is run again -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_running_again_does_nothing(small_run, capsys):
    folder = small_run / "runs" / "demo"
    before = traces(folder)
    assert run_small(folder) == 0
    done = document(capsys)
    assert list(done) == ORDER
    assert not [stage for stage, told in done.items() if told["ran"]]
    assert traces(folder) == before


CHANGES = [
    ("seed=2", ORDER),
    ("demo.pairs=44", ORDER),
    ("demo.genes=44", ORDER),
    ("tasks.choices.0.test=5", ORDER[1:]),
    ("tasks.on_invalid=error", ORDER[1:]),
    ("corpus.valid_share=0.05", ORDER[2:]),
    ("corpus.fragment_max_bp=280", ORDER[2:]),
    ("tokenizer.dna_size=60", ORDER[3:]),
    ("tokenizer.method=append", ORDER[3:]),
    ("pack.block_tokens=256", ["corpus pack", "pretrain", "finetune", "evaluate"]),
    ("model.rope_theta=20000", ["model extend", "pretrain", "finetune", "evaluate"]),
    ("model.pad_rows_to=32", ["model extend", "pretrain", "finetune", "evaluate"]),
    ("pretrain.learning_rate=1e-3", ["pretrain", "finetune", "evaluate"]),
    ("pretrain.max_steps=4", ["pretrain", "finetune", "evaluate"]),
    ("tasks.max_tokens=300", ["tasks build", "finetune", "evaluate"]),
    ("tasks.max_answer_tokens=60", ["tasks build", "finetune", "evaluate"]),
    ("tasks.tool_calls.train=0", ["tasks build", "finetune", "evaluate"]),
    ("tasks.choices.0.spelling=joined", ["tasks build", "finetune", "evaluate"]),
    ("pretrain.save_minutes=1", []),
    ("finetune.keep_checkpoints=1", []),
    ("finetune.learning_rate=1e-3", ["finetune", "evaluate"]),
    ("finetune.loss_on=text", ["finetune", "evaluate"]),
    ("evaluate.bootstrap=101", ["evaluate"]),
    ("name=renamed", ["evaluate"]),
    ("description=told otherwise", []),
    ("chat.temperature=0.5", []),
]


@pytest.fixture
def training_is_skipped(monkeypatch):
    """Stages that train or answer keep the result they have under their new key: which of them run is the question."""

    def build_stage(stage, output, build, **settings):
        return artifacts.build_stage(
            stage, output, lambda work, _: shutil.copytree(output, work, dirs_exist_ok=True), **settings
        )

    for module in (pretraining, tuning, evaluation):
        monkeypatch.setattr(module, "build_stage", build_stage)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "expected"), CHANGES, ids=[setting for setting, _ in CHANGES])
def test_a_changed_setting_rebuilds_exactly_what_depends_on_it(
    run_copy, capsys, training_is_skipped, setting, expected
):
    before = traces(run_copy)
    assert run_small(run_copy, setting) == 0
    done = document(capsys)
    assert [stage for stage in ORDER if done[stage]["ran"]] == expected
    after = traces(run_copy)
    for stage in set(ORDER) - set(expected):
        kept = {path: trace for path, trace in before.items() if path.parts[:1] == (STAGES[stage],)}
        assert kept
        assert kept == {path: trace for path, trace in after.items() if path.parts[:1] == (STAGES[stage],)}


@pytest.mark.slow
def test_a_rebuilt_chain_holds_together_and_setting_it_back_rebuilds_it_too(run_copy, capsys):
    keys = {stage: read_manifest(run_copy / folder).key for stage, folder in STAGES.items()}
    for settings, changed in ((["tasks.max_tokens=300"], True), ([], False)):
        assert run_small(run_copy, *settings) == 0
        done = document(capsys)
        assert [stage for stage in ORDER if done[stage]["ran"]] == ["tasks build", "finetune", "evaluate"]
        manifests = {stage: read_manifest(run_copy / folder) for stage, folder in STAGES.items()}
        assert manifests["finetune"].inputs["instructions"] == manifests["tasks build"].key
        assert manifests["evaluate"].inputs["model"] == manifests["finetune"].key
        assert (manifests["evaluate"].key != keys["evaluate"]) is changed
    assert {stage: manifest.key for stage, manifest in manifests.items()} == keys


# --- folders ---------------------------------------------------------------------------------------------------------

PLAIN = '''
"""Open every folder of a run with public libraries alone."""
import json, sys
from pathlib import Path
from datasets import load_dataset
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

run, tuned, cache = map(Path, sys.argv[1:])
words = AutoTokenizer.from_pretrained(run / "tokenizer")

def table(form, **files):
    return load_dataset(form, data_files={name: str(run / path) for name, path in files.items()}, cache_dir=str(cache))

splits = table("parquet", train="splits/train.parquet", valid="splits/valid.parquet", test="splits/test.parquet")
assert all(len(split) and set(split["split"]) == {name} for name, split in splits.items())

corpus = table("parquet", train="corpus/train/*.parquet", valid="corpus/valid/*.parquet")
assert corpus["train"].column_names == ["id", "kind", "text", "source", "split"]
assert set(corpus["train"]["kind"]) == {"dna", "protein", "text"}

blocks = table("arrow", train="blocks/train/*.arrow", valid="blocks/valid/*.arrow")["train"]
assert blocks.column_names == ["input_ids", "lengths", "kinds", "letters"]
assert all(sum(row["lengths"]) == len(row["input_ids"]) and max(row["input_ids"]) < len(words) for row in blocks)

asked = table("json", **{name: f"instructions/{name}.jsonl" for name in ("train", "valid", "test")})
record = asked["test"][0]
assert {"instruction", "input", "output", "task", "family", "split", "labels", "group"} <= set(record)

answers = table("json", test="evaluation/predictions.jsonl")["test"]
assert {"response", "scores", "correct"} <= set(answers.column_names) and len(answers) == len(asked["test"])
assert json.loads((run / "evaluation" / "report.json").read_text())["synthetic"] is True

message = [{"role": "user", "content": record["instruction"] + "\\n\\n### Input:\\n" + record["input"]}]
for name in ("model", "pretrained", "finetuned"):
    tokenizer = AutoTokenizer.from_pretrained(run / name)
    assert tokenizer.get_vocab() == words.get_vocab()
    model = AutoModelForCausalLM.from_pretrained(run / name)
    assert model.get_input_embeddings().weight.shape[0] >= len(tokenizer)
    prompt = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert model.generate(**prompt, max_new_tokens=3).shape[1] > prompt["input_ids"].shape[1]

adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(run / "pretrained"), tuned / "adapter")
assert adapted.generate(**prompt, max_new_tokens=3).shape[0] == 1
assert not [name for name in sys.modules if name.startswith("llama_gene")]
'''


@pytest.mark.slow
def test_every_folder_opens_with_datasets_transformers_and_peft_alone(small_run, tmp_path, capsys):
    run, tuned = small_run / "runs" / "demo", tmp_path / "tuned"
    command = "finetune RUN/pretrained --instructions RUN/instructions --set finetune.epochs=0.05 --output OUT"
    assert cli.run(resolved(command, small_run, tuned)) == 0
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, run, tuned, tmp_path / "cache"],
        cwd=tmp_path, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# --- what tasks ask is not read -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_leaves_out_of_its_corpus_what_its_tasks_ask_and_says_for_which(small_run):
    manifest = read_manifest(small_run / "runs" / "demo" / "corpus")
    asked = {choice.name for choice in load_recipe(RECIPE).tasks.choices}
    assert "exclude" in manifest.inputs
    assert set(manifest.facts["task_items"]) == asked
    # Genes of the demo are in its corpus, so what a task asks about genes is there to be left out.
    for kind in ("dna", "protein"):
        removed = manifest.counts[f"{kind} documents removed: holds a task item"]
        by_task = {task: manifest.counts.get(f"{kind} documents that hold an item of {task}", 0) for task in asked}
        assert 0 < removed <= sum(by_task.values())
        assert by_task["demo-central-dogma"] > 0


# --- the command line ------------------------------------------------------------------------------------------------

SHORT = (
    "pretrain.method=full", "pretrain.max_steps=1", "finetune.method=full", "finetune.epochs=0.01",
    "evaluate.generate_items=0", "evaluate.bootstrap=100",
)  # fmt: skip
# RECIPE, RUN and OUT stand for paths, SMALL for the settings of the small run.
VERBS = {
    "run": "run RECIPE --output RUN SMALL",
    "run --check": "run RECIPE --check SMALL",
    "demo": "demo --output RUN SMALL",
    "doctor": "doctor",
    "corpus plan": "corpus plan --data RUN/data --config RECIPE",
    "corpus build": "corpus build --data RUN/data --config RECIPE --output OUT",
    "corpus pack": "corpus pack --corpus RUN/corpus --tokenizer RUN/tokenizer --output OUT",
    "tokenizer train": "tokenizer train --dna RUN/data/genomes/*.fa.gz --size 300 --output OUT",
    "tokenizer extend": "tokenizer extend tiny --protein RUN/data/proteins --protein-size 16 --dna-size 0 --output OUT",
    "tokenizer audit": "tokenizer audit RUN/tokenizer --base tiny --protein RUN/data/proteins",
    "tasks list": "tasks list",
    "tasks show": "tasks show promoter-core",
    "tasks add": "tasks add RUN/data/tasks/splice.csv --output OUT",
    "tasks split": "tasks split --data RUN/data --config RECIPE --output OUT",
    "tasks specialist": "tasks specialist demo-strength --splits RUN/splits --model kmer --output OUT",
    "tasks build": "tasks build --splits RUN/splits --tokenizer RUN/tokenizer --config RECIPE --output OUT",
    "model extend": "model extend --tokenizer RUN/tokenizer --output OUT",
    "pretrain": "pretrain RUN/model --blocks RUN/blocks --output OUT SHORT",
    "finetune": "finetune RUN/pretrained --instructions RUN/instructions --output OUT SHORT",
    "evaluate": "evaluate RUN/finetuned --instructions RUN/instructions --output OUT SHORT",
    "score": "score RUN/evaluation/predictions.jsonl",
    "predict": "predict RUN/finetuned RUN/data/tasks/promoter.csv --task demo-promoter --output answers.tsv",
    "index": "index RUN/data/proteins --output OUT",
}


def resolved(words, small_run, output):
    """The arguments of a line of `VERBS` on the small run."""
    stand_for = {
        "RECIPE": [str(RECIPE)], "RUN": [str(small_run / "runs" / "demo")], "OUT": [str(output)], "SMALL": small(),
        "SHORT": options(*SHORT),
    }  # fmt: skip
    arguments = []
    for word in words.split():
        head, slash, rest = word.partition("/")
        first, *more = stand_for.get(head, [head])
        arguments += [first + slash + rest, *more]
    return [*arguments, "--json"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_json_is_one_document_and_nothing_else(verb, small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(resolved(VERBS[verb], small_run, tmp_path / "out")) == 0
    assert document(capsys)


def commands(group: object, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, (*before, name)) if hasattr(command, "commands") else [(*before, name)]


def every_command():
    return list(commands(typer.main.get_command(cli.build_app())))


def test_every_verb_but_the_talking_ones_is_asked_for_json_above():
    # A merge needs an adapter, and what is fetched a server: see the next test, and test_corpus_fetch.py.
    apart = {("model", "merge"), ("chat",), ("serve",), ("mcp",), ("corpus", "fetch")}
    assert {tuple(verb.split()) for verb in VERBS if "--" not in verb} == set(every_command()) - apart


@pytest.mark.slow
def test_a_merge_tells_json_too(small_run, tmp_path, capsys):
    run = small_run / "runs" / "demo"
    settings = ["--set", "pretrain.max_steps=1"]
    command = [
        "pretrain",
        run / "model",
        "--blocks",
        run / "blocks",
        "--output",
        tmp_path / "lora",
        "--json",
        *settings,
    ]
    assert cli.run([str(part) for part in command]) == 0
    assert document(capsys)["stage"] == "pretrain"
    command = ["model", "merge", run / "model", "--adapter", tmp_path / "lora/adapter", "--output", tmp_path / "merged"]
    assert cli.run([*(str(part) for part in command), "--json"]) == 0
    assert document(capsys)["stage"] == "merge"


HELP = """
import sys
from llama_gene import cli
for words in sys.argv[1:]:
    assert cli.run([*words.split(), "--help"]) == 0, words
assert not {"torch", "transformers", "datasets", "pyarrow", "scipy", "sklearn"} & set(sys.modules)
"""


def test_help_of_every_verb_loads_nothing_heavy():
    words = ["", "corpus", "tokenizer", "tasks", "model", *(" ".join(command) for command in every_command())]
    done = subprocess.run([sys.executable, "-c", HELP, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: llama-gene") == len(words)


@pytest.mark.slow
def test_a_check_prints_the_plan_and_makes_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["run", str(RECIPE), "--check"]) == 0
    told = capsys.readouterr().out
    for line in (
        *ORDER,
        "parameters",
        "trainable, finetune",
        "tokens, pretrain",
        "memory, pretrain",
        "minutes, evaluate",
    ):
        assert re.search(rf"^{re.escape(line)}\b", told, re.MULTILINE), line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_no_command_opens_a_connection(small_run, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for verb in ("model extend", "pretrain", "finetune", "evaluate"):
        command = resolved(VERBS[verb], small_run, tmp_path / verb.replace(" ", "-"))
        assert cli.run(command) == 0, capsys.readouterr().err


def test_specialists_come_after_the_splits_where_a_task_asks_for_one(tmp_path):
    recipe = load_recipe(RECIPE, ["tasks.choices.7.answer='tool'", "tasks.choices.0.specialist='kmer'"])
    names = [step.name for step in steps(recipe, tmp_path)]
    assert names[:4] == ["demo data", "tasks split", "specialist demo-promoter", "specialist demo-strength"]
    folders = {step.name: step.folder for step in steps(recipe, tmp_path)}
    assert folders["specialist demo-strength"] == tmp_path / "specialists" / "demo-strength"


@pytest.mark.slow
def test_a_run_trains_a_specialist_once(tmp_path, capsys):
    command = [
        "run", str(RECIPE), "--output", str(tmp_path / "run"), "--json", "--until", "specialist demo-strength",
        *small("tasks.choices.7.answer='tool'", "specialist.epochs=1", "specialist.channels=8"),
    ]  # fmt: skip
    assert cli.run(command) == 0
    first = document(capsys)["specialist demo-strength"]
    assert (first["ran"], first["facts"]["task"]) == (True, "demo-strength")
    assert cli.run(command) == 0
    assert document(capsys)["specialist demo-strength"] == first | {"ran": False}
