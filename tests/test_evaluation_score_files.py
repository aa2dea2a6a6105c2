"""Which files `score` reads, which columns it finds, and what it refuses."""

import gzip
import json

import pytest

from llama_gene.errors import DataError
from llama_gene.evaluation.answer_columns import Wanted
from llama_gene.evaluation.score import score_file
from running import refused, run

ASK = "Determine it, The result will be one of the following: Conform, Not Conform."
PAIRS = (
    ("Conform", "Not Conform"), ("Conform", " Conform"), ("Not Conform", "Not Conform"), ("Not Conform", "Jefferson"),
)  # fmt: skip


def write(path, rows):
    path.write_text(json.dumps(rows))
    return path


RECORDS = [
    {"instruction": ASK, "output": expected, "model_response": given}
    for expected, given in (*PAIRS, ("Conform", "Conform"), ("Not Conform", ""))
]


def as_csv(delimiter):
    lines = [RECORDS[0].keys(), *(record.values() for record in RECORDS)]
    return "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines) + "\n"


COLUMNS = {name: [record[name] for record in RECORDS] for name in RECORDS[0]}
FORMATS = {
    "a.json": json.dumps(RECORDS),
    "columns.json": json.dumps(COLUMNS),
    "frame.json": json.dumps({name: dict(enumerate(column)) for name, column in COLUMNS.items()}),
    "by_id.json": json.dumps({f"item{number}": record for number, record in enumerate(RECORDS)}),
    "inside.json": json.dumps({"model": "m", "results": RECORDS}),
    "lines.json": "\n".join(map(json.dumps, RECORDS)),
    "a.jsonl": "".join(json.dumps(record) + "\n" for record in RECORDS),
    "a.csv": as_csv(","),
    "a.tsv": as_csv("\t"),
    "a.txt.csv": "\ufeff" + as_csv(","),
    "semicolons.csv": as_csv(";"),
    "table.txt": as_csv("\t"),
    "unnamed": as_csv("\t"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_format_gives_the_same_scores(tmp_path, name, suffix):
    path = tmp_path / (name + suffix)
    content = FORMATS[name].encode()
    path.write_bytes(gzip.compress(content) if suffix else content)
    found = score_file(path)
    # Of C C N N C N: read N C N none C none.
    assert (found.n, found.accuracy, found.exact, found.unread, found.empty) == (6, 0.5, 0.5, 2, 1)
    assert found.mcc == score_file(write(tmp_path / "plain.json", RECORDS)).mcc


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("output", "model_response"), ("output", "model_response")),
        (("label", "output"), ("label", "output")),
        (("answer", "response"), ("answer", "response")),
        (("label", "output", "response"), ("output", "response")),
        (("expected", "answer"), ("expected", "answer")),
        (("Ground Truth", "Predicted"), ("Ground Truth", "Predicted")),
        (("target", "generated_text"), ("target", "generated_text")),
        (("output", "answer"), ("output", "answer")),
        (("True Label", "Predicted Label"), ("True Label", "Predicted Label")),
        (("y_true", "y_pred"), ("y_true", "y_pred")),
        (("references", "predictions"), ("references", "predictions")),
        (("labels", "response"), ("labels", "response")),
        (("labels", "output", "pred"), ("output", "pred")),
    ],
)
def test_expected_and_given_columns_are_told_apart_by_name(tmp_path, names, columns):
    found = score_file(write(tmp_path / "a.json", [dict.fromkeys(names, word) for word in "aabb"]))
    assert (found.expected_column, found.answer_column) == columns


def test_named_columns_win_over_those_found(tmp_path):
    path = write(tmp_path / "a.json", [{"output": "a", "response": "b", "mine": "a"} for _ in range(3)])
    assert score_file(path).accuracy == 0
    assert score_file(path, wanted=Wanted(answer="mine")).accuracy == 1
    with pytest.raises(DataError, match=r"no column 'other' among output, response, mine"):
        score_file(path, wanted=Wanted(answer="other"))
    with pytest.raises(DataError, match="cannot be both expected and given"):
        score_file(path, wanted=Wanted(answer="mine", expected="mine"))


