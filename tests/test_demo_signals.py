"""The synthetic organism's signals are what its pages say."""

import re
from collections import Counter

import numpy as np
import pytest

from llama_gene.demo.motifs import Motif, sample, score_everywhere, shuffle
from llama_gene.demo.promoters import (
    MINUS_10,
    MINUS_35,
    START,
    WINDOW_BP,
    Promoter,
    at_start,
    bacterial_decoy,
    bacterial_log_odds,
    bacterial_promoter,
    promoter_strength,
    tata_decoy,
    tata_log_odds,
    tata_promoter,
    true_strength,
)
from llama_gene.demo.proteins import COUNTERPARTS, FACES, FAMILIES, SEGMENT_RESIDUES, last_states, make_protein
from llama_gene.demo.splicing import best_splice_site, intron, splice_window


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_motif_bits_match_the_hand_computed_table():
    # Kept 0.7, so each other base has 0.1: log2(0.7 / 0.25) = 1.485, log2(0.1 / 0.25) = -1.322.
    scores = score_everywhere(Motif("AC", (0.7, 0.7)), "ACG")
    np.testing.assert_allclose(scores, [1.485 * 2, -1.322 * 2], atol=0.001)


def test_motif_letters_are_kept_as_often_as_stated(rng):
    motif = Motif("ACGT", (0.9, 0.5, 1.0, 0.25))
    copies = [sample(rng, motif) for _ in range(4000)]
    kept = [sum(copy[place] == motif.consensus[place] for copy in copies) / 4000 for place in range(4)]
    np.testing.assert_allclose(kept, motif.kept, atol=0.03)


def test_spacing_of_the_boxes_is_17_give_or_take_one_with_the_stated_shares(rng):
    spacings = Counter(bacterial_promoter(rng).spacing_bp for _ in range(2000))
    assert set(spacings) == {16, 17, 18}
    assert spacings[17] / 2000 == pytest.approx(0.5, abs=0.05)
    assert spacings[16] / 2000 == pytest.approx(0.25, abs=0.05)


def test_minus_10_box_ends_5_to_7_bp_before_the_start(rng):
    ends = {promoter.start - promoter.boxes[1][2] for promoter in (bacterial_promoter(rng) for _ in range(300))}
    assert ends == {5, 6, 7}


def test_a_consensus_promoter_holds_the_boxes_where_it_says(rng):
    for _ in range(50):
        promoter = bacterial_promoter(rng, strength=9.0)
        (_, start_35, end_35), (_, start_10, end_10) = promoter.boxes
        matches = sum(
            map(str.__eq__, promoter.letters[start_35:end_35] + promoter.letters[start_10:end_10], "TTGACATATAAT")
        )
        assert matches >= 9
        assert len(promoter.letters) == WINDOW_BP
        assert promoter.start == START


def test_boxes_of_promoters_score_far_above_chance(rng):
    promoters = [bacterial_promoter(rng) for _ in range(300)]
    bits = [
        score_everywhere(MINUS_35, p.letters)[p.boxes[0][1]] + score_everywhere(MINUS_10, p.letters)[p.boxes[1][1]]
        for p in promoters
    ]
    assert np.mean(np.array(bits) > 4) > 0.9


def test_tata_box_starts_about_30_bp_before_transcription(rng):
    offsets = Counter(promoter.boxes[0][1] - promoter.start for promoter in (tata_promoter(rng) for _ in range(400)))
    assert set(offsets) == {-32, -31, -30, -29}


def test_cutting_a_promoter_moves_its_places_along(rng):
    promoter = bacterial_promoter(rng)
    cut = at_start(promoter, 40)
    assert cut.letters == promoter.letters[20:]
    assert cut.spacing_bp == promoter.spacing_bp
    _, start, end = cut.boxes[0]
    assert cut.letters[start:end] == promoter.letters[start + 20 : end + 20]


