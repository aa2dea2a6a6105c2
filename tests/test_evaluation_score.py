"""`score FILE`: columns, labels and rules."""

import json
import random

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from llama_gene.errors import DataError
from llama_gene.evaluation.answer_columns import Wanted
from llama_gene.evaluation.ranking import rank_labels
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


def test_the_papers_rule_reads_the_expected_answer_as_the_file_spells_it(tmp_path):
    pairs = (("conform", "conform"), ("conform", "it does conform"), ("conform", "Conform"), ("Conform", "conform"))
    found = score_file(write(tmp_path / "a.json", rows(*pairs)), rule="paper")
    assert found.tasks[0].right == (True, True, False, False)


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ("NPP", "non-NPP", True),  # its "non" is no "Non"
        ("promoter", "Non-promoter", False),
        ("Non-promoter", "Non-promoter, promoter", True),
        ("promoter", "a promoter AGCC GGG", True),
        ("promoter", "Promoter", False),
        ("promoter", "promoter. None else", False),
        ("promoter", "", False),
    ],
)
def test_the_papers_rule_is_the_label_inside_and_no_non_beside_it(tmp_path, expected, given, right):
    asked = "one of the following: NPP, non-NPP, promoter, Non-promoter."
    found = score_file(write(tmp_path / "a.json", rows((expected, given), instruction=asked)), rule="paper")
    assert found.accuracy == right


def test_an_answer_in_another_language_is_unread(tmp_path):
    found = score_file(write(tmp_path / "a.json", rows(("Conform", "符合"), ("Not Conform", "nicht konform"))))
    assert (found.n, found.unread, found.accuracy) == (2, 2, 0)


def test_mcc_counts_what_names_no_label_as_another_class(tmp_path):
    # expected C C N N, read C N N none: covariance 2 * 4 - (2 * 1 + 2 * 2) = 2; spreads 16 - 8 = 8 and 16 - 6 = 10
    pairs = (("Conform", "Conform"), *PAIRS[:1], *PAIRS[2:])
    assert score_file(write(tmp_path / "a.json", rows(*pairs))).mcc == pytest.approx(2 / 80**0.5)


