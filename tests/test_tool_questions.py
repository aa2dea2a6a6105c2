"""Questions that a tool answers: they fit the tools, hold out wordings and values, and say results in words."""

import re
from collections import Counter, defaultdict
from itertools import product
from typing import Any

import pytest

from chatting import make_chat_model
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.model_tools import model_tools
from llama_gene.tasks.tool_calls import read_request
from llama_gene.tasks.tool_questions import (
    Form,
    calls_near,
    calls_of,
    change_values,
    known_forms,
    pairs_of,
    say_result,
    tool_questions,
)
from llama_gene.tools import Tool, all_tools
from llama_gene.tools.references import fill_references

# 27 codons from start to stop.
SEQUENCES = {"dna": "ATGGCATTGACCTATAATGCGGAATTC" + "GCATTGACC" * 6 + "TGA", "protein": "MALTYNAEFMALTYNAEFLL"}
PRIMER = "ATGGCATTGACCTATAATGCGG"
TASKS = {"gc": ("dna",), "splice": ("dna",), "fold": ("protein",), "pair": ("protein", "protein")}
FORMS = known_forms(TASKS)
OWN_NAMES = set(all_tools())


class Shelf:
    """An index that holds one sequence and one passage."""

    def find_sequences(self, letters, kind, most=10):
        from llama_gene.retrieval.hits import SequenceHit

        return [SequenceHit("P1", "a protein", "a.fa", kind, 0.5, 1.0, 1e-3, "phmmer")]

    def find_passages(self, question, most=5):
        from llama_gene.retrieval.hits import PassageHit

        return [PassageHit("a.md:0-9", "It folds.", "a.md", 0.03)]


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> dict[str, Tool]:
    assistant = Assistant.open(make_chat_model(tmp_path_factory.mktemp("questions")))
    return dict(all_tools(Shelf(), model_tools(assistant)))


def calls(tool: str, form: Form) -> list[tuple[str, ...]]:
    """The calls for each combination of values, those of test included."""
    change = {place: called for place, (_, called) in change_values("A", 0, "G").items()} if form.names_change else {}
    places = {
        place: [called for _, called in (*pairs_of(values), *pairs_of(form.held_values.get(place, ())))]
        for place, values in form.values.items()
    }
    if form.names_change and form.kinds == ("protein",):
        change["reference"] = "M"
    return [
        calls_of(tool, form, change | dict(zip(places, chosen, strict=True))) for chosen in product(*places.values())
    ]


def run(tools: dict[str, Tool], written: tuple[str, ...], letters: list[str], question: str = "") -> list[Any]:
    """What each call gives, the later ones on the results of the earlier."""
    results: list[Any] = []
    for call in written:
        request = read_request(call)
        assert request is not None
        tool = tools[request.tool]
        results.append(tool.call(fill_references(request.arguments, letters, results, tool.schema, question)))
    return results


def test_every_tool_is_asked_for(tools):
    assert {"ask_task", *tools} == set(tool_questions())


@pytest.mark.parametrize("name", [name for name in tool_questions() if name != "ask_task"])
def test_every_call_is_one_that_its_tool_takes_and_its_result_is_said_in_words(tools, name):
    for form in tool_questions()[name].forms:
        letters = [PRIMER if "primer" in form.arguments else SEQUENCES[kind] for kind in form.kinds]
        for written in calls(name, form):
            said = say_result(name, run(tools, written, letters, form.questions[0])[-1])
            assert said
            assert "{" not in said.replace('{"a":', "")


def test_calls_before_the_last_need_no_model_and_no_index():
    assert sum(bool(form.before) for _, form in FORMS) >= 6
    assert all(call.tool in OWN_NAMES for _, form in FORMS for call in form.before)


