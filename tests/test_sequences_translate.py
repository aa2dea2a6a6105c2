import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.errors import DataError
from llama_gene.sequences.records import CodingSequence, CodonException
from llama_gene.sequences.translate import genetic_code, translate, translate_coding

# The standard code in NCBI's own order (TTT, TTC, TTA, TTG, TCT, ...), copied from the code's published table.
STANDARD = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"


def test_the_standard_code_is_ncbis_table_1():
    codons = [a + b + c for a in "TCAG" for b in "TCAG" for c in "TCAG"]
    assert "".join(genetic_code(1).residues[codon] for codon in codons) == STANDARD


@pytest.mark.parametrize(
    ("table", "codon", "residue"),
    [
        (1, "TGA", "*"),
        (4, "TGA", "W"),  # Mycoplasma
        (2, "AGA", "*"),  # vertebrate mitochondria
        (2, "ATA", "M"),
        (3, "CTG", "T"),  # yeast mitochondria
        (6, "TAA", "Q"),  # ciliates
        (12, "CTG", "S"),  # Candida
        (25, "TGA", "G"),  # SR1 bacteria
    ],
)
def test_tables_differ_where_ncbi_says(table, codon, residue):
    assert genetic_code(table).residues[codon] == residue


@pytest.mark.parametrize("start", ["ATG", "GTG", "TTG", "CTG", "ATT", "ATC", "ATA"])
def test_every_bacterial_start_codon_is_read_as_methionine(start):
    assert translate(start + "GTGTTGTAA", table=11) == "MVL"


def test_a_start_codon_of_another_table_is_not():
    assert translate("GTGGCTTAA", table=1) == "VA"


def test_a_partial_five_prime_end_is_read_as_it_stands():
    assert translate("GTGGCTTAA", table=11, complete_start=False) == "VA"
    assert translate("AGTGGCTTAA", table=11, codon_start=2) == "VA"


@pytest.mark.parametrize(("codon_start", "protein"), [(1, "MA*C"), (2, "WHNA"), (3, "GIMP")])
def test_the_three_frames_are_read_from_codon_start(codon_start, protein):
    # ATG GCA TAA TGC C | TGG CAT AAT GCC | GGC ATA ATG CC(N = P)
    assert translate("ATGGCATAATGCC", codon_start=codon_start) == protein


@pytest.mark.parametrize(
    ("codon", "residue"),
    [("GCN", "A"), ("RAY", "B"), ("SAR", "Z"), ("MTA", "J"), ("NNN", "X"), ("TAR", "*"), ("TRA", "*"), ("YTR", "L")],
)
def test_ambiguous_codons_give_a_residue_where_all_readings_agree(codon, residue):
    assert genetic_code(1).residues[codon] == residue


def test_an_ambiguous_start_is_methionine_only_where_every_reading_starts():
    assert translate("NTGGCTTAA", table=11) == "MA"
    assert translate("ATRGCTTAA", table=1) == "XA"


def test_only_the_final_stop_is_left_out():
    assert translate("ATGTAAGCTTAA") == "M*A"


def test_a_last_partial_codon_is_read_only_where_it_is_certain():
    assert translate("ATGGC") == "MA"
    assert translate("ATGGA") == "M"


def test_selenocysteine_stands_where_the_annotation_says():
    assert translate("ATGTGAGCTTAA", exceptions=[CodonException(3, "U")]) == "MUA"


def test_exceptions_count_from_the_first_base_whatever_the_frame():
    assert translate("CATGTGAGCTTAA", codon_start=2, exceptions=[CodonException(4, "U")]) == "MUA"


@pytest.mark.parametrize("dna", ["ATGGCTT", "ATGGCTTA"])
def test_a_stop_completed_by_polyadenylation_ends_the_protein(dna):
    assert translate(dna, table=2, exceptions=[CodonException(6, "*")]) == "MA"


def test_a_codon_that_can_be_both_is_read_through_inside_and_stops_at_the_end():
    assert translate("ATGTGAGCTTGA", table=27) == "MWA"
    assert translate("ATGTGAGCTTGA", table=27, complete_end=False) == "MWAW"


def test_rna_and_small_letters_are_read():
    assert translate("auggcuuaa") == "MA"


def test_nothing_gives_nothing():
    assert translate("") == ""


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"transl_table=7: no such genetic code. Expected one of 1, 2, 3"):
        translate("ATG", table=7)


def test_a_frame_out_of_range_is_refused():
    with pytest.raises(DataError, match="codon_start=4: expected 1, 2 or 3"):
        translate("ATG", codon_start=4)


def test_a_character_that_is_no_base_is_refused():
    with pytest.raises(DataError, match="'A-G' is not a codon"):
        translate("A-GATG")


def test_a_coding_sequence_is_read_by_its_own_table_and_ends():
    assert translate_coding(CodingSequence("r", "t", "", "TTGTGATAA", table=4, partial_start=True)) == "LW"


@given(st.text("ACGT", max_size=60), st.sampled_from([1, 2, 4, 11]))
def test_a_protein_has_a_residue_per_codon_but_the_final_stop(dna, table):
    protein = translate(dna, table=table)
    assert len(dna) // 3 - 1 <= len(protein) <= len(dna) // 3 + 1
