"""Calls are scored as a whole: tool and arguments, every turn of a question, and none where none is due."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from answering import item
from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.answering import answer_items
from llama_gene.evaluation.calls import answer_by_wording, are_calls, measure_calls, outcome, outcomes
from llama_gene.tasks.tool_questions import TOOL_CALLS

CALL = '{"tool": "translate", "dna": "@input", "frame": 2}'


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (CALL, "right"),
        ('{"frame": 2, "dna": "@input", "tool": "translate"}', "right"),
        ('{"tool": "translate", "dna": "@input", "frame": 3}', "other arguments"),
        ('{"tool": "translate", "dna": "@input"}', "other arguments"),
        ('{"tool": "gc_content", "dna": "@input"}', "other tool"),
        ('{"tool": "translate", "tool": "translate", "dna": "@input", "frame": 2}', "no call"),
        ("frame 2", "no call"),
        (f"{CALL} and more", "no call"),
    ],
)
def test_a_call_is_right_as_a_whole_or_named_for_what_it_is(written, found):
    assert outcome(written, CALL) == found


def test_a_plain_question_wants_no_call():
    assert outcome("whatever", "promoter") == "right"
    assert outcome(CALL, "promoter") == "called without need"


def question(words: str, output: str):
    return item(instruction=words, output=output, task=TOOL_CALLS, labels=None, sequences=(), kinds=())


def test_shares_are_counted_by_hand_and_the_nearest_wording_is_a_rival():
    train = [question("Translate it in frame 2.", CALL), question("Is it a promoter?", "yes")]
    test = [question("Please translate frame 2 now.", CALL), question("Is this a promoter or not?", "no")] * 2
    assert are_calls(test)
    assert not are_calls([item()])
    texts = [CALL, "yes", CALL.replace("2", "3"), CALL]
    shares = {name: float(one.sums_NK[:, -1].mean()) for name, one in measure_calls(test, texts).items()}
    assert shares == {"right_call": 0.5, "right_tool": 0.75}
    assert answer_by_wording(train, test).texts == (CALL, "yes") * 2


SECOND = '{"tool": "gc_content", "dna": "@result.dna"}'
FIRST = '{"tool": "reverse_complement", "dna": "@input"}'


def chain(last: str):
    """A question for two calls; with words at the end, they are to stop it."""
    history = (("Its other strand's GC?", FIRST), ("The tool reverse_complement gives {}.", SECOND))
    return replace(question("The tool gc_content gives {}.", last), input="", history=history)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (f"{FIRST}\n{SECOND}\nIt is 0.5.", "right"),
        (f"{FIRST}\n{SECOND}\nWhatever.", "right"),
        (f"{FIRST}\n{SECOND}\n{SECOND}", "called without need"),
        (f'{FIRST}\n{SECOND}\n{{"tool": "gc', "called without need"),
        (f"{FIRST}\nIt is 0.5.", "no call"),
        (FIRST, "no call"),
        (f"{FIRST}\n{CALL}", "other tool"),
        (f"{FIRST}\n{SECOND.replace('result', 'input')}", "other arguments"),
        (CALL, "other tool"),
    ],
)
def test_a_question_for_several_calls_is_right_where_every_turn_is(written, found):
    assert outcomes([chain("It is 0.5.")], [written]) == [found]


def test_chains_have_a_share_of_their_own():
    items = [chain("It is 0.5."), chain("It is 0.5."), question("Translate frame 2.", CALL)]
    right = f"{FIRST}\n{SECOND}\nIt is 0.5."
    measured = measure_calls(items, [right, FIRST, CALL])
    assert measured["right_chain"].counted == 2
    scores = {name: float(one.score(one.sums_NK.sum(axis=0, keepdims=True))[0]) for name, one in measured.items()}
    assert scores == {"right_call": 2 / 3, "right_tool": 2 / 3, "right_chain": 0.5}


def test_the_nearest_wording_answers_every_turn():
    train = [chain("It is 0.5."), question("Translate frame 2.", CALL)]
    assert answer_by_wording(train, [chain("It is 0.7.")]).texts == (f"{FIRST}\n{SECOND}\nIt is 0.5.",)
    assert outcomes([question("Its GC?", CALL)], [f"{CALL}\nIt is 0.5."]) == ["right"], "nothing is due after it"


def test_the_model_is_asked_turn_by_turn_up_to_its_first_wrong_answer(monkeypatch):
    asked: list[list[str]] = []
    answers = iter([[FIRST, FIRST, "no"], [SECOND, "0.5"], ["It is 0.5."]])

    def write(config, model, tokenizer, items, longest):
        asked.append([one.instruction for one in items])
        return next(answers)

    monkeypatch.setattr("llama_gene.evaluation.answering._write", write)
    items = [chain("It is 0.5."), chain("It is 0.5."), question("A promoter?", "yes")]
    tokenizer = SimpleNamespace(encode_answer=list)
    found = answer_items(EvaluateConfig(), None, tokenizer, items, train=items, seed=1)
    assert found.texts == (f"{FIRST}\n{SECOND}\nIt is 0.5.", f"{FIRST}\n0.5", "no")
    first, result, last = (
        "Its other strand's GC?",
        "The tool reverse_complement gives {}.",
        "The tool gc_content gives {}.",
    )
    assert asked == [[first, first, "A promoter?\n\n### Input:\nACGT"], [result, result], [last]]
