"""Several indexes asked as one find what one index of everything finds, with the same E-values."""

import random

import pytest

from llama_gene.config import IndexConfig
from llama_gene.errors import ConfigError
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import Index, open_index
from llama_gene.retrieval.several import Indexes, open_indexes
from llama_gene.sequences.alphabets import reverse_complement

RNG = random.Random(3)
PARENT = {"protein": "".join(RNG.choices("ACDEFGHIKLMNPQRSTVWY", k=120)), "dna": "".join(RNG.choices("ACGT", k=400))}
TOPICS = ("oxygen and iron", "the ribosome reads codons", "a promoter binds polymerase", "iron in the ribosome")


def mutated(letters: str, share: float) -> str:
    alphabet = "ACGT" if set(letters) <= set("ACGT") else "ACDEFGHIKLMNPQRSTVWY"
    return "".join(RNG.choice(alphabet) if RNG.random() < share else letter for letter in letters)


def fasta(kind: str, first: int) -> str:
    """Five copies of the parent, each farther from it, among twenty strangers; of DNA each second one turned round."""
    alphabet = "ACGT" if kind == "dna" else "ACDEFGHIKLMNPQRSTVWY"
    records = [mutated(PARENT[kind], 0.05 * (first + number)) for number in range(5)]
    if kind == "dna":
        records = [reverse_complement(one) if number % 2 else one for number, one in enumerate(records)]
    records += ["".join(RNG.choices(alphabet, k=len(PARENT[kind]) + first)) for _ in range(20)]
    return "".join(f">{kind}{first + number}\n{one}\n" for number, one in enumerate(records))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    for part in range(2):
        place = folder / f"part{part}"
        place.mkdir()
        (place / "a.faa").write_text(fasta("protein", 5 * part))
        (place / "a.fna").write_text(fasta("dna", 5 * part))
        for number, topic in enumerate(TOPICS[part::2]):
            (place / f"topic{part}{number}.md").write_text(f"# {topic}\n\nWhat is known of {topic}.\n")
        build_index(IndexConfig(), files=[place], seed=1, output=folder / f"idx{part}")
    build_index(IndexConfig(), files=[folder / "part0", folder / "part1"], seed=1, output=folder / "whole")
    return folder


def both(folder, **settings) -> tuple[Index, Indexes]:
    config = IndexConfig(**settings)
    found = open_indexes([folder / "idx0", folder / "idx1"], config)
    assert isinstance(found, Indexes)
    return open_index(folder / "whole", config), found


@pytest.mark.parametrize(("kind", "method"), [("protein", "hmmer"), ("protein", "parasail"), ("protein", "auto")])
def test_protein_hits_and_their_e_values_are_those_of_one_index(folder, kind, method):
    if method == "hmmer":
        pytest.importorskip("pyhmmer")
    whole, several = both(folder, method=method)
    wanted, found = (one.find_sequences(PARENT[kind], kind, 8) for one in (whole, several))
    assert len(wanted) == 8
    assert [hit.id for hit in found] == [hit.id for hit in wanted]
    assert [hit.e_value for hit in found] == pytest.approx([hit.e_value for hit in wanted], rel=1e-6)
    assert [hit.identity for hit in found] == [hit.identity for hit in wanted]
    # Each part alone thinks itself half as large.
    alone = several.parts[0].find_sequences(PARENT[kind], kind, 1)[0]
    assert alone.e_value < found[0].e_value
    assert several.align(PARENT[kind], found[0]) == whole.align(PARENT[kind], wanted[0])


def test_dna_hits_are_those_of_one_index(folder):
    whole, several = both(folder)
    wanted, found = (one.find_sequences(PARENT["dna"], "dna", 6) for one in (whole, several))
    assert [(hit.id, hit.strand, hit.start, hit.end) for hit in found] == [
        (hit.id, hit.strand, hit.start, hit.end) for hit in wanted
    ]
    # The scale of a score follows from the bases of each index, which differ a little.
    for one, other in zip(found, wanted, strict=True):
        assert one.e_value == pytest.approx(other.e_value, rel=0.5)


def test_hits_that_chance_explains_among_all_letters_go(folder):
    _, several = both(folder)
    found = several.find_sequences(PARENT["protein"], "protein", 50)
    limit = found[-1].e_value
    _, strict = both(folder, max_e_value=limit * 0.99)
    assert len(strict.find_sequences(PARENT["protein"], "protein", 50)) == len(found) - 1


def test_a_short_query_has_the_same_hits_and_e_values_by_equal_letters(folder):
    whole, several = both(folder)
    wanted, found = (one.find_sequences(PARENT["protein"][:15], "protein", 3) for one in (whole, several))
    assert {hit.id for hit in found} == {hit.id for hit in wanted}
    assert found[0].id == wanted[0].id == "protein0"
    assert [hit.e_value for hit in found] == pytest.approx([hit.e_value for hit in wanted])


def test_passages_of_all_are_ranked_together(folder):
    whole, several = both(folder)
    assert several.counts["passages"] == whole.counts["passages"] == 4
    found = several.find_passages("What binds polymerase?", 4)
    assert "polymerase" in found[0].text
    sources = {hit.source.split("/")[-2] for hit in several.find_passages("iron ribosome oxygen", 4)}
    assert sources == {"part0", "part1"}
    with pytest.raises(ConfigError, match="Expected 1 or more"):
        several.find_passages("iron", 0)


def test_one_folder_is_an_index_and_none_is_none(folder):
    assert isinstance(open_indexes([folder / "idx0"]), Index)
    assert open_indexes([]) is None
    assert open_indexes([folder / "idx0", folder / "idx1"]).name == "idx0 + idx1"


def test_a_folder_that_is_no_index_is_named(folder, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(Exception, match="none"):
        open_indexes([folder / "idx0", tmp_path / "none"])
