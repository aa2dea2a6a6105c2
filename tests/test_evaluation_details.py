"""What a score hides: bands, calibration, hardest items; hand-computed."""

import numpy as np
import pytest

from answering import LABELS, function_items, item
from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.details import hardest, profile, shorten


def bands(items, ours, name, *, nearest=None):
    best = Answers("best", tuple(one.output for one in items))
    ours = ours if isinstance(ours, Answers) else Answers("model", tuple(ours))
    found = profile(items, ours, best, units=np.arange(len(items)), nearest=nearest, resamples=100, seed=1)
    return {one.property: one.bands for one in found}.get(name)


def test_short_items_right_and_long_ones_wrong_show_in_the_bands_of_length():
    items = [item(sequences=("ACGT" * (5 if n < 50 else 50),)) for n in range(100)]
    ours = ["promoter" if n < 50 else "Non-promoter" for n in range(100)]
    short, long = bands(items, ours, "length")
    assert (short.low, short.n, short.ours.value, short.best.value) == (20, 50, 1.0, 1.0)
    assert (long.high, long.n, long.ours.value, long.best.value) == (200, 50, 0.0, 1.0)


def test_gc_is_counted_in_dna_alone():
    kinds = {"kinds": ("dna", "protein"), "family": "multi-sequence"}
    items = [item(sequences=("GC" if n % 2 else "AT", "GGGG"), **kinds) for n in range(40)]
    at, gc = bands(items, ["promoter" if n % 2 else "x" for n in range(40)], "gc")
    assert (at.low, at.ours.value, gc.high, gc.ours.value) == (0.0, 0.0, 1.0, 1.0)


def test_bands_of_identity_are_fixed_and_empty_ones_left_out():
    items = [item() for _ in range(6)]
    low, high, same = bands(items, ["promoter"] * 6, "identity", nearest=[0.1, 0.29, 0.95, 0.9, 1.0, 1.0])
    assert (low.low, low.high, low.n) == (0.0, 0.3, 2)
    assert (high.low, high.high, high.n) == (0.9, 1.0, 2)
    assert (same.low, same.high, same.n) == (1.0, 1.0, 2)


def test_classes_of_pairs_are_parts_where_all_are_known():
    items = [item(pair_class=f"C{1 + n % 3}") for n in range(9)]
    ours = ["promoter" if n % 3 == 0 else "Non-promoter" for n in range(9)]
    assert [(band.low, band.n, band.ours.value) for band in bands(items, ours, "pairs")] == [
        (1, 3, 1.0), (2, 3, 0.0), (3, 3, 0.0),
    ]  # fmt: skip
    assert bands([*items, item()], [*ours, "promoter"], "pairs") is None


def test_a_band_of_one_item_has_no_interval():
    items = [item() for _ in range(3)]
    two, one = bands(items, ["promoter"] * 3, "identity", nearest=[0.1, 0.2, 0.95])
    assert (two.ours.low, two.ours.high) == (1.0, 1.0)
    assert (one.ours.value, one.ours.low, one.ours.high, one.best.low) == (1.0, None, None, None)


def test_a_property_that_all_items_share_is_left_out():
    items = [item() for _ in range(5)]
    assert bands(items, ["promoter"] * 5, "length") is None


def test_mcc_stands_beside_the_share_of_right_answers_in_a_band():
    items = [item(output=LABELS[n % 2], sequences=("A" * (10 + n),)) for n in range(40)]
    for band in bands(items, [one.output for one in items], "length"):
        assert (band.ours.value, band.mcc) == (1.0, pytest.approx(1.0))


def test_the_hardest_items_are_the_wrong_answers_that_were_surest():
    items = [item(id=str(n), output=LABELS[1]) for n in range(4)]
    probabilities = np.array([[0.6, 0.4], [0.99, 0.01], [0.2, 0.8], [0.7, 0.3]])
    texts = [LABELS[place] for place in probabilities.argmax(axis=1)]
    found = hardest(items, Answers("model", tuple(texts)), probabilities, [0.5, 0.6, 0.7, 0.8])
    assert [one.id for one in found] == ["1", "3", "0"]
    assert (found[0].probability, found[0].expected_probability, found[0].nearest) == (0.99, 0.01, 0.6)


def test_of_three_labels_the_surest_wrong_answer_comes_first_however_unlikely_the_right_one_was():
    labels = ("helix", "sheet", "coil")
    items = [item(id=str(n), output="helix", labels=labels) for n in range(3)]
    # The second gives the right answer the least, and the first its own answer the most.
    probabilities = np.array([[0.10, 0.90, 0.00], [0.02, 0.50, 0.48], [0.30, 0.00, 0.70]])
    found = hardest(items, Answers("model", ("sheet", "sheet", "coil")), probabilities, None)
    assert [(one.id, one.probability, one.expected_probability) for one in found] == [
        ("0", 0.9, 0.1), ("2", 0.7, 0.3), ("1", 0.5, 0.02),
    ]  # fmt: skip


def test_the_hardest_free_texts_have_the_fewest_words_in_common():
    items = function_items(3, seed=1)
    answers = Answers("model", (items[0].output, "no idea", items[2].output.split()[0]))
    assert [one.id for one in hardest(items, answers, None, None)] == [items[1].id, items[2].id]


def number_items(values, lengths):
    return [
        item(id=str(n), output="{}", labels=None, value=value, family="regression", sequences=("ACGT" * length,))
        for n, (value, length) in enumerate(zip(values, lengths, strict=True))
    ]


def test_numbers_are_banded_by_how_far_they_lie_from_the_measured_ones():
    items = number_items([1.0] * 20 + [5.0] * 20, [2] * 20 + [9] * 20)
    ours = Answers("model", ("{}",) * 40, values=(1.5,) * 20 + (3.0,) * 20)
    best = Answers("kmer", ("",) * 40, values=(1.0,) * 40)
    (found, *_) = profile(items, ours, best, units=np.arange(40), nearest=None, resamples=100, seed=1)
    assert (found.property, found.measured) == ("length", "absolute error")
    assert [(band.ours.value, band.best.value, band.mcc) for band in found.bands] == [
        (0.5, 0.0, None),
        (2.0, 4.0, None),
    ]


def test_the_hardest_numbers_lie_farthest_from_the_measured_ones_whatever_the_call_says():
    items = number_items([1.0, 2.0, 3.0], [3, 3, 3])
    answers = Answers("model", ("no call", "{}", "{}"), values=(1.0, 2.5, -1.0))
    assert [(one.id, one.expected, one.answered, one.error) for one in hardest(items, answers, None, None)] == [
        ("2", "3", "-1", 4.0), ("1", "2", "2.5", 0.5),
    ]  # fmt: skip


def test_letters_are_shortened_to_their_ends():
    assert shorten("A" * 60) == "A" * 60
    assert shorten("A" * 40 + "C" * 1000).endswith("C" * 30)
    assert "980 letters" in shorten("A" * 40 + "C" * 1000)
