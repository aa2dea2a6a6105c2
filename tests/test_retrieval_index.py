"""How passages are found in an index, what is said of a broken one, and the command."""

import json
import shutil
import sqlite3
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import IndexConfig
from llama_gene.errors import ArtifactError, DataError
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.hits import render_passages
from llama_gene.retrieval.index import open_index
from llama_gene.retrieval.passages import cut_passages
from running import refused, run

TOPICS = {
    "lysozyme": "Lysozyme cuts the sugars of bacterial cell walls. Tears and egg white hold much of this enzyme.",
    "haemoglobin": "Haemoglobin carries oxygen from the lungs to the tissues. Its iron binds the gas reversibly.",
    "promoter": "A promoter is the stretch of DNA where the polymerase binds. The TATA box lies in it.",
    "flagellum": "The flagellum turns like a screw. A motor in the membrane drives it with protons.",
    "ribosome": "The ribosome reads messenger RNA. It joins amino acids into a protein, one codon at a time.",
    "histone": "Histones are proteins that DNA winds around. Acetyl groups on them open the chromatin.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TOPICS.items():
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\n{text}\n")
    build_index(IndexConfig(), files=[folder / "*.md"], seed=1, output=folder / "idx")
    return folder


@pytest.fixture
def index(folder):
    return open_index(folder / "idx")


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What carries oxygen to the tissues?", "haemoglobin"),
        ("Where does polymerase bind?", "promoter"),
        ("which motors drive the flagella", "flagellum"),
        ("amino acids", "ribosome"),
    ],
)
def test_a_question_finds_its_passage(index, question, topic):
    hit = index.find_passages(question)[0]
    assert hit.id.startswith(f"{topic}.md:")
    assert TOPICS[topic] in hit.text
    assert hit.score > 0


def test_a_passage_names_its_file_and_its_characters(index, folder):
    hit = index.find_passages("haemoglobin", 1)[0]
    whole = f"Haemoglobin\n\n{TOPICS['haemoglobin']}"
    assert hit.source == str(folder / "haemoglobin.md")
    assert whole[hit.start : hit.end] == hit.text
    assert hit.id == f"haemoglobin.md:{hit.start}-{hit.end}"
    assert hit.found_by == ("words", "vectors")
    assert f"1. {hit.id}, source {hit.source}\n   Haemoglobin" in render_passages([hit])


def test_words_and_vectors_can_be_asked_alone(index):
    words, vectors = index.passages_by_words("oxygen", 5), index.passages_by_vectors("oxygen", 5)
    assert [(hit.id.partition(".")[0], hit.found_by) for hit in words] == [("haemoglobin", ("words",))]
    assert (vectors[0].id, vectors[0].found_by) == (words[0].id, ("vectors",))


def test_fitted_vectors_follow_what_full_text_finds_unless_they_are_given_weight(index, folder):
    question = "Which proteins hold much of the enzyme that binds DNA?"
    words = [hit.id for hit in index.passages_by_words(question, 6)]
    vectors = [hit.id for hit in index.passages_by_vectors(question, 6)]
    both = [hit.id for hit in index.find_passages(question, 6)]
    assert both == [*words, *(name for name in vectors if name not in words)]
    assert words != vectors[: len(words)]
    only = open_index(folder / "idx", IndexConfig(vector_weight=100)).find_passages(question, 6)
    assert [hit.id for hit in only][: len(vectors)] == vectors


@pytest.mark.parametrize("question", ["Zebrafish swimming?", "what is the of", "1 % 2"])
def test_a_question_about_nothing_here_has_no_hit(index, question):
    assert index.find_passages(question) == ()


@pytest.mark.parametrize(
    "question",
    [
        '"',
        "oxygen AND",
        "NEAR(oxygen lungs, 2)",
        "oxygen*",
        "-oxygen",
        'text:oxygen"; DROP TABLE passages; --',
        "(oxygen",
    ],
)
def test_a_question_is_no_query_language(index, question):
    if question == '"':
        with pytest.raises(DataError, match="no words"):
            index.find_passages(question)
    else:
        assert index.find_passages(question)[0].id.startswith("haemoglobin.md")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_question_or_is_refused_in_words(folder, text):
    index = open_index(folder / "idx")
    if any(letter.isalnum() or letter == "_" for letter in text):
        assert isinstance(index.find_passages(text), tuple)
    else:
        with pytest.raises(DataError, match="no words"):
            index.find_passages(text)


def test_a_question_of_many_words_is_answered_and_a_longer_one_refused(index):
    assert index.find_passages("oxygen " + " ".join(f"w{number}" for number in range(1500)))
    with pytest.raises(DataError, match=r"10,004 letters\. Expected at most 10,000"):
        index.find_passages("word" * 2501)


def break_database(folder):
    (folder / "index.sqlite").write_bytes(b"nonsense" * 1000)


def drop_table(folder):
    with sqlite3.connect(folder / "index.sqlite") as connection:
        connection.execute("DROP TABLE passages")


def cut_vectors(folder):
    (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:100])


def wrong_vectors(folder):
    np.save(folder / "vectors.npy", np.zeros((2, 2), np.float16))


def pickled_vectors(folder):
    np.save(folder / "weights.npy", np.array([{}], dtype=object), allow_pickle=True)


def no_letters(folder):
    (folder / "protein.fasta").unlink()


