"""Numbers as words: edges from training values alone, ties, fixed edges, and values that are none."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.artifacts import Manifest
from llama_gene.config import TasksConfig
from llama_gene.errors import DataError
from llama_gene.tasks.bins import NumberRule, bin_names, bin_of, chosen_rule, fit_bins
from llama_gene.tasks.definitions import load_task
from llama_gene.tasks.split import split_tasks

HEAD = (
    'name = "value"\ntitle = "a test"\nfamily = "regression"\ndefinition = "How much?"\ninputs = [{ kind = "dna" }]\n'
    'metric = "spearman"\n'
)
READER = (
    'reader = { type = "table", sequences = ["sequence"], value = "y", '
    'files = [{ path = "train.csv", split = "train" }, { path = "valid.csv", split = "valid" }, '
    '{ path = "test.csv", split = "test" }] }\n'
)


def write_folder(folder: Path, values: dict[str, list[Any]], numbers: str = "") -> Path:
    """A regression task whose files say the split; sequences are the same for the same sizes."""
    rng = np.random.default_rng(5)
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "t.toml").write_text(HEAD + numbers + READER)
    for split, numbers_of_split in values.items():
        rows = [f"{''.join(rng.choice(list('ACGT'), 30))},{value}" for value in numbers_of_split]
        (folder / f"{split}.csv").write_text("\n".join(["sequence,y", *rows]) + "\n")
    return folder


def split(folder: Path, *, on_invalid: str = "skip", **choice: Any) -> Manifest:
    config = TasksConfig.model_validate(
        {"choices": [{"name": "value", **choice}], "definitions": ["tasks"], "on_invalid": on_invalid}
    )
    return split_tasks(config, data=folder, seed=1, output=folder / "out")


def test_edges_are_the_quantiles_of_the_values_given() -> None:
    assert fit_bins("t", NumberRule(), [0.0, 1.0, 2.0, 3.0], Counter()).edges == (1.5,)
    found = fit_bins("t", NumberRule(bins=4), [float(value) for value in range(100)], Counter())
    assert found.edges == (24.75, 49.5, 74.25)
    assert [bin_of(value, found.edges) for value in (0, 24.75, 60, 99)] == [0, 1, 2, 3]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(2, 8))
def test_every_bin_holds_a_training_value_and_merged_ones_are_counted(values: list[int], bins: int) -> None:
    counts: Counter[str] = Counter()
    try:
        found = fit_bins("t", NumberRule(bins=bins), values, counts)
    except DataError:
        # Refused only where one value alone reaches from the lowest to the highest quantile.
        assert values.count(min(values)) > (bins - 1) * (len(values) - 1) / bins
        return
    assert {found.name_of(value) for value in values} == set(found.names)
    assert sum(counts.values()) == bins - len(found.names)
    assert list(found.edges) == sorted(set(found.edges))


def test_values_of_which_most_are_equal_ask_for_a_fixed_edge_that_parts_them() -> None:
    values = [0.0] * 9 + [0.25, 2.0]
    with pytest.raises(DataError, match=r"task 't': 9 of 11 training values are 0, .* edges = \[0\.25\]"):
        fit_bins("t", NumberRule(), values, Counter())
    found = fit_bins("t", NumberRule(edges=(0.25,)), values, Counter())
    assert [found.name_of(value) for value in (0.0, 0.25)] == ["low", "high"]


def test_a_fixed_edge_beyond_all_training_values_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"no training value lies in bin 'high', from 5 to below inf; they go from 1 to 3"
    ):
        fit_bins("t", NumberRule(edges=(1.5, 2.5, 5.0), names=("a", "b", "c", "high")), [1, 2, 3], Counter())


def test_names_that_ties_leave_without_a_bin_are_refused() -> None:
    rule = NumberRule(bins=3, names=("weak", "fair", "strong"))
    assert fit_bins("t", rule, [1, 2, 3], Counter()).names == rule.names
    with pytest.raises(DataError, match="3 names, but equal training values leave 2 bins"):
        fit_bins("t", rule, [0, 0, 1, 1, 1, 1], Counter())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"edges": (1.0, 1.0)}, "edges must rise"),
        ({"names": ("low", "mid", "high")}, "3 names for 2 bins"),
        ({"names": ("low", "Low")}, "names must differ"),
        ({"tool": "Predict it"}, "tool"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NumberRule(**rule)


def test_a_run_chooses_bins_or_edges_over_the_definition() -> None:
    rule = NumberRule(edges=(1.0,), names=("weak", "strong"), tool="predict")
    (kept, quantiles, edges) = (
        chosen_rule(rule, TasksConfig.model_validate({"choices": [{"name": "t", **choice}]}).choices[0])
        for choice in ({}, {"bins": 2}, {"edges": [0.0, 2.0]})
    )
    assert kept == rule
    assert quantiles == NumberRule(bins=2, tool="predict")
    assert edges == NumberRule(edges=(0.0, 2.0), tool="predict")
    with pytest.raises(ValueError, match="bins or edges, not both"):
        TasksConfig.model_validate({"choices": [{"name": "t", "bins": 2, "edges": [0.0]}]})


def test_numbers_are_for_regression_alone() -> None:
    values = load_task("promoter-core").model_dump()
    with pytest.raises(ValueError, match="numbers is for regression tasks"):
        type(load_task("promoter-core")).model_validate(values | {"numbers": {"bins": 3}})


@settings(max_examples=6, deadline=None)
@given(
    valid=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=8),
    test=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=8),
    bins=st.integers(2, 5),
)
def test_no_held_out_value_moves_an_edge(
    tmp_path_factory: pytest.TempPathFactory, valid: list[float], test: list[float], bins: int
) -> None:
    train = list(range(30))
    plain = {"train": train, "valid": [1.0] * len(valid), "test": [1.0] * len(test)}
    other = {"train": train, "valid": valid, "test": test}
    edges = [
        split(write_folder(tmp_path_factory.mktemp("data"), values), bins=bins).facts["value"]["edges"]
        for values in (plain, other)
    ]
    assert edges[0] == edges[1] == list(fit_bins("t", NumberRule(bins=bins), train, Counter()).edges)


def test_values_that_are_no_numbers_are_dropped_and_counted_or_stop(tmp_path: Path) -> None:
    values = {"train": [*range(20), "nan", "inf", "-inf", "n/a", ""], "valid": [1, 2, "NaN"], "test": [3, 4]}
    folder = write_folder(tmp_path / "a", values)
    made = split(folder)
    assert made.counts["value: value is not a number"] == 6
    assert made.facts["value"]["edges"] == [9.5]
    kept = [
        row["value"]
        for name in ("train", "valid", "test")
        for row in pq.read_table(folder / "out" / f"{name}.parquet").to_pylist()
    ]
    assert np.isfinite(kept).all()
    with pytest.raises(DataError, match=r"train\.csv:22: the value is not a finite number"):
        split(folder, on_invalid="error")


def test_a_constant_target_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"train": [2.5] * 20, "valid": [1, 2], "test": [3, 4]})
    with pytest.raises(DataError, match=r"task 'value': all 20 training values are 2\.5, so there is nothing"):
        split(folder)


def test_fixed_edges_of_a_definition_name_the_answers(tmp_path: Path) -> None:
    numbers = 'numbers = { edges = [5, 15], names = ["weak", "fair", "strong"] }\n'
    folder = write_folder(tmp_path, {"train": list(range(20)), "valid": [4, 5], "test": [14, 15]}, numbers)
    made = split(folder)
    assert made.facts["value"]["edges"] == [5.0, 15.0]
    assert made.facts["value"]["labels"]["train"] == {"weak": 5, "fair": 10, "strong": 5}
    targets = [row["target"] for row in pq.read_table(folder / "out" / "valid.parquet").to_pylist()]
    assert sorted(targets) == ["fair", "weak"]


def test_ties_leave_fewer_bins_which_the_manifest_counts(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"train": [0] * 4 + [1] * 12 + [2] * 4, "valid": [0, 1], "test": [1, 2]})
    made = split(folder, bins=4)
    assert made.counts["value: bins merged, since values are equal"] == 2
    assert made.facts["value"]["edges"] == [1.0]


def test_bin_names_are_distinct_for_every_number_of_bins() -> None:
    assert all(len(set(bin_names(bins))) == bins for bins in range(2, 21))
