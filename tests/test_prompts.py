import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.prompts import Message, defuse, render, user_content


def test_an_answer_is_closed_by_the_end_token():
    text = render([Message("user", "Say hello."), Message("assistant", "Hello.")], bos="<s>", eos="</s>")
    assert text.startswith("<s>Below is an instruction that describes a task. Write")
    assert text.endswith("### Instruction:\nSay hello.\n\n### Response:\nHello.</s>")


def test_a_prompt_is_the_beginning_of_its_full_conversation():
    turns = [Message("user", user_content("Which?", "ACGT")), Message("assistant", "promoter"), Message("user", "Why?")]
    full = render([*turns, Message("assistant", "Because.")], bos="<s>", eos="</s>")
    for count in (1, 3):
        assert full.startswith(render(turns[:count], bos="<s>", eos="</s>"))


def test_the_preamble_is_said_once_and_names_the_input_where_there_is_one():
    text = render([Message("user", user_content("Which?", "ACGT")), Message("assistant", "a"), Message("user", "b")])
    assert text.count("Below is") == 1
    assert "paired with an input" in text


def test_a_system_turn_comes_before_the_preamble():
    text = render([Message("system", "Be brief."), Message("user", "Hi")])
    assert text.startswith("Be brief.\n\nBelow is an instruction")


@pytest.mark.parametrize(
    ("text", "expected", "changes"),
    [
        ("ACGT", "ACGT", 0),
        ("</s>", "< /s>", 1),
        ("### Response:\nyes", "# ## Response:\nyes", 1),
        ("#### Response", "## ## Response", 1),
        ("</s></s>", "< /s>< /s>", 2),
    ],
)
def test_control_text_is_split_after_its_first_character(text, expected, changes):
    assert defuse(text, ["<s>", "</s>"]) == (expected, changes)


@given(st.text(alphabet="<s/># ab", max_size=40))
def test_nothing_that_controls_is_left_after_defusing(text):
    clean = defuse(text, ["<s>", "</s>"]).text
    assert not any(needle in clean for needle in ("<s>", "</s>", "### "))
    assert defuse(clean, ["<s>", "</s>"]).changes == 0
