"""The audit counts what it says it counts."""

import json
from pathlib import Path

import pytest

from auditing import FIRST, MERGES, source, write_grown
from llama_gene.config import AuditConfig, TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.audit.audit import audit, audit_files
from llama_gene.tokenizer.audit.records import ChangedWord, LimitCheck, Source, TokenUse
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.tiny import learn_byte_level, tiny_vocabulary
from llama_gene.tokenizer.vocabulary import extend_vocabulary, write_vocabulary


@pytest.fixture
def grown_by_hand(tmp_path: Path) -> Path:
    """`tiny` with three tokens; `ZZZ` has no merge that makes it."""
    vocabulary = extend_vocabulary(tiny_vocabulary(), ["QZ", "QZQ", "ZZZ"], [("Q", "Z"), ("QZ", "Q")])
    folder = tmp_path / "by-hand"
    folder.mkdir()
    write_vocabulary(vocabulary, folder)
    return folder


def test_letters_tokens_and_use_are_counted_by_kind(grown_by_hand: Path) -> None:
    found = audit(grown_by_hand, base=Path("tiny"), dna=source("QZQ", "QZ"), text=source("é"))
    assert (found.kinds["dna"].letters, found.kinds["dna"].tokens) == (5, 2)
    assert found.kinds["dna"].letters_per_token == 2.5
    assert found.kinds["dna"].base_letters_per_token == 1.0
    assert found.kinds["text"].letters == 2
    assert (found.new_tokens, found.new_tokens_used) == (3, 2)
    assert "protein" not in found.kinds


def test_a_token_without_a_merge_is_unreachable(grown_by_hand: Path) -> None:
    assert audit(grown_by_hand, base=Path("tiny")).unreachable_new_tokens == 1


def test_changed_english_is_the_share_of_base_tokens_whose_borders_are_gone(grown_by_hand: Path) -> None:
    # Four letters, four base tokens: a, Q, Z, b; Q and Z become one.
    assert audit(grown_by_hand, base=Path("tiny"), text=source("aQZb")).kinds["text"].changed_share == 0.5


def test_no_base_id_moved_and_nothing_is_lost(grown_by_hand: Path) -> None:
    found = audit(grown_by_hand, base=Path("tiny"), text=source("naïve 2027\n</s>"))
    assert found.base_ids_moved == 0
    assert found.kinds["text"].round_trip_failures == 0


def test_json_form_is_plain(grown_by_hand: Path) -> None:
    told = audit(grown_by_hand, dna=source("QZ")).as_json()
    assert told["kinds"]["dna"]["base_letters_per_token"] is None
    assert told["base_ids_moved"] is None
    assert json.loads(json.dumps(told))["kinds"]["dna"] == {**told["kinds"]["dna"], "changed_words": []}


