"""What an index reads and counts, and how its building refuses, resumes and is left out."""

import numpy as np
import pypdf
import pytest

from llama_gene.artifacts import read_manifest
from llama_gene.config import IndexConfig
from llama_gene.errors import DataError
from llama_gene.retrieval import build, pdf
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.contents import kinds_of
from llama_gene.retrieval.index import open_index
from running import contents

GENBANK = """\
LOCUS       TEST1  300 bp DNA linear BCT 01-JAN-2020
DEFINITION  Testing bacterium, a piece.
ACCESSION   TEST1
VERSION     TEST1.1
SOURCE      Testing bacterium
  ORGANISM  Testing bacterium
FEATURES             Location/Qualifiers
     CDS             101..160
                     /gene="abc"
                     /product="test protein"
                     /protein_id="TP1.1"
                     /translation="MKVLAAGIVGLLLAQWERT"
     CDS             complement(201..260)
                     /gene="xyz"
                     /product="far protein"
                     /protein_id="TP2.1"
                     /translation="MRRWQLLNPEDKTAVIGSS"
ORIGIN
{lines}
//
"""


def genbank(path, letters):
    rows = [f"{at + 1:>9} {letters[at : at + 60].lower()}" for at in range(0, len(letters), 60)]
    path.write_text(GENBANK.format(lines="\n".join(rows)))
    return path


def test_every_record_is_counted_and_what_is_wrong_by_its_reason(tmp_path):
    (tmp_path / "a.faa").write_text(">a\nMKVLAAGIVGLLLAQWERT\n>b\nMK1V\n>a\nMKVLWW\n>c\n")
    counts = build_index(IndexConfig(), files=[tmp_path / "a.faa"], seed=1, output=tmp_path / "idx").counts
    assert counts == {
        "files": 1,
        "protein letters": 19,
        "protein reading: duplicate id": 1,
        "protein reading: empty record": 1,
        "protein reading: letters outside the alphabet": 1,
        "protein records": 1,
    }
    with pytest.raises(DataError, match="'1' is not a protein letter"):
        build_index(IndexConfig(on_invalid="error"), files=[tmp_path / "a.faa"], seed=1, output=tmp_path / "idx2")


def test_a_genbank_file_gives_dna_proteins_and_the_genes_of_a_hit(tmp_path):
    letters = "".join(np.random.default_rng(5).choice(list("ACGT"), 300))
    build_index(IndexConfig(), files=[genbank(tmp_path / "a.gbk", letters)], seed=1, output=tmp_path / "idx")
    index = open_index(tmp_path / "idx")
    assert {name: index.counts[name] for name in ("dna records", "protein records", "coding regions")} == {
        "dna records": 1, "protein records": 2, "coding regions": 2,
    }  # fmt: skip
    (hit,) = index.find_sequences(letters[90:170], "dna")
    assert (hit.id, hit.description) == ("TEST1.1", "Testing bacterium, a piece.; here: abc (test protein)")
    (hit,) = index.find_sequences(letters[:90], "dna")
    assert hit.description == "Testing bacterium, a piece."
    (hit,) = index.find_sequences("MRRWQLLNPEDKTAVIGSS", "protein")
    assert (hit.id, hit.description) == ("TP2.1", "far protein, gene xyz, Testing bacterium")
    assert hit.annotations["product"] == "far protein"


def test_files_are_told_apart_by_what_they_hold(tmp_path):
    texts = {
        "a.fa": (">x\nACGTNACGT\n", ("dna",)),
        "b.fa": (">x\nMKVLAAG\n", ("protein",)),
        "c.txt": ("Plain words.\n", ("text",)),
        "d.md": ("> A quotation.\n", ("text",)),
        "e.fq": ("@r\nACGT\n+\nIIII\n", ("dna",)),
        "f.gb": ("LOCUS       X\n", ("dna", "protein")),
        "g.dat": ("ID   X\n", ("protein", "text")),
    }
    for name, (text, kinds) in texts.items():
        (tmp_path / name).write_text(text)
        assert kinds_of(tmp_path / name, "auto") == kinds, name
    (tmp_path / "t.tsv").write_text("id\tsequence\nx\tMK\n")
    with pytest.raises(DataError, match=r"a table file says not what it holds\. Set --kind"):
        kinds_of(tmp_path / "t.tsv", "auto")
    assert kinds_of(tmp_path / "t.tsv", "protein") == ("protein",)


def pdf_of(path, words):
    content = f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data = "%PDF-1.4\n"
    offsets = []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(data))
        data += f"{number} 0 obj{text}endobj\n"
    rows = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    data += f"xref\n0 6\n0000000000 65535 f \n{rows}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF\n"
    path.write_bytes(data.encode())
    return path