def test_two_calls_give_what_was_worked_out_by_hand(tools):
    (form,) = [
        form for form in tool_questions()["translate"].forms if form.before and form.kinds == ("dna",)
    ]  # fmt: skip
    assert form.questions[0] == "Translate the reverse complement of this DNA."
    written = calls_of("translate", form, {})
    assert written == (
        '{"tool": "reverse_complement", "dna": "@input"}', '{"tool": "translate", "dna": "@result.dna"}',
    )  # fmt: skip
    # The other strand of ATG GCA TTG is CAA TGC CAT.
    first, second = run(tools, written, ["ATGGCATTG"])
    assert (first["dna"], second["protein"]) == ("CAATGCCAT", "QCH")


def test_a_task_is_asked_by_its_name(tools):
    asked = [form for tool, form in FORMS if tool == "ask_task"]
    assert {form.kinds for form in asked} == {("dna",), ("protein",), ("protein", "protein")}
    names = {form.kinds: (form.values["task"], form.held_values.get("task")) for form in asked}
    assert names["dna",] == (("gc",), ("splice",))
    assert names["protein",] == (("fold",), None), "one task alone is not held out"
    (dna,) = [form for form in asked if form.kinds == ("dna",)]
    request = read_request(calls_of("ask_task", dna, {"task": "gc"})[0])
    assert fill_references(request.arguments, ["ACGT"], [], tools["align_many"].schema | {
        "properties": {"sequences": {"type": "array"}}
    }) == {"task": "gc", "sequences": ["ACGT"]}  # fmt: skip
    assert say_result("ask_task", {"task": "gc", "answer": "high"}) == "To the task gc the model answers high."


def test_results_are_said_with_their_numbers():
    found = {"total": 7, "hits": [{"start": 3, "end": 9, "strand": "+", "letters": "TATAAT"}] * 7}
    assert say_result("find_motif", found).startswith("Matches found: 7. 3 to 9 on strand +: TATAAT. 3 to 9")
    assert say_result("find_motif", found).endswith("And 2 more.")
    assert say_result("find_motif", {"total": 0, "hits": []}) == "Matches found: 0."
    assert "(1,700 more)" in say_result("reverse_complement", {"dna": "A" * 2000, "length_bp": 2000})
    assert say_result("my_own_tool", {"x": 1}) == ""


def test_wordings_name_the_values_of_their_form_and_none_is_both_taught_and_held_out():
    taught = {question for _, form in FORMS for question in form.questions}
    held_out = [question for _, form in FORMS for question in form.held_out]
    assert not taught & set(held_out)
    twice = [question for question, count in Counter([*taught, *held_out]).items() if count > 1]
    assert not twice
    for tool, form in FORMS:
        named = {*form.values, *(change_values("A", 0, "G") if form.names_change else ())}
        for question in (*form.questions, *form.held_out):
            assert set(re.findall(r"\{(\w+)\}", question)) == named, (tool, question)


def test_no_value_is_both_taught_and_held_out_whichever_form_of_the_tool_it_is_for():
    taught, held = defaultdict(set), defaultdict(set)
    for tool, form in FORMS:
        for found, kept in ((form.values, taught), (form.held_values, held)):
            for place, values in found.items():
                kept[tool, place] |= {repr(part) for pair in pairs_of(values) for part in pair}
    assert len(held) >= 8
    for place, values in held.items():
        assert not values & taught[place], place
    # The number of a code that is called by name in training is no held-out number either.
    assert not held["translate", "number"] & taught["translate", "code"]


def test_a_question_names_the_values_of_the_wordings_it_may_be():
    near = {known.question: known for known in calls_near("Which protein is it in frame -2?")}
    (call,) = near["Translate this DNA in frame -2."].calls
    assert read_request(call).arguments == {"dna": "@input", "frame": -2}
    assert not any("frame 2" in question for question in near), "-2 is not 2"
    assert not any("EcoRI" in question for question in near), "no enzyme is named"
    (call,) = next(known.calls for known in calls_near("And G7a?") if "G7A" in known.question)
    assert read_request(call).arguments | {"sequence": ""} == {
        "sequence": "", "kind": "dna", "start": 7, "reference": "G", "alternative": "A",
    }  # fmt: skip