@pytest.mark.parametrize(
    "damage", [break_database, drop_table, cut_vectors, wrong_vectors, pickled_vectors, no_letters]
)
def test_a_broken_index_is_said_to_be_broken(tmp_path, damage):
    (tmp_path / "a.md").write_text("\n\n".join(TOPICS.values()) * 10)
    (tmp_path / "a.faa").write_text(">a\nMKVLAAGIVGLLLAQWERT\n")
    build_index(IndexConfig(), files=[tmp_path / "a.md", tmp_path / "a.faa"], seed=1, output=tmp_path / "idx")
    damage(tmp_path / "idx")
    with pytest.raises(ArtifactError, match=r"the index is broken .*build it again"):
        open_index(tmp_path / "idx")


def no_terms(folder):
    (folder / "terms.json").unlink()


def forget(fact):
    def damage(folder):
        noted = json.loads((folder / "manifest.json").read_text())
        del noted["facts"][fact]
        (folder / "manifest.json").write_text(json.dumps(noted))

    return damage


def half_a_manifest(folder):
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:40])


def another_version(folder):
    noted = json.loads((folder / "manifest.json").read_text())
    noted["facts"]["format"] = 1
    (folder / "manifest.json").write_text(json.dumps(noted))


def another_stage(folder):
    noted = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(noted | {"stage": "finetune"}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_terms, r"the index is broken \(.*terms\.json.*build it again"),
        (forget("fasta_bytes"), r"the index is broken \('fasta_bytes'\)"),
        (forget("format"), r"another version \(format 1, this one reads 2\)\. Build it again"),
        (half_a_manifest, r"manifest\.json: cannot be read .*Remove it and run again"),
        (another_version, r"another version \(format 1, this one reads 2\)\. Build it again"),
        (another_stage, r"not an index but a folder of the stage 'finetune'\. Expected one of `llama-gene index`"),
        (break_database, r"the index is broken .*build it again"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong_with_an_index(folder, tmp_path, capsys, damage, words):
    shutil.copytree(folder / "idx", tmp_path / "idx")
    damage(tmp_path / "idx")
    refused(capsys, ["index", "--output", tmp_path / "idx", "--ask", "oxygen"], words)


def test_what_is_no_index_or_half_written_is_refused(folder, tmp_path):
    with pytest.raises(ArtifactError, match="not a finished stage folder"):
        open_index(tmp_path)
    shutil.copytree(folder / "idx", tmp_path / "idx.partial")
    (tmp_path / "idx.partial" / "manifest.json").unlink()
    for place in (tmp_path / "idx", tmp_path / "idx.partial"):
        with pytest.raises(ArtifactError, match="not a finished stage folder"):
            open_index(place)


def test_passages_hold_every_character_but_white_space_and_are_never_too_long():
    text = "\n\n".join(f"Paragraph {number}. " + "It says so. " * number for number in range(60)) + "x" * 900
    spans = list(cut_passages(text, 300))
    assert all(0 < end - start <= 300 for start, end in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert "".join("".join(text[slice(*span)].split()) for span in spans) == "".join(text.split())


def test_the_command_builds_finds_and_asks(tmp_path, folder, capsys):
    (tmp_path / "a.faa").write_text(">a Test kinase [Testus]\nMKVLAAGIVGLLLAQWERTMKVLAAGIVG\n")
    output = tmp_path / "idx"
    assert run(["index", "--output", output, folder / "*.md", tmp_path / "a.faa", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["protein records"] == 1
    assert run(["index", "--output", output, "--find", "MKVLAAGIVGLLLAQWERT", "--ask", "oxygen"]) == 0
    shown = capsys.readouterr().out
    assert "1. a: Test kinase" in shown
    # 29 places, nineteen letters equal: 29 x 0.06 ** 19.
    assert "E-value 1.8e-22 (parasail)" in shown
    refused(capsys, ["index", "--output", output, "--find", "MKV"], r"too short to search: 3 letters, at least 4\.")
    assert "oxygen\n1. haemoglobin.md:" in shown
    (tmp_path / "q.faa").write_text(">q1\nMKVLAAGIVGLLLAQWERT\n>q2\nWWWWHHHHWWWWHHHHPPPP\n")
    assert run(["index", "--output", output, "--find", tmp_path / "q.faa", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sequences"]
    assert [hit["id"] for hit in found["q1"]] == ["a"]
    assert found["q2"] == []
    assert run(["index", "--output", output, "--ask", "zebras"]) == 0
    assert capsys.readouterr().out == "zebras\nNo hit in the index.\n"


def test_the_command_refuses_in_one_line(tmp_path, folder, capsys):
    idx = folder / "idx"
    refused(capsys, ["index", "--output", idx], "nothing to do. Name FILES")
    refused(capsys, ["index", "--output", tmp_path, "--ask", "x"], "not a finished stage folder")
    refused(capsys, ["index", "--output", idx, "--ask", "?!"], "no words in the question")
    refused(capsys, ["index", "--output", idx, "--find", "none.fa"], r"none\.fa: no such file")
    refused(capsys, ["index", "--output", idx, "--find", "MKVLWW", "--kind", "text"], "ask texts with --ask")
    refused(capsys, ["index", "--output", idx, "--find", "MKVLWWQRST", "--kind", "dna"], "not DNA")
    refused(capsys, ["index", "--output", idx, "--ask", "x", "--set", "index.method=blast"], "index.method")
