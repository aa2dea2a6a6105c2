"""The audit counts what it says it counts."""

from pathlib import Path

import pytest

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.audit import audit
from llama_gene.tokenizer.tiny import tiny_vocabulary
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
    found = audit(grown_by_hand, base=Path("tiny"), dna=["QZQ", "QZ"], text=["é"])
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
    assert audit(grown_by_hand, base=Path("tiny"), text=["aQZb"]).kinds["text"].changed_share == 0.5


def test_no_base_id_moved_and_nothing_is_lost(grown_by_hand: Path) -> None:
    found = audit(grown_by_hand, base=Path("tiny"), text=["naïve 2027\n</s>"])
    assert found.base_ids_moved == 0
    assert found.kinds["text"].round_trip_failures == 0


def test_json_form_is_plain(grown_by_hand: Path) -> None:
    told = audit(grown_by_hand, dna=["QZ"]).as_json()
    assert told["kinds"]["dna"]["base_letters_per_token"] is None
    assert told["base_ids_moved"] is None


def test_a_base_larger_than_the_tokenizer_is_refused(grown_by_hand: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    write_vocabulary(tiny_vocabulary(), folder)
    with pytest.raises(TokenizerError, match="Name the base it grew from"):
        audit(folder, base=grown_by_hand)
