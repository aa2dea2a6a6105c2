"""A task on a whole file: formats, bad records, kills, memory, and a Ray cluster."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from chatting import make_chat_model
from llama_gene.artifacts import write_json
from llama_gene.assistant import predict as predicting
from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.examples import open_examples
from llama_gene.assistant.predict import Job, predict
from llama_gene.assistant.predict_input import Asked, read_asked
from llama_gene.assistant.predict_output import Prediction, Table
from llama_gene.assistant.predict_shards import predict_with
from llama_gene.config import ChatConfig, EngineConfig, PredictConfig
from llama_gene.errors import ConfigError, DataError
from llama_gene.evaluation.specialist import Card, Specialist, save_specialist
from llama_gene.tasks.definitions import load_task
from running import refused, run

DNA = ["ACGTTGCATATAAAGCACGT", "TTGACATATAATGCGCATGC", "GGGCCCATTTAAACGCGCGC", "ATATATGCGCGCTTAAGGCC"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = make_chat_model(tmp_path_factory.mktemp("predict"))
    write_json(made / "llama_gene.json", {"tasks": ["promoter-core"]})
    return made


@pytest.fixture(scope="module")
def assistant(folder: Path) -> Assistant:
    return Assistant.open(folder, ChatConfig(max_new_tokens=8))


def fasta(path: Path, sequences) -> Path:
    path.write_text("".join(f">r{number}\n{letters}\n" for number, letters in enumerate(sequences)))
    return path


def job(assistant: Assistant, source: Path, task: str = "promoter-core", columns=(), **settings) -> Job:
    return Job(assistant, load_task(task), source, PredictConfig(**settings), columns)


def rows(file: Path) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in file.read_text().splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_a_line_holds_what_classify_says(assistant, tmp_path):
    source, output = fasta(tmp_path / "a.fa", DNA), tmp_path / "a.tsv"
    found = predict(job(assistant, source), output)
    assert (found.answered, found.counts) == (4, {})
    for row, letters in zip(rows(output), DNA, strict=True):
        _, answer = classify(assistant, load_task("promoter-core"), [letters])
        assert row["answer"] == answer.label
        assert float(row["p(promoter)"]) == pytest.approx(answer.probabilities["promoter"], abs=1e-5)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_json_lines_and_compressed_input(assistant, tmp_path):
    (tmp_path / "a.fa.gz").write_bytes(gzip.compress(b">x y\nacgttgcauau\n"))
    predict(job(assistant, tmp_path / "a.fa.gz"), tmp_path / "a.jsonl")
    (line,) = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert line["id"] == "x"
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "text", "columns", "expected"),
    [
        ("a.csv", "id,sequence,label\nx,ACGTACGTAA,1\n,TTTTACGTAA,0\n", (), [("x", "ACGTACGTAA"), ("2", "TTTTACGTAA")]),
        ("a.tsv", "name\tmine\nx\tACGTACGTAA\n", ("Mine",), [("x", "ACGTACGTAA")]),
        ("a.fastq", "@x\nACGTACGTAA\n+\nIIIIIIIIII\n", (), [("x", "ACGTACGTAA")]),
        ("a.fa", ">x\nACGTACGTAA\n>x\nTTTTACGTAA\n", (), [("x", "ACGTACGTAA"), ("x", "TTTTACGTAA")]),
    ],
)
def test_every_format_gives_names_and_letters(tmp_path, name, text, columns, expected):
    (tmp_path / name).write_text(text)
    task = load_task("promoter-core")
    found = read_asked(tmp_path / name, task, columns=columns, on_invalid="error", counts=Counter())
    assert [(asked.id, asked.sequences[0]) for asked in found] == expected


def test_a_pair_is_read_from_two_columns_in_the_order_of_the_task(tmp_path):
    (tmp_path / "a.csv").write_text("protein,dna\nMKV,ATGAAAGTT\nMK1,ATGAAAGTT\n")
    counts: Counter[str] = Counter()
    found = list(read_asked(tmp_path / "a.csv", load_task("central-dogma"), on_invalid="skip", counts=counts))
    assert found == [Asked("1", ("ATGAAAGTT", "MKV"))]
    assert counts == {"letters missing or outside the alphabet": 1}


def test_bad_records_are_counted_and_the_others_answered(assistant, tmp_path):
    (tmp_path / "a.fa").write_text(f">good\n{DNA[0]}\n>bad\nACGT12\n>empty\n>long\n{'ACGT' * 2000}\n")
    keeps = load_task("promoter-core").model_copy(update={"keep": "whole"})
    found = predict(Job(assistant, keeps, tmp_path / "a.fa", PredictConfig()), tmp_path / "a.tsv")
    assert found.answered == 1
    assert found.counts == {
        "empty record": 1, "letters outside the alphabet": 1, "the question does not fit": 1
    }  # fmt: skip
    strict = Job(assistant, keeps, fasta(tmp_path / "b.fa", ["ACGT" * 2000]), PredictConfig(on_invalid="error"))
    with pytest.raises(DataError, match=r"b\.fa: record 'r0': task 'promoter-core': the question does not fit"):
        predict(strict, tmp_path / "b.tsv")


def test_a_free_task_gives_text_on_one_line(assistant, tmp_path):
    source = fasta(tmp_path / "a.fa", ["MKVLAAGIVGLCAKAYWERT"])
    predict(job(assistant, source, "protein-function"), tmp_path / "a.tsv")
    assert len((tmp_path / "a.tsv").read_text().splitlines()) == 2
    assert set(rows(tmp_path / "a.tsv")[0]) == {"id", "answer", "notices"}


def test_a_chain_gives_a_state_for_every_letter(assistant, tmp_path):
    source = fasta(tmp_path / "a.fa", ["MKVLAAGIVG", "MKVWWERTYAAA"])
    predict(job(assistant, source, "secondary-structure"), tmp_path / "a.tsv")
    assert [len(row["answer"]) for row in rows(tmp_path / "a.tsv")] == [10, 12]


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_lines(assistant, tmp_path, monkeypatch):
    source = fasta(tmp_path / "a.fa", DNA * 3)
    whole = job(assistant, source, chunk_records=3)
    predict(whole, tmp_path / "whole.tsv")
    answer, calls = predicting.answer_chunk, []

    def fail_at_third(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer(*args)

    monkeypatch.setattr(predicting, "answer_chunk", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        predict(whole, tmp_path / "a.tsv")
    partial = tmp_path / "a.tsv.partial"
    assert len(partial.read_text().splitlines()) == 7
    with partial.open("a") as file:
        file.write("r6\tprom")  # half a line of a chunk that was killed
    found = predict(whole, tmp_path / "a.tsv")
    assert len(calls) == 3 + 2
    assert found.answered == 12
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_what_was_begun_with_something_else_is_not_gone_on_with(assistant, tmp_path, monkeypatch):
    source = fasta(tmp_path / "a.fa", DNA)
    lines = iter([[Prediction("r0", "promoter", {"Non-promoter": 0.5, "promoter": 0.5})]])
    monkeypatch.setattr(predicting, "answer_chunk", lambda *_: next(lines))
    with pytest.raises(StopIteration):
        predict(job(assistant, source, chunk_records=1), tmp_path / "a.tsv")
    fasta(source, DNA[:2])
    with pytest.raises(DataError, match=r"was begun with another input\. Expected the same to go on"):
        predict(job(assistant, source, chunk_records=1), tmp_path / "a.tsv")
    with pytest.raises(DataError, match="another input and task"):
        predict(job(assistant, source, "promoter-tata", chunk_records=1), tmp_path / "a.tsv")


def test_memory_does_not_grow_with_the_records(assistant, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "answer_chunk", lambda job, chunk, _: [Prediction(one.id, "yes") for one in chunk])
    peaks = []
    for records in (2_000, 20_000):
        source = fasta(tmp_path / f"{records}.fa", repeat(DNA[0] * 15, records))
        tracemalloc.start()
        assert predict(job(assistant, source), tmp_path / "a.tsv").answered == records
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The larger file has 6 MB; a buffer of 1 MiB is filled by it and not by the smaller one.
    assert peaks[1] - peaks[0] < 1_500_000


def test_an_answer_cannot_break_the_table():
    table = Table((), False, ".tsv")
    assert table.line(Prediction("a\tb", "one\r\ntwo\tthree")) == "a b\tone two three\t\n"


@pytest.mark.parametrize(
    ("text", "task", "columns", "reason"),
    [
        ("", "promoter-core", (), "empty"),
        (">a\nACGT1\n", "promoter-core", (), r"nothing was answered \(letters outside the alphabet: 1"),
        (">a\nMKVLAAGIVGLCAKAYWERTMKVLAAGW\n", "promoter-core", (), "wrong alphabet: 1"),
        (">a\nACGTACGT\n", "central-dogma", (), "asks about 2 sequences at a time. Expected a CSV"),
        (">a\nACGTACGT\n", "promoter-core", ("x",), "--column x means nothing"),
        ("id,letters\nx,ACGT\n", "promoter-core", (), "no column .*The header has id, letters; name the column"),
        ("id,letters\nx,ACGT\n", "promoter-core", ("a", "b"), "2 column.* named, task 'promoter-core' asks about 1"),
    ],
)
def test_input_that_cannot_be_asked_about_is_named(assistant, tmp_path, text, task, columns, reason):
    source = tmp_path / ("a.csv" if text.startswith("id") else "a.fa")
    source.write_text(text)
    with pytest.raises(DataError, match=reason):
        predict(job(assistant, source, task, columns), tmp_path / "a.tsv")
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_the_output_has_a_known_suffix_and_is_not_the_input(assistant, tmp_path):
    source = fasta(tmp_path / "a.fa", DNA)
    with pytest.raises(ConfigError, match=r"\.tsv or \.jsonl"):
        predict(job(assistant, source), tmp_path / "a.xlsx")
    table = tmp_path / "a.tsv"
    table.write_text("id\tsequence\n")
    with pytest.raises(ConfigError, match="the input itself"):
        predict(job(assistant, table), table)


def test_the_command_refuses_in_one_line(folder, tmp_path, capsys):
    source = fasta(tmp_path / "a.fa", DNA)
    given = ["predict", folder, source, "-o", tmp_path / "a.tsv"]
    refused(capsys, [*given, "--task", "promotor-core"], "did you mean 'promoter-core'")
    refused(capsys, ["predict", folder, tmp_path / "no.fa", "--task", "promoter-core", "-o", "a.tsv"], "no such file")
    refused(capsys, ["predict", tmp_path, source, "--task", "promoter-core", "-o", "a.tsv"], r"no config\.json")


def test_the_command_gives_json_alone(folder, tmp_path, capsys):
    source, output = fasta(tmp_path / "a.fa", DNA), tmp_path / "a.tsv"
    assert run(["predict", folder, source, "--task", "promoter-core", "-o", output, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["answered"], shown["task"], shown["output"]) == (4, "promoter-core", str(output))
    assert ["is unknown" in note for note in shown["notes"]] == [True]
    assert run(["predict", folder, source, "--task", "promoter-tata", "-o", output]) == 0
    assert "note: The model was not tuned on task promoter-tata." in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(folder, assistant, tmp_path):
    source = fasta(tmp_path / "a.fa", DNA * 100)
    output, partial = tmp_path / "a.tsv", tmp_path / "a.tsv.partial"
    command = [
        sys.executable, "-m", "llama_gene.cli", "predict", str(folder), str(source), "--task", "promoter-core",
        "--set", "predict.chunk_records=5", "--set", "chat.max_new_tokens=8", "--output", str(output),
    ]  # fmt: skip
    apart = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while apart.poll() is None and (not partial.is_file() or partial.read_bytes().count(b"\n") < 30):
        time.sleep(0.01)
    os.kill(apart.pid, signal.SIGKILL)
    apart.communicate()
    assert not output.exists()
    begun = partial.read_bytes()
    same = job(assistant, source, chunk_records=5)
    for place in (output, tmp_path / "whole.tsv"):
        assert predict(same, place).answered == 400
    assert output.read_bytes().startswith(begun[: begun.rindex(b"\n")])
    assert output.read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_shards_of_another_job_are_not_gone_on_with(assistant, tmp_path):
    source = fasta(tmp_path / "a.fa", DNA)
    (tmp_path / "a.tsv.shards").mkdir()
    write_json(tmp_path / "a.tsv.shards" / "made_of.json", {"model": "another"})
    with pytest.raises(DataError, match=r"a\.tsv\.shards: was begun with another input and model and settings"):
        predict_with(EngineConfig(name="ray"), job(assistant, source), tmp_path / "a.tsv")


@pytest.mark.slow
def test_ray_gives_the_lines_of_one_machine(assistant, tmp_path):
    pytest.importorskip("ray")
    import ray

    source = fasta(tmp_path / "a.fa", DNA * 3)
    here = job(assistant, source, chunk_records=3, shard_records=6)
    predict(here, tmp_path / "here.tsv")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    try:
        found = predict_with(EngineConfig(name="ray"), here, tmp_path / "there.tsv")
    finally:
        ray.shutdown()
    assert found.answered == 12
    assert (tmp_path / "there.tsv").read_bytes() == (tmp_path / "here.tsv").read_bytes()
    assert not (tmp_path / "there.tsv.shards").exists()


def test_a_tool_computes_the_numbers_that_a_model_calls_for(assistant, tmp_path, monkeypatch):
    bases = Card("promoter-strength-yeast", "kmer", ("dna",), (), 10.0, 4.0, 1, 4, 100, "start")
    arrays = {"coefficients": np.array([[0.0, 0.0, 1.0, 0.0]]), "intercept": np.array([0.5])}
    (tmp_path / "tool").mkdir()
    save_specialist(Specialist(bases, arrays), tmp_path / "tool")
    called = replace(assistant, card={"tasks": {"promoter-strength-yeast": {"labels": None}}})
    written = ['{"tool": "predict_expression", "sequence": "@input"}', "high"]
    monkeypatch.setattr(predicting, "generate_answers", lambda *_, **__: written)
    source = fasta(tmp_path / "a.fa", ["ACGT" * 5, "ACGT" * 6])
    yeast = job(called, source, "promoter-strength-yeast")
    predict(replace(yeast, specialist=tmp_path / "tool"), tmp_path / "a.tsv")
    right, wrong = rows(tmp_path / "a.tsv")
    # Four bases alike are 0.5 each at unit length: (0.5 + 0.5) * 4 + 10.
    assert (right["value"], right["notices"]) == ("14.0", "")
    assert "gives 14" in right["answer"]
    assert (wrong["value"], wrong["notices"]) == ("", "No number: no JSON object.")
    with pytest.raises(DataError, match="a specialist of 'promoter-strength-yeast'"):
        predict(replace(job(called, source), specialist=tmp_path / "tool"), tmp_path / "b.tsv")


def test_a_regression_answer_has_the_mean_of_its_bins_where_training_is_known(assistant, tmp_path):
    lines = [
        {"id": str(n), "instruction": "?", "input": "A", "output": label, "task": "solubility", "family": "regression",
         "split": "train", "labels": ["low", "high"], "group": str(n), "sequences": ["A"], "kinds": ["protein"],
         "value": value}
        for n, (label, value) in enumerate([("low", 1.0), ("low", 3.0), ("high", 10.0)])
    ]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    known = replace(assistant, examples=open_examples(str(tmp_path / "train.jsonl"), seed=1))
    source = fasta(tmp_path / "a.fa", ["MKVLAAGIVGLCAKAYWERT"])
    predict(job(known, source, "solubility"), tmp_path / "a.tsv")
    (row,) = rows(tmp_path / "a.tsv")
    assert float(row["value"]) == pytest.approx(2 * float(row["p(low)"]) + 10 * float(row["p(high)"]), rel=1e-4)
    predict(job(assistant, source, "solubility"), tmp_path / "b.tsv")
    assert rows(tmp_path / "b.tsv")[0]["value"] == ""
