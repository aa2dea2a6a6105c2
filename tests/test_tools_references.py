"""What arguments name instead of spelling it out: sequences of the question, and values that calls gave."""

import pytest

from llama_gene.errors import DataError
from llama_gene.tools.references import fill_references

TWO = ["ACGT", "GGGG"]
SCHEMA = {"properties": {"list": {"type": "array"}, "one": {"type": "string"}}}
RESULTS = [{"dna": "TTT"}, {"total": 1, "frames": [{"protein": "MK"}]}]


def fill(arguments, results=()):
    return fill_references(arguments, TWO, results, SCHEMA)


def test_inputs_fill_single_arguments_lists_and_tables():
    assert fill({"list": "@input"}) == {"list": TWO}
    assert fill({"list": ["@input2"]}) == {"list": ["GGGG"]}
    assert fill({"one": {"x": "@input1"}}) == {"one": {"x": "ACGT"}}
    assert fill({"one": "ends with @input"}) == {"one": "ends with @input"}
    for wrong in ("@input", "@input0", "@input3"):
        with pytest.raises(DataError, match=wrong):
            fill({"one": wrong})


def test_a_result_is_named_by_its_call_and_field():
    assert fill({"one": "@result.frames.0.protein"}, RESULTS) == {"one": "MK"}
    assert fill({"one": "@result1.dna", "list": ["@result2.total"]}, RESULTS) == {"one": "TTT", "list": [1]}
    assert fill({"one": "@result"}, RESULTS) == {"one": "@result"}, "without a field it is a word as any other"


def test_what_a_result_holds_is_not_looked_at_again():
    assert fill({"one": "@result.dna"}, [{"dna": "@input1"}]) == {"one": "@input1"}


@pytest.mark.parametrize(
    ("named", "results", "said"),
    [
        ("@result.dna", [], "there were 0 call(s) before"),
        ("@result3.dna", RESULTS, "there were 2 call(s) before"),
        ("@result0.dna", RESULTS, "there were 2 call(s) before"),
        ("@result.dna", [None], "call 1 failed and gave nothing"),
        ("@result1.protein", RESULTS, "call 1 has no 'protein' there. Expected one of dna"),
        ("@result.frames.1.protein", RESULTS, "has no '1' there. Expected one of 0"),
        ("@result.total.x", RESULTS, "has no 'x' there. It has none"),
        ("@result.__class__", RESULTS, "has no '__class__' there"),
    ],
)
def test_a_name_of_nothing_says_what_there_is(named, results, said):
    with pytest.raises(DataError) as caught:
        fill({"one": named}, results)
    assert said in str(caught.value)


def test_the_words_of_the_question_stand_for_themselves():
    asked = {"one": "@question", "list": ["@question"]}
    assert fill_references(asked, [], [], SCHEMA, " What of @input? ") == {
        "one": "What of @input?", "list": ["What of @input?"],
    }  # fmt: skip
    assert fill({"one": "as @question"}) == {"one": "as @question"}
    with pytest.raises(DataError, match="@question: nothing was asked in words"):
        fill({"one": "@question"})
