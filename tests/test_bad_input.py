"""What a user can get wrong, at the command line: one line that says what, where, expected and what to do; exit 2.

Where `on_invalid = "skip"` a bad file or record is counted under its reason instead. Signals end with their own exit
codes, and whatever goes wrong leaves earlier results as they were.
"""

import gzip
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llama_gene import cli
from llama_gene.artifacts import read_manifest
from models import RESIDUES, make_blocks, make_instructions, make_model, make_vocabulary, write_fasta

MANY = "".join(f">s{number}\n{'ACGTTGCA' * 50}\n" for number in range(400)).encode()
TASK = """
name = "boxes"
title = "made-up boxes"
family = "classification"
definition = "Tell boxes from no boxes."
labels = [{ name = "no box" }, { name = "box" }]

[[inputs]]
kind = "dna"

[reader]
type = "table"
files = [{ path = "boxes.csv" }]
sequences = ["sequence"]
label = "label"
"""


def refused(capsys, arguments, *words):
    """The command ends with 2 and one line on standard error that holds each pattern, and shows nothing else."""
    code = cli.run([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert code == 2, shown.err
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 1, shown.err
    assert lines[0].startswith("llama-gene: ")
    for pattern in words:
        assert re.search(pattern, lines[0]), lines[0]


def build(data, sources, *more):
    """Arguments of `corpus build` on (path, kind) pairs."""
    tables = ", ".join(f'{{ path = "{path}", kind = "{kind}" }}' for path, kind in sources)
    settings = ["--set", f"corpus.sources=[{tables}]", "--set", "corpus.region_bp=1000"]
    return ["corpus", "build", "--data", data, "--output", data / "corpus", *settings, *more]


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def run_apart(arguments, **options):
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "llama_gene.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


# --- files and records -----------------------------------------------------------------------------------------------

FILES = [
    ("empty file", "a.fa", b"", "dna", "empty file",
     ["the file is empty", r"a\.fa", "Expected dna records", "fetch it again"]),
    ("truncated gzip", "a.fa.gz", gzip.compress(MANY)[:-40], "dna", "unreadable file",
     ["ends too early", r"a\.fa\.gz", "Expected a whole file", "fetch it again"]),
    ("binary junk", "a.fa", bytes(range(256)) * 8, "dna", "binary file",
     ["binary data", r"a\.fa", "Expected dna records in a text format", "name the right file"]),
    ("protein given as DNA", "a.fa", b">p\nMKTLLVQEFW\n", "dna", "wrong alphabet",
     ["look like protein, not DNA", r"a\.fa:2: record 'p'", "Expected ACGT", "set the right kind"]),
    ("J", "a.faa", b">p\nMKLL\nMJK\n", "protein", "letters outside the alphabet",
     ["'J' is not a protein letter", r"a\.faa:3: record 'p'", "Expected ACDEF", "clean the file or set on_invalid"]),
    ("stop inside", "a.faa", b">p\nMK*LL\n", "protein", "letters outside the alphabet",
     [r"'\*' is not a protein letter", r"a\.faa:2: record 'p'", "Expected ACDEF", "clean the file or set on_invalid"]),
    ("gap", "a.fa", b">d\nAC-GT\n", "dna", "letters outside the alphabet",
     ["'-' is not a DNA letter", r"a\.fa:2: record 'd'", "Expected ACGT", "clean the file or set on_invalid"]),
    ("digits", "a.fa", b">d\n1 ACGTACGT 11\n", "dna", "letters outside the alphabet",
     ["'1' is not a DNA letter", r"a\.fa:2: record 'd'", "Expected ACGT", "clean the file or set on_invalid"]),
    ("duplicate ids", "a.fa", b">d\nACGT\n>d\nGGCC\n", "dna", "duplicate id",
     ["the id 'd' comes twice", r"a\.fa", "Expected each id once", "rename one or set on_invalid"]),
    ("empty record", "a.fa", b">d\n\n>e\nACGT\n", "dna", "empty record",
     ["record 'd' is empty", r"a\.fa", "Expected letters", "remove it or set on_invalid"]),
    ("text that is not UTF-8", "a.txt", b"one\ncaf\xe9\n", "text", "not UTF-8",
     ["byte 0xe9 is not UTF-8", r"a\.txt:2", "Expected", "onvert the file"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason", "words"), [pytest.param(*row[1:], id=row[0]) for row in FILES]
)
class TestABadFile:
    def test_ends_with_one_line(self, tmp_path, capsys, name, content, kind, reason, words):
        (tmp_path / name).write_bytes(content)
        refused(capsys, build(tmp_path, [(name, kind)], "--set", "corpus.on_invalid=error"), *words)

    def test_is_a_counted_skip_where_bad_input_is_skipped(self, tmp_path, capsys, name, content, kind, reason, words):
        (tmp_path / name).write_bytes(content)
        write_fasta(tmp_path / "good.fa", "ACGT", records=30, length=400, seed=1)
        assert cli.run([str(part) for part in build(tmp_path, [("good.fa", "dna"), (name, kind)])]) == 0
        manifest = read_manifest(tmp_path / "corpus")
        assert manifest.counts[f"{kind} reading: {reason}"] == 1
        assert reason in capsys.readouterr().out


def test_mixed_line_ends_are_read_as_line_ends(tmp_path):
    letters = [random.Random(seed).choices("ACGT", k=400) for seed in range(30)]
    for name, ends in (("unix", ["\n"]), ("mixed", ["\n", "\r\n", "\r"])):
        parts = [part for n, dna in enumerate(letters) for part in (f">r{n}", "".join(dna[:200]), "".join(dna[200:]))]
        folder = tmp_path / name
        folder.mkdir()
        text = "".join(part + ends[place % len(ends)] for place, part in enumerate(parts))
        (folder / "a.fa").write_bytes(text.encode())
        assert cli.run([str(part) for part in build(folder, [("a.fa", "dna")], "--set", "corpus.on_invalid=error")]) == 0
    unix, mixed = contents(tmp_path / "unix" / "corpus"), contents(tmp_path / "mixed" / "corpus")
    assert {name: data for name, data in unix.items() if name.suffix == ".parquet"} == {
        name: data for name, data in mixed.items() if name.suffix == ".parquet"
    }


MEASURED = """
import resource, sys
from llama_gene import cli
code = cli.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""


@pytest.mark.slow
def test_a_line_of_100_mb_is_built_in_less_than_a_gibibyte(tmp_path):
    block = "".join(random.Random(1).choices("ACGT", k=999_983)).encode()
    (tmp_path / "a.fa").write_bytes((b">long\n" + block * 101)[:100_000_006] + b"\n")
    command = [sys.executable, "-c", MEASURED, *map(str, build(tmp_path, [("a.fa", "dna")], "--json"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *document, peak_mib = done.stdout.splitlines()
    assert json.loads("\n".join(document))["counts"]["dna letters read"] == 100_000_000
    assert int(peak_mib) < 1024


# --- tasks -----------------------------------------------------------------------------------------------------------


def write_task(folder, rows, header="sequence,label"):
    """A table of boxes and its definition; the arguments that split it."""
    (folder / "definitions").mkdir()
    (folder / "definitions" / "boxes.toml").write_text(TASK)
    (folder / "boxes.csv").write_text("\n".join([header, *rows]) + "\n")
    settings = ['tasks.choices=[{ name = "boxes" }]', 'tasks.definitions=["definitions"]']
    options = [part for setting in settings for part in ("--set", setting)]
    return ["tasks", "split", "--data", folder, "--output", folder / "splits", *options]


def rows_of(labels):
    rng = random.Random(2)
    return [f"{''.join(rng.choices('ACGT', k=40))},{label}" for label in labels]


def test_a_label_never_seen_in_the_definition_ends_with_one_line_or_is_skipped(tmp_path, capsys):
    command = write_task(tmp_path, rows_of(["box", "no box"] * 30 + ["bx"]))
    refused(
        capsys,
        [*command, "--set", "tasks.on_invalid=error"],
        r"boxes\.csv:62: label 'bx' is not one of no box, box", "Add it to the task's definition, mend the file or set",
    )  # fmt: skip
    assert cli.run([str(part) for part in command]) == 0
    assert read_manifest(tmp_path / "splits").counts["boxes: label never seen"] == 1


def test_a_task_with_one_class_ends_with_one_line(tmp_path, capsys):
    command = write_task(tmp_path, rows_of(["box"] * 60))
    refused(capsys, command, r"task 'boxes': .* one class only \(box\)", "needs at least two", "check the label column")


def test_a_missing_column_ends_with_one_line(tmp_path, capsys):
    command = write_task(tmp_path, rows_of(["box", "no box"] * 30), header="letters,label")
    refused(capsys, command, r"boxes\.csv:2: no column 'sequence'", "It has letters, label", "mend the file or the def")


def test_a_label_that_training_never_showed_ends_an_evaluation_with_one_line(tmp_path, capsys):
    folder = make_instructions(tmp_path, items=8)
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    shown = [json.dumps(line) for line in lines if line["output"] == "promoter"]
    (folder / "train.jsonl").write_text("\n".join(shown) + "\n")
    (tmp_path / "model").mkdir()
    refused(
        capsys,
        ["evaluate", tmp_path / "model", "--instructions", folder, "--output", tmp_path / "out"],
        r"task 'boxes', item 'test-\d': label 'Non-promoter' is never seen in training", "Raise the task's train items",
    )  # fmt: skip
    assert not (tmp_path / "out").exists()


# --- settings and models ---------------------------------------------------------------------------------------------

SETTINGS = [
    ("an unknown key", "pretrain.learning_rat=1", ["recipe", "pretrain.learning_rat: unknown setting", "did you mean 'learning_rate'"]),
    ("a key far from all", "pretrain.zzz=1", ["pretrain.zzz: unknown setting", "known here: .*weight_decay"]),
    ("a negative rate", "pretrain.learning_rate=-1e-3", [r"pretrain.learning_rate = -0.001: .*greater than 0", "Change this value"]),
    ("words for a number", "finetune.epochs=many", ["finetune.epochs = 'many': .*number", "Change this value"]),
    ("no value", "finetune.epochs", ["--set 'finetune.epochs': expected key=value", "for example --set"]),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "words"), [pytest.param(*row[1:], id=row[0]) for row in SETTINGS])
def test_a_bad_setting_ends_with_one_line_before_anything_is_made(tmp_path, capsys, setting, words):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "mine"\n')
    refused(capsys, ["run", recipe, "--output", tmp_path / "out", "--set", setting], *words)
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_is_not_toml_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text('name = "mine"\nseed = = 2\n')
    refused(capsys, ["run", tmp_path], r"recipe\.toml: not TOML", "line 2", "Mend the line it names")


@pytest.mark.slow
def test_a_base_model_whose_tokenizer_does_not_match_ends_with_one_line(tmp_path, capsys):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    other = make_vocabulary(tmp_path / "two", dna=10, protein=10)
    base = make_model(tmp_path / "one", make_vocabulary(tmp_path / "one"))
    capsys.readouterr()
    refused(
        capsys,
        ["model", "extend", "--base", base, "--tokenizer", other, "--output", tmp_path / "out"],
        "model: its tokenizer has 816 tokens", "extends a vocabulary of 768", "Extend the tokenizer of this very model",
    )  # fmt: skip


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
        pytest.param("model", 100_000, id="safetensors"),
        pytest.param("rows", 1_000, id="rows of datasets"),
        pytest.param("checkpoint", 200_000, id="a checkpoint's optimizer"),
    ],
)
def test_a_full_disk_ends_with_one_line_whoever_finds_out(tmp_path, parts, stage, limit):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=1000, seed=1)
    output = tmp_path / "corpus"
    command = {
        "corpus": build(tmp_path, [("a.fa", "dna")]),
        "model": ["model", "extend", "--tokenizer", parts[0], "--output", output, "--set", "model.hidden_size=64"],
        "rows": pretraining(parts, output),
        "checkpoint": pretraining(parts, output, "save_minutes=1e-6"),
    }[stage]
    assert_one_line(run_limited(limit, command), f"{output}: (a file is larger than|the disk is full)", FULL)
    assert not output.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root; file-size limits stand in for it in the other tests")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_really_full_disk_ends_with_one_line_and_leaves_the_earlier_result(small_disk, tmp_path, capsys):
    write_fasta(tmp_path / "small.fa", "ACGT", records=20, length=400, seed=1)
    write_fasta(tmp_path / "large.fa", "ACGT", records=500, length=1000, seed=2)
    where = ["--output", small_disk / "corpus"]
    assert cli.run([str(part) for part in build(tmp_path, [("small.fa", "dna")], *where)]) == 0
    before = contents(small_disk / "corpus")
    capsys.readouterr()
    refused(capsys, build(tmp_path, [("large.fa", "dna")], *where), "disk/corpus: the disk is full", FULL)
    assert contents(small_disk / "corpus") == before


# --- signals ---------------------------------------------------------------------------------------------------------

ENDS = [
    pytest.param(signal.SIGINT, 130, "interrupted", id="Ctrl-C"),
    pytest.param(signal.SIGTERM, 143, "terminated", id="SIGTERM"),
]


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
def test_a_signal_while_a_corpus_is_built_leaves_the_earlier_one(tmp_path, capsys, number, code, word):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=1000, seed=1)
    write_fasta(tmp_path / "b.fa", "ACGT", records=20_000, length=1000, seed=2)
    assert cli.run([str(part) for part in build(tmp_path, [("a.fa", "dna")])]) == 0
    before = contents(tmp_path / "corpus")
    again = build(tmp_path, [("a.fa", "dna"), ("b.fa", "dna")])
    ended, told = signalled(again, tmp_path / "corpus.partial" / "spool", number)
    assert (ended, told) == (code, f"llama-gene: {word}; finished stages are whole.\n")
    assert contents(tmp_path / "corpus") == before
    assert not (tmp_path / "corpus.partial.lock").exists()
    assert cli.run([str(part) for part in again]) == 0
    assert read_manifest(tmp_path / "corpus").counts["dna records read"] == 20_030


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "word"), ENDS)
def test_a_signal_in_training_saves_the_state_and_a_rerun_goes_on(tmp_path, parts, capsys, number, code, word):
    command = pretraining(parts, tmp_path / "out", "epochs=8")
    checkpoints = tmp_path / "out.partial" / "checkpoints"
    saving = pretraining(parts, tmp_path / "out", "epochs=8", "save_minutes=0.001")
    ended, told = signalled(saving, checkpoints / "checkpoint-*", number)
    assert (ended, told.splitlines()) == (
        code,
        ["llama-gene: stopped; the state is saved, and the same command goes on from here."],
    )
    assert not (tmp_path / "out").exists()
    assert list(checkpoints.glob("checkpoint-*/trainer_state.json"))
    del command
    assert cli.run([str(part) for part in saving]) == 0
    assert [point["step"] for point in read_manifest(tmp_path / "out").facts["history"]][-1] == 8 * 12


# --- earlier results -------------------------------------------------------------------------------------------------


def test_a_rebuild_that_fails_leaves_the_earlier_result_byte_by_byte(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "bad.faa").write_text(">p\nMJK\n")
    assert cli.run([str(part) for part in build(tmp_path, [("a.fa", "dna")])]) == 0
    before = contents(tmp_path / "corpus")
    capsys.readouterr()
    again = build(tmp_path, [("a.fa", "dna"), ("bad.faa", "protein")], "--set", "corpus.on_invalid=error")
    refused(capsys, again, "'J' is not a protein letter")
    assert contents(tmp_path / "corpus") == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_ends_with_one_line(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "closed").mkdir(mode=0o500)
    refused(
        capsys,
        build(tmp_path, [("a.fa", "dna")], "--output", tmp_path / "closed" / "corpus"),
        "closed.*: no permission", "Change the permissions or choose another path",
    )  # fmt: skip


def test_a_folder_of_something_else_is_not_written_over(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.txt").write_text("years of work")
    refused(capsys, build(tmp_path, [("a.fa", "dna")]), "corpus: exists and is not a stage folder", "Choose another")
    assert (tmp_path / "corpus" / "thesis.txt").read_text() == "years of work"
