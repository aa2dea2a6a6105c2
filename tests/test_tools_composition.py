"""Shares of bases, melting temperatures and k-mers against answers worked out by hand."""

import math

import pytest

from llama_gene.errors import DataError
from llama_gene.tools import all_tools
from llama_gene.tools.composition import gc_content, kmer_profile, melting_temperature


def test_the_share_of_g_and_c_leaves_unknown_letters_out():
    assert gc_content("GGCCATN").gc_share == pytest.approx(4 / 6)
    assert gc_content("GSAW").gc_share == pytest.approx(2 / 4)
    assert gc_content("NNN").gc_share is None


def nearest_neighbours_by_hand(primer_molar: float, sodium_molar: float) -> float:
    """ATGCATCG by Allawi and SantaLucia 1997: AT, TG, GC, CA, AT, TC, CG; one end is A·T, the other G·C."""
    # kcal/mol:      AT    TG    GC    CA    AT    TC    CG     A·T end  G·C end
    enthalpy = sum([-7.2, -8.5, -9.8, -8.5, -7.2, -8.2, -10.6, 2.3, 0.1])
    entropy = sum([-20.4, -22.7, -24.4, -22.7, -20.4, -22.2, -27.2, 4.1, -2.8])
    entropy += 0.368 * 7 * math.log(sodium_molar)
    return 1000 * enthalpy / (entropy + 1.987 * math.log(primer_molar)) - 273.15


def test_a_melting_temperature_by_nearest_neighbours():
    found = melting_temperature("ATGCATCG", primer_nanomolar=250, template_nanomolar=100, sodium_millimolar=50)
    # The effective strand concentration is primer less half the template.
    assert found.melting_celsius == pytest.approx(nearest_neighbours_by_hand(200e-9, 0.05), abs=0.01)
    assert (found.method, found.sodium_millimolar, found.length_bp) == ("nearest_neighbour", 50, 8)


def test_wallace_counts_two_and_four_degrees():
    # 9 A and T, 9 G and C.
    assert melting_temperature("ACGTTGCAACGTTGCAGA", method="wallace").melting_celsius == 9 * 2 + 9 * 4


def test_a_primer_that_pairs_with_itself_is_known_and_melts_lower():
    own = melting_temperature("GAATTCGAATTC")
    assert own.is_self_complementary
    assert not melting_temperature("GAATTCGAATTG").is_self_complementary


def test_more_salt_melts_higher():
    low, high = (melting_temperature("ATGCATCGGA", sodium_millimolar=salt).melting_celsius for salt in (20, 200))
    magnesium = melting_temperature("ATGCATCGGA", sodium_millimolar=20, magnesium_millimolar=1.5).melting_celsius
    assert low < magnesium < high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primer": "ACGTN"}, "primer holds N. Expected A, C, G and T alone"),
        ({"primer": "A"}, "primer has 1 base. Expected 2 or more"),
        ({"primer": "ACGT", "template_nanomolar": 50}, "not above half of template_nanomolar"),
        ({"primer": "A" * 201}, "at most 200"),
        ({"primer": "ACGT", "sodium_millimolar": 0}, "greater than 0"),
        ({"primer": "ACGT", "method": "magic"}, 'method = "magic"'),
    ],
)
def test_what_has_no_melting_temperature_is_refused(arguments, message):
    with pytest.raises(DataError) as caught:
        all_tools()["melting_temperature"].call(arguments)
    assert message in str(caught.value)


def test_kmers_are_counted_with_their_entropy():
    found = kmer_profile("AAAACCCC", "dna", k=1)
    assert [(one.letters, one.count, one.share) for one in found.kmers] == [("A", 4, 0.5), ("C", 4, 0.5)]
    assert found.entropy_bits == 1
    assert kmer_profile("AAAA", "dna", k=2).entropy_bits == 0


def test_both_strands_count_a_kmer_with_its_reverse_complement():
    # AA AC CG GT TT: TT is AA, GT is AC, CG is its own.
    found = kmer_profile("AACGTT", "dna", k=2, strands="both")
    assert [(one.letters, one.count) for one in found.kmers] == [("AA", 2), ("AC", 2), ("CG", 1)]


def test_kmers_with_ambiguous_letters_are_skipped_and_counted():
    found = kmer_profile("ACNGT", "dna", k=2)
    assert (found.total, found.skipped, found.distinct) == (2, 2, 2)


def test_a_sequence_shorter_than_k_has_no_kmers():
    assert kmer_profile("MK", "protein", k=3).kmers == ()


def test_long_kmers_of_proteins_and_their_other_strand_are_refused():
    for arguments in ({"k": 7}, {"strands": "both"}):
        with pytest.raises(DataError, match="of a protein"):
            all_tools()["kmer_profile"].call({"sequence": "MKVLAA", "kind": "protein", **arguments})