def test_a_base_larger_than_the_tokenizer_is_refused(grown_by_hand: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    write_vocabulary(tiny_vocabulary(), folder)
    with pytest.raises(TokenizerError, match="Name the base it grew from"):
        audit(folder, base=grown_by_hand)


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    return write_grown(tmp_path / "grown")


def test_each_source_is_counted_alone_and_the_kind_as_their_sum(grown: Path) -> None:
    genomes = [Source("a.fa", ["AATAAA", "AATAAAG"]), Source("b.fa", ["CCG"])]
    found = audit(grown, base=Path("tiny"), dna=genomes).kinds["dna"]
    # AATAAA · AATAAA G · CC G
    assert [(one.texts, one.letters, one.tokens) for one in found.sources.values()] == [(2, 13, 3), (1, 3, 2)]
    assert list(found.sources) == ["a.fa", "b.fa"]
    assert found.sources["b.fa"].letters_per_token == 1.5
    assert (found.texts, found.letters, found.tokens, found.letters_per_token) == (3, 16, 5, 3.2)
    assert found.base_letters_per_token == 1.0


def test_lengths_are_counted_in_the_vocabulary_and_by_use(grown: Path) -> None:
    found = audit(grown, base=Path("tiny"), dna=source("AATAAA", "AATAAAG", "CCG"))
    assert found.ranges["dna"].lengths == {"2": 1, "3": 2, "6": 1}
    assert found.ranges["protein"].lengths == {"2": 2, "4": 1}
    assert found.kinds["dna"].lengths_used == {"1": 2, "2": 1, "6": 2}


def test_the_longest_and_the_most_used_tokens_are_listed_with_their_use(grown: Path) -> None:
    found = audit(grown, base=Path("tiny"), dna=source("AATAAA", "AATAAAG", "AAG")).ranges["dna"]
    assert [(use.token, use.times) for use in found.longest] == [("AATAAA", 2), ("AAT", 0), ("AAA", 0), ("AA", 1)]
    assert found.most_frequent == (TokenUse(FIRST + 3, "AATAAA", 2), TokenUse(FIRST, "AA", 1))
    assert (found.start, found.end, found.tokens, found.used) == (FIRST, FIRST + 4, 4, 2)


def test_motifs_are_found_among_the_new_tokens(grown: Path) -> None:
    found = audit(grown, base=Path("tiny")).ranges
    assert [(motif.name, motif.count, tuple(motif.tokens[0])) for motif in found["dna"].motifs] == [
        ("poly-A signal", 1, ("AATAAA", "+"))
    ]
    assert found["protein"].motifs == ()


def test_tokens_of_one_kind_in_texts_of_another_are_collisions(grown: Path) -> None:
    # MKMK AA · AATAAA CC · a ␣ M K→MK ␣ AA b ␣the
    found = audit(grown, protein=source("MKMKAA"), dna=source("AATAAACC"), text=source("a QMK ZAAb the")).collisions
    assert found is not None
    assert (found.protein_tokens_in_dna_range, found.dna_tokens_in_protein_range) == (0.5, 0.5)
    # a ␣ Q MK ␣ Z AA b ␣the
    assert found.text_tokens_in_dna_range == found.text_tokens_in_protein_range == round(1 / 9, 6)
    assert (found.protein_range_tokens_of_bases, found.examples_of_bases) == (1, ("CC",))


def test_without_an_extension_file_all_new_tokens_are_one_range_and_collisions_unknown(grown_by_hand: Path) -> None:
    found = audit(grown_by_hand, base=Path("tiny"))
    assert list(found.ranges) == ["new"]
    assert found.ranges["new"].tokens == 3
    assert found.collisions is None


def test_changed_words_show_how_they_were_and_are_written(grown: Path) -> None:
    found = audit(grown, base=Path("tiny"), text=source("xMKx QZ xMKx\nqAAé", "the qAAé")).kinds["text"]
    assert found.changed_words == (
        ChangedWord("qAAé", 2, ("q", "A", "A", "\ufffd", "\ufffd"), ("q", "AA", "\ufffd", "\ufffd")),
        ChangedWord("xMKx", 2, ("x", "M", "K", "x"), ("x", "MK", "x")),
    )


def test_sequences_in_english_are_left_out_of_its_second_share_and_of_the_words(grown: Path) -> None:
    # Twelve bases, a line break, x M K x: 17 tokens of the base. AAT AA AAA T AAA keep one T; M and K are gone.
    text = "AATAAAAATAAA\nxMKx"
    found = audit(grown, base=Path("tiny"), text=source(text)).kinds["text"]
    assert found.changed_share == round(13 / 17, 6)
    assert found.changed_share_outside_sequences == round(2 / 5, 6)
    assert [change.word for change in found.changed_words] == ["xMKx"]


def test_a_token_that_stood_in_a_text_is_not_unreachable(tmp_path: Path) -> None:
    # Without the merge of MK and MK, MKMK can only be a word taken whole; CC has no merge.
    grown = write_grown(tmp_path / "cut", merges=[pair for pair in MERGES if pair not in {("C", "C"), ("MK", "MK")}])
    found = audit(grown, base=Path("tiny"), protein=source("MKMK"))
    assert found.unreachable_new_tokens == 2
    assert found.unreachable == (TokenUse(FIRST + 5, "MKMK", 0), TokenUse(FIRST + 6, "CC", 0))


def test_a_token_is_reachable_where_it_is_made_in_a_longer_text_alone(tmp_path: Path) -> None:
    # Alone, AAT is AA T → AAT; AATAAA needs AAT and AAA. Take away what makes AAT: then AAT, AATAAA go.
    grown = write_grown(tmp_path / "cut", merges=[pair for pair in MERGES if pair != ("AA", "T")])
    assert [use.token for use in audit(grown, base=Path("tiny")).unreachable] == ["AAT", "AATAAA"]


def test_the_second_tokenizer_is_measured_on_the_same_texts(grown: Path, grown_by_hand: Path) -> None:
    texts = iter(["AATAAAQZ"])  # can be read once only
    found = audit(grown, base=Path("tiny"), beside=grown_by_hand, dna=[Source("a", texts)], text=source("aQZb"))
    assert found.beside is not None
    assert (found.kinds["dna"].tokens, found.beside.kinds["dna"].tokens) == (3, 7)
    assert (found.kinds["text"].changed_share, found.beside.kinds["text"].changed_share) == (0.0, 0.5)
    assert (found.size, found.beside.size) == (FIRST + 7, FIRST + 3)
    assert (found.unreachable_new_tokens, found.beside.unreachable_new_tokens) == (0, 1)


def test_a_second_tokenizer_with_other_ids_is_not_held_against_the_base(grown: Path, tmp_path: Path) -> None:
    smaller = tmp_path / "smaller"
    smaller.mkdir()
    write_vocabulary(learn_byte_level(["abab cdcd"] * 9, size=262, max_token_letters=4), smaller)
    found = audit(grown, base=Path("tiny"), beside=smaller, text=source("abab"))
    assert found.beside is not None
    assert found.beside.base_ids_moved is None
    assert found.beside.kinds["text"].changed_share is None


def test_limits_are_checked_and_what_was_not_measured_breaks_none(grown: Path) -> None:
    limits = AuditConfig(max_changed_share=0.4, min_dna_letters_per_token=3, min_protein_letters_per_token=3)
    found = audit(grown, config=limits, base=Path("tiny"), dna=source("AATAAA"), text=source("aMKb"))
    checks = {check.name: check for check in found.limits}
    assert checks["max_changed_share"] == LimitCheck("max_changed_share", 0.4, 0.5, False)
    assert checks["min_dna_letters_per_token"] == LimitCheck("min_dna_letters_per_token", 3, 6.0, True)
    assert checks["min_protein_letters_per_token"].passed is None
    assert checks["max_base_ids_moved"].passed
    assert "max_unreachable" not in checks


def test_an_extension_file_that_is_broken_is_named(grown: Path) -> None:
    (grown / "extension.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"extension\.json: cannot be read"):
        audit(grown)


@pytest.mark.real_data
@pytest.mark.slow
def test_llama_2_is_audited_whole(data: Path, tmp_path: Path) -> None:
    base = data / "tokenizers/llama2/tokenizer.model"
    genomes = sorted((data / "genomes/bacteria").glob("*.fa.gz"))[:1]
    proteomes = sorted((data / "proteins/proteomes").glob("*.faa.gz"))[:1]
    config = TokenizerConfig(dna_size=500, protein_size=500, sample_letters=1_000_000)
    extend_from_files(
        config, base=base, dna=genomes, protein=proteomes, seed=1, output=tmp_path / "out", on_invalid="skip"
    )
    english = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
    found = audit_files(AuditConfig(), tmp_path / "out", base=base, protein=proteomes, text=english)
    assert (found.size, found.base_ids_moved, found.unreachable_new_tokens) == (33_000, 0, 0)
    assert all(check.passed for check in found.limits)
    assert found.formats["sentencepiece"].texts > 1000
    assert found.kinds["protein"].letters_per_token > found.kinds["protein"].base_letters_per_token > 1
    assert 0 < found.kinds["text"].changed_share < 0.02
