"""Motifs are found where they are, on the strand they are on."""

import re

import pytest

from llama_gene.tokenizer.audit.motifs import MOTIFS, Motif, expand, find_motifs


def names(tokens: list[str], kind: str) -> dict[str, str]:
    """Motif to the strand of its first token."""
    return {found.name: found.tokens[0].strand for found in find_motifs(tokens, kind)}


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("GTATAAAAG", {"TATA box": "+"}),
        ("CTTTTATAC", {"TATA box": "-"}),
        ("TTTATT", {"poly-A signal": "-"}),
        ("GGAATTCC", {"EcoRI site": "both"}),
        ("GCCACCATGG", {"Kozak sequence": "+", "NcoI site": "both"}),
        ("CCACCAGC", {"Chi site": "-"}),
        ("GCGGCCGC", {"NotI site": "both"}),
        ("CAGGTAAGT", {"splice donor": "+"}),
        ("TTTCCCACAGG", {"splice acceptor": "+"}),
        ("TTAGGGTTAGGG", {"vertebrate telomere, 2 units": "+"}),
        ("CCCTAACCCTAA", {"vertebrate telomere, 2 units": "-"}),
        ("TGTGTGTGTG", {"(CA)n, 5 units": "-"}),
        ("GACGACGA", {}),
    ],
)
def test_dna_motifs_are_found_with_their_strand(token, found):
    assert names([token], "dna") == found


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("GAPGSGKS", ["P-loop (Walker A)"]),
        ("GAPGSGKT", ["P-loop (Walker A)"]),
        ("GAPGSGKA", []),
        ("TGEKPY", ["zinc-finger C2H2 linker"]),
        ("LPETG", ["sortase sorting signal"]),
        ("PKKKRKV", ["SV40 nuclear localisation signal"]),
        ("HHHHH", []),
        ("HHHHHHH", ["His tag"]),
    ],
)
def test_protein_motifs_are_found_as_written_alone(token, found):
    assert list(names([token], "protein")) == found
    assert set(names([token], "protein").values()) <= {""}


def test_tokens_are_counted_and_the_first_ten_shown():
    (found,) = find_motifs([f"GAATTC{letter}" for letter in "ACGT" * 3], "dna")
    assert (found.count, len(found.tokens)) == (12, 10)
    assert found.tokens[0].token == "GAATTCA"


def test_ambiguous_letters_stand_for_their_bases():
    pattern = expand(Motif("any", "RYSWKMBDHVN", "dna", "")).pattern
    assert pattern == "[AG][CT][CG][AT][GT][AC][CGT][AGT][ACT][ACG][ACGT]"


def test_every_motif_has_a_name_of_its_own_a_pattern_and_a_source_with_its_year():
    assert len({motif.name for motif in MOTIFS}) == len(MOTIFS)
    for motif in MOTIFS:
        assert re.search(r"\b(?:19|20)\d\d\b", motif.source), motif.name
        assert expand(motif).pattern


def test_every_motif_finds_itself():
    for motif in MOTIFS:
        plain = re.sub(r"\[(.)[^]]*\]", r"\1", expand(motif).pattern)
        assert motif.name in names([plain], motif.kind)
