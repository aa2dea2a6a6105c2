"""Every method finds the same sequences and says the same of them, and which is used is chosen by what there is."""

import random
import re
import shutil

import pytest

from llama_gene.config import IndexConfig
from llama_gene.errors import ConfigError
from llama_gene.retrieval import aligners, hmmer, minimap, programs
from llama_gene.retrieval.aligners import choose_method
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.exact import dna_lambda
from llama_gene.retrieval.found import Found
from llama_gene.retrieval.index import open_index
from llama_gene.retrieval.programs import read_row
from llama_gene.retrieval.seeds import encode_words, find_places
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement
from running import refused

GENOME = "".join(random.Random(1).choices(DNA.letters, k=40_000))
PROTEINS = ["".join(random.Random(seed).choices(PROTEIN.letters, k=150)) for seed in range(40)]
GENE = slice(21_000, 21_600)
INSTALLED = {"mmseqs": shutil.which("mmseqs"), "diamond": shutil.which("diamond"), "mappy": minimap.mappy,
             "hmmer": hmmer.Pipeline}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A genome that holds a gene twice: as it is, and on the other strand with a tenth of its bases changed."""
    folder = tmp_path_factory.mktemp("index")
    edited = set(random.Random(3).sample(range(600), 60))
    copy = "".join(changed(base) if place in edited else base for place, base in enumerate(GENOME[GENE]))
    text = GENOME[:5_000] + reverse_complement(copy) + GENOME[5_000:]
    (folder / "g.fna").write_text(f">g\n{text}\n>n\n{'N' * 500}\n")
    (folder / "p.faa").write_text("".join(f">p{at}\n{letters}\n" for at, letters in enumerate(PROTEINS)))
    build_index(IndexConfig(), files=[folder / "g.fna", folder / "p.faa"], seed=1, output=folder / "idx")
    return folder


def changed(base):
    return DNA.letters[(DNA.letters.index(base) + 1) % 4]


def need(method):
    if not INSTALLED.get(method, True):
        pytest.skip(f"{method} is not installed")


@pytest.mark.parametrize("method", ["parasail", "seeds", "mmseqs"])
def test_both_copies_of_a_gene_are_found_where_they_lie(folder, method):
    need(method)
    index = open_index(folder / "idx", IndexConfig(method=method))
    near, far = index.find_sequences(GENOME[GENE], "dna")
    assert (near.id, near.strand, near.start, near.end) == ("g", "+", 21_600, 22_200)
    assert (near.identity, near.coverage) == (1.0, 1.0)
    assert (far.id, far.strand) == ("g", "-")
    assert (far.start, far.end) == pytest.approx((5_000, 5_600), abs=15)
    assert far.identity == pytest.approx(0.9, abs=0.02)
    assert far.coverage == pytest.approx(1.0, abs=0.03)
    assert near.method == method
    assert near.e_value < far.e_value < 1e-20


@pytest.mark.skipif(minimap.mappy is None, reason="mappy is not installed")
def test_minimap2_finds_a_gene_on_either_strand(folder):
    index = open_index(folder / "idx", IndexConfig(method="mappy"))
    (hit,) = index.find_sequences(GENOME[GENE], "dna")
    assert (hit.id, hit.strand, hit.start, hit.end, hit.identity, hit.coverage) == ("g", "+", 21_600, 22_200, 1.0, 1.0)
    assert (hit.method, hit.e_value) == ("minimap2", None)
    (turned,) = index.find_sequences(reverse_complement(GENOME[8_000:8_600]), "dna")
    assert (turned.strand, turned.start, turned.end) == ("-", 8_600, 9_200)


@pytest.mark.parametrize("method", ["hmmer", "parasail", "mmseqs", "diamond"])
def test_a_protein_is_found_by_its_copy(folder, method):
    need(method)
    index = open_index(folder / "idx", IndexConfig(method=method))
    (hit,) = index.find_sequences(PROTEINS[7][20:140], "protein")
    assert (hit.id, hit.start, hit.end) == ("p7", 20, 140)
    assert (hit.identity, hit.coverage) == (1.0, 1.0)
    assert hit.method == ("phmmer" if method == "hmmer" else method)
    assert hit.e_value < 1e-30


@pytest.mark.parametrize("method", ["parasail", "seeds", "mappy", "diamond", "hmmer"])
def test_what_is_not_there_is_found_by_none(folder, method):
    need(method)
    index = open_index(folder / "idx", IndexConfig(method=method))
    kind, alphabet = ("protein", PROTEIN) if method in ("diamond", "hmmer") else ("dna", DNA)
    assert index.find_sequences("".join(random.Random(99).choices(alphabet.letters, k=300)), kind) == ()


def test_exact_alignment_finds_what_is_far_below_its_limit_for_short_queries(folder):
    far = list(PROTEINS[3])
    for place in range(0, 150, 2):
        far[place] = PROTEIN.letters[(PROTEIN.letters.index(far[place]) + 7) % 20]
    (hit,) = open_index(folder / "idx", IndexConfig(method="parasail")).find_sequences("".join(far), "protein")
    assert hit.id == "p3"
    assert hit.identity == pytest.approx(0.5, abs=0.03)
    assert hit.e_value < 1e-3


def test_the_chance_of_a_score_is_counted_by_hand():
    # By definition of lambda: 0.25 exp(5 lambda) + 0.75 exp(-4 lambda) = 1.
    assert 0.25 * 2.718281828 ** (5 * dna_lambda(0.25)) + 0.75 * 2.718281828 ** (-4 * dna_lambda(0.25)) == (
        pytest.approx(1, abs=1e-9)
    )
    assert dna_lambda(0.25) > dna_lambda(0.3) > dna_lambda(0.4) > 0


def test_repeats_of_one_base_are_no_hits(folder, tmp_path):
    rng = random.Random(4)
    (tmp_path / "a.fna").write_text(">a\n" + "".join(rng.choices("ACGT", (45, 5, 5, 45), k=20_000)) + "\n")
    build_index(IndexConfig(), files=[tmp_path / "a.fna"], seed=1, output=tmp_path / "idx")
    query = "".join(rng.choices("ACGT", (45, 5, 5, 45), k=300))
    for method in ("parasail", "seeds"):
        assert open_index(tmp_path / "idx", IndexConfig(method=method)).find_sequences(query, "dna") == ()


def test_words_are_numbered_by_base_and_those_with_other_letters_are_none():
    assert encode_words("AAAAAAAT" + "C" * 8).tolist()[:2] == [3, 13]
    assert encode_words("ACGTNACGTACGT").tolist()[:5] == [65536] * 5
    assert encode_words("ACG").tolist() == []


def test_a_stretch_is_where_the_words_of_the_query_are(tmp_path):
    (tmp_path / "dna.fasta").write_text(f">4\n{GENOME}\n")
    best = find_places({"+": GENOME[GENE], "-": reverse_complement(GENOME[GENE])}, tmp_path / "dna.fasta")[0]
    assert (best.strand, best.window.number) == ("+", 4)
    assert best.shared == 600 - 8 + 1
    assert GENOME[GENE] in best.window.text
    assert GENOME[best.window.start :].startswith(best.window.text)


@pytest.mark.parametrize(
    ("kind", "length", "residues", "choice"),
    [
        ("protein", 19, 10**6, ("parasail", "a query of 19 letters is judged by its equal letters")),
        ("protein", 300, 10**9, ("hmmer", "pyhmmer is installed")),
        ("dna", 39, 10**9, ("parasail", "a query of 39 letters is judged by its equal letters")),
        ("dna", 1000, 10**6, ("parasail", "1,000,000 letters, few enough to align all")),
        ("dna", 1000, 10**8, ("seeds", "100,000,000 letters, too many to align all")),
    ],
)
def test_the_method_is_chosen_by_what_is_asked_and_says_why(monkeypatch, kind, length, residues, choice):
    monkeypatch.setattr(hmmer, "Pipeline", object)
    assert choose_method(IndexConfig(), kind, "A" * length, residues) == choice


@pytest.mark.parametrize(
    ("programs_there", "residues", "choice"),
    [
        (("mmseqs", "diamond"), 10**9, ("diamond", "pyhmmer is not installed, diamond is; 1,000,000,000 letters")),
        (("mmseqs",), 10**9, ("mmseqs", "pyhmmer is not installed, mmseqs is; 1,000,000,000 letters")),
        ((), 10**9, ("parasail", "pyhmmer is not installed")),
        (("mmseqs", "diamond"), 10**6, ("parasail", "pyhmmer is not installed")),
    ],
)
def test_without_hmmer_programs_search_what_is_large(monkeypatch, programs_there, residues, choice):
    monkeypatch.setattr(hmmer, "Pipeline", None)
    monkeypatch.setattr(aligners, "has_program", lambda name: name in programs_there)
    assert choose_method(IndexConfig(), "protein", "A" * 300, residues) == choice


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        ("hmmer", "protein", r"pyhmmer is not installed.*pip install 'llama-gene\[search\]'"),
        ("mappy", "dna", r"mappy is not installed.*pip install 'llama-gene\[mappy\]'"),
        ("mmseqs", "protein", "no program 'mmseqs' on the path"),
        ("diamond", "protein", "no program 'diamond' on the path.*apt install diamond-aligner"),
        ("diamond", "dna", r"'diamond' finds proteins, not DNA\. Set index\.method = 'auto'"),
        ("seeds", "protein", "'seeds' finds DNA, not proteins"),
    ],
)
def test_what_is_not_installed_or_finds_another_kind_is_refused(monkeypatch, method, kind, words):
    monkeypatch.setattr(hmmer, "Pipeline", None)
    monkeypatch.setattr(minimap, "mappy", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match=words):
        choose_method(IndexConfig(method=method), kind, "A" * 300, 1000)


def test_the_rows_of_programs_are_read_on_both_strands():
    row = ["4", "1e-20", "0.95", "1", "90", "11", "100", "100"]
    assert read_row(row, "dna", "mmseqs") == Found(4, 0.95, 0.9, 1e-20, "mmseqs", "+", 10, 100)
    row[3], row[4] = "90", "1"
    assert read_row(row, "dna", "mmseqs").strand == "-"
    assert read_row(row, "protein", "mmseqs").strand == ""
    assert read_row(["4", "1e-20", "95.0", *row[3:]], "protein", "diamond").identity == 0.95


def test_a_program_that_fails_is_quoted_in_one_line(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "diamond").write_text("#!/bin/sh\necho Trouble >&2\necho 'Error: no room' >&2\nexit 1\n")
    (tmp_path / "diamond").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    asked = ["index", "--output", folder / "idx", "--find", PROTEINS[1], "--set", "index.method=diamond"]
    refused(capsys, asked, re.escape("diamond blastp failed (Error: no room). Mend it, or set index.method = 'auto'."))
    assert programs.has_program("diamond")
