"""Sequences are found by real alignment, and identity, coverage, strand and place are what they are by hand."""

import random
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from llama_gene.config import IndexConfig
from llama_gene.errors import ArtifactError, ConfigError, DataError, TooShortError
from llama_gene.retrieval import hmmer
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.exact import shortest_query
from llama_gene.retrieval.hits import render_sequences
from llama_gene.retrieval.index import open_index
from llama_gene.retrieval.transfer import transfer_annotation
from llama_gene.sequences.alignment import locate
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement


def letters_of(alphabet, number, seed):
    return "".join(random.Random(seed).choices(alphabet.letters, k=number))


PROTEINS = {f"p{seed}": letters_of(PROTEIN, 120, seed) for seed in range(30)}
GENOMES = {"g1": letters_of(DNA, 3000, 101), "g2": letters_of(DNA, 2000, 102)}


def fasta(path, records):
    path.write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    return path


def index_of(folder, files, config=IndexConfig()):  # noqa: B008
    build_index(config, files=files, seed=1, output=folder / "idx")
    return open_index(folder / "idx", config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    index_of(folder, [fasta(folder / "proteins.faa", PROTEINS), fasta(folder / "genomes.fna", GENOMES)])
    return folder


@pytest.fixture
def index(folder):
    return open_index(folder / "idx")


def other(letter, alphabet):
    return alphabet.letters[(alphabet.letters.index(letter) + 1) % len(alphabet.letters)]


def test_a_protein_with_known_changes_has_the_identity_counted_by_hand(index):
    letters = list(PROTEINS["p7"])
    for place in (30, 50, 70, 90):
        letters[place] = other(letters[place], PROTEIN)
    hit = index.find_sequences("".join(letters), "protein")[0]
    assert (hit.id, hit.method, hit.strand, hit.kind) == ("p7", "phmmer", "", "protein")
    assert hit.identity == pytest.approx(116 / 120)
    assert hit.coverage == 1.0
    assert (hit.start, hit.end) == (0, 120)
    assert hit.e_value < 1e-50


def test_coverage_is_the_aligned_share_of_the_query(index):
    query = letters_of(PROTEIN, 60, 999) + PROTEINS["p3"][20:80]
    hit = index.find_sequences(query, "protein")[0]
    assert hit.id == "p3"
    assert hit.coverage == pytest.approx(0.5, abs=0.03)
    assert hit.identity == pytest.approx(1.0, abs=0.05)
    assert hit.start == pytest.approx(20, abs=3)
    assert hit.end == 80


def test_dna_is_found_on_both_strands_at_its_place(index):
    piece = GENOMES["g2"][500:700]
    for query, strand in ((piece, "+"), (reverse_complement(piece), "-")):
        (hit,) = index.find_sequences(query, "dna")
        assert (hit.id, hit.strand, hit.method) == ("g2", strand, "parasail")
        assert (hit.start, hit.end) == pytest.approx((500, 700), abs=2)
        assert hit.identity == 1.0
        assert hit.coverage >= 0.99
        assert hit.e_value < 1e-30


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_there_is_no_hit(index, seed):
    assert index.find_sequences(letters_of(PROTEIN, 120, 500 + seed), "protein") == ()
    assert index.find_sequences(letters_of(DNA, 200, 600 + seed), "dna") == ()
    assert index.find_sequences(letters_of(DNA, 24, 700 + seed), "dna") == ()


def test_short_queries_are_aligned_with_everything_and_judged_by_their_equal_letters(index):
    (hit,) = index.find_sequences(reverse_complement(GENOMES["g1"][1000:1020]), "dna")
    assert (hit.id, hit.start, hit.end, hit.strand) == ("g1", 1000, 1020, "-")
    assert (hit.method, hit.identity, hit.coverage) == ("parasail", 1.0, 1.0)
    # On both strands, twenty bases of which one in four is equal by chance.
    assert hit.e_value == pytest.approx(2 * index.counts["dna letters"] * 0.25**20, rel=0.3)
    (hit,) = index.find_sequences(PROTEINS["p9"][40:52], "protein")
    assert (hit.id, hit.start, hit.end, hit.strand) == ("p9", 40, 52, "")
    assert hit.e_value == pytest.approx(index.counts["protein letters"] * 0.06**12)
    # Two letters of the twelve are others: 12 x 11 / 2 pairs of places, and no more than one further letter equal.
    other = "".join("A" if letter != "A" else "W" for letter in PROTEINS["p9"][44:46])
    (near,) = index.find_sequences(PROTEINS["p9"][40:44] + other + PROTEINS["p9"][46:52], "protein")
    chance = 66 * 0.06**10 * 0.94**2 + 12 * 0.06**11 * 0.94 + 0.06**12
    assert near.e_value == pytest.approx(index.counts["protein letters"] * chance)


@pytest.mark.parametrize("method", ["auto", "hmmer", "parasail"])
def test_a_query_that_chance_may_copy_is_too_short_to_search(folder, method):
    index = open_index(folder / "idx", IndexConfig(method=method))
    held = index.counts["protein letters"]
    least = shortest_query("protein", held, 1e-3)
    assert held * 0.06**least <= 1e-3 < held * 0.06 ** (least - 1)
    with pytest.raises(
        TooShortError, match=rf"too short to search: 3 letters, at least {least}\. Among {held:,} letters"
    ):
        index.find_sequences("MKV", "protein")
    with pytest.raises(TooShortError, match=rf"{least - 1} letters, at least {least}"):
        index.choose_method(PROTEINS["p9"][: least - 1], "protein")
    assert index.choose_method(PROTEINS["p9"][:least], "protein")


def test_the_shortest_copy_that_is_no_chance_is_found(index):
    least = shortest_query("protein", index.counts["protein letters"], 1e-3)
    (hit,) = index.find_sequences(PROTEINS["p9"][40 : 40 + least], "protein")
    assert (hit.id, hit.start, hit.identity) == ("p9", 40, 1.0)
    assert hit.e_value <= 1e-3


def test_without_pyhmmer_parasail_finds_the_same_sequences(folder, monkeypatch):
    monkeypatch.setattr(hmmer, "Pipeline", None)
    index = open_index(folder / "idx")
    hits = index.find_sequences(PROTEINS["p5"], "protein")
    assert [(hit.id, hit.method, hit.identity, hit.coverage) for hit in hits] == [("p5", "parasail", 1.0, 1.0)]
    with pytest.raises(ConfigError, match=r"pyhmmer is not installed.*pip install 'llama-gene\[search\]'"):
        open_index(folder / "idx", IndexConfig(method="hmmer")).find_sequences(PROTEINS["p5"], "protein")


def test_the_number_of_hits_has_a_limit_and_the_best_come_first(tmp_path):
    family = {"exact": PROTEINS["p1"], "near": PROTEINS["p1"][:100] + letters_of(PROTEIN, 20, 1)}
    index = index_of(tmp_path, [fasta(tmp_path / "a.faa", {**PROTEINS, **family})])
    assert [hit.id for hit in index.find_sequences(PROTEINS["p1"], "protein", 2)] == ["p1", "exact"]
    assert [hit.id for hit in index.find_sequences(PROTEINS["p1"], "protein")] == ["p1", "exact", "near"]


def test_small_letters_uracil_and_a_final_stop_are_read(index):
    assert index.find_sequences(PROTEINS["p2"].lower() + "*", "protein")[0].id == "p2"
    assert index.find_sequences(GENOMES["g1"][:100].replace("T", "U"), "dna")[0].id == "g1"


@pytest.mark.parametrize(
    ("letters", "kind", "words"),
    [
        ("", "dna", "search: no letters. Expected a DNA sequence"),
        (" \n", "protein", "no letters"),
        (PROTEINS["p1"], "dna", "look like protein, not DNA. Expected a DNA sequence"),
        (GENOMES["g1"][:100], "protein", "look like DNA, not protein"),
        ("ACGT-ACGT", "dna", "alignment gap"),
        ("ACGT" * 5000, "dna", "20,000 letters. Expected at most 10,000"),
    ],
)
def test_bad_queries_are_refused_in_one_sentence(index, letters, kind, words):
    with pytest.raises(DataError, match=words):
        index.find_sequences(letters, kind)


def test_letters_that_were_damaged_are_said_to_be(tmp_path):
    index = index_of(tmp_path, [fasta(tmp_path / "a.faa", PROTEINS)])
    file = tmp_path / "idx" / "protein.fasta"
    file.write_text(file.read_text().replace(PROTEINS["p1"], "!" * 120))
    with pytest.raises(ArtifactError, match=r"the index is broken .*build it again"):
        index.find_sequences(PROTEINS["p1"], "protein")
    file.write_text(">1\nMK\n")
    with pytest.raises(ArtifactError, match=r"protein\.fasta has 6 bytes, expected 3,7"):
        open_index(tmp_path / "idx")


def test_threads_share_an_index(index):
    names = [f"p{number % 30}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: index.find_sequences(PROTEINS[name], "protein")[0].id, names))
    assert found == names


def test_less_than_one_hit_is_refused(index):
    with pytest.raises(ConfigError, match="most = 0"):
        index.find_sequences("ACGT", "dna", 0)


def test_a_kind_the_index_does_not_hold_gives_no_hit(tmp_path):
    index = index_of(tmp_path, [fasta(tmp_path / "a.faa", PROTEINS)])
    assert index.find_sequences("ACGT" * 30, "dna") == ()


def test_hits_are_quoted_with_all_that_is_known(index):
    text = render_sequences(index.find_sequences(reverse_complement(GENOMES["g2"][500:700]), "dna"))
    assert "1. g2\n   identity 100.0 %, coverage 100 %, E-value " in text
    assert re.search(r"\(parasail\), 501-700 on strand -, source .*genomes.fna$", text)


def test_annotation_comes_from_the_nearest_neighbour_below_an_identity(tmp_path):
    letters = list(PROTEINS["p1"])
    for place in range(0, 120, 5):
        letters[place] = other(letters[place], PROTEIN)
    file = tmp_path / "a.faa"
    fasta(file, {"a Exact kinase [Testus]": PROTEINS["p1"], "b Cousin of it [Testus]": "".join(letters)})
    index = index_of(tmp_path, [file])
    found = transfer_annotation(index, PROTEINS["p1"], "protein", "product")
    assert (found.text, found.hit.id) == ("Exact kinase", "a")
    assert transfer_annotation(index, PROTEINS["p1"], "protein", "product", identity_below=0.95).text == "Cousin of it"
    assert transfer_annotation(index, PROTEINS["p1"], "protein", "product", identity_below=0.5) is None
    assert transfer_annotation(index, PROTEINS["p1"], "protein", "ec") is None


def test_an_alignment_is_located_with_its_gaps():
    first, second = "ACGTTGCAACGGTTAC" * 3, "TTTTT" + "ACGTTGCAACGGTTAC" * 3
    gapped = second[:25] + "G" + second[25:]
    assert locate(first, second, "dna") == (48 * 5, 48, 48, (0, 48), (5, 53))
    assert locate(first, gapped, "dna") == (48 * 5 - 25, 48, 49, (0, 48), (5, 54))
