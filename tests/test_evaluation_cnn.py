"""The small network: signals at any place, values, pairs, windows; the same each time."""

import random
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from answering import item, motif_items, strength_items
from llama_gene.evaluation.cnn import answer_by_cnn
from llama_gene.evaluation.items import Span
from llama_gene.evaluation.linear import answer_by_kmers


def share_right(answers, items):
    return np.mean([text == one.output for text, one in zip(answers.texts, items, strict=True)])


def test_a_motif_at_any_place_is_found():
    train, valid, test = (motif_items(count, seed=count) for count in (600, 100, 200))
    assert share_right(answer_by_cnn(train, valid, test, letters=300_000, seed=1), test) > 0.85


def test_values_are_ranked_and_bins_named_by_one_network():
    train, valid, test = (strength_items(count, seed=count) for count in (300, 60, 100))
    answers = answer_by_cnn(train, valid, test, letters=200_000, seed=1)
    assert spearmanr(answers.values, [one.value for one in test]).statistic > 0.85
    assert share_right(answers, test) > 0.6
    assert 0 < np.mean(answers.values) < 1


def test_the_last_letter_of_a_window_decides_whatever_the_length():
    rng = random.Random(5)
    items = []
    for _ in range(500):
        letters = "".join(rng.choices("AG", k=rng.randint(5, 31)))
        label = "helix" if letters[-1] == "A" else "coil"
        items.append(
            item(output=label, labels=("helix", "coil"), sequences=(letters,), kinds=("protein",), family="structure")
        )
    answers = answer_by_cnn(items[:350], items[350:400], items[400:], letters=120_000, seed=1)
    assert share_right(answers, items[400:]) > 0.95


def test_letters_after_the_asked_part_are_laid_where_they_are_in_every_window():
    rng = random.Random(8)
    items = []
    for _ in range(500):
        chain = "".join(rng.choices("AG", k=40))
        place = rng.randrange(3, 36)
        before, after = min(place, 10), min(39 - place, 6)
        label = "helix" if chain[place + 2] == "A" else "coil"
        span = Span("c", place, place + 1, before, (label,))
        window = chain[place - before : place + 1 + after]
        items.append(
            item(
                output=label, labels=("helix", "coil"), sequences=(window,), kinds=("protein",), family="structure",
                span=span,
            )
        )  # fmt: skip
    answers = answer_by_cnn(items[:350], items[350:400], items[400:], letters=120_000, seed=1)
    assert share_right(answers, items[400:]) > 0.9


def test_a_pair_that_shares_a_motif_is_told_from_one_that_does_not():
    rng = random.Random(9)
    kinds = {"kinds": ("dna", "dna"), "family": "multi-sequence", "labels": ("no", "yes")}
    items = []
    for _ in range(900):
        one, other = ("".join(rng.choices("ACGT", k=24)) for _ in range(2))
        first, second = rng.choice(("TTTTTTTT", "CCCCCCCC")), rng.choice(("TTTTTTTT", "CCCCCCCC"))
        label = "yes" if first == second else "no"
        items.append(item(output=label, sequences=(one[:12] + first + one[12:], second + other), **kinds))
    answers = answer_by_cnn(items[:600], items[600:700], items[700:], letters=450_000, seed=1)
    assert share_right(answers, items[700:]) > 0.9


def test_the_same_seed_gives_the_same_answers_and_leaves_other_random_numbers_alone():
    import torch

    train, test = strength_items(40, seed=1), strength_items(20, seed=2)
    torch.manual_seed(3)
    first = answer_by_cnn(train, [], test, letters=20_000, seed=1)
    drawn = torch.rand(1).item()
    torch.manual_seed(3)
    assert torch.rand(1).item() == drawn
    assert answer_by_cnn(train, [], test, letters=20_000, seed=1) == first


def test_long_sequences_keep_their_ends_and_one_epoch_is_always_run():
    items = [
        item(sequences=("A" * 3000 if n % 2 else "C" * 20,), output=("promoter", "Non-promoter")[n % 2])
        for n in range(40)
    ]
    answers = answer_by_cnn(items, [], items, letters=1, seed=1)
    assert answers.method == "two convolutions, epoch 1 of 1"
    assert len(answers.texts) == 40


def test_numbers_without_labels_are_foretold_as_well():
    splits = [[replace(one, labels=None) for one in strength_items(count, seed=count)] for count in (300, 60, 100)]
    answers = answer_by_cnn(*splits, letters=200_000, seed=1)
    assert spearmanr(answers.values, [one.value for one in splits[2]]).statistic > 0.85
    assert set(answers.texts) == {""}
    assert answer_by_kmers(*splits, kmer_max=3).method == "k-mer ridge regression"
