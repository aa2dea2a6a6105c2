"""What the page shows of an index and of the model's own calls, in a real browser; models and servers stay tiny."""

import json

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from browsing import watching
from llama_gene.assistant.agent import Decision
from llama_gene.config import ChatConfig, IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.serving.run import Equipment
from llama_gene.tasks.tool_calls import Request
from serving import DNA, PROTEIN, make_served_model, serving_engine

KINASE = PROTEIN * 2
RELATIVE = KINASE[:30] + "W" + KINASE[31:]
MARKUP = "<img src=x onerror=alert(1)>"


def plan(question, sequences, steps, tools):
    """A call, a wrong call, then the answer."""
    yield from ()
    calls = [Request("gc_content", {"dna": "@input"}, "first"), Request("nonesuch", {}, "second")]
    if len(steps) < len(calls):
        return Decision(requests=(calls[len(steps)],))
    return Decision(text=f"The share is {steps[0].result['gc_share']}.")


@pytest.fixture(scope="module")
def equipment(tmp_path_factory):
    place = tmp_path_factory.mktemp("found")
    (place / "proteins.fasta").write_text(f">P1 a kinase {MARKUP}\n{RELATIVE}\n")
    (place / "notes.txt").write_text(f"The kinase carries a phosphate. {MARKUP}\n")
    build_index(IndexConfig(), files=[place / "proteins.fasta", place / "notes.txt"], seed=1, output=place / "idx")
    return Equipment(index=open_index(place / "idx"), planner=plan)


@pytest.fixture(scope="module")
def address(tmp_path_factory, equipment):
    folder = make_served_model(tmp_path_factory.mktemp("served"))
    with serving_engine(folder, ChatConfig(max_new_tokens=8), equipment) as (address, _):
        yield address


@pytest.fixture
def page(browser, address):
    with watching(browser, address) as page:
        yield page


def test_what_an_index_holds_is_shown_with_its_alignment_and_passages_open_on_a_click(page):
    assert page.id("index").text == "index idx: 1 protein, 1 passage"
    page.ask(f"Which phosphate does it carry? {KINASE}")
    assert page.texts(".found h4") == ["Alike sequences (1)", "Passages (1)"]
    assert page.texts(".hit summary b")[0] == "P1"
    assert page.texts(".hit .figures")[0].startswith("identity 98.3 % · coverage 100.0 % · E-value ")
    assert page.texts(".alignment text")[0] == KINASE[:60]
    assert page.run("return document.querySelectorAll('.alignment rect.unlike').length") == 1
    (passage,) = page.all(".passage")
    text = passage.find_element("tag name", "blockquote")
    assert not text.is_displayed()
    passage.find_element("tag name", "summary").send_keys(Keys.ENTER)
    assert text.is_displayed()
    assert MARKUP in text.text
    assert "notes.txt" in passage.text
    assert page.all("#log img") == []
    assert page.id("said").get_attribute("textContent").endswith("2 hits in the index.")
    page.reload()
    assert len(page.all(".alignment svg")) == 1


def test_no_hit_and_no_sequences_of_a_kind_are_said(page):
    page.ask(f"quux frobnicate? {DNA}")
    assert page.texts(".found .fine") == ["The index holds no DNA sequences.", "No hit in the index."]


def test_what_was_found_is_exported(page):
    page.ask(f"Which phosphate does it carry? {KINASE}")
    (line, passage) = page.imported(
        "const { foundLines } = await import('/found.js');"
        "return foundLines(JSON.parse(sessionStorage.getItem('llama-gene.conversation')).turns[0].found)"
    )
    assert line.startswith(f"sequence 1 ~ P1 · a kinase {MARKUP} · identity 98.3 % · coverage 100.0 % · E-value ")
    assert line.endswith("proteins.fasta")
    assert "The kinase carries a phosphate." in passage


def test_a_source_that_the_model_found_itself_is_shown_once(page):
    page.ask(f"Which phosphate does it carry? {KINASE}")
    told = page.imported(
        "const { showStep } = await import('/steps.js');"
        "const { found } = JSON.parse(sessionStorage.getItem('llama-gene.conversation')).turns[0];"
        "const own = { ...found.passages[0], id: 'another', title: '' };"
        "const result = [found.passages[0], found.neighbours[0].hits[0], own];"
        "const step = showStep({ tool: 'search_passages', arguments: {}, result, seconds: 0 }, true, found);"
        "return [...step.querySelectorAll('.result .hit b, .result > .fine')].map((one) => one.textContent)"
    )
    assert told == ["another", "Found below: notes.txt:0-60, P1"]


def test_the_calls_of_the_model_are_shown_as_they_happen_and_fold_under_the_answer(page):
    page.run(
        "window.seen = new Set();"
        "new MutationObserver(() => window.seen.add(document.querySelectorAll('.step').length))"
        ".observe(document.getElementById('log'), { childList: true, subtree: true });"
        "document.getElementById('agent').checked = true"
    )
    page.ask(f"How much is G or C? {DNA}")
    assert {0, 1, 2} <= set(page.run("return [...window.seen]")), page.id("log").text
    assert page.texts(".step > summary b") == ["gc content", "nonesuch"]
    assert page.run("return [...document.querySelectorAll('.step')].map((one) => one.open)") == [False, True]
    assert page.texts(".step.failed > p")[0].startswith("'nonesuch': no such tool")
    share = (DNA.count("G") + DNA.count("C")) / len(DNA)
    assert page.texts(".answer .words") == [f"The share is {share}."]
    assert "Found in the index" in page.id("log").text


def test_a_turn_with_tools_sends_each_step_and_remembers_the_answer(address):
    body = {"message": f"GC? {DNA}", "tools": True}
    answer = httpx.post(f"{address}/page/turn", json=body, timeout=120)
    told = [json.loads(line.removeprefix("data: ")) for line in answer.text.strip().split("\n\n")[:-1]]
    kinds = [one["type"] for one in told]
    assert kinds == ["begun", "step", "step", "piece", "answered", "searching", "found", "reply"]
    assert told[1]["result"]["length_bp"] == len(DNA)
    assert [one["role"] for one in told[-1]["conversation"]["history"]] == ["user", "assistant"]
    # A question without a sequence is about those of before.
    again = {"message": "And once more?", "tools": True, "conversation": told[-1]["conversation"]}
    answer = httpx.post(f"{address}/page/turn", json=again, timeout=120)
    assert '"length_bp": 32' in answer.text
