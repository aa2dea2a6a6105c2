"""What a user can get wrong, at the command line: one line that says what, where, expected and what to do; exit 2.

Where `on_invalid = "skip"` a bad file or record is counted under its reason instead, and whatever
goes wrong leaves earlier results as they were. A full disk and signals: `test_interruptions.py`.
"""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from llama_gene.artifacts import read_manifest
from models import make_instructions, make_model, make_vocabulary, write_fasta
from running import contents, corpus_command, refused, run

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
     ["byte 0xe9 is not UTF-8", r"a\.txt:2", "Expected UTF-8 text", "convert the file"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason", "words"), [pytest.param(*row[1:], id=row[0]) for row in FILES]
)
class TestABadFile:
    def test_ends_with_one_line(self, tmp_path, capsys, name, content, kind, reason, words):
        (tmp_path / name).write_bytes(content)
        refused(capsys, corpus_command(tmp_path, [(name, kind)], "--set", "corpus.on_invalid=error"), *words)

    def test_is_a_counted_skip_where_bad_input_is_skipped(self, tmp_path, capsys, name, content, kind, reason, words):
        (tmp_path / name).write_bytes(content)
        write_fasta(tmp_path / "good.fa", "ACGT", records=30, length=400, seed=1)
        assert run(corpus_command(tmp_path, [("good.fa", "dna"), (name, kind)])) == 0
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
        assert run(corpus_command(folder, [("a.fa", "dna")], "--set", "corpus.on_invalid=error")) == 0
    unix, mixed = contents(tmp_path / "unix" / "corpus"), contents(tmp_path / "mixed" / "corpus")
    assert {name: data for name, data in unix.items() if name.suffix == ".parquet"} == {
        name: data for name, data in mixed.items() if name.suffix == ".parquet"
    }


# Not ru_maxrss: that begins at what the process had that started this one.
MEASURED = """
import sys
from llama_gene import cli
code = cli.run(sys.argv[1:])
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which Linux has")
def test_a_line_of_100_mb_is_built_in_less_than_a_gibibyte(tmp_path):
    block = "".join(random.Random(1).choices("ACGT", k=999_983)).encode()
    (tmp_path / "a.fa").write_bytes((b">long\n" + block * 101)[:100_000_006] + b"\n")
    command = [sys.executable, "-c", MEASURED, *map(str, corpus_command(tmp_path, [("a.fa", "dna")], "--json"))]
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


TABLES = [
    ("empty file", b"", "holds no items", "Expected one a line"),
    ("binary junk", bytes(range(256)), "byte 0x80 is not UTF-8", "Expected UTF-8 text; convert the file"),
    ("a row with a cell too many", b"sequence,label\nACGT,box,1\n", ":2: 3 columns where the header has 2", "Mend"),
    ("a row below a cell of two lines", b'sequence,label\nACGT,"box\nor not"\nACGT\n', ":4: 1 columns where", "Mend"),
    ("nothing but a header", b"sequence,label\n", "holds no items", "fetch it again or name another"),
]


@pytest.mark.parametrize(("content", "words"), [pytest.param(row[1], row[2:], id=row[0]) for row in TABLES])
def test_a_bad_table_of_a_task_ends_with_one_line(tmp_path, capsys, content, words):
    command = write_task(tmp_path, [])
    (tmp_path / "boxes.csv").write_bytes(content)
    refused(capsys, command, r"boxes\.csv", *words)


def test_a_label_never_seen_in_the_definition_ends_with_one_line_or_is_skipped(tmp_path, capsys):
    command = write_task(tmp_path, rows_of(["box", "no box"] * 30 + ["bx"]))
    refused(
        capsys,
        [*command, "--set", "tasks.on_invalid=error"],
        r"boxes\.csv:62: label 'bx' is not one of no box, box", "Add it to the task's definition, mend the file or set",
    )  # fmt: skip
    assert run(command) == 0
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
    ("an unknown key", "pretrain.learning_rat=1",
     [r"recipe\.toml: pretrain.learning_rat: unknown setting", "did you mean 'learning_rate'"]),
    ("a key far from all", "pretrain.zzz=1", ["pretrain.zzz: unknown setting", "known here: .*weight_decay"]),
    ("a negative rate", "pretrain.learning_rate=-1e-3",
     [r"recipe\.toml: pretrain.learning_rate = -0.001: .*greater than 0", "Change this value"]),
    ("an endless rate", "pretrain.learning_rate=inf", ["learning_rate = inf: .*finite number", "Change this value"]),
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


# --- earlier results -------------------------------------------------------------------------------------------------


def test_a_rebuild_that_fails_leaves_the_earlier_result_byte_by_byte(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "bad.faa").write_text(">p\nMJK\n")
    assert run(corpus_command(tmp_path, [("a.fa", "dna")])) == 0
    before = contents(tmp_path / "corpus")
    capsys.readouterr()
    again = corpus_command(tmp_path, [("a.fa", "dna"), ("bad.faa", "protein")], "--set", "corpus.on_invalid=error")
    refused(capsys, again, "'J' is not a protein letter")
    assert contents(tmp_path / "corpus") == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_ends_with_one_line(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "closed").mkdir(mode=0o500)
    refused(
        capsys,
        corpus_command(tmp_path, [("a.fa", "dna")], "--output", tmp_path / "closed" / "corpus"),
        "closed.*: no permission", "Change the permissions or choose another path",
    )  # fmt: skip


def test_a_folder_of_something_else_is_not_written_over(tmp_path, capsys):
    write_fasta(tmp_path / "a.fa", "ACGT", records=30, length=400, seed=1)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.txt").write_text("years of work")
    command = corpus_command(tmp_path, [("a.fa", "dna")])
    refused(capsys, command, "corpus: exists and is not a stage folder", "Choose another")
    assert (tmp_path / "corpus" / "thesis.txt").read_text() == "years of work"
