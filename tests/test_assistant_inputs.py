"""What is found in typed text: questions, FASTA, files, bare letters."""

from pathlib import Path

import pytest

from llama_gene.assistant.inputs import read_typed
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import guess_kind


def letters(text: str, **options) -> list[tuple[str, str]]:
    return [(record.kind, record.text) for record in read_typed(text, **options).sequences]


def test_words_alone_are_a_question_without_sequences():
    typed = read_typed("What does a promoter do, and is internationalization a protein?")
    assert typed.question == "What does a promoter do, and is internationalization a protein?"
    assert typed.sequences == ()


def test_four_hashes_between_two_sequences_are_no_question():
    typed = read_typed("ACGTACGTAA #### TTGACATTGA")
    assert (typed.question, len(typed.sequences)) == ("", 2)
    assert read_typed("???").question == "???"


def test_lower_case_dna_in_a_sentence_is_found_and_put_in_capitals():
    typed = read_typed("Is (tataaagctagg) a promoter?")
    assert typed.question == "Is a promoter?"
    assert [record.text for record in typed.sequences] == ["TATAAAGCTAGG"]


def test_a_full_stop_ends_a_sequence_and_the_next_one_is_another():
    assert letters("compare ACGTACGTAA, TTGACATTGA.") == [("dna", "ACGTACGTAA"), ("dna", "TTGACATTGA")]


def test_wrapped_lines_are_one_sequence():
    assert letters("ACGTACGTAC\nGGGGCCCCGG\nTTTT") == [("dna", "ACGTACGTACGGGGCCCCGGTTTT")]


def test_a_protein_in_capitals_is_found_beside_dna():
    found = letters("does ATGAAAGTTCTG code for MKVLAAGIVGLCAKAYWERT?")
    assert found == [("dna", "ATGAAAGTTCTG"), ("protein", "MKVLAAGIVGLCAKAYWERT")]


def test_pasted_fasta_loses_its_header_and_line_breaks():
    typed = read_typed("Is it a gene?\n>first some words\nacgt\r\nACGTAC\n>second\nTTTT\n\nthank you")
    assert [(record.id, record.text) for record in typed.sequences] == [("first", "ACGTACGTAC"), ("second", "TTTT")]
    assert typed.question == "Is it a gene? thank you"


def test_uracil_and_a_final_stop_are_mended_and_told():
    typed = read_typed(">rna\nACGUUU\n\n>protein\nMKVLW*\n")
    assert [record.text for record in typed.sequences] == ["ACGTTT", "MKVLW"]
    assert typed.notices == ("rna: U was read as T.", "protein: the final * was left out.")


def test_a_lone_word_is_the_sequence_of_a_task_even_when_short():
    assert letters("ACGT", kinds=["dna"]) == [("dna", "ACGT")]
    assert letters("why", kinds=["dna"]) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MKVLAAGIVGLCAKAYWERTMKVLAAG", "the letters look like protein, not DNA"),
        ("ACGTACGTACGTACGT12", "'1', '2' are not DNA letters"),
        (">a\nACGT-ACGT", "alignment gap"),
        (">empty\n>next\nACGT", "empty: no letters"),
    ],
)
def test_wrong_letters_for_a_task_are_named(text, reason):
    with pytest.raises(DataError, match=reason):
        read_typed(text, kinds=["dna"])


def test_too_many_sequences_are_refused():
    with pytest.raises(DataError, match="more than 2 sequences"):
        read_typed(">a\nAC\n>b\nAC\n>c\nAC", most=2)


def test_a_file_gives_its_records(tmp_path: Path):
    (tmp_path / "two genes.fa").write_text(">a\r\nacgt\r\nACGT\r\n>b\r\nTTTTGGGG\r\n")
    typed = read_typed('are these promoters? @"two genes.fa"', folder=tmp_path)
    assert typed.question == "are these promoters?"
    assert [(record.id, record.kind, record.text) for record in typed.sequences] == [
        ("a", "dna", "ACGTACGT"),
        ("b", "dna", "TTTTGGGG"),
    ]


def test_a_file_of_proteins_is_recognised_by_its_letters(tmp_path: Path):
    (tmp_path / "p.fa").write_text(">p\nMKVLAAGIVGLCAKAYWERT\n")
    assert letters("what is @p.fa", folder=tmp_path) == [("protein", "MKVLAAGIVGLCAKAYWERT")]


def test_each_file_of_a_pair_has_its_own_alphabet(tmp_path: Path):
    (tmp_path / "d.fa").write_text(">d\nATGAAAGTTCTG\n")
    (tmp_path / "p.fa").write_text(">p\nMKVL\n")
    found = letters("@d.fa @p.fa", kinds=["dna", "protein"], folder=tmp_path)
    assert found == [("dna", "ATGAAAGTTCTG"), ("protein", "MKVL")]


def test_a_short_protein_of_a_pair_is_not_taken_for_dna(tmp_path: Path):
    (tmp_path / "d.fa").write_text(">d\nATGAAAGTTCTG\n")
    (tmp_path / "p.fa").write_text(">p\nGATCATTACA\n")
    assert letters("@d.fa @p.fa", kinds=["dna", "protein"], folder=tmp_path)[1] == ("protein", "GATCATTACA")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x00\x01\x02\x03", "binary data"),
        (b">p\nMKVLAAGIVGLCAKAYWERT\n", "look like protein, not DNA"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "bad.fa").write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.fa.*{reason}"):
        read_typed("@bad.fa", kinds=["dna"], folder=tmp_path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.fa: no such file"):
        read_typed("look at @nowhere.fa", folder=tmp_path)


def test_a_file_of_more_records_than_allowed_is_not_read_to_its_end(tmp_path: Path):
    (tmp_path / "many.fa").write_text("".join(f">r{number}\nACGTACGT\n" for number in range(9)) + ">bad\n!!!\n")
    with pytest.raises(DataError, match="more than 3 sequences"):
        read_typed("@many.fa", kinds=["dna"], most=3, folder=tmp_path)


def test_an_address_is_no_file():
    assert read_typed("write to me@example.org").question == "write to me@example.org"


def test_ambiguous_letters_do_not_make_dna_of_a_protein():
    assert guess_kind("MKRSVHHDNA") == "protein"