def test_a_column_that_lists_labels_expects_nothing(tmp_path):
    path = write(tmp_path / "a.json", [{"labels": ["a", "b"], "response": "a"}] * 3)
    with pytest.raises(DataError, match="no column of expected answers among labels, response"):
        score_file(path)


def test_labels_of_null_are_none_whatever_the_question_quotes(tmp_path):
    calls = [
        {"task": "calls", "instruction": ASK, "labels": None, "output": f"call {n}", "response": "no"} for n in "ab"
    ]
    closed = [{"task": "closed", "labels": ["yes", "no"], "output": one, "response": one} for one in ("yes", "no")]
    found = score_file(write(tmp_path / "a.json", calls + closed))
    assert [(task.kind, task.labels) for task in found.tasks] == [("text", ()), ("labels", ("yes", "no"))]
    nowhere = write(tmp_path / "b.json", [{**record, "labels": None} for record in RECORDS])
    assert score_file(nowhere).tasks[0].labels == ("Conform", "Not Conform")


def test_questions_with_choices_of_their_own_are_one_task(tmp_path):
    rows = [{"question": f"One of the following: a{n}, b{n}.", "answer": f"a{n}", "pred": f"a{n}"} for n in range(6)]
    found = score_file(write(tmp_path / "a.json", rows))
    assert (found.accuracy, found.mcc, len(found.tasks)) == (1, 1, 1)


def test_end_tokens_that_a_program_left_behind_an_answer_do_not_count(tmp_path):
    rows = [
        {"label": f"{one}<|im_end|>\n", "predict": f"{one}</s><pad>", "prompt": ASK}
        for one in ("Conform", "Not Conform")
    ]
    found = score_file(write(tmp_path / "a.json", rows))
    assert (found.accuracy, found.mcc, found.tasks[0].notes) == (1, 1, ())


def test_classes_that_a_table_wrote_as_fractions_are_classes(tmp_path):
    (tmp_path / "a.csv").write_text("label,prediction\n0,0.0\n1,1.0\n1,\n0,1.5\n")
    found = score_file(tmp_path / "a.csv")
    assert (found.accuracy, found.unread, found.tasks[0].labels) == (0.5, 2, ("0", "1"))


def test_samples_logged_by_the_harness_are_scored_by_their_likelihoods(tmp_path):
    sample = {"doc": {}, "filter": "none", "arguments": {
        f"gen_args_{place}": {"arg_0": "Is it?\n\n### Response", "arg_1": f":\n{label}</s>"}
        for place, label in enumerate(("Conform", "Not Conform"))
    }}  # fmt: skip
    logged = [
        {**sample, "target": target, "filtered_resps": [[first, "False"], [second, "False"]]}
        for target, first, second in (("0", "-1.0", "-2.0"), ("1", "-1.0", "-2.0"), ("1", "-3.0", "-0.5"))
    ]
    found = score_file(write(tmp_path / "a.json", logged))
    assert found.tasks[0].right == (True, False, True)
    assert found.tasks[0].labels == ("Conform", "Not Conform")
    # Probability of the right labels: 1 / (1 + e^-1), 1 / (1 + e), 1 / (1 + e^-2.5).
    assert found.tasks[0].scores["log_loss"].value == pytest.approx((0.313262 + 1.313262 + 0.078889) / 3, abs=1e-5)


@pytest.mark.parametrize("labels", ["promoter,Non-promoter", "options"])
def test_labels_are_taken_from_a_list_or_a_column_the_user_names(tmp_path, labels):
    rows = [{"output": "promoter", "response": "promoter AGCC GGG", "options": "Non-promoter|promoter"}]
    path = write(tmp_path / "a.json", rows)
    assert score_file(path).accuracy == 0
    found = score_file(path, wanted=Wanted(labels=labels))
    assert (found.accuracy, found.exact) == (1, 0)


