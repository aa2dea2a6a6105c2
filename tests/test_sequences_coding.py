import gzip
from collections import Counter

import pytest

from llama_gene.errors import DataError
from llama_gene.sequences.genbank import read_coding
from llama_gene.sequences.gff import read_gff_coding
from llama_gene.sequences.readers import read_records
from llama_gene.sequences.records import CodonException
from llama_gene.sequences.translate import translate_coding

#         1        10        20        30        40
GENOME = "ccATGGCTTGGTAAggTTATGCCATttGTGAAATGACCTAGcaaa"


def write_genbank(path, features, genome=GENOME):
    """A one-record GenBank file with the given feature lines."""
    lines = [
        f"LOCUS       DEMO               {len(genome)} bp    DNA     linear   BCT 01-JAN-2020",
        "DEFINITION  A made-up record.",
        "ACCESSION   DEMO",
        "VERSION     DEMO.1",
        "KEYWORDS    .",
        "SOURCE      Escherichia demo",
        "  ORGANISM  Escherichia demo",
        "            Bacteria.",
        "FEATURES             Location/Qualifiers",
    ]
    for location, qualifiers in features:
        lines.append(f"     CDS             {location}")
        lines += [f"                     {qualifier}" for qualifier in qualifiers]
    lines.append("ORIGIN")
    for start in range(0, len(genome), 60):
        row = genome[start : start + 60].lower()
        lines.append(f"{start + 1:>9} " + " ".join(row[at : at + 10] for at in range(0, len(row), 10)))
    path.write_text("\n".join([*lines, "//", ""]))
    return path


def read_one(tmp_path, location, *qualifiers):
    (coding,) = read_coding(write_genbank(tmp_path / "demo.gbk", [(location, qualifiers)]))
    return coding


def test_a_genbank_region_carries_what_its_qualifiers_say(tmp_path):
    coding = read_one(
        tmp_path, "3..14", '/locus_tag="b1"', '/gene="abc"', '/product="a long', 'name"', "/transl_table=11",
        "/codon_start=1", '/protein_id="NP_1.1"', '/EC_number="1.1.1.1"', '/EC_number="1.1.1.-"',
        '/translation="MAW"',
    )  # fmt: skip
    assert (coding.record_id, coding.locus_tag, coding.gene) == ("DEMO.1", "b1", "abc")
    assert (coding.product, coding.table, coding.protein) == ("a long name", 11, "MAW")
    assert coding.ec == ("1.1.1.1", "1.1.1.-")
    assert (coding.start, coding.end, coding.strand, coding.location) == (2, 14, 1, "3..14")
    assert coding.organism == "Escherichia demo"
    assert coding.dna == "ATGGCTTGGTAA"
    assert translate_coding(coding) == "MAW"


@pytest.mark.parametrize(
    ("location", "dna"),
    [
        ("complement(17..25)", "ATGGCATAA"),
        ("join(3..5,9..14)", "ATGTGGTAA"),
        # Both write the same: the exon at the high end is read first.
        ("complement(join(17..19,23..25))", "ATGTAA"),
        ("join(complement(23..25),complement(17..19))", "ATGTAA"),
        # A ribosome that slips back reads base 8 twice.
        ("join(3..8,8..12)", "ATGGCTTTGGT"),
    ],
)
def test_joins_and_complements_are_read_in_the_order_of_the_protein(tmp_path, location, dna):
    coding = read_one(tmp_path, location)
    assert coding.dna == dna
    assert coding.location == location


def test_an_order_is_read_as_a_join(tmp_path):
    assert read_one(tmp_path, "order(3..5,9..11)").dna == "ATGTGG"


@pytest.mark.parametrize(
    ("location", "partial"),
    [
        ("<3..14", (True, False)),
        ("3..>14", (False, True)),
        ("complement(<17..25)", (False, True)),
        ("complement(17..>25)", (True, False)),
        ("complement(join(<17..19,23..>25))", (True, True)),
    ],
)
def test_partial_ends_follow_the_strand(tmp_path, location, partial):
    coding = read_one(tmp_path, location)
    assert (coding.partial_start, coding.partial_end) == partial


def test_an_alternative_start_is_methionine_only_with_a_complete_end(tmp_path):
    assert translate_coding(read_one(tmp_path, "28..36", "/transl_table=11")) == "MK"
    assert translate_coding(read_one(tmp_path, "<28..36", "/transl_table=11")) == "VK"


