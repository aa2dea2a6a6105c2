"""Baselines: k-mer counts by hand, and tasks a k-mer model must solve."""

import csv
import gzip
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from answering import function_items, item, motif_items, strength_items
from llama_gene.errors import DataError
from llama_gene.evaluation.baselines import answer_by_majority
from llama_gene.evaluation.features import item_features, kmer_counts, last_letters
from llama_gene.evaluation.linear import answer_by_kmers


def share_right(answers, items):
    return np.mean([text == one.output for text, one in zip(answers.texts, items, strict=True)])


def test_kmers_of_a_short_sequence_are_counted_by_hand():
    # ACGT order; AA at column 4 + 0, AC at 4 + 1, CA at 4 + 4
    counts = kmer_counts(["AACA"], "dna", 1, 2).toarray()[0]
    assert counts[:4].tolist() == [3, 1, 0, 0]
    assert {int(place): int(counts[place]) for place in np.flatnonzero(counts[4:]) + 4} == {4: 1, 5: 1, 8: 1}


def test_a_kmer_never_crosses_two_items_or_an_unknown_letter():
    counts = kmer_counts(["AC", "GT", "ANA"], "dna", 2, 2)
    assert counts.sum(axis=1).A1.tolist() == [1, 1, 0]


@given(st.lists(st.text("ACGTN", max_size=20), min_size=1, max_size=6), st.integers(1, 4))
def test_kmer_counts_equal_a_plain_count(sequences, k):
    counts = kmer_counts(sequences, "dna", k, k).toarray()
    for row, letters in zip(counts, sequences, strict=True):
        pieces = [letters[place : place + k] for place in range(len(letters) - k + 1)]
        plain = Counter(piece for piece in pieces if "N" not in piece)
        assert sorted(row[row > 0].tolist()) == sorted(plain.values())


def test_lower_case_and_rna_count_as_dna():
    assert (kmer_counts(["acgu"], "dna", 1, 3) != kmer_counts(["ACGT"], "dna", 1, 3)).nnz == 0


def test_last_letters_are_aligned_at_the_end():
    rows = last_letters(["ACG", "G"], "dna").toarray()
    assert rows[0, :4].tolist() == rows[1, :4].tolist() == [0, 0, 1, 0]
    assert rows[1].sum() == 1


def test_a_pair_of_one_kind_adds_product_and_difference():
    single = item_features([item()], kmer_max=2, family="classification")
    pair = item(sequences=("ACGT", "ACGT"), kinds=("dna", "dna"))
    assert item_features([pair], kmer_max=2, family="multi-sequence").shape[1] == 4 * single.shape[1]


def test_majority_takes_the_most_frequent_training_answer_and_the_first_of_equals():
    train = [item(output="promoter"), item(output="Non-promoter")]
    assert answer_by_majority(train, [item(), item()]).texts == ("Non-promoter", "Non-promoter")


def test_majority_without_training_items_says_what_to_do():
    with pytest.raises(DataError, match="task 'boxes': no training items"):
        answer_by_majority([], [item()])


def test_kmer_regression_finds_a_planted_motif_that_majority_misses():
    train, valid, test = (motif_items(count, seed=count) for count in (800, 100, 300))
    answers = answer_by_kmers(train, valid, test, kmer_max=6)
    assert share_right(answers, test) > 0.85
    assert share_right(answer_by_majority(train, test), test) < 0.6


def test_ridge_ranks_values_of_a_regression_task():
    train, test = strength_items(300, seed=1), strength_items(100, seed=2)
    answers = answer_by_kmers(train, [], test, kmer_max=3)
    assert spearmanr(answers.values, [one.value for one in test]).statistic > 0.9
    assert share_right(answers, test) > 0.7


def test_the_nearest_training_item_names_the_function():
    train, test = function_items(60, seed=1), function_items(30, seed=2)
    assert share_right(answer_by_kmers(train, [], test, kmer_max=4), test) > 0.95


def test_the_last_letter_decides_a_structure_task():
    rng = random.Random(5)
    items = []
    for _ in range(600):
        letters = "".join(rng.choices("AG", k=33))
        label = "helix" if letters[-1] == "A" else "coil"
        items.append(
            item(output=label, labels=("helix", "coil"), sequences=(letters,), kinds=("protein",), family="structure")
        )
    assert share_right(answer_by_kmers(items[:450], [], items[450:], kmer_max=3), items[450:]) > 0.95


def test_a_training_split_of_one_class_answers_that_class():
    train = motif_items(20, seed=1, output="promoter")
    assert set(answer_by_kmers(train, [], motif_items(5, seed=2), kmer_max=3).texts) == {"promoter"}


def test_a_rare_label_is_found_where_weighing_classes_equally_is_better_on_validation():
    rng = random.Random(6)
    splits = []
    for count in (600, 200, 200):
        splits.append([one for one in motif_items(count, seed=count) if one.output != "promoter" or rng.random() < 0.1])
    answers = answer_by_kmers(*splits, kmer_max=4)
    assert "promoter" in answers.texts
    assert "classes weighed equally" in answers.method


@pytest.mark.real_data
@pytest.mark.slow
def test_kmer_regression_reaches_its_published_figure_on_core_promoters(data):
    items = []
    with gzip.open(data / "tasks/gue/prom/prom_core_all/train.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            output = ("Non-promoter", "promoter")[int(row["label"])]
            items.append(item(sequences=(row["sequence"],), output=output))
    random.Random(0).shuffle(items)
    answers = answer_by_kmers(items[7000:], items[5000:7000], items[:5000], kmer_max=6)
    assert share_right(answers, items[:5000]) == pytest.approx(0.805, abs=0.012)
