"""Calls of tools on the page, in a real browser: those that the model writes itself, and those of a larger planner."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from browsing import Page, watching
from llama_gene.assistant.api_planner import open_planner
from llama_gene.config import AgentConfig, ChatConfig
from llama_gene.model.folders import write_card
from llama_gene.serving.constrain import json_grammar
from llama_gene.serving.run import Equipment
from llama_gene.tokenizer.load import load_tokenizer
from planning import environment, planning, wants
from serving import DNA, make_served_model, serving_engine

SHARE = f"{round((DNA.count('G') + DNA.count('C')) / len(DNA), 4):g}"
SAID = f"The share of G and C is {SHARE}, of {len(DNA)} bases."
# No question is taken for a known one: what is called is the model's own choice.
OWN = ChatConfig(max_new_tokens=96, route="off")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_served_model(tmp_path_factory.mktemp("served"))
    write_card(made, {"calls_tools": True, "tasks": {}})
    return made


@pytest.fixture(scope="module")
def own(folder):
    with serving_engine(folder, OWN) as served:
        yield served


@contextmanager
def confined(engine, folder, *values) -> Iterator[list[str]]:
    """The model writes these JSON values, one an answer; gives the prompts that it is asked with.

    A random model would never write a call. It reads, chooses and is understood as ever; only which token may stand
    next is confined, by the grammar that `response_format` uses.
    """
    tokenizer, submit, prompts, turns = load_tokenizer(folder), engine.submit, [], iter(values)

    def submit_confined(request, deliver):
        prompts.append(tokenizer.decode(request.prompt))
        return submit(replace(request, grammar=json_grammar(tokenizer, {"const": next(turns)})), deliver)

    engine.submit = submit_confined
    try:
        yield prompts
    finally:
        engine.submit = submit


def test_a_call_that_the_model_writes_is_made_shown_and_answered(browser, own, folder):
    address, engine = own
    with (
        watching(browser, address) as page,
        confined(engine, folder, {"tool": "gc_content", "dna": "@input"}, "Done.") as prompts,
    ):
        page.ask(f"How much is G or C? {DNA}")
        assert page.texts(".step > summary b") == ["gc content"]
        assert page.texts(".step > summary .short") == ["dna: @input"]
        assert page.texts(".step.failed, .error") == []
        assert page.texts(".answer .words") == [SAID]
        assert page.texts(".notice") == []
    assert f'The tool gc_content gives {{"gc_share": {SHARE}' in prompts[1]


def test_a_wrong_call_that_the_model_writes_is_shown_with_its_error_and_it_goes_on(browser, own, folder):
    address, engine = own
    wrong = {"tool": "gc_content", "dna": "EFILPQ"}
    with watching(browser, address) as page, confined(engine, folder, wrong, "I could not."):
        page.ask(f"How much is G or C? {DNA}")
        (told,) = page.texts(".step.failed > p")
        assert "dna: the letters look like protein, not DNA" in told
        assert page.texts(".answer .words") == ['"I could not."']


def test_a_turn_that_begins_as_a_call_and_is_none_is_told(browser, own, folder):
    address, engine = own
    with watching(browser, address) as page, confined(engine, folder, {"tools": "gc_content"}):
        page.ask(f"How much is G or C? {DNA}")
        assert page.texts(".step") == []
        assert page.texts(".notice") == ["The model began a call of a tool and wrote none that can be read."]


# A larger model plans.


@pytest.fixture(scope="module")
def larger():
    with planning() as served:
        yield served


@pytest.fixture(scope="module")
def planned(folder, larger):
    equipment = Equipment(planner=open_planner(AgentConfig(), environment(larger.server_port)))
    with serving_engine(folder, OWN, equipment) as (address, _):
        yield address


def test_the_calls_and_the_answer_of_a_larger_planner_are_shown(browser, planned, larger):
    handler = larger.RequestHandlerClass
    handler.replies += [
        wants("reverse_complement", '{"dna": "@input"}'),
        wants("gc_content", '{"dna": "@result.dna"}'),
        {"content": f"gc_content gives {SHARE}, on either strand."},
    ]
    with watching(browser, planned) as page:
        page.ask(f"How much is G or C on the other strand? {DNA}")
        assert page.texts(".step > summary b") == ["reverse complement", "gc content"]
        assert page.texts(".step.failed, .error") == []
        assert page.texts(".answer .words") == [f"gc_content gives {SHARE}, on either strand."]
        grounds = "Results of reverse_complement, gc_content: the numbers of the steps are the ones to trust."
        assert grounds in page.texts("details.fine p")
    assert DNA not in str(handler.asked[0]["messages"])


def test_a_planner_that_fails_is_told_and_the_question_can_be_sent_again(browser, planned, larger):
    handler = larger.RequestHandlerClass
    page = Page(browser, planned)
    page.open()
    handler.replies.clear()  # it breaks the connection now, without an answer
    page.ask(f"How much is G or C? {DNA}")
    (told,) = page.texts("[role=alert].error p")
    assert told.startswith("planner 'big' at http://127.0.0.1")
    assert "Check LLAMA_GENE_PLANNER_URL" in told
    assert page.texts(".answer .writing") == []
    handler.replies.append({"content": "About half."})
    page.all(".error button")[0].click()
    page.ask("")
    assert page.texts(".answer .words")[-1] == "About half."
    assert page.complaints() == []


def test_the_first_word_of_a_planner_that_fails_is_no_fault_of_the_client(planned, larger):
    larger.RequestHandlerClass.replies.clear()
    body = {"model": "model:assistant", "messages": [{"role": "user", "content": f"GC? {DNA}"}]}
    answer = httpx.post(f"{planned}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "server_error"
    assert "planner 'big' at http://127.0.0.1" in answer.json()["error"]["message"]