def test_rows_of_one_group_are_drawn_together_in_every_interval(tmp_path):
    made = [
        {"output": "ab"[n % 2], "response": "ab"[n % 2] if n // 20 % 2 else "c", "group": str(n // 20)}
        for n in range(500)
    ]
    apart = score_file(write(tmp_path / "a.json", [{**row, "group": ""} for row in made])).intervals
    together = score_file(write(tmp_path / "b.json", made))
    assert together.intervals["accuracy"] == (
        together.tasks[0].scores["accuracy"].low, together.tasks[0].scores["accuracy"].high
    )  # fmt: skip
    for name in ("accuracy", "exact", "mcc"):
        assert together.intervals[name][1] - together.intervals[name][0] > 2 * (apart[name][1] - apart[name][0])


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
        ("a.json", "", "the file is empty"),
        ("a.json", "{", "not JSON"),
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


# --- several tasks ----------------------------------------------------------------------------------------------------


def task_rows(task, pairs):
    return [{"task": task, "output": expected, "response": given} for expected, given in pairs]


def test_tasks_of_a_file_are_scored_apart_and_their_mcc_is_averaged(tmp_path):
    good = task_rows("good", [("a", "a"), ("b", "b")] * 4)
    bad = task_rows("bad", [("a", "b"), ("b", "a")] * 2)
    found = score_file(write(tmp_path / "a.json", [*good, *bad]))
    assert {task.task: (task.n, task.scores["mcc"].value) for task in found.tasks} == {
        "good": (8, pytest.approx(1)), "bad": (4, pytest.approx(-1))
    }  # fmt: skip
    assert found.tasks_by == "column 'task'"
    assert (found.accuracy, found.mcc, found.n) == (pytest.approx(8 / 12), pytest.approx(0), 12)


def test_kinds_are_never_pooled_into_one_accuracy(tmp_path):
    labels = task_rows("labels", [("a", "a"), ("b", "b")] * 3)
    numbers = task_rows("numbers", [("0.25", "0.25"), ("0.5", "0.75"), ("0.75", "0.75")])
    found = score_file(write(tmp_path / "a.json", [*labels, *numbers]))
    assert (found.accuracy, found.exact, found.intervals["accuracy"]) == (None, None, (None, None))
    assert [task.scores["accuracy"].value for task in found.tasks] == [1, pytest.approx(2 / 3)]
    assert found.record()["notes"][0].startswith("the tasks expect labels, numbers, so there is no accuracy or exact")


def test_questions_with_other_labels_are_other_tasks_without_being_told(tmp_path):
    yes = "one of the following: yes, no."
    low = "one of the following: low, high."
    rows = [{"instruction": f"{number} {yes}", "output": "yes", "response": "yes"} for number in range(3)]
    rows += [{"instruction": f"{number} {low}", "output": "low", "response": "no"} for number in range(3)]
    found = score_file(write(tmp_path / "a.json", rows))
    assert found.tasks_by == "the labels offered"
    assert [(task.labels, task.unread) for task in found.tasks] == [(("yes", "no"), 0), (("low", "high"), 3)]


def test_questions_asked_in_other_words_are_other_tasks(tmp_path):
    rows = [
        {"instruction": f"{what}: one of the following: Non-promoter, promoter.", "output": "promoter",
         "response": given}
        for what, given in (("core promoter", "promoter"), ("promoter", "Non-promoter"))
        for _ in range(5)
    ]  # fmt: skip
    found = score_file(write(tmp_path / "a.json", rows))
    assert (found.tasks_by, [task.scores["accuracy"].value for task in found.tasks]) == ("the instruction", [1, 0])


def test_a_column_that_names_items_does_not_tell_tasks_apart(tmp_path):
    rows = [{"dataset": str(number), "output": "a", "response": "a"} for number in range(6)]
    path = write(tmp_path / "a.json", rows)
    assert len(score_file(path).tasks) == 1
    assert len(score_file(path, wanted=Wanted(task="dataset")).tasks) == 6


# --- what a task expects ----------------------------------------------------------------------------------------------


def test_numbers_are_scored_by_correlation_and_an_answer_without_one_counts_as_their_mean(tmp_path):
    rng = random.Random(1)
    expected = [rng.random() for _ in range(40)]
    given = [round(one + rng.gauss(0, 0.2), 4) for one in expected]
    rows = [
        {"output": str(one), "response": f"{other} (predicted)"} for one, other in zip(expected, given, strict=True)
    ]
    rows[3]["response"] = "I do not know"
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    given[3] = np.mean([*given[:3], *given[4:]])
    assert (task.kind, task.unread) == ("numbers", 1)
    assert task.scores["spearman"].value == pytest.approx(spearmanr(expected, given).statistic)
    assert task.scores["pearson"].value == pytest.approx(pearsonr(expected, given).statistic)
    residual = np.sum((np.array(expected) - given) ** 2) / np.sum((np.array(expected) - np.mean(expected)) ** 2)
    assert task.scores["r2"].value == pytest.approx(1 - residual)
    assert "1 answers hold no number" in task.notes[0]
    assert task.scores["spearman"].low < task.scores["spearman"].value < task.scores["spearman"].high


@pytest.mark.parametrize("missing", ["nan", "NaN", "inf", "-inf", "1e999", "NA", "None"])
def test_an_expected_number_that_is_none_is_refused_with_its_row(tmp_path, missing):
    rows = [{"output": str(number / 8), "response": "0.5"} for number in range(6)]
    rows[3]["output"] = missing
    with pytest.raises(DataError, match=rf"a\.json: row 4: expects '{missing}' .*\(1 such rows\)\. .*finite number"):
        score_file(write(tmp_path / "a.json", rows))


def test_a_nan_among_classes_is_refused_and_none_may_be_one_of_them(tmp_path):
    def file(word):
        return write(tmp_path / "a.json", task_rows("t", [("0", "0"), ("1", "1"), (word, word)] * 2))

    with pytest.raises(DataError, match=r"row 3: expects 'nan' .*\(2 such rows\)"):
        score_file(file("nan"))
    assert score_file(file("none")).tasks[0].labels == ("0", "1", "none")
    assert score_file(file("nan"), wanted=Wanted(labels="0,1,nan")).accuracy == 1


def test_an_answer_without_end_is_no_number(tmp_path):
    rows = [{"output": str(number / 8), "response": str(number / 8)} for number in range(6)]
    rows[3]["response"] = "1e999"
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    assert (task.unread, task.scores["accuracy"].value) == (1, pytest.approx(5 / 6))


def test_numbers_that_are_classes_are_labels(tmp_path):
    rows = [{"label": number % 2, "prediction": number % 2} for number in range(8)]
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    assert (task.kind, task.labels, task.scores["mcc"].value) == ("labels", ("0", "1"), pytest.approx(1))


def test_free_text_is_scored_by_its_words(tmp_path):
    rows = [{"output": f"ATP synthase subunit {number}", "response": "ATP synthase"} for number in range(3)]
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    assert (task.kind, task.scores["accuracy"].value) == ("text", 0)
    assert task.scores["token_f1"].value == pytest.approx(2 / 3)


def test_labels_that_nobody_listed_are_said(tmp_path):
    (task,) = score_file(write(tmp_path / "a.json", task_rows("t", [("a", "a"), ("b", "b")] * 3))).tasks
    assert task.notes == ("no labels are listed; taken from the expected answers: a, b",)


def test_an_expected_answer_outside_the_labels_is_counted(tmp_path):
    found = score_file(write(tmp_path / "a.json", rows(("Conform", "Conform"), ("perhaps", "perhaps"))))
    assert found.accuracy == 1
    assert found.tasks[0].notes == ("1 expected answers are none of the labels offered",)


def test_an_expected_label_may_differ_from_the_offered_one_in_case(tmp_path):
    found = score_file(write(tmp_path / "a.json", rows(("conform", "Conform"), ("Not conform", "Conform"))))
    assert (found.accuracy, found.exact, found.tasks[0].notes) == (0.5, 0, ())


# --- probabilities ----------------------------------------------------------------------------------------------------


def probable_rows(count=60, seed=1):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet((1, 1, 1), size=count).round(1) + 1e-9
    shares /= shares.sum(axis=1, keepdims=True)
    expected = [rng.choice(3, p=row) for row in shares]
    return shares, np.array(expected)


def test_probabilities_are_scored_as_scikit_learn_does(tmp_path):
    shares, expected = probable_rows()
    names = ["a", "b", "c"]
    rows = [
        {"output": names[right], "response": names[int(row.argmax())], "labels": names,
         "scores": dict(zip(names, row.tolist(), strict=True))}
        for row, right in zip(shares, expected, strict=True)
    ]  # fmt: skip
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    each = range(3)
    assert task.scores["auroc"].value == pytest.approx(
        np.mean([roc_auc_score(expected == label, shares[:, label]) for label in each])
    )
    assert task.scores["auprc"].value == pytest.approx(
        np.mean([average_precision_score(expected == label, shares[:, label]) for label in each])
    )
    assert task.scores["mcc"].value == pytest.approx(matthews_corrcoef(expected, shares.argmax(axis=1)))
    assert 0 <= task.errors["ece"] <= 1
    for name in ("auroc", "auprc", "brier", "log_loss"):
        assert task.scores[name].low <= task.scores[name].value <= task.scores[name].high


def test_a_resample_of_ranks_is_scored_as_scikit_learn_scores_repeated_items():
    shares, expected = probable_rows(30, seed=2)
    units = np.arange(30) // 2
    found = rank_labels(shares, expected, units=units, resamples=1, seed=5)["auroc"]
    weights = np.random.default_rng(5).multinomial(15, np.full(15, 1 / 15))[units]
    assert found.low == pytest.approx(
        np.mean([roc_auc_score(expected == label, shares[:, label], sample_weight=weights) for label in range(3)])
    )


def test_probabilities_of_a_table_stand_in_a_column_a_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,prediction,prob_a,prob_b\n" + "a,a,0.9,0.1\nb,b,0.2,0.8\n" * 3)
    assert score_file(path).tasks[0].scores["auroc"].value == 1


def test_rows_without_probabilities_leave_them_unscored_and_that_is_said(tmp_path):
    rows = [{"output": word, "response": word, "scores": {"a": 0.5, "b": 0.5}} for word in "abab"]
    del rows[2]["scores"]
    (task,) = score_file(write(tmp_path / "a.json", rows)).tasks
    assert "auroc" not in task.scores
    assert "1 rows have no probabilities, so none are scored" in task.notes


@pytest.mark.parametrize("scores", [{"a": 0.9, "b": 0.9}, {"a": -0.1, "b": 1.1}, {"a": -3.2, "b": -1.0}])
def test_what_is_no_probability_is_refused_with_its_row(tmp_path, scores):
    rows = [{"output": word, "response": word, "scores": {"a": 0.5, "b": 0.5}} for word in "abab"]
    rows[2]["scores"] = scores
    with pytest.raises(DataError, match=r"a\.json: row 3: the probabilities of its labels are .* sum to 1"):
        score_file(write(tmp_path / "a.json", rows))
