"""An index is a stage folder: what it reads, counts, refuses, resumes, and how passages are found in it."""

import json
import shutil
import sqlite3
from itertools import pairwise

import numpy as np
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.artifacts import read_manifest
from llama_gene.config import IndexConfig
from llama_gene.errors import ArtifactError, DataError
from llama_gene.retrieval import build, pdf
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.contents import kinds_of
from llama_gene.retrieval.hits import render_passages
from llama_gene.retrieval.index import open_index
from llama_gene.retrieval.passages import cut_passages
from running import contents, refused, run

TOPICS = {
    "lysozyme": "Lysozyme cuts the sugars of bacterial cell walls. Tears and egg white hold much of this enzyme.",
    "haemoglobin": "Haemoglobin carries oxygen from the lungs to the tissues. Its iron binds the gas reversibly.",
    "promoter": "A promoter is the stretch of DNA where the polymerase binds. The TATA box lies in it.",
    "flagellum": "The flagellum turns like a screw. A motor in the membrane drives it with protons.",
    "ribosome": "The ribosome reads messenger RNA. It joins amino acids into a protein, one codon at a time.",
    "histone": "Histones are proteins that DNA winds around. Acetyl groups on them open the chromatin.",
}
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TOPICS.items():
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\n{text}\n")
    build_index(IndexConfig(), files=[folder / "*.md"], seed=1, output=folder / "idx")
    return folder


@pytest.fixture
def index(folder):
    return open_index(folder / "idx")


def genbank(path, letters):
    rows = [f"{at + 1:>9} {letters[at : at + 60].lower()}" for at in range(0, len(letters), 60)]
    path.write_text(GENBANK.format(lines="\n".join(rows)))
    return path


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What carries oxygen to the tissues?", "haemoglobin"),
        ("Where does polymerase bind?", "promoter"),
        ("which motors drive the flagella", "flagellum"),
        ("amino acids", "ribosome"),
    ],
)
def test_a_question_finds_its_passage(index, question, topic):
    hit = index.find_passages(question)[0]
    assert hit.id.startswith(f"{topic}.md:")
    assert TOPICS[topic] in hit.text
    assert hit.score > 0


def test_a_passage_names_its_file_and_its_characters(index, folder):
    hit = index.find_passages("haemoglobin", 1)[0]
    whole = f"Haemoglobin\n\n{TOPICS['haemoglobin']}"
    assert hit.source == str(folder / "haemoglobin.md")
    assert whole[hit.start : hit.end] == hit.text
    assert hit.id == f"haemoglobin.md:{hit.start}-{hit.end}"
    assert hit.found_by == ("words", "vectors")
    assert f"1. {hit.id}, source {hit.source}\n   Haemoglobin" in render_passages([hit])


def test_words_and_vectors_can_be_asked_alone(index):
    words, vectors = index.passages_by_words("oxygen", 5), index.passages_by_vectors("oxygen", 5)
    assert [(hit.id.partition(".")[0], hit.found_by) for hit in words] == [("haemoglobin", ("words",))]
    assert (vectors[0].id, vectors[0].found_by) == (words[0].id, ("vectors",))


def test_fitted_vectors_follow_what_full_text_finds_unless_they_are_given_weight(index, folder):
    question = "Which proteins hold much of the enzyme that binds DNA?"
    words = [hit.id for hit in index.passages_by_words(question, 6)]
    vectors = [hit.id for hit in index.passages_by_vectors(question, 6)]
    both = [hit.id for hit in index.find_passages(question, 6)]
    assert both == [*words, *(name for name in vectors if name not in words)]
    assert words != vectors[: len(words)]
    only = open_index(folder / "idx", IndexConfig(vector_weight=100)).find_passages(question, 6)
    assert [hit.id for hit in only][: len(vectors)] == vectors


@pytest.mark.parametrize("question", ["Zebrafish swimming?", "what is the of", "1 % 2"])
def test_a_question_about_nothing_here_has_no_hit(index, question):
    assert index.find_passages(question) == ()


@pytest.mark.parametrize(
    "question",
    [
        '"',
        "oxygen AND",
        "NEAR(oxygen lungs, 2)",
        "oxygen*",
        "-oxygen",
        'text:oxygen"; DROP TABLE passages; --',
        "(oxygen",
    ],
)
def test_a_question_is_no_query_language(index, question):
    if question == '"':
        with pytest.raises(DataError, match="no words"):
            index.find_passages(question)
    else:
        assert index.find_passages(question)[0].id.startswith("haemoglobin.md")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_question_or_is_refused_in_words(folder, text):
    index = open_index(folder / "idx")
    if any(letter.isalnum() or letter == "_" for letter in text):
        assert isinstance(index.find_passages(text), tuple)
    else:
        with pytest.raises(DataError, match="no words"):
            index.find_passages(text)


def test_a_question_of_many_words_is_answered_and_a_longer_one_refused(index):
    assert index.find_passages("oxygen " + " ".join(f"w{number}" for number in range(1500)))
    with pytest.raises(DataError, match=r"10,004 letters\. Expected at most 10,000"):
        index.find_passages("word" * 2501)


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


def break_database(folder):
    (folder / "index.sqlite").write_bytes(b"nonsense" * 1000)


def drop_table(folder):
    with sqlite3.connect(folder / "index.sqlite") as connection:
        connection.execute("DROP TABLE passages")


def cut_vectors(folder):
    (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:100])


def wrong_vectors(folder):
    np.save(folder / "vectors.npy", np.zeros((2, 2), np.float16))


