import io
import json
import zipfile
from collections import Counter

import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from hypothesis import given, settings
from hypothesis import strategies as st
from xopen import xopen

from llama_gene.errors import DataError
from llama_gene.retrieval.store import describe_record
from llama_gene.sequences.fasta import read_fasta
from llama_gene.sequences.files import list_files
from llama_gene.sequences.readers import read_records

FASTA = ">a first one\nACGT\nACGT\n\n>b\nTT\n"


def texts(records):
    return [(record.id, record.text) for record in records]


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.fa", "a.fa.gz", "a.fa.zst", "a.fa.bz2"])
def test_fasta_is_read_plain_and_compressed(tmp_path, name):
    with xopen(tmp_path / name, "wb", threads=0) as file:
        file.write(FASTA.encode())
    assert texts(read_records(tmp_path / name, "dna")) == [("a", "ACGTACGT"), ("b", "TT")]


def test_every_member_of_a_zip_is_read_in_order(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("z/two.fa", ">a\nGG\n")
        archive.writestr("one.fa", ">a\nAA\n")
        archive.writestr("__MACOSX/._one.fa", "junk")
    assert texts(read_records(path, "dna")) == [("a", "AA"), ("a", "GG")]


def test_the_first_word_is_the_id_and_the_rest_the_description(tmp_path):
    first, second = read_records(write(tmp_path / "a.fa", FASTA), "dna", source="mine")
    assert (first.description, first.source, first.kind) == ("first one", "mine", "dna")
    assert second.description == ""


@pytest.mark.parametrize(
    "content",
    [
        FASTA.replace("\n", "\r\n"),
        FASTA.replace("\n", "\r"),
        ">a first one\r\nACGT\nACGT\r\n\r>b\nTT",
        "\ufeff" + FASTA,
        "\n\n" + FASTA,
        ">a\nAC GT\nACGT  \n>b\nTT",
    ],
    ids=["CRLF", "CR", "mixed", "byte order mark", "blank lines first", "spaces"],
)
def test_line_ends_and_blanks_do_not_matter(tmp_path, content):
    assert texts(read_records(write(tmp_path / "a.fa", content), "dna")) == [("a", "ACGTACGT"), ("b", "TT")]


def test_changes_to_letters_are_counted(tmp_path):
    counts = Counter()
    path = write(tmp_path / "a.fa", ">a\nacgt\n>b\nAUG\n>c\nACGT\n")
    assert texts(read_records(path, "dna", counts=counts)) == [("a", "ACGT"), ("b", "ATG"), ("c", "ACGT")]
    assert counts == {"records upper-cased": 1, "records with U read as T": 1}


def test_a_final_stop_of_a_protein_is_counted(tmp_path):
    counts = Counter()
    assert texts(read_records(write(tmp_path / "a.faa", ">p\nMKL*\n"), "protein", counts=counts)) == [("p", "MKL")]
    assert counts == {"final stops dropped": 1}


def test_uniprot_headers_give_the_accession_and_the_names(tmp_path):
    header = ">sp|P69905|HBA_HUMAN Hemoglobin subunit alpha OS=Homo sapiens OX=9606 GN=HBA1 PE=1 SV=2"
    (record,) = read_records(write(tmp_path / "a.fasta", f"{header}\nMVLS\n"), "protein")
    assert record.id == "P69905"
    assert record.annotations == {
        "accession": "P69905", "product": "Hemoglobin subunit alpha", "organism": "Homo sapiens", "gene": "HBA1"
    }  # fmt: skip


def test_fastq_gives_the_reads_and_keeps_both_of_a_pair(tmp_path):
    path = write(tmp_path / "a.fastq", "@r1\nACGT\n+\nIIII\n@r1\nGG\n+r1\n@@\n")
    assert texts(read_records(path, "dna")) == [("r1", "ACGT"), ("r1", "GG")]


UNIPROT = """ID   TEST_ECOLI              Reviewed;           6 AA.
AC   P00001; Q00001;
DT   01-JAN-2000, integrated into UniProtKB/Swiss-Prot.
DT   01-JAN-2000, sequence version 1.
DT   01-JAN-2020, entry version 10.
DE   RecName: Full=Made-up hydrolase {ECO:0000303|PubMed:1};
DE            EC=3.1.1.1 {ECO:0000269|PubMed:1};
GN   Name=mad {ECO:0000303|PubMed:1}; OrderedLocusNames=b0001;
OS   Escherichia coli (strain K12).
OC   Bacteria; Pseudomonadota.
OX   NCBI_TaxID=83333;
CC   -!- FUNCTION: Cuts esters (PubMed:1, PubMed:2). Also binds zinc
CC       (By similarity). {ECO:0000269|PubMed:1, ECO:0000305}.
CC   -!- SUBUNIT: Monomer.
DR   GO; GO:0005737; C:cytoplasm; IDA:X.
DR   GO; GO:0016787; F:hydrolase activity; IEA:X.
PE   1: Evidence at protein level;
SQ   SEQUENCE   6 AA;  600 MW;  0000000000000000 CRC64;
     MKTAYI
//
"""


def test_a_uniprot_entry_carries_every_ec_number_once_in_its_order(tmp_path):
    described = """DE            EC=3.1.1.1 {ECO:0000269|PubMed:1};
DE   AltName: Full=Made-up reductase;
DE            EC=1.1.1.- {ECO:0000305};
DE   Includes:
DE     RecName: Full=Made-up esterase;
DE              EC=3.1.1.1;
DE              EC=2.3.1.n6 {ECO:0000269|PubMed:1};
DE   Contains:
DE     RecName: Full=Made-up peptide;
DE   Flags: Precursor;
"""
    entry = UNIPROT.replace("DE            EC=3.1.1.1 {ECO:0000269|PubMed:1};\n", described)
    (record,) = read_records(write(tmp_path / "a.dat", entry), "protein")
    assert record.annotations["ec"] == ("3.1.1.1", "1.1.1.-", "2.3.1.n6")
    assert ", EC 3.1.1.1, EC 1.1.1.-, EC 2.3.1.n6, " in describe_record(record)


def test_a_uniprot_entry_carries_the_widest_family_of_each_of_its_parts(tmp_path):
    comments = """CC   -!- SIMILARITY: In the N-terminal section; belongs to the AAA
CC       ATPase superfamily. Katanin family. {ECO:0000305}.
CC   -!- SIMILARITY: In the C-terminal section; belongs to the peptidase
CC       M41 family. {ECO:0000255|HAMAP-Rule:MF_01458}.
CC   -!- SUBUNIT"""
    entry = UNIPROT.replace("CC   -!- SUBUNIT", comments)
    (record,) = read_records(write(tmp_path / "a.dat", entry), "protein")
    assert record.annotations["family"] == ("AAA ATPase superfamily", "peptidase M41 family")


def test_a_uniprot_entry_carries_function_go_ec_and_product(tmp_path):
    (record,) = read_records(write(tmp_path / "a.dat", UNIPROT), "protein")
    assert (record.id, record.text) == ("P00001", "MKTAYI")
    assert record.annotations == {
        "accession": "P00001",
        "product": "Made-up hydrolase",
        "organism": "Escherichia coli",
        "gene": "mad",
        "ec": ("3.1.1.1",),
        "function": "Cuts esters. Also binds zinc.",
        "go": ("cytoplasm(GO:0005737)", "hydrolase activity(GO:0016787)"),
        "go_component": ("cytoplasm(GO:0005737)",),
        "go_function": ("hydrolase activity(GO:0016787)",),
    }


def test_a_uniprot_file_read_as_text_gives_what_the_protein_does(tmp_path):
    path = write(tmp_path / "a.dat", UNIPROT + UNIPROT.replace("FUNCTION", "MISCELLANEOUS").replace("P00001", "P00002"))
    counts = Counter()
    (record,) = read_records(path, "text", counts=counts)
    assert record.text == "Made-up hydrolase: Cuts esters. Also binds zinc."
    assert counts == {"entries without FUNCTION text": 1}


def test_a_table_is_read_by_its_sequence_column(tmp_path):
    tab = write(tmp_path / "a.tsv", "Entry\tLength\tSequence\nP1\t3\tMKL\n")
    comma = write(tmp_path / "b.csv", "sequence,label\nACGT,1\nTTTT,0\n")
    assert texts(read_records(tab, "protein")) == [("P1", "MKL")]
    assert texts(read_records(comma, "dna")) == [("1", "ACGT"), ("2", "TTTT")]


def test_a_plain_file_holds_one_sequence_a_line(tmp_path):
    assert texts(read_records(write(tmp_path / "a.txt", "ACGT\n\nGG\n"), "dna")) == [
        ("a.txt:1", "ACGT"),
        ("a.txt:3", "GG"),
    ]


def test_json_is_read_as_objects_lists_objects_by_id_and_lines(tmp_path):
    one = write(tmp_path / "one.json", json.dumps({"title": "T", "abstract": "A."}))
    many = write(tmp_path / "many.json", json.dumps([{"text": "a"}, {"id": "x", "text": "b"}]))
    lines = write(tmp_path / "lines.json", '{"seq": "ACGT"}\n{"seq": "GG"}\n')
    jsonl = write(tmp_path / "a.jsonl", '{"id": 7, "text": "a"}\n\n{"text": "b"}\n')
    assert texts(read_records(one, "text")) == [("1", "T\n\nA.")]
    assert texts(read_records(many, "text")) == [("1", "a"), ("x", "b")]
    assert texts(read_records(lines, "dna")) == [("1", "ACGT"), ("2", "GG")]
    assert texts(read_records(jsonl, "text")) == [("7", "a"), ("3", "b")]


def test_the_pubmedqa_layout_gives_question_contexts_and_answer(tmp_path):
    item = {"QUESTION": "Is it?", "CONTEXTS": ["One.", "Two."], "LABELS": ["A"], "LONG_ANSWER": "Yes.", "YEAR": "2011"}
    path = write(tmp_path / "a.json", json.dumps({"9": item, "10": item}, indent=1))
    assert texts(read_records(path, "text")) == [
        ("10", "Is it?\n\nOne.\n\nTwo.\n\nYes."), ("9", "Is it?\n\nOne.\n\nTwo.\n\nYes.")
    ]  # fmt: skip


def test_files_of_a_folder_and_a_glob_are_sorted_and_hidden_ones_left_out(tmp_path):
    for name in ("b.fa", "a.fa.gz", ".hidden.fa", "c.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in list_files(tmp_path)] == ["a.fa.gz", "b.fa", "c.txt"]
    assert [file.name for file in list_files(tmp_path / "*.fa*")] == ["a.fa.gz", "b.fa"]
    assert list_files(tmp_path / "b.fa") == [tmp_path / "b.fa"]


@pytest.mark.parametrize("name", ["none", "*.nothing"])
def test_a_path_that_stands_for_no_file_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"no such file or folder|no files there"):
        list_files(tmp_path / name)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "kind", "records"),
    [
        ("genomes/bacteria", "dna", 91),
        ("proteins/proteomes", "protein", 83_432),
        ("proteins/uniprot_flat.dat.gz", "protein", 1_186),
        ("tasks/rna_structure/bprna_valid.json.gz", "dna", 1_154),
        ("text/craft", "text", 97),
        ("text/plos_jats", "text", 60),
        ("text/pubmedqa_labelled.json.gz", "text", 1_000),
    ],
)
def test_the_real_files_are_read_whole(data, path, kind, records):
    counts = Counter()
    found = sum(1 for file in list_files(data / path) for _ in read_records(file, kind, counts=counts))
    assert found == records


@pytest.mark.slow
@pytest.mark.real_data
def test_real_enzymes_keep_all_their_numbers(data):
    records = read_records(data / "proteins" / "uniprot_flat.dat.gz", "protein")
    enzymes = [numbers for record in records if (numbers := record.annotations.get("ec"))]
    assert Counter(map(len, enzymes)) == {1: 327, 2: 50, 3: 3, 4: 5}
    assert sum(len({number[0] for number in numbers}) > 1 for numbers in enzymes) == 11


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab >", max_size=8), st.lists(st.text("ACGT acgt", max_size=9), max_size=4)), max_size=6
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 40),
    st.booleans(),
)
def test_fasta_is_read_as_biopython_reads_it_wherever_blocks_end(records, line_end, block, ends_with_line_end):
    lines = [line for title, sequence in records for line in (f">{title}", *sequence)]
    text = line_end.join(lines) + (line_end if ends_with_line_end else "")
    expected = list(SimpleFastaParser(io.StringIO(text.replace(line_end, "\n"))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llama_gene.sequences.fasta._BLOCK_BYTES", block)
        assert list(read_fasta(io.BytesIO(text.encode()))) == expected
