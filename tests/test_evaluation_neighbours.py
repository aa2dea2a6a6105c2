"""The nearest training item by alignment: either strand, either order, windows by their end."""

import random

import pytest

from answering import function_items, item, strength_items
from llama_gene.evaluation.neighbours import answer_by_neighbour, find_neighbours
from llama_gene.sequences.alphabets import reverse_complement

RNG = random.Random(7)


def random_dna(length):
    return "".join(RNG.choices("ACGT", k=length))


def random_protein(length):
    return "".join(RNG.choices("ACDEFGHIKLMNPQRSTVWY", k=length))


def mutated(letters, every):
    """Every so many letters another one."""
    swap = {"A": "C", "C": "A", "G": "T", "T": "G"}
    return "".join(
        swap.get(letter, "A") if place % every == every - 1 else letter for place, letter in enumerate(letters)
    )


def nearest(train, asked, **kinds):
    known = [item(sequences=sequences, **kinds) for sequences in train]
    return find_neighbours(known, [item(sequences=sequences, **kinds) for sequences in asked], candidates=5)


@pytest.mark.parametrize("turn", [str, reverse_complement])
def test_a_mutated_copy_is_found_on_either_strand(turn):
    train = [(random_dna(120),) for _ in range(30)]
    found = nearest(train, [(turn(mutated(train[17][0], 12)),)])
    assert found.places == (17,)
    assert found.identities[0] == pytest.approx(110 / 120)


def test_an_equal_sequence_has_identity_one_and_rna_is_read_as_dna():
    train = [(random_dna(60),) for _ in range(10)]
    found = nearest(train, [(train[3][0].replace("T", "U").lower(),)])
    assert (found.places, found.identities) == ((3,), (1.0,))


def test_without_a_shared_kmer_the_most_frequent_answer_is_given():
    known = [item(sequences=("A" * 40,), output="Non-promoter")] * 2 + [item(sequences=("A" * 40,))]
    asked = [item(sequences=("CG" * 20,))]
    found = find_neighbours(known, asked, candidates=5)
    assert (found.places, found.identities) == ((-1,), (0.0,))
    assert answer_by_neighbour(known, asked, found).texts == ("Non-promoter",)


def test_a_pair_of_one_kind_is_found_in_the_other_order():
    kinds = {"kinds": ("protein", "protein"), "family": "multi-sequence"}
    train = [(random_protein(80), random_protein(80)) for _ in range(20)]
    found = nearest(train, [(train[9][1], train[9][0])], **kinds)
    assert (found.places, found.identities) == ((9,), (1.0,))


def test_a_pair_is_judged_by_the_sum_over_both_sequences():
    kinds = {"kinds": ("dna", "protein"), "family": "multi-sequence"}
    dna, protein = random_dna(90), random_protein(60)
    train = [(dna, random_protein(60)), (random_dna(90), protein), (mutated(dna, 15), mutated(protein, 15))]
    found = nearest(train, [(dna, protein)], **kinds)
    assert found.places == (2,)
    assert found.identities[0] == pytest.approx(56 / 60, abs=0.04)


def test_windows_are_aligned_up_to_their_last_letter():
    kinds = {"kinds": ("protein",), "family": "structure"}
    end, other = random_protein(12), random_protein(12)
    train = [(end + other,), (other + end,)]
    assert nearest(train, [(random_protein(12) + end,)], **kinds).places == (1,)


def test_the_nearest_item_names_function_and_value():
    train, test = function_items(60, seed=1), function_items(30, seed=2)
    texts = answer_by_neighbour(train, test, find_neighbours(train, test, candidates=10)).texts
    assert sum(text == one.output for text, one in zip(texts, test, strict=True)) >= 29
    known = strength_items(20, seed=3)
    answers = answer_by_neighbour(known, known, find_neighbours(known, known, candidates=10))
    assert answers.values == tuple(one.value for one in known)


def test_odd_letters_and_empty_sequences_are_aligned_all_the_same():
    found = nearest([("ACGTACGTAC",), ("",)], [("",), ("NNé?ACGTACGT",)])
    assert found.places[1] == 0
