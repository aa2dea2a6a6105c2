"""Calibration on validation items, and how far probabilities can be believed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from answering import LABELS, motif_items, write_answering_model, write_instructions
from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.answering import answer_items
from llama_gene.evaluation.calibration import calibrate, fit_calibration
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.reliability import reliability
from llama_gene.model.folders import load_pair


def believed(probabilities, expected):
    right = np.array(expected)
    return reliability(np.array(probabilities), right, units=np.arange(len(right)), resamples=100, seed=1)


def drawn(count, *, scale, bias, seed=1):
    """Log-likelihoods, and right labels drawn from softmax(scale * log-likelihoods + bias)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, len(bias))) * 2
    shares = softmax(scale * logits + np.array(bias), axis=1)
    return logits, np.array([rng.choice(len(bias), p=row) for row in shares])


def test_reliability_of_two_bins_is_the_hand_computed_one():
    found = believed([[0.05, 0.95], [0.05, 0.95], [0.35, 0.65], [0.38, 0.62]], [1, 0, 1, 1])
    assert [(one.low, one.n, one.right) for one in found.bins] == [(0.6, 2, 1.0), (0.9, 2, 0.5)]
    # (2 * |0.635 - 1| + 2 * |0.95 - 0.5|) / 4
    assert found.ece == pytest.approx((0.365 + 0.45) / 2)


def test_a_probability_of_one_falls_into_the_last_bin():
    assert [(one.low, one.high) for one in believed([[0.0, 1.0]], [1]).bins] == [(0.9, 1.0)]


def test_bins_of_equal_mass_hold_equally_many_items_and_part_what_one_wide_bin_hides():
    sure = np.linspace(0.901, 0.999, 100)
    expected = (np.arange(100) >= 50).astype(int)
    found = believed(np.stack([1 - sure, sure], axis=1), expected)
    assert [one.n for one in found.bins_mass] == [10] * 10
    # One wide bin: |0.95 - 0.5|. Ten bins: half are wrong by their mean, half by one less it.
    assert found.ece == pytest.approx(0.45)
    assert found.ece_mass == pytest.approx((sure[:50].sum() + (1 - sure[50:]).sum()) / 100)


def test_items_of_one_probability_share_a_bin_of_equal_mass():
    assert [one.n for one in believed([[0.7, 0.3]] * 30, [0] * 30).bins_mass] == [30]


def test_brier_score_and_log_loss_are_the_hand_computed_ones():
    found = believed([[0.8, 0.2], [0.4, 0.6]], [0, 0])
    assert found.brier.value == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    assert found.log_loss.value == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert found.brier.low <= found.brier.value <= found.brier.high


def test_an_impossible_right_label_has_a_finite_log_loss():
    assert np.isfinite(believed([[1.0, 0.0]], [1]).log_loss.value)


