"""Scores by identity to training and by class of pairs."""

from dataclasses import replace

import numpy as np
import pytest

from answering import motif_items
from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.strata import strata_of
from llama_gene.evaluation.tasks import ModelAnswers, compare

CONFIG = EvaluateConfig(bootstrap=100, kmer_max=3)


@pytest.fixture(scope="module")
def test_items():
    """40 items near to training and 40 far from it."""
    items = motif_items(80, seed=1, split="test")
    return [replace(item, nearest=0.1 if place < 40 else 0.95) for place, item in enumerate(items)]


def score(test_items, texts):
    said = ModelAnswers(tuple(texts), None, (), {})
    train = motif_items(60, seed=2, split="train")
    return compare(CONFIG, said, train=train, valid=[], test=test_items, seed=1)


def test_a_model_that_remembers_is_right_near_to_training_alone(test_items):
    wrong = {"yes": "no"} | dict(zip(test_items[0].labels, reversed(test_items[0].labels), strict=True))
    texts = [wrong[item.output] if place < 40 else item.output for place, item in enumerate(test_items)]
    report = score(test_items, texts)
    found = {part.name: part for part in report.strata}
    assert found["identity below 0.3"].ours.value == pytest.approx(-1.0)
    assert found["identity 0.9 to 1"].ours.value == pytest.approx(1.0)
    assert [part.n for part in report.strata] == [40, 40]
    assert all(part.kmer is not None and part.majority.value == 0.0 for part in report.strata)


def test_nothing_known_makes_no_part(test_items):
    unknown = [replace(item, nearest=None) for item in test_items]
    assert score(unknown, [item.output for item in unknown]).strata == ()


def test_classes_of_pairs_are_parts(test_items):
    names = np.array(["C1", "C2", "C3"])[np.arange(80) % 3]
    items = [replace(item, nearest=None, pair_class=str(name)) for item, name in zip(test_items, names, strict=True)]
    assert {name: len(places) for name, places in strata_of(items).items()} == {
        "pairs C1": 27, "pairs C2": 27, "pairs C3": 26,
    }  # fmt: skip


def test_few_items_make_no_part(test_items):
    assert list(strata_of([replace(item, nearest=0.4) for item in test_items[:10]] + test_items)) == [
        "identity below 0.3",
        "identity 0.9 to 1",
    ]
