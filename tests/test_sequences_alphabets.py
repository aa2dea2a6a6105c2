import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.sequences.alphabets import DNA, PROTEIN, RNA, clean_letters, reverse_complement

IUPAC = "ACGTRYSWKMBDHVN"


def test_the_reverse_complement_keeps_iupac_codes_and_case():
    assert reverse_complement("ACGTRYSWKMBDHVN") == "NBDHVKMWSRYACGT"
    assert reverse_complement("aacC") == "Ggtt"


def test_the_reverse_complement_reads_uracil_as_thymine():
    assert reverse_complement("AUG") == "CAT"


@given(st.text(IUPAC + IUPAC.lower()))
def test_the_reverse_complement_twice_is_the_sequence(dna):
    assert reverse_complement(reverse_complement(dna)) == dna


def test_clean_dna_comes_back_as_the_same_object():
    letters = "ACGTN"
    assert clean_letters(letters, DNA).letters is letters


def test_soft_masked_dna_is_upper_cased_and_said():
    assert clean_letters("ACgtn", DNA) == ("ACGTN", True, False, False, "")


def test_uracil_becomes_thymine_in_dna_and_stays_in_protein_and_rna():
    assert clean_letters("AUGu", DNA) == ("ATGT", True, True, False, "")
    assert clean_letters("MUG", PROTEIN).letters == "MUG"
    assert clean_letters("AUG", RNA).letters == "AUG"


def test_one_final_stop_of_a_protein_is_dropped_and_said():
    assert clean_letters("MK*", PROTEIN) == ("MK", False, False, True, "")


@pytest.mark.parametrize(
    ("letters", "problem"),
    [
        ("MKJ", "'J' is not a protein letter"),
        ("MK*L", "'*' is not a protein letter"),
        ("MK**", "'*' is not a protein letter"),
        ("M1K2", "'1', '2' are not protein letters"),
        ("MK-L", "'-' is not a protein letter (an alignment gap; remove it)"),
        ("ACGT" * 10, "the letters look like DNA, not protein"),
    ],
)
def test_what_is_no_protein_is_named(letters, problem):
    assert clean_letters(letters, PROTEIN).problem == problem


@pytest.mark.parametrize(
    ("letters", "problem"),
    [
        ("ACGT1", "'1' is not a DNA letter"),
        ("ACG-T", "'-' is not a DNA letter (an alignment gap; remove it)"),
        ("ACG\u00e9", "'é' is not a DNA letter"),
        ("MKTLLPQE", "the letters look like protein, not DNA"),
        ("MKTWYRSHDV" * 5, "the letters look like protein, not DNA"),
    ],
)
def test_what_is_no_dna_is_named(letters, problem):
    assert clean_letters(letters, DNA).problem == problem


@pytest.mark.parametrize("letters", ["N" * 100, "RYRY", "ACGTN"])
def test_unknown_bases_and_short_degenerate_primers_are_dna(letters):
    assert clean_letters(letters, DNA).problem == ""


@pytest.mark.parametrize("letters", ["A" * 60, "AGAGAGSG" * 10, "GAGAGA" * 10])
def test_low_complexity_proteins_are_not_taken_for_dna(letters):
    assert clean_letters(letters, PROTEIN).problem == ""


@given(st.text("ACGTUNacgtun", min_size=1))
def test_cleaned_dna_is_upper_case_dna_of_equal_length(letters):
    cleaned = clean_letters(letters, DNA)
    assert cleaned.problem == ""
    assert len(cleaned.letters) == len(letters)
    assert set(cleaned.letters) <= set("ACGTN")
