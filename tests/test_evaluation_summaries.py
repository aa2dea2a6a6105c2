"""Means over tasks never mix metrics, and Table 9 has its rows."""

from types import SimpleNamespace

import pytest

from llama_gene.evaluation.metrics import Estimate
from llama_gene.evaluation.notes import TaskNote
from llama_gene.evaluation.summaries import mean_of, means_by_metric, table9
from llama_gene.tasks.score_names import MCC_OF


def score(value):
    return Estimate(value, value - 0.1, value + 0.1, 100) if value is not None else Estimate(None, None, None, 100)


def task(name, scores, *, row="", baselines=None, best="kmer"):
    """A report with the model's scores by metric; each baseline scores 0.1, the best 0.3."""
    comparisons = [
        SimpleNamespace(
            metric=metric, ours=score(value), baselines=baselines or {"majority": score(0.1), best: score(0.3)}
        )
        for metric, value in scores.items()
    ]
    return SimpleNamespace(
        task=name, comparisons=comparisons, best_baseline=best, note=TaskNote(table9=row),
        comparison=lambda metric: next((one for one in comparisons if one.metric == metric), None),
    )  # fmt: skip


TASKS = [
    task("promoter", {"mcc": 0.6, "accuracy": 0.8}, row="DNA classification"),
    task("splice", {"mcc": 0.2, "accuracy": 0.6}, row="DNA classification", best="cnn"),
    task("strength", {"spearman": 0.9, "mcc": 0.4, "accuracy": 0.7}, row="DNA regression"),
    task("function", {"token_f1": 0.5, "exact": 0.25}, row="protein function"),
    task("enzyme", {"mcc": 0.5, "accuracy": 0.75}, row="protein function"),
    task("terms", {"fmax": 0.2, "first_term": 0.35, "token_f1": 0.4, "exact": 0.1}, row="protein function"),
    task(
        "states", {"per_residue_mcc": 0.4, "per_residue_accuracy": 0.65, "mcc": 0.1, "accuracy": 0.5},
        row="protein structure",
    ),
]  # fmt: skip


def test_each_mean_is_of_one_metric_over_the_tasks_that_have_it():
    found = {mean.metric: mean for mean in means_by_metric(TASKS)}
    assert set(found) == {
        "mcc", "accuracy", "spearman", "token_f1", "exact", "fmax", "first_term", "per_residue_mcc",
        "per_residue_accuracy",
    }  # fmt: skip
    assert found["mcc"].tasks == ("promoter", "splice", "strength", "enzyme", "states")
    assert found["mcc"].ours.value == pytest.approx((0.6 + 0.2 + 0.4 + 0.5 + 0.1) / 5)
    assert found["first_term"].tasks == ("terms",)
    assert found["spearman"].ours.value == 0.9


def test_accuracy_never_stands_without_mcc_of_the_same_tasks():
    found = {mean.metric: mean for mean in means_by_metric(TASKS)}
    assert found["accuracy"].tasks == found["mcc"].tasks
    for row in table9(TASKS):
        assert (row.ours is not None and row.metric in MCC_OF) == (row.mcc is not None)


def test_a_baseline_that_some_task_lacks_has_no_mean_but_the_best_of_each_has():
    found = {mean.metric: mean for mean in means_by_metric(TASKS)}["mcc"]
    assert set(found.baselines) == {"majority", "best"}
    assert found.baselines["best"].value == pytest.approx(0.3)


def test_the_interval_of_a_mean_shrinks_with_the_root_of_the_number_of_tasks():
    found = mean_of([score(0.5)] * 4)
    assert (found.value, found.n) == (0.5, 400)
    assert found.high - found.low == pytest.approx(0.2 / 2)


def test_an_undefined_score_leaves_its_task_out_of_the_means():
    tasks = [*TASKS[:2], task("odd", {"mcc": None, "accuracy": 0.9})]
    found = {mean.metric: mean.tasks for mean in means_by_metric(tasks)}
    assert found["mcc"] == found["accuracy"] == ("promoter", "splice")


def test_table_9_has_the_papers_rows_and_parts_what_it_calls_accuracy():
    rows = [(row.row, row.metric, row.tasks) for row in table9(TASKS) if row.tasks]
    assert rows == [
        ("DNA classification", "accuracy", ("promoter", "splice")),
        ("protein structure", "per_residue_accuracy", ("states",)),
        ("protein function", "exact", ("function",)),
        ("protein function", "accuracy", ("enzyme",)),
        ("protein function", "first_term", ("terms",)),
        ("DNA regression", "accuracy", ("strength",)),
    ]
    found = {row.tasks: row for row in table9(TASKS)}
    structure = found["states",]
    assert (structure.ours.value, structure.mcc.value) == (0.65, 0.4)
    assert (found["terms",].ours.value, found["terms",].mcc) == (0.35, None)
    first = table9(TASKS)[0]
    assert (first.paper, first.specialist, first.ours.value) == (0.83, 0.84, pytest.approx(0.7))
    assert len({row.row for row in table9(TASKS)}) == 11