@pytest.mark.parametrize(
    ("location", "place", "start"),
    [
        ("28..42", "34..36", 6),
        ("complement(17..25)", "complement(20..22)", 3),
        ("join(3..5,9..14)", "9..11", 3),
        ("complement(join(17..19,23..25))", "complement(17..19)", 3),
        ("join(3..7,11..14)", "join(7,11..12)", 4),
    ],
)
def test_translation_exceptions_are_placed_on_the_spliced_strand(tmp_path, location, place, start):
    coding = read_one(tmp_path, location, f"/transl_except=(pos:{place},aa:Sec)")
    assert coding.exceptions == (CodonException(start, "U"),)


def test_a_stop_completed_after_transcription_is_dropped(tmp_path):
    coding = read_one(tmp_path, "3..12", "/transl_table=2", "/transl_except=(pos:12,aa:TERM)")
    assert (coding.dna, translate_coding(coding)) == ("ATGGCTTGGT", "MAW")


def test_pseudogenes_are_left_out_and_counted(tmp_path):
    path = write_genbank(tmp_path / "a.gbk", [("3..14", ["/pseudo"]), ("3..14", ['/locus_tag="b2"'])])
    counts = Counter()
    assert [coding.locus_tag for coding in read_coding(path, counts=counts)] == ["b2"]
    assert counts == {"pseudogene left out": 1}


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("join(J00194.1:1..9,3..14)", "External location"),
        ("40..99", "40..99 lies outside the record of 45 bases"),
    ],
)
def test_a_region_outside_the_record_is_refused_or_counted(tmp_path, location, words):
    path = write_genbank(tmp_path / "a.gbk", [(location, ['/locus_tag="b1"'])])
    with pytest.raises(DataError, match=f"a.gbk: DEMO.1, b1: .*{words}"):
        list(read_coding(path))
    counts = Counter()
    assert list(read_coding(path, on_invalid="skip", counts=counts)) == []
    assert counts == {"bad coding region": 1}


def test_genbank_records_are_genomes_as_dna_and_translations_as_protein(tmp_path):
    path = write_genbank(tmp_path / "a.gbk", [("3..14", ['/protein_id="P1"', '/product="x"'])])
    (genome,) = read_records(path, "dna")
    (protein,) = read_records(path, "protein")
    assert (genome.id, genome.text) == ("DEMO.1", GENOME.upper())
    assert (protein.id, protein.text, protein.annotations["product"]) == ("P1", "MAW", "x")


def test_no_genbank_at_all_is_refused(tmp_path):
    path = tmp_path / "a.gbk"
    path.write_text("LOCUS       broken\nnonsense\n")
    with pytest.raises(DataError, match=r"a.gbk: record 1 cannot be parsed"):
        list(read_coding(path))


def gff_line(start, end, strand="+", phase="0", attributes="Parent=t1", seqid="chr1"):
    return f"{seqid}\tdemo\tCDS\t{start}\t{end}\t.\t{strand}\t{phase}\t{attributes}\n"


def write_gff(path, *lines, embedded=True):
    fasta = f">chr1 demo\n{GENOME}\n"
    path.write_text("##gff-version 3\n" + "".join(lines) + ("##FASTA\n" + fasta if embedded else ""))
    if not embedded:
        (path.parent / f"{path.name.split('.')[0]}.fa").write_text(fasta)
    return path


def test_gff_parts_are_joined_by_their_parent(tmp_path):
    path = write_gff(tmp_path / "a.gff3", gff_line(3, 5), gff_line(9, 14), gff_line(28, 36, attributes="Parent=t2"))
    first, second = read_gff_coding(path)
    assert (first.locus_tag, first.dna, first.start, first.end) == ("t1", "ATGTGGTAA", 2, 14)
    assert (second.locus_tag, second.dna) == ("t2", "GTGAAATGA")


def test_gff_parts_of_the_reverse_strand_are_read_from_the_high_end(tmp_path):
    path = write_gff(tmp_path / "a.gff3", gff_line(17, 19, "-"), gff_line(23, 25, "-"))
    (coding,) = read_gff_coding(path)
    assert (coding.dna, coding.strand, coding.location) == ("ATGTAA", -1, "complement(join(17..19,23..25))")


