"""Questions in free words that a tool answers: the call they are taken for, on paraphrases that no wording holds."""

from dataclasses import replace

import pytest

from chatting import make_chat_model
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.guess_tool import find_calls
from llama_gene.config import ChatConfig
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_questions import tool_questions
from llama_gene.tools import all_tools

DNA = Record("mine", "dna", "ATGGAATTCTAA")
PROTEIN = Record("mine", "protein", "MKTAYIAKQRQISFVK")
# In our own words; none is a wording that the file holds.
ASKED = [
    ("GC content, please?", "gc_content", {"dna": "@input"}),
    ("please give me its reverse complement", "reverse_complement", {"dna": "@input"}),
    ("translate it for me", "translate", {"dna": "@input"}),
    ("Could you translate frame -2 of it?", "translate", {"dna": "@input", "frame": -2}),
    ("translate with the yeast mitochondrial genetic code", "translate", {"dna": "@input", "genetic_code": 3}),
    ("does EcoRI cut it, and where?", "restriction_sites", {"dna": "@input", "enzymes": ["EcoRI"]}),
    ("the melting temperature of this primer?", "melting_temperature", {"primer": "@input"}),
]
FREE = ["Is this a promoter?", "What does the gene do?", "Write a poem on spring.", "Who found the double helix?", "?"]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    opened = Assistant.open(make_chat_model(tmp_path_factory.mktemp("guess")), ChatConfig(max_new_tokens=8))
    return replace(opened, card={**opened.card, "calls_tools": True})


@pytest.mark.parametrize(("question", "tool", "arguments"), ASKED)
def test_a_paraphrase_makes_the_call_of_its_wording_and_says_so(assistant, question, tool, arguments):
    held = {wording for asked in tool_questions().values() for form in asked.forms for wording in form.questions}
    assert question not in held
    guess = find_calls(assistant, question, [DNA], all_tools())
    assert guess is not None
    (request,) = guess.requests
    assert (request.tool, request.arguments) == (tool, arguments)
    assert f"answered by the tool {tool}" in guess.notice


def test_a_question_for_two_calls_is_taken_for_both_in_order(assistant):
    guess = find_calls(assistant, "Could you translate its reverse complement?", [DNA], all_tools())
    assert guess is not None
    assert [(request.tool, request.arguments) for request in guess.requests] == [
        ("reverse_complement", {"dna": "@input"}),
        ("translate", {"dna": "@result.dna"}),
    ]
    assert "answered by the tool reverse_complement, then translate" in guess.notice
    assert find_calls(assistant, "Could you translate its reverse complement?", [DNA], {"translate"}) is None


def test_a_change_and_a_task_are_named_by_the_question(assistant):
    tools = ("effect_of_variant", "ask_task")
    guess = find_calls(assistant, "the effect of the variant g3a on this DNA?", [DNA], tools)
    assert guess is not None
    assert guess.requests[0].arguments == {
        "sequence": "@input", "kind": "dna", "start": 3, "reference": "G", "alternative": "A",
    }  # fmt: skip
    learnt = replace(assistant, card={**assistant.card, "tasks": {"promoter-core": {}}})
    guess = find_calls(learnt, "Please run promoter-core on this DNA.", [DNA], tools)
    assert guess is not None
    assert guess.requests[0].arguments == {"task": "promoter-core", "sequences": "@input"}
    assert find_calls(assistant, "Please run promoter-core on this DNA.", [DNA], tools) is None


@pytest.mark.parametrize("question", FREE)
def test_other_questions_are_left_to_the_model(assistant, question):
    assert find_calls(assistant, question, [DNA], all_tools()) is None


def test_a_call_is_for_the_kinds_that_were_given_for_tools_at_hand_and_for_models_that_learnt_to_call(assistant):
    question = "What is the GC content?"
    assert find_calls(assistant, question, [PROTEIN], all_tools()) is None
    assert find_calls(assistant, question, [], all_tools()) is None
    assert find_calls(assistant, question, [DNA], {}) is None
    assert find_calls(replace(assistant, card={}), question, [DNA], all_tools()) is None
    off = replace(assistant, config=ChatConfig(route="off"))
    assert find_calls(off, question, [DNA], all_tools()) is None
    strict = replace(assistant, config=ChatConfig(call_likeness=1.0))
    assert find_calls(strict, "The melting temperature and GC content?", [DNA], all_tools()) is None
