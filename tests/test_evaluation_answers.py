"""Reading free answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.evaluation.answers import (
    is_exact,
    is_right_by_paper,
    labels_in,
    normalise,
    read_answer,
    rouge_l,
    token_f1,
)

PROMOTER = ("Non-promoter", "promoter")
CONFORM = ("Conform", "Not Conform")
STATES = ("alpha helix", "beta sheet", "random coil")


@pytest.mark.parametrize(
    ("text", "labels", "answer"),
    [
        ("Conform", CONFORM, "Conform"),
        ("Not Conform", CONFORM, "Not Conform"),
        (" not  conform.", CONFORM, "Not Conform"),
        ("NotConform", CONFORM, None),
        ("Conforming", CONFORM, None),
        ("It does Conform", CONFORM, None),
        ("promoter AGCC GGG", PROMOTER, "promoter"),
        ("promoter\n\n### Instruction:\nDetermine", PROMOTER, "promoter"),
        ("Non-promoter", PROMOTER, "Non-promoter"),
        ("non-promoter AGCC", PROMOTER, "Non-promoter"),
        ("promoter-like", PROMOTER, None),
        ("promoters", PROMOTER, None),
        ('"promoter"', PROMOTER, "promoter"),
        ("Jefferson Davis", PROMOTER, None),
        ("", PROMOTER, None),
        ("  \n", PROMOTER, None),
        ("promoter or Non-promoter", PROMOTER, None),
        ("Non-promoter, promoter", PROMOTER, None),
        ("promoter, promoter, promoter", PROMOTER, "promoter"),
        ("low to high", ("low", "high"), None),
        ("Alpha Helix", STATES, "alpha helix"),
        ("alpha", STATES, None),
        ("very high", ("high", "very high"), "very high"),
        ("high", ("high", "very high"), "high"),
        ("high.", ("high", "high activity"), "high"),
        ("high activity", ("high", "high activity"), "high activity"),
        ("+", ("+", "-"), "+"),
    ],
)
def test_an_answer_is_the_longest_label_it_starts_with(text, labels, answer):
    assert read_answer(text, labels) == answer


@given(st.text(max_size=40))
def test_reading_gives_a_label_or_nothing_whatever_the_text(text):
    assert read_answer(text, CONFORM) in (*CONFORM, None)


@given(st.text(max_size=40))
def test_a_text_with_not_before_conform_never_answers_conform(text):
    assert read_answer("Not Conform" + text, CONFORM) != "Conform"


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_more(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        ("Not Conform", "Conform", True),
        ("Conform", "Not Conform", False),
        ("Non-promoter", "promoter", False),
        ("promoter", "Non-promoter", False),
        ("promoter AGCC GGG", "promoter", True),
        ("a promoter, Nonsense", "promoter", False),
        ("Promoter", "promoter", False),
        ("a Non-promoter", "Non-promoter", True),
    ],
)
def test_the_papers_rule_is_kept_with_its_faults(text, expected, right):
    assert is_right_by_paper(text, expected) is right


@pytest.mark.parametrize(
    ("instruction", "labels"),
    [
        ("The result will be one of the following: low, high", ("low", "high")),
        ("one of the following: Cellwall,Cytoplasmic,Periplasmic.", ("Cellwall", "Cytoplasmic", "Periplasmic")),
        ("Of A, B, The result will be one of the following: Not Conform, Conform.\nx", ("Not Conform", "Conform")),
        ("Determine its function.", ()),
    ],
)
def test_labels_are_read_from_the_instruction(instruction, labels):
    assert labels_in(instruction) == labels


def test_word_f1_counts_repeated_words_once_each():
    # 2 of 3 words found, 2 of 2 wanted: 2 * 2 / (3 + 2)
    assert token_f1("ATP ATP synthase", "ATP synthase") == pytest.approx(0.8)


def test_word_f1_of_nothing_in_common_is_zero():
    assert token_f1("kinase", "synthase") == 0.0


def test_rouge_l_keeps_the_order_of_words():
    # longest common subsequence "the b d": 3 of 4 and 3 of 4
    assert rouge_l("the a b d", "the b c d") == pytest.approx(0.75)
    assert rouge_l("", "the b") == 0.0


def test_exact_ignores_case_spaces_and_the_final_point():
    assert is_exact("ATP  synthase.", "atp synthase")
    assert not is_exact("ATP synthase alpha", "ATP synthase")