# --- references elsewhere ---------------------------------------------------------------------------------------------


def test_references_of_another_file_are_joined_by_order(tmp_path):
    (tmp_path / "answers.txt").write_text("a\nb\n\nb\n")
    references = write(tmp_path / "references.json", [{"output": word} for word in "abab"])
    found = score_file(tmp_path / "answers.txt", references=references)
    assert (found.accuracy, found.empty, found.expected_column, found.answer_column) == (0.75, 1, "output", "answer")


def test_references_of_another_file_are_joined_by_id_where_both_have_it(tmp_path):
    answers = write(tmp_path / "answers.json", [{"id": one, "output": one} for one in "cba"])
    references = write(tmp_path / "references.json", [{"id": one, "output": one} for one in "abc"])
    assert score_file(answers, references=references).accuracy == 1
    write(references, [{"id": one, "output": one} for one in "abd"])
    with pytest.raises(DataError, match=r"the id 'c' is in one of the files only"):
        score_file(answers, references=references)


def test_answers_of_another_length_than_their_references_are_refused(tmp_path):
    answers = write(tmp_path / "answers.json", [{"response": "a"}] * 3)
    references = write(tmp_path / "references.json", [{"output": "a"}] * 4)
    with pytest.raises(DataError, match=r"has 3 answers, .*references\.json 4 references.*answer every item"):
        score_file(answers, references=references)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"output": ["a", "b"], "response": ["a"]}', r"'response' has 1 values and 'output' 2"),
        ("a.csv", "output,response\na,b,c\n", r"a\.csv:2: 3 fields, the header has 2"),
        ("a.csv", "output,output,response\na,b,c\n", r"a\.csv:1: the column 'output' comes twice"),
        ("a.json", '[{"output": "a", "response": "a"}, {"output": null, "response": "a"}]',
         r"row 2 expects nothing in column 'output'"),
        ("a.csv.gz", "output,response\n", "ends too early|cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        score_file(tmp_path / name)


# --- at the command line ----------------------------------------------------------------------------------------------


def test_the_command_gives_fixed_names_as_json(tmp_path, capsys):
    assert run(["score", str(write(tmp_path / "a.json", RECORDS)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["accuracy"], found["exact"], found["n"], found["rule"]) == (0.5, 0.5, 6, "strict")
    assert {"mcc", "macro_f1", "unread", "empty", "intervals", "tasks", "notes"} <= set(found)
    assert found["intervals"]["accuracy"][0] <= 0.5 <= found["intervals"]["accuracy"][1]


def test_the_command_shows_each_task_and_what_it_read(tmp_path, capsys):
    rows = [
        {"task": task, "output": expected, "response": given}
        for task, expected, given in (
            ("one", "a", "a"),
            ("one", "b", "b"),
            ("two", "0.1", "0.2"),
            ("two", "0.4", "0.3"),
        )
    ]
    assert run(["score", str(write(tmp_path / "a.json", rows)), "--rule", "paper"]) == 0
    shown = capsys.readouterr().out
    assert "rule paper" in shown
    words = " ".join(shown.split())
    assert "task n accuracy mcc spearman token_f1 unread empty" in words
    assert "all 4 – – 0 0" in words
    assert "one 2 1.000 [1.000, 1.000] 1.000 [1.000, 1.000] 0 0" in words
    assert "note: the tasks expect numbers, text, so there is no accuracy or exact over all" in shown
    assert "tasks told apart by column 'task'" in shown
    assert "expected: column 'output'; given: column 'response'" in shown


def test_the_command_refuses_in_one_line(tmp_path, capsys):
    path = write(tmp_path / "a.json", [{"one": 1}])
    refused(capsys, ["score", str(path)], "no column of expected answers among one", "--expected")
