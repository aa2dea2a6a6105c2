"""Coding DNA and its protein as one text: which pairs are made, what is left out, and where long ones are cut."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.config import CleanConfig
from llama_gene.corpus.clean import clean
from llama_gene.corpus.cut import cut_coding
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.coding import coding_pair
from llama_gene.sequences.files import Inspector
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import CodingSequence, CodonException, Record


def pair_of(dna, **fields):
    """(text of the pair or "", what was counted)."""
    inspector = Inspector()
    entry = coding_pair(CodingSequence("chr", "b1", "a product", dna, **fields), inspector)
    return (entry.letters if entry else ""), dict(inspector.counts)


def test_a_region_that_gives_no_pair_is_a_lost_record_with_its_bases_and_residues():
    inspector = Inspector()
    assert coding_pair(CodingSequence("chr", "b1", "", "ATGGCTTGGTAA", protein="MCW"), inspector) is None
    reason = "no coding pair: the given translation is another"
    assert (inspector.lost.records, inspector.lost.letters) == ({reason: 1}, {reason: 15})


OURS = {"coding pairs with our translation, since none is given": 1}


def write_genbank(path, genome, *features):
    lines = [f"LOCUS       X  {len(genome)} bp DNA linear BCT 01-JAN-2020", "VERSION     X.1"]
    lines.append("FEATURES             Location/Qualifiers")
    for location, *qualifiers in features:
        lines.append(f"     CDS             {location}")
        lines += [f"                     {qualifier}" for qualifier in qualifiers]
    path.write_text("\n".join([*lines, "ORIGIN", f"        1 {genome.lower()}", "//", ""]))
    return path


@pytest.mark.parametrize(
    ("dna", "fields", "text"),
    [
        # The stop stays in the DNA and is no residue.
        ("ATGGCTTGGTAA", {"protein": "MAW"}, "ATGGCTTGGTAA\nMAW"),
        ("atggctTGGTAA", {"protein": "MAW*"}, "ATGGCTTGGTAA\nMAW"),
        # A start codon is read as M, unless the start is missing.
        ("GTGTGGTAA", {"protein": "MW", "table": 11}, "GTGTGGTAA\nMW"),
        ("GTGTGGTAA", {"protein": "VW", "table": 11, "partial_start": True}, "GTGTGGTAA\nVW"),
        # Mycoplasma reads TGA as W.
        ("ATGTGATAA", {"protein": "MW", "table": 4}, "ATGTGATAA\nMW"),
        # The frame starts at the second or third base, and the codon behind the last base is not whole.
        ("CATGGCTTG", {"protein": "MA", "codon_start": 2, "partial_start": True, "partial_end": True},
         "ATGGCT\nMA"),
        ("CCATGGCTTAA", {"protein": "MA", "codon_start": 3, "partial_start": True}, "ATGGCTTAA\nMA"),
        # The last residue is certain from two bases (CTN: L), but its codon is not there.
        ("ATGGCTCT", {"protein": "MAL", "partial_end": True}, "ATGGCT\nMA"),
        # Selenocysteine; a stop that poly-adenylation completes.
        ("ATGTGAGCTTAA", {"protein": "MUA", "exceptions": (CodonException(3, "U"),)}, "ATGTGAGCTTAA\nMUA"),
        ("ATGGCTT", {"protein": "MA", "table": 2, "exceptions": (CodonException(6, "*"),)}, "ATGGCT\nMA"),
    ],
)  # fmt: skip
def test_a_pair_is_whole_codons_and_their_residues(dna, fields, text):
    assert pair_of(dna, **fields) == (text, {})


def test_our_translation_is_used_where_none_is_given_and_counted():
    assert pair_of("ATGGCTTAA") == ("ATGGCTTAA\nMA", OURS)


@pytest.mark.parametrize(
    ("dna", "fields", "reason"),
    [
        ("ATGGCTTAA", {"protein": "MV"}, "the given translation is another"),
        # RNA editing, or a table that was not named.
        ("ATGTGATAA", {"protein": "MW"}, "the given translation is another"),
        ("ATGTGAGCTTAA", {}, "stop inside"),
        ("ATGGCTTA", {}, "length is no multiple of three"),
        ("ATGGCTTA", {"protein": "MAL"}, "length is no multiple of three"),
        ("ATGGCNTAA", {"protein": "MA"}, "ambiguous base"),
        ("AT", {"partial_end": True}, "no whole codon"),
        ("TAA", {}, "no whole codon"),
    ],
)
def test_what_cannot_be_vouched_for_is_left_out_and_counted(dna, fields, reason):
    assert pair_of(dna, **fields) == ("", {f"no coding pair: {reason}": 1})


def test_genbank_gives_pairs_of_both_strands_and_of_joined_parts(tmp_path):
    gene = "ATGGCTTGGTAA"
    genome = "CC" + gene + "GG" + reverse_complement(gene) + "T" + gene[:5] + "CCCC" + gene[5:]
    path = write_genbank(
        tmp_path / "a.gbk",
        genome,
        ("3..14", '/translation="MAW"', '/locus_tag="b1"', '/product="one"'),
        ("complement(17..28)", '/translation="MAW"'),
        ("join(30..34,39..45)", '/translation="MAW"'),
        ("3..14", '/translation="MAV"'),
        ("3..14", "/pseudo"),
    )
    counts = Counter()
    records = list(read_records(path, "coding", counts=counts))
    assert {record.text for record in records} == {f"{gene}\nMAW"}
    assert [record.id for record in records] == ["X.1:3..14", "X.1:complement(17..28)", "X.1:join(30..34,39..45)"]
    assert (records[0].description, records[0].annotations["product"]) == ("b1 one", "one")
    assert counts == {"no coding pair: the given translation is another": 1, "pseudogene left out": 1}


def test_gff_gives_pairs_too(tmp_path):
    path = tmp_path / "a.gff3"
    path.write_text("##gff-version 3\nc\tx\tCDS\t1\t9\t.\t-\t0\tParent=t1\n##FASTA\n>c\nTTATGCCAT\n")
    counts = Counter()
    assert [record.text for record in read_records(path, "coding", counts=counts)] == ["ATGGCATAA\nMA"]
    assert counts == OURS


def test_a_file_that_names_no_coding_regions_is_refused(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\n")
    with pytest.raises(DataError, match="a fasta file says not which DNA codes for which protein"):
        list(read_records(path, "coding"))


def test_cleaning_keeps_a_pair_whole_and_counts_bases_and_residues():
    text = "ATGGCTTAA\nMA"
    assert clean(Record("x", "coding", text), CleanConfig()).runs == ((0, text),)
    assert count_letters(text, "coding") == 11


def test_a_long_pair_is_cut_between_codons():
    text = "ATGGCTTGGAAATAA\nMAWK"
    assert list(cut_coding(text, 6)) == [(0, "ATG\nM"), (3, "GCTTGG\nAW"), (9, "AAATAA\nK")]
    assert list(cut_coding(text, 8)) == list(cut_coding(text, 6))
    assert list(cut_coding(text, 15)) == [(0, text)]
    # Without a stop every codon has its residue.
    assert list(cut_coding("ATGGCTTGG\nMAW", 6)) == [(0, "ATG\nM"), (3, "GCTTGG\nAW")]


@given(st.lists(st.sampled_from(["ATG", "GCT", "TGG"]), min_size=1, max_size=40), st.booleans(), st.integers(6, 50))
def test_pieces_are_whole_in_register_and_add_up(codons, has_stop, max_bp):
    code = {"ATG": "M", "GCT": "A", "TGG": "W", "TAA": ""}
    codons = [*codons, "TAA"] if has_stop else codons
    dna, protein = "".join(codons), "".join(code[codon] for codon in codons)
    pieces = [(start, *piece.split("\n")) for start, piece in cut_coding(f"{dna}\n{protein}", max_bp)]
    assert "".join(part for _, part, _ in pieces) == dna
    assert "".join(part for _, _, part in pieces) == protein
    for start, part, residues in pieces:
        assert 0 < len(part) <= max_bp
        assert residues
        assert dna[start : start + len(part)] == part
        assert residues == "".join(code[part[at : at + 3]] for at in range(0, len(part), 3))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "pairs", "left_out"),
    [
        ("genbank/ecoli_k12_NC_000913.gbk.gz", 4140, {"pseudogene left out": 179}),
        ("genbank/mycoplasma_GCF_000023685.gbff.gz", 857, {"pseudogene left out": 4}),
        ("arabidopsis/1pct.gff3.gz", 422, {"no coding pair: ambiguous base": 2}),
        ("fly/1pct.gff3.gz", 154, {"no coding pair: length is no multiple of three": 1}),
    ],
)
def test_pairs_of_the_real_genomes(data, path, pairs, left_out):
    counts = Counter()
    records = list(read_records(data / "genomes" / path, "coding", on_invalid="skip", counts=counts))
    assert len(records) == pairs
    assert left_out.items() <= counts.items()
    assert "no coding pair: the given translation is another" not in counts