def test_a_pdf_gives_a_record_for_each_page(tmp_path):
    writer = pypdf.PdfWriter(pdf_of(tmp_path / "one.pdf", "Kinesin walks along microtubules."))
    writer.add_blank_page()
    writer.write(tmp_path / "two.pdf")
    counts = build_index(IndexConfig(), files=[tmp_path / "two.pdf"], seed=1, output=tmp_path / "idx").counts
    assert counts == {"files": 1, "passages": 1, "text reading: pages without text": 1, "text records": 1}
    (hit,) = open_index(tmp_path / "idx").find_passages("microtubule")
    assert (hit.id, hit.text) == ("two.pdf#1:0-33", "Kinesin walks along microtubules.")


def test_a_pdf_without_pypdf_or_a_broken_one_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4\nnonsense")
    with pytest.raises(DataError, match=r"no records to index \(text reading: unreadable file: 1\)"):
        build_index(IndexConfig(), files=[tmp_path / "bad.pdf"], seed=1, output=tmp_path / "idx")
    monkeypatch.setattr(pdf, "pypdf", None)
    with pytest.raises(DataError, match=r"pip install 'llama-gene\[search\]'"):
        build_index(IndexConfig(), files=[tmp_path / "bad.pdf"], seed=1, output=tmp_path / "idx")


def test_a_killed_build_goes_on_after_its_last_whole_file(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    for name in "abc":
        records = [f">{name}{number}\n{''.join(rng.choice(list('ACGT'), 200))}\n" for number in range(3)]
        (tmp_path / f"{name}.fa").write_text("".join(records))
    (tmp_path / "t.md").write_text("Words about ribosomes.\n\nOther words about histones.")
    files = [tmp_path / "a.fa", tmp_path / "t.md", tmp_path / "b.fa", tmp_path / "c.fa"]
    build_index(IndexConfig(), files=files, seed=1, output=tmp_path / "whole")
    read, real = [], build.read_file

    def killed_in_b(path, *rest):
        read.append(path.name)
        for number, record in enumerate(real(path, *rest)):
            if (path.name, number) == ("b.fa", 1):
                raise KeyboardInterrupt
            yield record

    monkeypatch.setattr(build, "read_file", killed_in_b)
    with pytest.raises(KeyboardInterrupt):
        build_index(IndexConfig(), files=files, seed=1, output=tmp_path / "idx")
    monkeypatch.setattr(build, "read_file", lambda path, *rest: read.append(path.name) or real(path, *rest))
    build_index(IndexConfig(), files=files, seed=1, output=tmp_path / "idx")
    assert read == ["a.fa", "t.md", "b.fa", "b.fa", "c.fa"]
    one, other = contents(tmp_path / "whole"), contents(tmp_path / "idx")
    assert one.keys() == other.keys()
    for name in one:
        if name.suffix in (".fasta", ".npy"):
            assert one[name] == other[name], name
    assert read_manifest(tmp_path / "idx").counts == read_manifest(tmp_path / "whole").counts


def test_an_unchanged_index_is_not_built_again(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("Some words.")
    first = build_index(IndexConfig(), files=[tmp_path / "a.md"], seed=1, output=tmp_path / "idx")
    asked_otherwise = IndexConfig(max_e_value=10, method="parasail")
    assert build_index(asked_otherwise, files=[tmp_path / "a.md"], seed=1, output=tmp_path / "idx") == first


@pytest.mark.parametrize("text", ["", "\n \n", ">x\n"])
def test_a_file_without_records_is_refused_by_name(tmp_path, text):
    (tmp_path / "a.fa").write_text(text)
    with pytest.raises(DataError, match=r"a\.fa: no records to index \(.*: 1\)\. Mend the file or leave it out"):
        build_index(IndexConfig(), files=[tmp_path / "a.fa"], seed=1, output=tmp_path / "idx")


def test_files_of_a_folder_that_hold_nothing_are_counted(tmp_path):
    files = {"a.fa": "", "b.tsv": "x\ty\n", "c.md": "Some words."}
    for name, text in files.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    counts = build_index(IndexConfig(), files=[tmp_path / "in"], seed=1, output=tmp_path / "idx").counts
    assert (counts["files"], counts["files without records"], counts["files that say not what they hold"]) == (3, 1, 1)
    (tmp_path / "in" / "c.md").unlink()
    with pytest.raises(DataError, match="in: no records to index in any file"):
        build_index(IndexConfig(), files=[tmp_path / "in"], seed=1, output=tmp_path / "idx")
