"""One row per kind of bad input: one line that says what, where, expected, what to do; or a counted skip."""

import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xopen import xopen

from llama_gene.errors import DataError
from llama_gene.sequences.readers import read_records

MANY = "".join(f">s{number}\n{'ACGTTGCA' * 50}\n" for number in range(400)).encode()
GOOD = ">good\nACGT\n"


def zstandard(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zst"
        with xopen(path, "wb", threads=0) as file:
            file.write(data)
        return path.read_bytes()


def zipped(data):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.fa", data)
    return archive.getvalue()


NO_SEQUENCE = (
    b"LOCUS       X  9 bp DNA linear BCT 01-JAN-2020\nVERSION     X.1\nFEATURES             Location/Qualifiers\n"
    b"     CDS             1..9\n     CDS             1..6\n//\n"
)
OUTSIDE = b"##gff-version 3\nc\tx\tCDS\t1\t99\t.\t+\t0\tParent=t\n##FASTA\n>c\nATGTAA\n"

ROWS = [
    ("empty file", "a.fa", b"", "dna", "empty file", "the file is empty"),
    ("only blank lines", "a.fa", b"\n \n", "dna", "empty file", "the file is empty"),
    ("empty gzip", "a.fa.gz", gzip.compress(b""), "dna", "empty file", "the file is empty"),
    ("truncated gzip", "a.fa.gz", gzip.compress(MANY)[:-40], "dna", "unreadable file", "ends too early"),
    ("truncated zstandard", "a.fa.zst", zstandard(MANY)[:-40], "dna", "unreadable file", "ends too early"),
    ("half a zip", "a.zip", zipped(MANY)[:5000], "dna", "unreadable file", "not a readable zip"),
    ("half a bzip2", "a.fa.bz2", bz2.compress(MANY)[:200], "dna", "unreadable file", "ends too early"),
    ("half an xz", "a.fa.xz", lzma.compress(MANY)[:100], "dna", "unreadable file", "ends too early"),
    ("plain text named gzip", "a.fa.gz", MANY, "dna", "unreadable file", "cannot be read"),
    ("no zip", "a.zip", b"PK nonsense", "dna", "unreadable file", "not a readable zip"),
    ("binary junk", "a.fa", bytes(range(256)), "dna", "binary file", "binary data"),
    ("binary junk as text", "a.txt", b"words\0\1\2", "text", "binary file", "binary data"),
    ("no FASTA", "a.fa", b"ACGT\n", "dna", "not FASTA", "Expected a line that starts with '>'"),
    ("no first header", "a.fa", b"ACGT\n>b\nGG\n", "dna", "no first header", "letters before the first header"),
    ("a GenBank genome without letters", "a.gbk", NO_SEQUENCE, "dna", "empty record", "record 'X.1' is empty"),
    ("GenBank genes without letters", "a.gbk", NO_SEQUENCE, "protein", "record without its sequence", "no sequence"),
    ("GenBank pairs without letters", "a.gbk", NO_SEQUENCE, "coding", "record without its sequence", "no sequence"),
    ("a GFF3 gene outside its contig", "a.gff", OUTSIDE, "coding", "bad coding region", "1..99 lies outside"),
    ("coding pairs of FASTA", "a.fa", b">d\nACGT\n", "coding", "unreadable file", "a fasta file says not which DNA"),
    ("protein as DNA", "a.fa", b">p\nMKTLLVQEFW\n", "dna", "wrong alphabet", "look like protein, not DNA"),
    ("DNA as protein", "a.fa", b">d\n" + b"ACGT" * 20, "protein", "wrong alphabet", "look like DNA, not protein"),
    ("a genome as text", "a.gbk", b"LOCUS       X\n//\n", "text", "unreadable file", "a genbank file holds no text"),
    ("J", "a.faa", b">p\nMKLL\nMJK\n", "protein", "letters outside the alphabet", r":3: record 'p': 'J' is not a"),
    ("inner stop", "a.faa", b">p\nMK*LL\n", "protein", "letters outside the alphabet", r":2: record 'p': '\*' is not"),
    ("gap", "a.fa", b">d\nAC-GT\n", "dna", "letters outside the alphabet", "'-' is not a DNA letter .an alignment gap"),
    ("digits", "a.fa", b">d\n1 ACGTACGT 11\n", "dna", "letters outside the alphabet", "'1' is not a DNA letter"),
    ("duplicate ids", "a.fa", b">d\nAC\n>d\nGT\n", "dna", "duplicate id", "the id 'd' comes twice"),
    ("empty record", "a.fa", b">d\n\n", "dna", "empty record", "record 'd' is empty"),
    ("a record that is only a stop", "a.faa", b">d\n*\n", "protein", "empty record", "record 'd' is empty"),
    ("no name", "a.fa", b">\nACGT\n", "dna", "record without a name", "a record of 4 letters has no name"),
    ("letters that are not UTF-8", "a.fa", b">d\nAC\xe9T\n", "dna", "letters outside the alphabet", "is not a DNA"),
    ("text that is not UTF-8", "a.txt", b"one\ncaf\xe9\n", "text", "not UTF-8", r"a.txt:2: byte 0xe9 is not UTF-8"),
    ("a broken FASTQ", "a.fq", b"@r\nACGT\n+\nII\n", "dna", "broken FASTQ", "record 1 is broken"),
    ("a cut UniProt entry", "a.dat", b"ID   X\nAC   P1;\n", "protein", "broken UniProt entry", "no '//' line"),
    ("a broken UniProt entry", "a.dat", b"ID   X\n//\n", "protein", "broken UniProt entry", ":1: the entry cannot"),
    ("broken JSON", "a.json", b'{"text": ', "text", "broken JSON", "not JSON"),
    ("a broken JSON line", "a.jsonl", b'{"text": \n', "text", "broken JSON", "a.jsonl:1: not JSON"),
    ("JSON without text", "a.json", b'{"x": 1}', "text", "no known field", "fields abstract, contexts"),
    ("broken XML", "a.xml", b"<article><p></article>", "text", "broken XML", "not well-formed XML"),
    ("a missing column", "a.csv", b"id,label\n1,2\n", "dna", "no known column", "a header with one of sequence, seq"),
]  # fmt: skip


def skip_all(path, kind):
    counts = Counter()
    return [record.id for record in read_records(path, kind, on_invalid="skip", counts=counts)], counts


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason", "words"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_bad_input_is_one_line_or_a_counted_skip(tmp_path, name, content, kind, reason, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as raised:
        list(read_records(path, kind))
    message = str(raised.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert skip_all(path, kind)[1][reason] == 1


def test_a_missing_file_is_refused_even_where_bad_records_are_skipped(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(read_records(tmp_path / "none.fa", "dna", on_invalid="skip"))


def test_good_records_around_a_bad_one_are_kept(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(f"{GOOD}>bad\nAC-GT\n>good2\nAC\n>good\nGG\n")
    ids, counts = skip_all(path, "dna")
    assert ids == ["good", "good2"]
    assert counts == {"letters outside the alphabet": 1, "duplicate id": 1}


@settings(deadline=None)
@given(
    st.sampled_from(["dna", "protein"]),
    st.lists(
        st.text("ACGT", min_size=1, max_size=50)
        | st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=9)
        | st.text("ACGTUNMKLRXacgk*-J1é", min_size=1, max_size=6),
        max_size=6,
    ),
)
def test_letters_are_judged_alike_in_fasta_and_one_a_line(tmp_path_factory, kind, texts):
    folder = tmp_path_factory.mktemp("letters")
    (folder / "a.fa").write_text("".join(f">s{number}\n{text}\n" for number, text in enumerate(texts)))
    (folder / "a.txt").write_text("".join(f"{text}\n" for text in texts))
    found = []
    for name in ("a.fa", "a.txt"):
        counts = Counter()
        records = read_records(folder / name, kind, on_invalid="skip", counts=counts)
        found.append(([record.text for record in records], counts))
    assert found[0] == found[1]


def test_records_behind_letters_without_a_header_are_kept(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text("ACGT\r\n>b\r\nGG\r\n")
    assert skip_all(path, "dna") == (["b"], {"no first header": 1})


def test_records_before_a_cut_are_kept(tmp_path):
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(MANY, 0)[:-1000])
    ids, counts = skip_all(path, "dna")
    assert ids[:2] == ["s0", "s1"]
    assert counts == {"unreadable file": 1}


@pytest.mark.parametrize("kind", ["dna", "protein"])
def test_a_truncated_genbank_file_is_refused(tmp_path, kind):
    path = tmp_path / "a.gbk.gz"
    body = b"LOCUS       X  8 bp DNA linear BCT 01-JAN-2020\nORIGIN\n        1 acgtacgt\n//\n" * 2000
    path.write_bytes(gzip.compress(body)[:-20])
    with pytest.raises(DataError, match=r"a\.gbk\.gz"):
        list(read_records(path, kind))
    assert sum(skip_all(path, kind)[1].values()) >= 1


def test_a_bad_member_of_a_zip_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.fa", ">a\nAC-GT\n")
    with pytest.raises(DataError, match=r"a\.zip!one\.fa:2: record 'a'"):
        list(read_records(path, "dna"))


def test_a_header_that_is_not_utf8_is_mended_and_counted(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">d caf\xe9\nACGT\n")
    counts = Counter()
    (record,) = read_records(path, "dna", counts=counts)
    assert record.description == "caf\ufffd"
    assert counts == {"headers that are not UTF-8 mended": 1}


@pytest.mark.slow
def test_a_line_of_100_mb_is_read(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">long\n" + b"ACGT" * 25_000_000 + b"\n")
    (record,) = read_records(path, "dna")
    assert len(record.text) == 100_000_000
