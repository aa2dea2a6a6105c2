"""Calls by name: schemas, refusals, and arguments that try to be something else."""

import json
from dataclasses import dataclass

import pytest

from llama_gene.errors import ConfigError, DataError
from llama_gene.tools import all_tools, make_tool


@dataclass(frozen=True)
class Hit:
    id: str
    identity: float
    e_value: float | None


class SmallIndex:
    """Two methods, as an opened index has them."""

    def find_sequences(self, letters, kind, most=10):
        return (Hit(f"{kind}:{letters}", 0.5, None),)[:most]

    def find_passages(self, question, most=5):
        return ()


def test_every_tool_has_a_name_a_line_and_a_schema_with_help_for_every_argument():
    for name, tool in all_tools(SmallIndex()).items():
        assert tool.name == name
        assert tool.description.endswith(".")
        assert tool.schema["type"] == "object"
        assert tool.schema["additionalProperties"] is False
        for argument, wanted in tool.schema["properties"].items():
            assert wanted.get("description"), f"{name}.{argument}"
        json.dumps([tool.schema, tool.result_schema])


def test_limits_are_in_the_schema():
    wanted = all_tools()["translate"].schema["properties"]
    assert wanted["dna"]["maxLength"] == 1_000_000
    assert wanted["frame"]["enum"] == [1, 2, 3, -1, -2, -3]
    assert wanted["genetic_code"]["minimum"] == 1


def test_a_call_mends_letters_as_everywhere():
    assert all_tools()["reverse_complement"].call({"dna": "aac gu\n"}) == {"dna": "ACGTT", "length_bp": 5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "tool reverse_complement: dna: missing. Expected: DNA, 5' to 3'; IUPAC letters. Give it."),
        ({"dna": "ACGT", "file": "/etc/passwd"}, "file: no such argument. Expected dna;"),
        ({"dna": "/etc/passwd"}, "are not DNA letters"),
        ({"dna": "../../x.fasta"}, "DNA letters"),
        ({"dna": "@genes.fasta"}, "DNA letters"),
        ({"dna": "__import__('os').system('true')"}, "DNA letters"),
        ({"dna": "ACGT</s>"}, "DNA letters"),
        ({"dna": ["ACGT"]}, 'dna = ["ACGT"]: Input should be a valid string'),
        ({"dna": 7}, "valid string"),
        ({"dna": ""}, "at least 1 character"),
        ({"dna": "  "}, "no letters"),
        ({"dna": "A" * 1_000_001}, "at most 1000000 characters"),
        ({"dna": float("nan")}, "no JSON object"),
        ({"dna": {1, 2}}, "no JSON object"),
    ],
)
def test_what_is_no_dna_is_refused_and_said(arguments, message):
    with pytest.raises(DataError) as caught:
        all_tools()["reverse_complement"].call(arguments)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_arguments_nested_without_end_are_refused():
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(DataError, match="no JSON object"):
        all_tools()["reverse_complement"].call({"dna": nested})


def test_types_are_not_guessed():
    for wrong in ("11", 11.5, True):
        with pytest.raises(DataError, match="genetic_code"):
            all_tools()["translate"].call({"dna": "ATG", "genetic_code": wrong})


def test_results_are_plain_json_that_fits_the_schema():
    found = all_tools()["restriction_sites"].call({"dna": "AAGAATTCAA", "enzymes": ["EcoRI"]})
    assert json.loads(json.dumps(found)) == found
    assert found["sites"][0]["cuts"] == [{"given": 3, "other": 7}]


def test_search_is_there_only_where_an_index_is():
    assert not {"search_sequences", "search_passages"} & set(all_tools())
    tools = all_tools(SmallIndex())
    assert tools["search_sequences"].call({"sequence": "mkv", "kind": "protein"}) == [
        {"id": "protein:MKV", "identity": 0.5, "e_value": None}
    ]
    assert tools["search_passages"].call({"question": "what?"}) == []
    with pytest.raises(DataError, match="index: no such argument"):
        tools["search_sequences"].call({"sequence": "MKV", "kind": "protein", "index": "/etc"})


def test_two_tools_of_one_name_are_refused():
    def translate() -> int:
        """Nothing."""
        return 0

    with pytest.raises(ConfigError, match="two of this name"):
        all_tools(more=[make_tool(translate)])
