"""A full disk, a killed worker, Ctrl-C and SIGTERM: one line, the right exit code, and what was finished stays."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from llama_gene.artifacts import MANIFEST, read_manifest
from llama_gene.corpus import engine
from models import make_blocks, make_model, make_vocabulary, write_fasta
from noting import note_and_do
from running import contents, corpus_command, refused, run

# --- a full disk -----------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from llama_gene import cli
sys.exit(cli.run(sys.argv[2:]))
"""
FULL = "Free some space and run again; finished stages are whole"


def run_limited(limit, arguments):
    """The command where no file may grow beyond `limit` bytes: works for every user, unlike a small disk."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def assert_one_line(done, *words):
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for pattern in words:
        assert re.search(pattern, done.stderr), done.stderr


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(vocabulary, model, blocks) folders."""
    folder = tmp_path_factory.mktemp("parts")
    vocabulary = make_vocabulary(folder)
    return vocabulary, make_model(folder, vocabulary), make_blocks(folder, vocabulary)


def pretraining(parts, output, *settings):
    chosen = ("method=full", "bf16=off", "rows_per_step=2", *settings)
    options = [part for setting in chosen for part in ("--set", f"pretrain.{setting}")]
    return ["pretrain", parts[1], "--blocks", parts[2], "--output", output, *options]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "limit"),
    [
        pytest.param("corpus", 2_000, id="Arrow and Parquet"),
        pytest.param("blocks", 20_000, id="token blocks"),
        pytest.param("model", 100_000, id="safetensors"),
        pytest.param("rows", 1_000, id="rows of datasets"),
        pytest.param("checkpoint", 200_000, id="a checkpoint's optimizer"),
    ],
)
def test_a_full_disk_ends_with_one_line_whoever_finds_out(tmp_path, parts, stage, limit):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=1000, seed=1)
    output = tmp_path / "corpus"
    if stage == "blocks":
        assert run(corpus_command(tmp_path, [("a.fa", "dna")])) == 0
        output = tmp_path / "blocks"
    command = {
        "corpus": corpus_command(tmp_path, [("a.fa", "dna")]),
        "blocks": ["corpus", "pack", "--corpus", tmp_path / "corpus", "--tokenizer", parts[0], "--output", output],
        "model": ["model", "extend", "--tokenizer", parts[0], "--output", output, "--set", "model.hidden_size=64"],
        "rows": pretraining(parts, output),
        "checkpoint": pretraining(parts, output, "save_minutes=1e-6"),
    }[stage]
    assert_one_line(run_limited(limit, command), f"{output}: (a file is larger than|the disk is full)", FULL)
    assert not output.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root; file-size limits stand in for it in the other tests")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_really_full_disk_ends_with_one_line_and_leaves_the_earlier_result(small_disk, tmp_path, capsys):
    write_fasta(tmp_path / "small.fa", "ACGT", records=20, length=400, seed=1)
    write_fasta(tmp_path / "large.fa", "ACGT", records=3000, length=1000, seed=2)
    where = ["--output", small_disk / "corpus"]
    assert run(corpus_command(tmp_path, [("small.fa", "dna")], *where)) == 0
    before = contents(small_disk / "corpus")
    capsys.readouterr()
    refused(capsys, corpus_command(tmp_path, [("large.fa", "dna")], *where), "disk/corpus: the disk is full", FULL)
    assert contents(small_disk / "corpus") == before


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A folder with the settings of a corpus of several sources, and that corpus in several shards."""
    folder = tmp_path_factory.mktemp("shards")
    for number in range(8):
        write_fasta(folder / f"{number}.fa", "ACGT", records=30, length=1000, seed=number)
    assert run(shards_command(folder)) == 0
    return folder


def shards_command(folder, *more):
    sources = [(f"{number}.fa", "dna") for number in range(8)]
    return corpus_command(folder, sources, "--set", "corpus.shard_letters=20000", *more)


def results(folder):
    """All files of a stage but its manifest, which holds the time."""
    return {file: data for file, data in contents(folder).items() if file.name != MANIFEST}


@pytest.mark.slow
def test_packing_goes_on_behind_the_shards_that_were_finished_when_the_disk_was_full(tmp_path, parts, shards):
    command = ["corpus", "pack", "--corpus", shards / "corpus", "--tokenizer", parts[0], "--output"]
    assert run([*command, tmp_path / "undisturbed"]) == 0
    sizes = [file.stat().st_size for file in sorted((tmp_path / "undisturbed/train").iterdir())]
    largest = sizes.index(max(sizes))
    assert 0 < largest < len(sizes) - 1, "some shards come before the one for which there is no room, some behind"
    assert_one_line(run_limited(max(sizes) - 1, [*command, tmp_path / "blocks"]), f"{tmp_path / 'blocks'}: ", FULL)
    names = [f"train/00-{number:05d}.arrow" for number in range(largest)]
    finished = {name: (tmp_path / "blocks.partial" / name).stat() for name in names}
    assert run([*command, tmp_path / "blocks"]) == 0
    assert results(tmp_path / "blocks") == results(tmp_path / "undisturbed")
    for name, before in finished.items():
        after = (tmp_path / "blocks" / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), f"{name} was made again"


# --- a killed worker -------------------------------------------------------------------------------------------------

NOTED = """
import sys
from llama_gene import cli
from llama_gene.corpus import engine
from noting import note_and_do
engine._remember = note_and_do
sys.exit(cli.run(sys.argv[1:]))
"""


def run_noted(monkeypatch, begun, arguments):
    """The tasks that a command which ends well begins, each once."""
    monkeypatch.setattr(engine, "_remember", note_and_do)
    monkeypatch.setenv("BEGUN", str(begun))
    assert run([*arguments, "--set", "engine.workers=1"]) == 0
    tasks = begun.read_text().split()
    assert len(set(tasks)) == len(tasks)
    return set(tasks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "task"),
    [
        pytest.param("build", "reading/000004", id="build, while it reads"),
        pytest.param("build", "cutting/000004", id="build, while it cuts"),
        pytest.param("pack", "packing-train/000004", id="pack"),
    ],
)
def test_a_killed_worker_is_one_line_and_the_next_run_makes_what_is_missing(
    tmp_path, parts, shards, monkeypatch, stage, task
):
    pack = ["corpus", "pack", "--corpus", shards / "corpus", "--tokenizer", parts[0]]
    command = {"build": shards_command(shards), "pack": pack}[stage]
    every = run_noted(monkeypatch, tmp_path / "every", [*command, "--output", tmp_path / "undisturbed"])
    again = [*command, "--output", tmp_path / "out"]
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", NOTED, *map(str, again), "--set", "engine.workers=2"],
        env=os.environ | {"PYTHONPATH": here, "BEGUN": str(tmp_path / "killed"), "KILLED_AT": task},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert_one_line(killed, r"a worker process was killed.*What is finished is kept: run the same command again")
    kept = list((tmp_path / "out.partial").glob("**/done/*/*.json"))
    finished = {f"{file.parent.name}/{file.stem}" for file in kept}
    assert task not in finished
    assert any(name.startswith(task.partition("/")[0]) for name in finished), "the pass was under way"
    made = run_noted(monkeypatch, tmp_path / "again", again)
    assert made == every - finished
    assert results(tmp_path / "out") == results(tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_disk_that_fills_while_near_duplicates_are_sought_ends_with_one_line(small_disk, tmp_path):
    """The signatures of 250 records fit beside their letters; once more, those that may be alike do not."""
    letters = "".join(random.Random(1).choices("ACGT", k=95))
    ends = ("".join(end) for end in product("ACGT", repeat=5))
    (tmp_path / "a.fa").write_text("".join(f">r{at}\n{letters}{next(ends)}\n" for at in range(250)))
    command = corpus_command(tmp_path, [("a.fa", "dna")], "--output", small_disk / "corpus")
    ended = run_apart(command)
    _, told = ended.communicate()
    assert ended.returncode == 2, (ended.returncode, told)
    assert re.fullmatch(f"llama-gene: .*disk/corpus: the disk is full.*{FULL}.*\n", told)
    spooled = small_disk / "corpus.partial" / "scratch" / "spool"
    assert (spooled / "000000.signatures.npy").is_file(), "it was not full before"


# --- signals ---------------------------------------------------------------------------------------------------------

ENDS = [
    pytest.param(signal.SIGINT, 130, "interrupted", id="Ctrl-C"),
    pytest.param(signal.SIGTERM, 143, "terminated", id="SIGTERM"),
]


def run_apart(arguments, **options):
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "llama_gene.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def signalled(arguments, mark, number):
    """Exit code and standard error of a command that gets a signal once the path `mark` is there."""
    process = run_apart(arguments)
    deadline = time.monotonic() + 120
    while not list(mark.parent.glob(mark.name)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{mark} never came"
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "word"), ENDS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_while_a_corpus_is_built_leaves_the_earlier_one(tmp_path, capsys, number, code, word, workers):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=1000, seed=1)
    letters = random.Random(2).randbytes(20_000_000).translate(b"ACGT" * 64).decode()
    (tmp_path / "b.fa").write_text("".join(f">b{at}\n{letters[at : at + 1000]}\n" for at in range(0, 20_000_000, 1000)))
    assert run(corpus_command(tmp_path, [("a.fa", "dna")])) == 0
    before = contents(tmp_path / "corpus")
    again = corpus_command(tmp_path, [("a.fa", "dna"), ("b.fa", "dna")], "--set", f"engine.workers={workers}")
    ended, told = signalled(again, tmp_path / "corpus.partial" / "scratch" / "spool" / "*.arrow", number)
    assert (ended, told) == (code, f"llama-gene: {word}; finished stages are whole.\n")
    assert contents(tmp_path / "corpus") == before
    assert not (tmp_path / "corpus.partial.lock").exists()
    assert run(again) == 0
    assert read_manifest(tmp_path / "corpus").counts["dna records read"] == 20_030


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "word"), ENDS)
def test_a_signal_in_training_saves_the_state_and_a_rerun_goes_on(tmp_path, parts, capsys, number, code, word):
    checkpoints = tmp_path / "out.partial" / "checkpoints"
    command = pretraining(parts, tmp_path / "out", "epochs=8", "save_minutes=0.001")
    ended, told = signalled(command, checkpoints / "checkpoint-*", number)
    assert (ended, told.splitlines()) == (
        code,
        ["llama-gene: stopped; the state is saved, and the same command goes on from here."],
    )
    assert not (tmp_path / "out").exists()
    assert list(checkpoints.glob("checkpoint-*/trainer_state.json"))
    assert run(command) == 0
    assert read_manifest(tmp_path / "out").facts["history"][-1]["step"] == 8 * 12
