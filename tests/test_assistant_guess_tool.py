"""Questions in free words that a tool answers: the call they are taken for, on paraphrases that no wording holds."""

from dataclasses import replace

import pytest

from chatting import make_chat_model
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.guess_tool import find_call
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
    decision = find_call(assistant, question, [DNA], all_tools())
    assert decision is not None
    (request,) = decision.requests
    assert (request.tool, request.arguments) == (tool, arguments)
    assert f"answered by the tool {tool}" in decision.notices[0]


@pytest.mark.parametrize("question", FREE)
def test_other_questions_are_left_to_the_model(assistant, question):
    assert find_call(assistant, question, [DNA], all_tools()) is None


def test_a_call_is_for_the_kinds_that_were_given_for_tools_at_hand_and_for_models_that_learnt_to_call(assistant):
    question = "What is the GC content?"
    assert find_call(assistant, question, [PROTEIN], all_tools()) is None
    assert find_call(assistant, question, [], all_tools()) is None
    assert find_call(assistant, question, [DNA], {}) is None
    assert find_call(replace(assistant, card={}), question, [DNA], all_tools()) is None
    off = replace(assistant, config=ChatConfig(route="off"))
    assert find_call(off, question, [DNA], all_tools()) is None
    strict = replace(assistant, config=ChatConfig(call_likeness=1.0))
    assert find_call(strict, "The melting temperature and GC content?", [DNA], all_tools()) is None
