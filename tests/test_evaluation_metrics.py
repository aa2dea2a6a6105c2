"""Scores and their intervals, against hand-computed values and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef

from llama_gene.evaluation.metrics import label_scores, mean_score, measure_labels, rank_score, unit_of_items, value_of


def scores(expected, predicted, labels, *, units=None, resamples=200):
    expected = np.array(expected)
    units = np.arange(len(expected)) if units is None else units
    return label_scores(expected, np.array(predicted), labels, units=units, resamples=resamples, seed=1)


def test_mcc_of_a_two_by_two_table_is_the_hand_computed_one():
    # TP 6, TN 3, FP 1, FN 2: (6 * 3 - 1 * 2) / sqrt(7 * 8 * 4 * 5) = 16 / sqrt(1120)
    expected = [1] * 8 + [0] * 4
    predicted = [1] * 6 + [0] * 2 + [0] * 3 + [1]
    found = scores(expected, predicted, 2)
    assert found["mcc"].value == pytest.approx(16 / 1120**0.5)
    assert found["accuracy"].value == pytest.approx(9 / 12)


def test_mcc_and_f1_of_many_classes_equal_scikit_learn():
    rng = np.random.default_rng(2)
    expected = rng.integers(0, 5, 300)
    predicted = np.where(rng.random(300) < 0.6, expected, rng.integers(0, 5, 300))
    found = scores(expected, predicted, 5)
    assert found["mcc"].value == pytest.approx(matthews_corrcoef(expected, predicted))
    assert found["macro_f1"].value == pytest.approx(f1_score(expected, predicted, average="macro"))


@pytest.mark.filterwarnings("error")
def test_an_mcc_of_answers_or_expectations_that_are_all_equal_is_told_without_a_warning():
    assert value_of(measure_labels(np.array([0, 1, 1]), np.array([1, 1, 1]), 2)["mcc"]) == 0
    assert value_of(measure_labels(np.array([1, 1, 1]), np.array([1, 0, 1]), 2)["mcc"]) is None


def test_no_answer_counts_as_wrong_and_as_a_class_of_its_own():
    found = scores([0, 1, 0, 1], [0, 1, 2, 2], 2)
    assert found["accuracy"].value == 0.5
    assert found["mcc"].value == pytest.approx(matthews_corrcoef([0, 1, 0, 1], [0, 1, 2, 2]))


def test_one_expected_class_leaves_mcc_and_f1_undefined():
    found = scores([1, 1, 1], [1, 0, 1], 2)
    assert found["mcc"].value is None
    assert found["macro_f1"].value is None
    assert found["accuracy"].value == pytest.approx(2 / 3)


def test_always_the_same_answer_has_mcc_zero():
    found = scores([0, 1, 0, 1], [1, 1, 1, 1], 2)["mcc"]
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_spearman_equals_scipy_with_ties():
    rng = np.random.default_rng(3)
    a = rng.integers(0, 6, 200).astype(float)
    b = a + rng.normal(0, 2, 200)
    found = rank_score(a, b, units=np.arange(200), resamples=500, seed=1)
    assert found.value == pytest.approx(spearmanr(a, b).statistic)
    assert found.low < found.value < found.high


def test_spearman_of_a_constant_is_undefined():
    assert rank_score(np.ones(5), np.arange(5.0), units=np.arange(5), resamples=100, seed=1).value is None


def test_the_interval_of_an_accuracy_is_near_the_normal_one():
    right = np.r_[np.ones(300), np.zeros(100)]
    found = mean_score(right, units=np.arange(400), resamples=4000, seed=1)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found.value == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.006)
    assert found.high == pytest.approx(0.75 + half, abs=0.006)


def test_items_of_a_group_are_drawn_together_which_widens_the_interval():
    right = np.repeat(np.random.default_rng(4).random(40) < 0.5, 10).astype(float)
    units, drawn_as = unit_of_items([f"g{place // 10}" for place in range(400)])
    grouped = mean_score(right, units=units, resamples=2000, seed=1)
    alone = mean_score(right, units=np.arange(400), resamples=2000, seed=1)
    assert drawn_as == "groups"
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("groups", [["a"] * 50, ["", *map(str, range(40))], list(map(str, range(40)))])
def test_items_are_drawn_alone_where_groups_are_few_missing_or_single(groups):
    units, drawn_as = unit_of_items(groups)
    assert drawn_as == "items"
    assert units.tolist() == list(range(len(groups)))


def test_the_same_seed_gives_the_same_interval():
    assert scores([0, 1] * 30, [0, 1, 1] * 20, 2) == scores([0, 1] * 30, [0, 1, 1] * 20, 2)
