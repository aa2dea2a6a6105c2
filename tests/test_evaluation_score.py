"""`score FILE`: columns, labels and rules."""

import json

import pytest

from llama_gene.errors import DataError
from llama_gene.evaluation.score import score_file

ASK = "Determine it, The result will be one of the following: Conform, Not Conform."


def write(path, rows):
    path.write_text(json.dumps(rows))
    return path


def rows(*pairs, instruction=ASK):
    return [
        {"instruction": instruction, "input": "A", "output": expected, "model_response": given}
        for expected, given in pairs
    ]


PAIRS = (
    ("Conform", "Not Conform"), ("Conform", " Conform"), ("Not Conform", "Not Conform"), ("Not Conform", "Jefferson"),
)  # fmt: skip


def test_the_strict_rule_never_takes_not_conform_for_conform(tmp_path):
    found = score_file(write(tmp_path / "a.json", rows(*PAIRS)))
    assert (found.n, found.accuracy, found.exact, found.unread) == (4, 0.5, 0.5, 1)


def test_the_papers_rule_takes_not_conform_for_conform(tmp_path):
    assert score_file(write(tmp_path / "a.json", rows(*PAIRS)), rule="paper").accuracy == 0.75


def test_mcc_counts_what_names_no_label_as_another_class(tmp_path):
    # expected C C N N, read C N N none: covariance 2 * 4 - (2 * 1 + 2 * 2) = 2; spreads 16 - 8 = 8 and 16 - 6 = 10
    pairs = (("Conform", "Conform"), *PAIRS[:1], *PAIRS[2:])
    assert score_file(write(tmp_path / "a.json", rows(*pairs))).mcc == pytest.approx(2 / 80**0.5)


def test_one_expected_class_has_no_mcc(tmp_path):
    assert score_file(write(tmp_path / "a.json", rows(PAIRS[0], PAIRS[1]))).mcc is None


def test_csv_columns_are_found_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Label,Prediction\nlow,low\nhigh,"low, perhaps"\nlow,high\n')
    found = score_file(path)
    assert (found.expected_column, found.answer_column) == ("Label", "Prediction")
    assert found.accuracy == pytest.approx(1 / 3)


def test_a_file_with_expected_and_output_reads_output_as_the_answer(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"expected": "x", "output": "x"}\n{"expected": "y", "output": "z"}\n')
    assert score_file(path).answer_column == "output"


def test_our_own_predictions_are_scored(tmp_path):
    record = {"instruction": "?", "output": "high", "labels": ["low", "high"], "response": "high", "scores": {}}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps(record) + "\n" + json.dumps(record | {"output": "low"}) + "\n")
    assert score_file(path).accuracy == 0.5


def test_a_list_inside_a_table_is_found(tmp_path):
    assert score_file(write(tmp_path / "a.json", {"model": "m", "answers": rows(*PAIRS)})).n == 4


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "", "not JSON"),
        ("a.json", "[]", "expected a list of records"),
        ("a.json", "[1, 2]", "expected a list of records"),
        ("a.jsonl", '{"output": "a", "response": "a"}\n{"output"\n', r"a\.jsonl:2: not JSON"),
        ("a.csv", "one,two\n1,2\n", r"no column of expected answers among one, two"),
        ("a.csv", "output,two\n1,2\n", r"no column of given answers among output, two"),
    ],
)
def test_a_bad_file_is_refused_with_what_was_expected(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        score_file(tmp_path / name)


def test_a_missing_file_and_bytes_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        score_file(tmp_path / "none.json")
    (tmp_path / "junk.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="not UTF-8"):
        score_file(tmp_path / "junk.json")