def pickled_vectors(folder):
    np.save(folder / "weights.npy", np.array([{}], dtype=object), allow_pickle=True)


def no_letters(folder):
    (folder / "protein.fasta").unlink()


@pytest.mark.parametrize(
    "damage", [break_database, drop_table, cut_vectors, wrong_vectors, pickled_vectors, no_letters]
)
def test_a_broken_index_is_said_to_be_broken(tmp_path, damage):
    (tmp_path / "a.md").write_text("\n\n".join(TOPICS.values()) * 10)
    (tmp_path / "a.faa").write_text(">a\nMKVLAAGIVGLLLAQWERT\n")
    build_index(IndexConfig(), files=[tmp_path / "a.md", tmp_path / "a.faa"], seed=1, output=tmp_path / "idx")
    damage(tmp_path / "idx")
    with pytest.raises(ArtifactError, match=r"the index is broken .*build it again"):
        open_index(tmp_path / "idx")


def no_terms(folder):
    (folder / "terms.json").unlink()


def forget(fact):
    def damage(folder):
        noted = json.loads((folder / "manifest.json").read_text())
        del noted["facts"][fact]
        (folder / "manifest.json").write_text(json.dumps(noted))

    return damage


def half_a_manifest(folder):
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:40])


def another_version(folder):
    noted = json.loads((folder / "manifest.json").read_text())
    noted["facts"]["format"] = 1
    (folder / "manifest.json").write_text(json.dumps(noted))


def another_stage(folder):
    noted = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(noted | {"stage": "finetune"}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_terms, r"the index is broken \(.*terms\.json.*build it again"),
        (forget("fasta_bytes"), r"the index is broken \('fasta_bytes'\)"),
        (forget("format"), r"another version \(format 1, this one reads 2\)\. Build it again"),
        (half_a_manifest, r"manifest\.json: cannot be read .*Remove it and run again"),
        (another_version, r"another version \(format 1, this one reads 2\)\. Build it again"),
        (another_stage, r"not an index but a folder of the stage 'finetune'\. Expected one of `llama-gene index`"),
        (break_database, r"the index is broken .*build it again"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong_with_an_index(folder, tmp_path, capsys, damage, words):
    shutil.copytree(folder / "idx", tmp_path / "idx")
    damage(tmp_path / "idx")
    refused(capsys, ["index", "--output", tmp_path / "idx", "--ask", "oxygen"], words)


def test_what_is_no_index_or_half_written_is_refused(folder, tmp_path):
    with pytest.raises(ArtifactError, match="not a finished stage folder"):
        open_index(tmp_path)
    shutil.copytree(folder / "idx", tmp_path / "idx.partial")
    (tmp_path / "idx.partial" / "manifest.json").unlink()
    for place in (tmp_path / "idx", tmp_path / "idx.partial"):
        with pytest.raises(ArtifactError, match="not a finished stage folder"):
            open_index(place)


def test_passages_hold_every_character_but_white_space_and_are_never_too_long():
    text = "\n\n".join(f"Paragraph {number}. " + "It says so. " * number for number in range(60)) + "x" * 900
    spans = list(cut_passages(text, 300))
    assert all(0 < end - start <= 300 for start, end in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert "".join("".join(text[slice(*span)].split()) for span in spans) == "".join(text.split())


def test_the_command_builds_finds_and_asks(tmp_path, folder, capsys):
    (tmp_path / "a.faa").write_text(">a Test kinase [Testus]\nMKVLAAGIVGLLLAQWERTMKVLAAGIVG\n")
    output = tmp_path / "idx"
    assert run(["index", "--output", output, folder / "*.md", tmp_path / "a.faa", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["protein records"] == 1
    assert run(["index", "--output", output, "--find", "MKVLAAGIVGLLLAQWERT", "--ask", "oxygen"]) == 0
    shown = capsys.readouterr().out
    assert "1. a: Test kinase" in shown
    # 29 places, nineteen letters equal: 29 x 0.06 ** 19.
    assert "E-value 1.8e-22 (parasail)" in shown
    refused(capsys, ["index", "--output", output, "--find", "MKV"], r"too short to search: 3 letters, at least 4\.")
    assert "oxygen\n1. haemoglobin.md:" in shown
    (tmp_path / "q.faa").write_text(">q1\nMKVLAAGIVGLLLAQWERT\n>q2\nWWWWHHHHWWWWHHHHPPPP\n")
    assert run(["index", "--output", output, "--find", tmp_path / "q.faa", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sequences"]
    assert [hit["id"] for hit in found["q1"]] == ["a"]
    assert found["q2"] == []
    assert run(["index", "--output", output, "--ask", "zebras"]) == 0
    assert capsys.readouterr().out == "zebras\nNo hit in the index.\n"


def test_the_command_refuses_in_one_line(tmp_path, folder, capsys):
    idx = folder / "idx"
    refused(capsys, ["index", "--output", idx], "nothing to do. Name FILES")
    refused(capsys, ["index", "--output", tmp_path, "--ask", "x"], "not a finished stage folder")
    refused(capsys, ["index", "--output", idx, "--ask", "?!"], "no words in the question")
    refused(capsys, ["index", "--output", idx, "--find", "none.fa"], r"none\.fa: no such file")
    refused(capsys, ["index", "--output", idx, "--find", "MKVLWW", "--kind", "text"], "ask texts with --ask")
    refused(capsys, ["index", "--output", idx, "--find", "MKVLWWQRST", "--kind", "dna"], "not DNA")
    refused(capsys, ["index", "--output", idx, "--ask", "x", "--set", "index.method=blast"], "index.method")
