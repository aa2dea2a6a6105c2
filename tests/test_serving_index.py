"""Indexes that are broken before a server opens them, or break while it serves: clear words, and nothing else fails."""

import shutil

import httpx
import pytest

from llama_gene.config import ChatConfig, IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.serving.run import Equipment
from running import refused
from serving import PROTEIN, events_of, make_served_model, serving_engine

KINASE = PROTEIN * 2
NOTES = ("The kinase carries a phosphate.", "The lyase cuts a bond.", "The pump moves an ion.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("index")
    (place / "mine.fasta").write_text(f">P1 a kinase\n{KINASE}\n")
    for number, text in enumerate(NOTES):
        (place / f"{number}.txt").write_text(f"{text}\n")
    files = [place / "mine.fasta", *(place / f"{number}.txt" for number in range(len(NOTES)))]
    build_index(IndexConfig(), files=files, seed=1, output=place / "idx")
    return place / "idx"


@pytest.fixture
def index(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "idx")


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("verb", ["serve", "mcp"])
def test_a_broken_index_ends_the_command_with_one_line(folder, index, tmp_path, capsys, verb):
    refused(capsys, [verb, folder, "--index", tmp_path / "none"], "none")
    cut(index / "protein.fasta")
    refused(capsys, [verb, folder, "--index", index], r"idx: the index is broken \(protein.fasta has .* build it again")


BREAKS = {
    "letters are cut": (lambda index: cut(index / "protein.fasta"), "protein.fasta has"),
    "vectors are cut": (lambda index: (index / "vectors.npy").write_bytes(b""), "vectors.npy has 0 bytes"),
    "the database is cut": (lambda index: (index / "index.sqlite").write_bytes(b""), "index.sqlite has 0 bytes"),
    "letters are gone": (lambda index: (index / "protein.fasta").unlink(), "protein.fasta: No such file"),
    "all is gone": (shutil.rmtree, "No such file"),
}


@pytest.mark.parametrize(("break_it", "words"), BREAKS.values(), ids=BREAKS)
def test_an_index_that_breaks_while_serving_is_told_and_the_answer_still_comes(folder, index, break_it, words):
    with serving_engine(folder, ChatConfig(max_new_tokens=4), Equipment(open_index(index))) as (address, _):
        body = {"message": f"What does the kinase do? {KINASE}"}

        def ask():
            answer = httpx.post(f"{address}/page/turn", json=body, timeout=60)
            assert answer.status_code == 200
            events = events_of(answer)
            assert events[-1]["type"] == "reply"
            return next(event for event in events if event["type"] == "found")

        before = ask()
        assert before["neighbours"][0]["hits"][0]["id"] == "P1"
        assert before["passages"]
        break_it(index)
        after = ask()
        for note in (after["neighbours"][0]["note"], after["passages_note"]):
            assert "idx: the index is broken" in note
            assert words in note
        call = {"tool": "search_passages", "arguments": '{"question": "kinase"}'}
        step = httpx.post(f"{address}/page/tool", json=call, timeout=60)
        assert step.status_code == 200
        assert words in step.json()["step"]["error"]
        assert httpx.get(f"{address}/health").status_code == 200
