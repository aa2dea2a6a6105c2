"""Restriction sites, motifs and matrices against answers worked out by hand and against Biopython's own search."""

import math
import random

import pytest
from Bio.Restriction import CommOnly
from Bio.Seq import Seq
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tools import all_tools
from llama_gene.tools.motifs import find_motif, scan_matrix
from llama_gene.tools.sites import COMMON, Cut, restriction_sites


def test_ecori_cuts_after_its_g_on_both_strands():
    found = restriction_sites("AAGAATTCAAAA", enzymes=("EcoRI",))
    (site,) = found.sites
    assert (site.start, site.end, site.strand) == (2, 8, "+")
    # G^AATTC: before base 3 here; on the other strand four bases on.
    assert site.cuts == (Cut(given=3, other=7),)
    assert found.pieces_bp == (3, 9)
    assert found.enzymes[0].pattern == "G^AATT_C"


def test_an_enzyme_that_cuts_beside_its_site_on_either_strand():
    # BsaI, GGTCTC(1/5): one base after the site on the strand read, five on the other.
    forward = restriction_sites("AAGGTCTCATTTTCCCC", enzymes=("BsaI",)).sites[0]
    assert (forward.start, forward.strand, forward.cuts) == (2, "+", (Cut(given=9, other=13),))
    # The same piece turned round: 17 bases, so cuts at 17 - 9 and 17 - 13, each on the other strand.
    backward = restriction_sites(reverse_complement("AAGGTCTCATTTTCCCC"), enzymes=("BsaI",)).sites[0]
    assert (backward.start, backward.strand, backward.cuts) == (9, "-", (Cut(given=4, other=8),))


def test_a_cut_beyond_the_end_of_linear_dna_is_none():
    assert restriction_sites("AAGGTCTCA", enzymes=("BsaI",)).sites[0].cuts == (Cut(given=None, other=None),)


def test_a_circle_has_sites_across_its_origin_and_as_many_pieces_as_cuts():
    letters = "TTCAAAACCCCCGAA"
    assert restriction_sites(letters, enzymes=("EcoRI",)).total == 0
    found = restriction_sites(letters, enzymes=("EcoRI",), topology="circular")
    assert (found.sites[0].start, found.sites[0].cuts[0].given) == (12, 13)
    assert found.pieces_bp == (15,)
    assert restriction_sites("ACGT" * 5, enzymes=("EcoRI",), topology="circular").pieces_bp == (20,)


def test_a_letter_that_stands_for_several_is_cut_where_the_enzyme_takes_all():
    # BstYI, RGATCY; BamHI, GGATCC.
    assert restriction_sites("AARGATCYAA", enzymes=("BstYI",)).total == 1
    assert restriction_sites("AARGATCYAA", enzymes=("BamHI",)).total == 0


def inner(cuts):
    """Cuts away from the ends of 3,000 bases, where Biopython leaves out those whose other strand ends first."""
    return {cut for cut in cuts if 60 < cut < 2940}


def first_bases(sites):
    """The first base after each cut, 1-based, as Biopython counts."""
    return inner(cut.given + 1 for site in sites for cut in site.cuts if cut.given is not None)


@pytest.mark.parametrize("topology", ["linear", "circular"])
def test_cuts_of_every_commercial_enzyme_are_those_of_biopython(topology):
    letters = "".join(random.Random(3).choices("ACGT", k=3000))
    sequence = Seq(letters)
    for enzyme in sorted(CommOnly, key=str):
        found = restriction_sites(letters, enzymes=(str(enzyme),), topology=topology)
        if found.total > len(found.sites):
            continue  # one base is enough for a few enzymes, and then not all sites are listed
        theirs = inner(enzyme.search(sequence, linear=topology == "linear"))
        # Where a site reads on both strands from one place, Biopython (1.88) gives the cut of the first alone.
        forward = {site.start for site in found.sites if site.strand == "+"}
        sure = [site for site in found.sites if site.strand == "+" or site.start not in forward]
        assert first_bases(sure) <= theirs <= first_bases(found.sites), str(enzyme)


def test_more_sites_than_can_be_held_are_refused():
    with pytest.raises(DataError, match=r"more than 100,000 sites in 110,000 bases\..* fewer enzymes"):
        restriction_sites("C" * 110_000, enzymes=("AbaSI",))


