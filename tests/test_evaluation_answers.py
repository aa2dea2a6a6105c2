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
    read_number,
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


NPP = ("NPP", "non-NPP")


@pytest.mark.parametrize(
    ("text", "labels", "answer"),
    [
        ("non-NPP", NPP, "non-NPP"),
        ("NPP", NPP, "NPP"),
        ("Non-NPP.", NPP, "non-NPP"),
        ("NPPs", NPP, None),
        ("NPP non-NPP", NPP, None),
        ("non-", NPP, None),
        ("non\u2010NPP", NPP, "non-NPP"),  # hyphen
        ("non\u2011NPP", NPP, "non-NPP"),  # non-breaking hyphen
        ("non\u2013NPP", NPP, "non-NPP"),  # en dash
        ("non\u2212NPP", NPP, "non-NPP"),  # minus
        ("\uff2e\uff4f\uff4e\uff0d\uff30romoter", PROMOTER, "Non-promoter"),  # full width
        ("pro\u00admoter", PROMOTER, "promoter"),  # soft hyphen
        ("\u200bpromoter\u200b", PROMOTER, "promoter"),  # zero-width spaces
        ("promoter\u3002", PROMOTER, "promoter"),  # ideographic full stop
        ("promoter\uff0cNon-promoter", PROMOTER, None),  # full-width comma
        ("promoter\u2013like", PROMOTER, None),
        ("\u542f\u52a8\u5b50", PROMOTER, None),  # Chinese
        ("\u043f\u0440\u043e\u043c\u043e\u0442\u043e\u0440", PROMOTER, None),  # Russian
        ("Promotor", PROMOTER, None),  # German
        ("promoter\u662f", PROMOTER, None),  # a letter goes on
        ("low high", ("low", "high"), None),
        ("low; high", ("low", "high"), None),
        ("low low low, high", ("low", "high"), None),
        ("low | low", ("low", "high"), "low"),
        ("low. High would be wrong", ("low", "high"), "low"),
        ("unpromoter", PROMOTER, None),
        ("**promoter**", PROMOTER, "promoter"),
        ("the promoter", PROMOTER, None),
        ("I think that this sequence, which is long, might be a promoter", PROMOTER, None),
        ("promoter because it holds a TATA box, and Non-promoter DNA does not", PROMOTER, "promoter"),
        ("1.5", ("1", "2"), None),
        ("1.", ("1", "2"), "1"),
        ("1.1.1.1", ("1.1.1.1", "1.1.1.2"), "1.1.1.1"),
        (".", (".", "(", ")"), "."),
        ("(", (".", "(", ")"), "("),
    ],
)
def test_signs_languages_and_rambling_are_read_by_the_same_rule(text, labels, answer):
    assert read_answer(text, labels) == answer


@given(st.sampled_from((*PROMOTER, *CONFORM, *NPP, *STATES)), st.sampled_from(["", " ", "\n", ".", " AGCC", ", so"]))
def test_a_label_is_read_whatever_follows_it_as_another_word(label, rest):
    labels = next(group for group in (PROMOTER, CONFORM, NPP, STATES) if label in group)
    assert read_answer(label + rest, labels) == label


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.53", 0.53), ("-1.5e-3", -0.0015), ("\u22120.5", -0.5), ("2.", 2.0), (".5", 0.5), ("0.53 (low)", 0.53),
        ("The value is 0.4.", 0.4), ("between 1 and 2", None), ("1 to 2", 1.0), ("none", None), ("", None),
        ("H2O", None), ("12kg", None),
    ],
)  # fmt: skip
def test_a_number_is_the_one_an_answer_starts_with_or_its_only_one(text, number):
    assert read_number(text) == number


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
        ("one of the following: yes, no, or maybe.", ("yes", "no", "maybe")),
        ("one of the following: yes or no?", ("yes", "no")),
        ("one of the following: E. coli; B. subtilis.", ("E. coli", "B. subtilis")),
        ("One of the following: low, high. Sequence: ACGT, TTTT", ("low", "high")),
        ('one of the following: "low", "high"', ("low", "high")),
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
