"""Reverse complement, translation and open reading frames against answers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import DataError
from llama_gene.sequences import alphabets
from llama_gene.sequences.genbank import read_coding
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import CodingSequence
from llama_gene.tools import all_tools
from llama_gene.tools.strands import open_reading_frames, reverse_complement, translate

dna = st.text("ACGT", min_size=1, max_size=200)


def test_the_reverse_complement_keeps_iupac_letters():
    # A R Y K N read backwards: N M R Y T.
    assert reverse_complement("ARYKN").dna == "NMRYT"


@settings(deadline=None)
@given(dna)
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(letters):
    assert reverse_complement(reverse_complement(letters).dna).dna == letters


@pytest.mark.parametrize(
    ("code", "protein"),
    [
        # ATG ATA TGA AGA CTG TAA
        (1, "MI*RL*"),
        (2, "MMW*L*"),  # vertebrate mitochondria: ATA Met, TGA Trp, AGA stop
        (3, "MMWRT*"),  # yeast mitochondria: ATA Met, TGA Trp, CTN Thr
        (4, "MIWRL*"),  # mycoplasma: TGA Trp
        (11, "MI*RL*"),  # bacteria: as the standard code but for its starts
    ],
)
def test_codons_are_read_by_the_code_asked_for(code, protein):
    assert translate("ATGATATGAAGACTGTAA", genetic_code=code).protein == protein


@pytest.mark.parametrize(
    ("frame", "protein", "unread"),
    [
        # ACATGGCTT: ACA TGG CTT, .CAT GGC (TT), ..ATG GCT (T); the other strand is AAGCCATGT.
        (1, "TWL", 0),
        (2, "HG", 2),
        (3, "MA", 1),
        (-1, "KPC", 0),
        (-2, "SH", 2),
        (-3, "AM", 1),
    ],
)
def test_all_six_frames(frame, protein, unread):
    found = translate("ACATGGCTT", frame=frame)
    assert (found.protein, found.unread_bases) == (protein, unread)


def test_stops_are_shown_with_their_places():
    assert translate("TAAATGTGA").stops == (0, 2)


def test_a_coding_sequence_starts_with_methionine_and_loses_its_stop():
    assert translate("GTGGCATGA", genetic_code=11, reading="coding").protein == "MA"
    assert translate("GTGGCATGA", genetic_code=11, reading="codons").protein == "VA*"


def test_an_ambiguous_codon_gives_a_residue_where_all_readings_agree():
    # GCN is Ala, TRA is stop (TAA, TGA), RAY is Asx, NNN anything.
    assert translate("GCNTRARAYNNN").protein == "A*BX"


def test_open_frames_of_both_strands_with_their_places():
    # 0         1         2
    # 0123456789012345678901234
    # CCATGAAATTTTAGGTTATTTCATC   forward: ATG AAA TTT TAG at 2..14
    # reverse complement: GATGAAATAACCTAAAATTTCATGG: ATG AAA TAA at 1..10, so 25-10..25-1 = 15..24 here
    found = open_reading_frames("CCATGAAATTTTAGGTTATTTCATC", min_codons=2)
    told = [(one.start, one.end, one.strand, one.frame, one.codons, one.protein) for one in found.frames]
    assert told == [(2, 14, "+", 3, 3, "MKF"), (15, 24, "-", -2, 2, "MK")]
    assert found.total == 2


def test_a_frame_begins_at_its_first_start_codon():
    assert open_reading_frames("ATGCCCATGAAATAA", min_codons=1, strands="forward").frames[0].protein == "MPMK"


def test_a_frame_without_stop_or_too_short_is_left_out():
    assert open_reading_frames("ATGAAAAAA", min_codons=1, strands="forward").total == 0
    assert open_reading_frames("ATGAAATAA", min_codons=3, strands="forward").total == 0


def test_alternative_starts_count_where_asked_and_are_methionine():
    assert open_reading_frames("GTGAAATAA", min_codons=2, genetic_code=11, strands="forward").total == 0
    (found,) = open_reading_frames("GTGAAATAA", min_codons=2, genetic_code=11, starts="table", strands="forward").frames
    assert (found.start_codon, found.protein) == ("GTG", "MK")


def test_the_code_decides_what_a_stop_is():
    letters = "ATGTGAAAATAA"
    assert open_reading_frames(letters, min_codons=1, strands="forward").frames[0].protein == "M"
    assert open_reading_frames(letters, min_codons=1, genetic_code=4, strands="forward").frames[0].protein == "MWK"


@settings(deadline=None)
@given(st.text("ACGT", max_size=300).map(lambda letters: "ATG" + letters))
def test_every_open_frame_is_what_its_places_say(letters):
    for one in open_reading_frames(letters, min_codons=1, most=1000).frames:
        piece = letters[one.start : one.end]
        read = piece if one.strand == "+" else alphabets.reverse_complement(piece)
        protein = translate(read).protein
        assert protein == one.protein + "*"
        assert "*" not in one.protein


def test_an_unknown_code_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"genetic_code: 7: no such genetic code\. Expected one of 1, 2, 3"):
        all_tools()["translate"].call({"dna": "ATG", "genetic_code": 7})


@pytest.mark.real_data
def test_every_gene_of_phages_that_starts_and_stops_is_among_the_open_frames(data):
    for path in sorted((data / "genomes" / "genbank" / "phages").glob("*.gbk.gz"))[:3]:
        (record,) = read_records(path, "dna")
        found = open_reading_frames(record.text, min_codons=1, genetic_code=11, starts="table", most=100_000).frames
        stops = {(one.end if one.strand == "+" else one.start, one.strand) for one in found}
        genes = [one for one in read_coding(path) if is_whole(one)]
        assert len(genes) > 50
        assert all(((one.end, "+") if one.strand == 1 else (one.start, "-")) in stops for one in genes)


def is_whole(gene: CodingSequence) -> bool:
    """It lies in one piece and has both ends."""
    return len(gene.dna) == gene.end - gene.start and not gene.partial_start and not gene.partial_end