def test_an_unknown_enzyme_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"enzymes\.0: 'ecori': no such enzyme.*did you mean 'EcoRI'"):
        all_tools()["restriction_sites"].call({"dna": "ACGT", "enzymes": ["ecori"]})


def test_the_common_enzymes_are_all_known():
    assert len(restriction_sites("ACGT").enzymes) == len(COMMON) == 20


def test_a_motif_is_found_overlapping_and_on_both_strands():
    hits = find_motif("AAAATTC", "AAW").hits
    # AAA at 0 and 1, AAT at 2; on the other strand GAATTTT: AAT at 1, that is 3..6 here (ATT).
    assert [(hit.start, hit.end, hit.strand, hit.letters) for hit in hits] == [
        (0, 3, "+", "AAA"),
        (1, 4, "+", "AAA"),
        (2, 5, "+", "AAT"),
        (3, 6, "-", "AAT"),
    ]


def test_a_palindrome_is_given_once_and_an_ambiguous_base_matches_only_where_all_do():
    assert find_motif("GAATTC", "GAATTC").total == 1
    assert find_motif("GANTTC", "GAATTC").total == 0
    assert find_motif("GANTTC", "GANTTC").total == 1


MATRIX = {"A": [8, 0, 0], "C": [0, 8, 2], "G": [0, 0, 4], "T": [0, 0, 2]}


def test_a_matrix_scores_the_sum_of_log_odds():
    (best,) = scan_matrix("TTACGTT", MATRIX, min_score_bits=4, strands="forward").hits
    # p = (count + 1/4) / 9 against 1/4.
    expected = 2 * math.log2((8.25 / 9) / 0.25) + math.log2((4.25 / 9) / 0.25)
    assert (best.start, best.end, best.letters) == (2, 5, "ACG")
    assert best.score_bits == pytest.approx(expected, abs=1e-3)


def test_the_background_and_pseudocount_count():
    background = {"A": 0.4, "C": 0.1, "G": 0.1, "T": 0.4}
    found = scan_matrix("ACG", MATRIX, background=background, pseudocount=2, min_score_bits=-100, strands="forward")
    # p = (count + 2 b) / 10.
    expected = math.log2((8.8 / 10) / 0.4) + math.log2((8.2 / 10) / 0.1) + math.log2((4.2 / 10) / 0.1)
    assert found.hits[0].score_bits == pytest.approx(expected, abs=1e-3)
    assert found.best_possible_bits == pytest.approx(expected, abs=1e-3)


def test_a_matrix_is_found_on_the_other_strand():
    (best,) = scan_matrix("TTCGTTT", MATRIX, min_score_bits=4).hits
    assert (best.start, best.end, best.strand, best.letters) == (2, 5, "-", "ACG")


def test_windows_with_ambiguous_letters_are_skipped_and_counted():
    found = scan_matrix("ACNACG", MATRIX, min_score_bits=-100, strands="forward")
    assert (found.skipped, found.total) == (3, 1)
    assert scan_matrix("AC", MATRIX).hits == ()


@settings(deadline=None)
@given(st.text("ACGT", min_size=3, max_size=60))
def test_a_matrix_scores_both_strands_alike(letters):
    forward = scan_matrix(letters, MATRIX, min_score_bits=-100, most=1000)
    backward = scan_matrix(reverse_complement(letters), MATRIX, min_score_bits=-100, most=1000)
    mirrored = {(len(letters) - hit.end, {"+": "-", "-": "+"}[hit.strand], hit.score_bits) for hit in backward.hits}
    assert {(hit.start, hit.strand, hit.score_bits) for hit in forward.hits} == mirrored


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix": {"A": [1], "C": [1], "G": [1]}}, "Expected A, C, G and T"),
        ({"matrix": {"A": [1], "C": [1], "G": [1], "T": [1, 2]}}, "all of one length"),
        ({"matrix": {"A": [0], "C": [0], "G": [0], "T": [0]}}, "no counts at position 0"),
        ({"matrix": {"A": [-1], "C": [1], "G": [1], "T": [1]}}, "matrix.A.0 = -1"),
        ({"background": {"A": 0.5, "C": 0.5, "G": 0.5, "T": 0.5}}, "sum to 1"),
    ],
)
def test_a_wrong_matrix_is_refused(changes, message):
    with pytest.raises(DataError) as caught:
        all_tools()["scan_matrix"].call({"dna": "ACGTACGT", "matrix": MATRIX, **changes})
    assert message in str(caught.value)
