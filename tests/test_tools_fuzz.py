"""Whatever the arguments, a tool gives JSON or a DataError."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import DataError
from llama_gene.tools import all_tools
from test_tools_calls import SmallIndex

TOOLS = all_tools(SmallIndex())
LETTERS = st.text("ACGTN", min_size=1, max_size=30) | st.text("ACDEFGHIKLMNPQRSTVWYXUO", min_size=1, max_size=30)
PLAUSIBLE = st.one_of(
    LETTERS,
    st.sampled_from(
        ["dna", "protein", "both", "forward", "global", "local", "semi-global", "circular", "table", "coding"]
    ),
    st.sampled_from(
        [0, 1, 2, 3, -1, 11, 27, 0.5, 25.0, 1e9, None, True, "", "ATG", "wallace", "@input", "/etc/passwd"]
    ),
    st.lists(LETTERS, max_size=3),
    st.lists(st.sampled_from(["EcoRI", "BsaI", "LpnPI", "HaeIV"]), max_size=3),
    st.dictionaries(st.sampled_from("abc"), LETTERS, max_size=3),
    st.dictionaries(st.sampled_from(["ATG", "GCA", "TTT", "TAA"]), st.floats(0, 9), max_size=4),
    st.fixed_dictionaries(dict.fromkeys("ACGT", st.lists(st.integers(0, 9), min_size=2, max_size=2))),
    st.fixed_dictionaries(dict.fromkeys("ACGT", st.sampled_from([0.25, 0.1, 0.4]))),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=4
    ),
)


DNA = st.text("ACGT", min_size=1, max_size=40) | st.text("ACGTRYN", min_size=1, max_size=12)
PROTEIN = st.text("ACDEFGHIKLMNPQRSTVWYX", min_size=1, max_size=30)
RIGHT = {
    "dna": DNA, "primer": DNA, "motif": DNA, "protein": PROTEIN, "first": DNA, "second": DNA, "sequence": DNA | PROTEIN,
    "kind": st.sampled_from(["dna", "protein"]), "strands": st.sampled_from(["forward", "both"]),
    "genetic_code": st.sampled_from([1, 2, 4, 11, 27, 31]), "frame": st.sampled_from([1, 2, 3, -1, -2, -3]),
    "reading": st.sampled_from(["codons", "coding"]), "starts": st.sampled_from(["ATG", "table"]),
    "min_codons": st.integers(1, 3), "most": st.integers(1, 3), "k": st.integers(1, 12),
    "method": st.sampled_from(["nearest_neighbour", "wallace"]), "topology": st.sampled_from(["linear", "circular"]),
    "enzymes": st.lists(st.sampled_from(["EcoRI", "BsaI", "LpnPI", "HaeIV"]), min_size=1, max_size=3),
    "matrix": st.fixed_dictionaries(dict.fromkeys("ACGT", st.lists(st.integers(0, 9), min_size=2, max_size=2))),
    "background": st.sampled_from([None, {"A": 0.4, "C": 0.1, "G": 0.1, "T": 0.4}]), "pseudocount": st.floats(0, 9),
    "min_score_bits": st.floats(-9, 9), "coding_sequences": st.lists(DNA, min_size=1, max_size=3),
    "codon_counts": st.dictionaries(st.sampled_from(["ATG", "GCA", "TTT", "TAA"]), st.floats(0, 9), max_size=4),
    "mode": st.sampled_from(["global", "local", "semi-global"]), "question": st.text(min_size=1, max_size=9),
    "sequences": st.dictionaries(st.sampled_from("abc"), DNA, min_size=2, max_size=3),
}  # fmt: skip


def argument_of(name: str) -> st.SearchStrategy[object]:
    """Mostly what is wanted, now and then something else."""
    right = RIGHT.get(name, st.floats(0.1, 300))
    return st.integers(0, 15).flatmap(lambda chance: right if chance else PLAUSIBLE)


@pytest.mark.parametrize("name", TOOLS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_tool_gives_json_or_says_what_is_wrong(name, data):
    wanted = TOOLS[name].schema
    arguments = {
        argument: data.draw(argument_of(argument), label=argument)
        for argument in wanted["properties"]
        if argument in wanted.get("required", ()) or data.draw(st.booleans())
    }
    try:
        found = TOOLS[name].call(arguments)
    except DataError:
        return
    json.dumps(found, allow_nan=False)


SEQUENCES = st.dictionaries(st.text(min_size=1, max_size=4), LETTERS, min_size=2, max_size=4)


@settings(max_examples=40, deadline=None)
@given(SEQUENCES, st.sampled_from(["dna", "protein"]))
def test_several_sequences_are_aligned_with_every_letter_or_refused(sequences, kind):
    try:
        rows = TOOLS["align_many"].call({"sequences": sequences, "kind": kind})["rows"]
    except DataError:
        return
    spelled = {name: text.replace("U", "T") if kind == "dna" else text for name, text in sequences.items()}
    assert {name: row.replace("-", "") for name, row in rows.items()} == spelled
