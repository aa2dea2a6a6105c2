"""Codon usage, back-translation and alignments against answers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import DataError
from llama_gene.tools import all_tools
from llama_gene.tools.alignments import align_many, align_pair
from llama_gene.tools.codons import back_translate, codon_usage
from llama_gene.tools.strands import translate


def test_codon_usage_counts_and_rscu():
    # GCA GCA GCT GAA + a broken codon; NNN is skipped.
    found = codon_usage(("GCAGCAGCTGAA", "NNNA"))
    use = {one.codon: one for one in found.codons}
    assert (found.total, found.skipped, found.unread_bases) == (4, 1, 1)
    assert (use["GCA"].count, use["GCA"].per_thousand, use["GCA"].share) == (2, 500, pytest.approx(2 / 3))
    # Alanine has four codons: 4 * 2/3.
    assert use["GCA"].rscu == pytest.approx(8 / 3)
    assert use["GAG"].rscu == 0
    assert use["TGG"].rscu is None
    assert len(found.codons) == 64


def test_codon_usage_follows_the_genetic_code():
    residues = {one.codon: one.residue for one in codon_usage(("TGA",), genetic_code=2).codons}
    assert (residues["TGA"], residues["AGA"]) == ("W", "*")


def test_back_translation_takes_the_codon_used_most():
    counts = {"ATG": 1.0, "GCA": 3, "GCC": 5, "aaa": 2, "AAG": 2}
    found = all_tools()["back_translate"].call({"protein": "MAK", "codon_counts": counts})
    # Of equally frequent codons the first by letters.
    assert (found["dna"], found["length_bp"]) == ("ATGGCCAAA", 9)


@settings(deadline=None)
@given(st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=60))
def test_back_translated_dna_codes_for_the_protein(protein):
    every = "".join(a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT")
    assert translate(back_translate(protein, coding_sequences=(every,)).dna).protein == protein


def test_back_translation_needs_one_source_of_codons_and_a_codon_for_each_residue():
    with pytest.raises(DataError, match="Give one of the two"):
        back_translate("M")
    with pytest.raises(DataError, match="no codon for K, X"):
        back_translate("MKX", coding_sequences=("ATG",))
    with pytest.raises(DataError, match="'AT' is no codon"):
        all_tools()["back_translate"].call({"protein": "M", "codon_counts": {"AT": 1}})


def test_a_global_alignment_of_dna_by_hand():
    # Ten equal letters at +5 and a gap of one at -25.
    found = align_pair("ACGTACGTAAC", "ACGTACGAAC", "dna")
    assert (found.score, found.first, found.second) == (25, "ACGTACGTAAC", "ACGTACG-AAC")
    assert found.middle == "||||||| |||"
    assert (found.identity, found.identity_of_columns) == (1.0, pytest.approx(10 / 11))


def test_a_local_alignment_of_proteins_by_hand():
    # BLOSUM62: M 5, K 5, W 11.
    found = align_pair("GGMKW", "MKWPP", "protein", mode="local")
    assert (found.score, found.first) == (21, "MKW")
    assert (found.first_start, found.first_end, found.second_start, found.second_end) == (2, 5, 0, 3)


def test_a_semi_global_alignment_has_free_ends():
    found = align_pair("AAACGTACGTAA", "CGTACGT", "dna", mode="semi-global")
    assert (found.score, found.second) == (35, "---CGTACGT--")


def test_sequences_with_nothing_in_common_have_an_empty_local_alignment():
    found = align_pair("AAAA", "CCCC", "dna", mode="local")
    assert (found.first, found.score, found.identity) == ("", 0, 0)


LETTERS = st.text("ACGT", min_size=1, max_size=40)


@settings(deadline=None)
@given(LETTERS, LETTERS, st.sampled_from(["global", "local", "semi-global"]))
def test_rows_without_gaps_are_the_sequences_between_their_places(first, second, mode):
    found = align_pair(first, second, "dna", mode=mode)
    assert found.first.replace("-", "") == first[found.first_start : found.first_end]
    assert found.second.replace("-", "") == second[found.second_start : found.second_end]
    assert len(found.first) == len(found.middle) == len(found.second)


def test_a_multiple_alignment_puts_gaps_where_letters_are_missing():
    whole = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEV"
    found = align_many({"whole": whole, "gap": whole[:12] + whole[15:], "end": whole[3:]}, "protein")
    assert found.rows == {"whole": whole, "gap": whole[:12] + "---" + whole[15:], "end": "---" + whole[3:]}
    assert found.columns == len(whole)
    assert found.conserved == tuple(place for place in range(3, len(whole)) if place not in (12, 13, 14))


def test_a_multiple_alignment_of_dna_keeps_every_letter():
    sequences = {"a": "ACGTTGCAAGGCTTACGATC", "b": "ACGTTGCAGGCTTACGATCTT", "c": "GGACGTTGCAAGGCTTNCGATC"}
    rows = align_many(sequences, "dna").rows
    assert {name: row.replace("-", "") for name, row in rows.items()} == sequences
    assert len({len(row) for row in rows.values()}) == 1


def test_alignments_refuse_letters_of_another_alphabet_and_too_many():
    with pytest.raises(DataError, match=r"align_pair: second: .*protein, not DNA"):
        align_pair("ACGT", "MKVLAAGIVGMKVLAAGIVG", "dna")
    with pytest.raises(DataError, match="sequences"):
        all_tools()["align_many"].call({"sequences": {"a": "ACGT"}, "kind": "dna"})
    with pytest.raises(DataError, match=r"the longest sequence 2,000\. Expected a product of 20,000,000 at"):
        align_many({str(number): "ACGTT" * 400 for number in range(6)}, "dna")