@pytest.mark.parametrize(("spacing", "units"), [(17, 0.0), (16, 0.75), (18, 0.75), (20, 2.25)])
def test_strength_loses_three_bits_for_each_bp_of_wrong_spacing(spacing, units):
    def consensus(gap: int) -> Promoter:
        letters = "A" * 20 + "TTGACA" + "C" * gap + "TATAAT" + "G" * 30
        return Promoter(letters, 60, (("a", 20, 26), ("b", 26 + gap, 32 + gap)))

    assert true_strength(consensus(17)) - true_strength(consensus(spacing)) == pytest.approx(units)


def test_stronger_boxes_give_more_expression(rng):
    weak = [promoter_strength(rng, bacterial_promoter(rng, strength=0.3)) for _ in range(200)]
    strong = [promoter_strength(rng, bacterial_promoter(rng, strength=1.2)) for _ in range(200)]
    assert np.mean(strong) - np.mean(weak) > 2


def test_shuffled_look_alikes_keep_the_letters(rng):
    letters = bacterial_promoter(rng).letters
    assert Counter(shuffle(rng, letters)) == Counter(letters)


def test_rules_that_know_the_boxes_tell_promoters_from_look_alikes(rng):
    bacterial = [bacterial_log_odds(bacterial_promoter(rng).letters) > 5 for _ in range(400)]
    bacterial += [bacterial_log_odds(bacterial_decoy(rng)) <= 5 for _ in range(400)]
    tata = [tata_log_odds(tata_promoter(rng).letters) > 0 for _ in range(400)]
    tata += [tata_log_odds(tata_decoy(rng)) <= 0 for _ in range(400)]
    assert 0.88 < np.mean(bacterial) < 0.98
    assert 0.90 < np.mean(tata) < 0.99


def test_introns_begin_with_gt_and_end_with_ag_and_carry_a_pyrimidine_tract(rng):
    for length in (40, 60, 100):
        letters = intron(rng, length)
        assert len(letters) == length
        assert letters.startswith("GT")
        assert letters.endswith("AG")
        assert sum(letter in "CT" for letter in letters[-17:-3]) >= 9


def test_splice_windows_hold_their_dinucleotide_at_the_border_and_so_do_look_alikes(rng):
    none = Counter()
    for _ in range(100):
        assert splice_window(rng, "donor")[30:32] == "GT"
        assert splice_window(rng, "acceptor")[28:30] == "AG"
        window = splice_window(rng, "none")
        none[window[30:32] == "GT" or window[28:30] == "AG"] += 1
    assert none[True] == 100


def test_a_rule_that_knows_the_splice_signals_is_mostly_right(rng):
    hits = [
        best_splice_site(splice_window(rng, site)) == site for site in ("donor", "acceptor", "none") for _ in range(300)
    ]
    assert 0.86 < np.mean(hits) < 0.98


def test_proteins_follow_their_familys_site_and_order_of_segments(rng):
    for family in FAMILIES:
        protein = make_protein(rng, family)
        runs = [(found[0][0], len(found[0])) for found in re.finditer(r"H+|E+|C+", protein.states)]
        assert "".join(state for state, _ in runs if state != "C") == family.layout
        for state, length in runs[1:-1]:
            low, high = SEGMENT_RESIDUES[state]
            assert low <= length <= high
        places = [sum(map(str.__eq__, protein.residues[start:], family.site)) for start in range(1, 6)]
        assert max(places) >= 5
        assert 40 <= len(protein.residues) <= 90
        assert len(protein.residues) == len(protein.states)


def test_faces_come_in_pairs_that_fit_both_ways():
    assert all(COUNTERPARTS[COUNTERPARTS[face]] == face != COUNTERPARTS[face] for face in FACES)


def test_sites_and_faces_have_eight_residues_and_products_and_functions_say_synthetic():
    assert {len(family.site) for family in FAMILIES} | {len(face) for face in FACES.values()} == {8}
    assert all("synthetic" in family.product and "synthetic" in family.function for family in FAMILIES)
    assert len({family.site for family in FAMILIES}) == len({family.layout for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.slow
def test_a_filter_that_knows_the_propensities_reads_most_states(rng):
    proteins = [make_protein(rng, FAMILIES[index % len(FAMILIES)]) for index in range(40)]
    hits = [a == b for p in proteins for a, b in zip(p.states, last_states(p.residues), strict=True)]
    assert 0.85 < np.mean(hits) < 0.97