def test_the_phase_of_the_first_part_read_is_the_frame(tmp_path):
    path = write_gff(tmp_path / "a.gff3", gff_line(17, 19, "-", "0"), gff_line(22, 25, "-", "1"))
    (coding,) = read_gff_coding(path)
    assert (coding.dna, coding.codon_start, coding.partial_start) == ("ATGGTAA", 2, True)
    assert translate_coding(coding) == "W"


def test_the_same_parts_under_two_transcripts_are_given_once(tmp_path):
    path = write_gff(tmp_path / "a.gff3", gff_line(3, 14, attributes="ID=c;Parent=t1,t2"))
    counts = Counter()
    assert len(list(read_gff_coding(path, counts=counts))) == 1
    assert counts == {"same coding sequence under another transcript": 1}


def test_overlapping_lines_of_one_parent_with_other_ids_are_other_proteins(tmp_path):
    path = write_gff(
        tmp_path / "a.gff3",
        gff_line(3, 14, attributes="ID=c1;Parent=g;protein_id=P1"),
        gff_line(9, 14, attributes="ID=c2;Parent=g;protein_id=P2;transl_table=11"),
    )
    assert [(coding.protein_id, coding.table) for coding in read_gff_coding(path)] == [("P1", 1), ("P2", 11)]


def test_the_genome_may_lie_beside_the_gff(tmp_path):
    path = write_gff(tmp_path / "a.gff3", gff_line(3, 14), embedded=False)
    assert [coding.dna for coding in read_gff_coding(path)] == ["ATGGCTTGGTAA"]
    assert [record.text for record in read_records(path, "protein")] == ["MAW"]
    assert [record.text for record in read_records(path, "dna")] == [GENOME.upper()]


def test_a_region_line_lends_the_sequence_its_other_name(tmp_path):
    region = "NC_1.1\tdemo\tregion\t1\t45\t.\t+\t.\tID=x;Name=chr1\n"
    path = write_gff(tmp_path / "a.gff3", region, gff_line(3, 14, seqid="NC_1.1"))
    assert [coding.record_id for coding in read_gff_coding(path)] == ["NC_1.1"]


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        (gff_line(14, 3), "bad GFF3 line", r"a.gff3:2: not a CDS line \(start 14, end 3\)"),
        (gff_line(3, 14, strand="?"), "bad GFF3 line", "a.gff3:2: not a CDS line"),
        (gff_line(3, 99), "bad coding region", "a.gff3:2: 3..99 lies outside the record of 45 bases"),
        (gff_line(3, 14, seqid="chr9"), "annotated sequence is missing", "1 annotated sequences are not in the FASTA"),
    ],
)
def test_a_bad_gff_line_is_refused_or_counted(tmp_path, line, reason, words):
    path = write_gff(tmp_path / "a.gff3", line)
    with pytest.raises(DataError, match=words):
        list(read_gff_coding(path))
    counts = Counter()
    assert list(read_gff_coding(path, on_invalid="skip", counts=counts)) == []
    assert counts == {reason: 1}


def test_a_gff_without_a_genome_says_where_it_is_looked_for(tmp_path):
    path = tmp_path / "a.gff3.gz"
    path.write_bytes(gzip.compress(gff_line(3, 14).encode()))
    with pytest.raises(DataError, match=r"no genome. Expected ##FASTA in the file or a.fa beside it"):
        list(read_gff_coding(path))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "proteins"),
    [("ecoli_k12_NC_000913.gbk.gz", 4140), ("mycoplasma_GCF_000023685.gbff.gz", 857), ("phages", 1542)],
)
def test_every_translation_of_the_genbank_files_is_reproduced(data, name, proteins):
    path = data / "genomes" / "genbank" / name
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [coding for file in files for coding in read_coding(file) if coding.protein]
    wrong = [coding.locus_tag for coding in found if translate_coding(coding) != coding.protein]
    assert (len(found), wrong) == (proteins, [])


@pytest.mark.slow
@pytest.mark.real_data
def test_yeast_genes_of_gff_start_and_stop_and_most_are_in_uniprot(data):
    with gzip.open(data / "tasks/ppi_yeast/uniprot_yeast.seq.gz", "rt") as lines:
        known = {line.split("\t")[1].strip() for line in lines}
    codings = list(read_gff_coding(data / "genomes/yeast/saccharomyces_cerevisiae.gff.gz"))
    proteins = [translate_coding(coding) for coding in codings]
    assert len(proteins) == 6014
    assert all(protein.startswith("M") and "*" not in protein for protein in proteins)
    assert sum(protein in known for protein in proteins) > 5700