@given(st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_calibration_errors_lie_between_zero_and_one(rows):
    found = believed([[1 - share, share] for share, _ in rows], [label for _, label in rows])
    assert 0 <= found.ece <= 1
    assert 0 <= found.ece_mass <= 1
    assert sum(one.n for one in found.bins_mass) == len(rows)


def test_a_temperature_is_found_again_and_changes_no_answer():
    logits, expected = drawn(4000, scale=0.25, bias=(0, 0, 0))
    fitted = fit_calibration("temperature", logits, expected)
    assert fitted.temperature == pytest.approx(4, rel=0.15)
    assert fitted.bias == (0.0, 0.0, 0.0)
    assert (fitted.apply(logits).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_priors_of_labels_are_found_again():
    logits, expected = drawn(4000, scale=0.5, bias=(1.0, 0.0, -1.0))
    fitted = fit_calibration("priors", logits, expected)
    assert fitted.temperature == pytest.approx(2, rel=0.15)
    assert np.diff(fitted.bias) == pytest.approx([-1, -1], abs=0.2)


@pytest.mark.parametrize("correction", ["temperature", "priors"])
def test_calibrated_probabilities_are_nearer_the_truth_on_other_items(correction):
    logits, expected = drawn(2000, scale=0.25, bias=(1.5, 0.0), seed=2)
    others, wanted = drawn(2000, scale=0.25, bias=(1.5, 0.0), seed=3)
    fitted = fit_calibration(correction, logits, expected)
    before, after = believed(softmax(others, axis=1), wanted), believed(fitted.apply(others), wanted)
    assert after.log_loss.value < before.log_loss.value
    assert after.ece < before.ece


def test_labels_that_are_always_right_keep_finite_priors():
    fitted = fit_calibration("priors", np.zeros((100, 2)), np.zeros(100, dtype=int))
    assert 0.9 < fitted.apply(np.zeros((1, 2)))[0, 0] < 1


@pytest.mark.parametrize(
    ("correction", "items", "labels", "words"),
    [
        ("temperature", 49, 2, "49 validation items, at least 50 are needed"),
        ("priors", 60, 11, "60 validation items, at least 110 are needed"),
        ("priors", 60, 3, "1 of 3 labels are never right in the validation items"),
    ],
)
def test_too_few_validation_items_are_refused_in_words(correction, items, labels, words):
    attempt = calibrate(correction, np.zeros((items, labels)), np.arange(items) % 2, groups=own(items), fewest=50)
    assert (attempt.fitted, attempt.refused) == (None, words)


def own(items):
    """A group for each item."""
    return list(map(str, range(items)))


@pytest.mark.parametrize("correction", ["temperature", "priors"])
def test_probabilities_that_can_be_believed_are_left_as_they_are(correction):
    logits, expected = drawn(150, scale=1, bias=(0, 0), seed=1)
    attempt = calibrate(correction, logits, expected, groups=own(150), fewest=50)
    assert attempt.fitted is None
    assert "no sure gain" in attempt.refused
    assert calibrate(correction, logits * 4, expected, groups=own(150), fewest=50).fitted.temperature > 3


def test_what_many_items_of_one_group_say_is_said_once():
    logits, expected = drawn(10, scale=0.25, bias=(0, 0), seed=3)
    many = np.repeat(logits, 20, axis=0), np.repeat(expected, 20)
    apart = calibrate("temperature", *many, groups=own(200), fewest=50)
    together = calibrate("temperature", *many, groups=[str(n // 20) for n in range(200)], fewest=50)
    assert apart.fitted is not None
    assert "no sure gain" in together.refused
    alone = calibrate("temperature", *many, groups=["one"] * 200, fewest=50)
    assert alone.refused == "the validation items are of 1 groups, 10 are needed"


CONFIG = EvaluateConfig(
    bootstrap=100, generate_items=0, calibrate="priors", calibrate_items=10, baselines=(), batch_items=8
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    model, tokenizer = load_pair(write_answering_model(tmp_path_factory.mktemp("calibrated") / "model"))
    return model.eval(), tokenizer


def test_probabilities_do_not_depend_on_the_right_labels_of_the_items_asked(pair):
    items, valid = motif_items(6, seed=1), motif_items(30, seed=2)
    turned = [type(one)(**{**vars(one), "output": LABELS[one.output == LABELS[0]]}) for one in items]
    first, second = (answer_items(CONFIG, *pair, asked, train=(), valid=valid, seed=1) for asked in (items, turned))
    assert first.calibration.fitted is not None
    assert (first.probabilities == second.probabilities).all()
    assert not np.allclose(first.probabilities, first.uncalibrated)


def test_without_validation_items_nothing_is_calibrated_and_that_is_said(pair):
    found = answer_items(CONFIG, *pair, motif_items(6, seed=1), train=(), seed=1)
    assert found.uncalibrated is None
    assert found.calibration.refused == "0 validation items, at least 20 are needed"


def test_mean_likelihood_a_token_decides_where_asked(pair):
    items = motif_items(12, seed=1)
    found = answer_items(
        CONFIG.model_copy(update={"decide_by": "per_token", "calibrate": "none"}), *pair, items, train=(), seed=1
    )
    assert found.texts == found.per_token
    assert found.calibration is None


def test_labels_are_written_letter_for_letter_where_decoding_is_constrained(pair):
    config = CONFIG.model_copy(update={"decoding": "constrained", "generate_items": 5, "calibrate": "none"})
    found = answer_items(config, *pair, motif_items(12, seed=1), train=(), seed=1)
    assert len(found.generated) == 5
    assert set(found.generated.values()) <= set(LABELS)


def test_the_report_says_how_labels_were_written(pair, tmp_path):
    splits = {name: motif_items(8, seed=seed, split=name) for seed, name in enumerate(("train", "test"))}
    evaluate(
        CONFIG.model_copy(update={"decoding": "constrained", "generate_items": 4}), model=pair[1].folder, seed=1,
        instructions=write_instructions(tmp_path / "items", splits), output=tmp_path / "out",
    )  # fmt: skip
    assert "generation that may write nothing but a label" in (tmp_path / "out" / "report.md").read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Labels written token by token" in page
    assert "Labels written freely" not in page


def test_predictions_and_report_show_probabilities_before_and_after(pair, tmp_path):
    splits = {name: motif_items(30, seed=seed, split=name) for seed, name in enumerate(("train", "valid", "test"))}
    evaluate(
        CONFIG, model=pair[1].folder, instructions=write_instructions(tmp_path / "items", splits), seed=1,
        output=tmp_path / "out",
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    for record in lines:
        assert sum(record["scores"].values()) == pytest.approx(1)
        assert record["response"] == max(record["scores"], key=record["scores"].get)
        assert record["scores"] != record["uncalibrated"]
    task = json.loads((tmp_path / "out" / "report.json").read_text())["tasks"][0]
    assert task["calibration"]["fitted"]["items"] == 30
    assert task["uncalibrated"]["log_loss"]["n"] == task["reliability"]["log_loss"]["n"] == 30
    pages = "".join(page.read_text() for page in (tmp_path / "out").rglob("*.html"))
    assert "Calibrated on 30 validation items: temperature" in pages


def test_items_of_the_validation_split_are_never_calibrated_by_themselves(pair, tmp_path):
    splits = {name: motif_items(24, seed=seed, split=name) for seed, name in enumerate(("train", "valid"))}
    evaluate(
        CONFIG.model_copy(update={"split": "valid"}), model=pair[1].folder, seed=1, output=tmp_path / "out",
        instructions=write_instructions(tmp_path / "items", splits),
    )  # fmt: skip
    task = json.loads((tmp_path / "out" / "report.json").read_text())["tasks"][0]
    assert task["calibration"] == {
        "correction": "priors", "fitted": None, "refused": "0 validation items, at least 20 are needed"
    }  # fmt: skip
    pages = "".join(page.read_text() for page in (tmp_path / "out").rglob("*.html"))
    assert "Not calibrated: 0 validation items, at least 20 are needed." in pages
