"""Bases that cannot be extended are refused by name, and sampling and reading keep their promises."""

import io
import json
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.merges import all_merges
from llama_gene.tokenizer.sample import sample_letters
from llama_gene.tokenizer.tiny import learn_byte_level, tiny_vocabulary
from llama_gene.tokenizer.vocabulary import read_vocabulary, write_vocabulary


def _native(path: Path, **options: object) -> Path:
    model = io.BytesIO()
    lines = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog met on a mat"] * 4
    settings = {"vocab_size": 30, "hard_vocab_limit": False, "minloglevel": 2, **options}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **settings)
    path.write_bytes(model.getvalue())
    return path


def _tiny_folder(folder: Path) -> Path:
    folder.mkdir()
    write_vocabulary(tiny_vocabulary(), folder)
    return folder


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)), b"\x0a\xff\xff\xff\xff\xff"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "junk.model").write_bytes(content)
    with pytest.raises(TokenizerError, match=r"junk\.model: not a SentencePiece model"):
        read_vocabulary(tmp_path / "junk.model")


def test_a_unigram_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="not of type BPE"):
        read_vocabulary(_native(tmp_path / "u.model", model_type="unigram"))


def test_a_model_that_normalises_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="normalises text"):
        read_vocabulary(_native(tmp_path / "n.model", model_type="bpe"))


def test_a_base_with_a_hole_in_its_ids_is_refused(tmp_path: Path) -> None:
    folder = _tiny_folder(tmp_path / "base")
    values = json.loads((folder / "tokenizer.json").read_text())
    values["model"]["vocab"][next(reversed(values["model"]["vocab"]))] = 900
    (folder / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(TokenizerError, match=r"id 767 has no token. Expected ids 0\.\.900"):
        read_vocabulary(folder)


def test_a_base_that_is_not_bpe_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.WordLevel({"a": 0, "</s>": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="a WordLevel vocabulary"):
        read_vocabulary(tmp_path / "tokenizer.json")


def test_a_base_that_cuts_letters_is_refused(tmp_path: Path) -> None:
    folder = _tiny_folder(tmp_path / "base")
    values = json.loads((folder / "tokenizer.json").read_text())
    values["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(TokenizerError, match="runs of capital letters"):
        read_vocabulary(folder)


def test_a_base_without_an_end_token_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="no end token"):
        read_vocabulary(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("name", ["missing.model", "missing.json", "missing"])
def test_a_missing_base_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TokenizerError, match=f"{name}: no such file"):
        read_vocabulary(tmp_path / name)


def test_an_empty_folder_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"no tokenizer\.model and no tokenizer\.json"):
        read_vocabulary(tmp_path)


def test_broken_json_is_refused(tmp_path: Path) -> None:
    folder = _tiny_folder(tmp_path / "base")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(TokenizerError, match=r"not a tokenizer\.json"):
        load_tokenizer(folder)


def test_a_folder_without_settings_is_refused(tmp_path: Path) -> None:
    folder = _tiny_folder(tmp_path / "base")
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(TokenizerError, match=r"tokenizer_config\.json: no such file"):
        load_tokenizer(folder)


def test_a_vocabulary_whose_text_can_spell_a_special_token_is_refused(tmp_path: Path) -> None:
    folder = _tiny_folder(tmp_path / "base")
    values = json.loads((folder / "tokenizer.json").read_text())
    size = len(values["model"]["vocab"])
    values["model"]["vocab"] |= {"<p": size, "<pa": size + 1}
    values["model"]["merges"] = [["<", "p"], ["<p", "a"]]
    values["added_tokens"].append({**values["added_tokens"][2], "id": size + 1, "content": "<pa"})
    values["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(TokenizerError, match="would become a special token"):
        load_tokenizer(folder)


def test_too_little_text_for_a_vocabulary_of_its_own_is_refused() -> None:
    with pytest.raises(TokenizerError, match="the texts gave 260 tokens"):
        learn_byte_level(["ACAC"], size=300, max_token_letters=16)


def test_a_vocabulary_smaller_than_the_bytes_is_refused() -> None:
    with pytest.raises(TokenizerError, match="at least 259"):
        learn_byte_level(["ACAC"], size=10, max_token_letters=16)


def test_sampling_reads_upper_case_and_cuts_at_ambiguous_letters() -> None:
    assert sample_letters(["acgtnnNNACG", "A"], "dna", letters=1000, seed=1) == ["ACGT", "ACG"]
    assert sample_letters(["MKXVLB"], "protein", letters=1000, seed=1) == ["MK", "VL"]


@given(st.integers(0, 50), st.integers(1, 40))
def test_sampling_draws_about_what_was_asked_and_keeps_the_order(seed: int, pieces_wanted: int) -> None:
    texts = [f"{place:03d}" + "x" * 97 for place in range(60)]
    drawn = sample_letters(texts, "text", letters=100 * pieces_wanted, seed=seed)
    assert len(drawn) == pieces_wanted
    assert drawn == sorted(drawn)


def test_a_long_text_is_cut_between_words() -> None:
    text = "two words " * 300
    pieces = sample_letters([text], "text", letters=10_000, seed=1)
    assert "".join(pieces) == text
    assert all(piece.endswith(" ") and not piece.startswith(" ") for piece in pieces)
    assert [len(piece) for piece in sample_letters(["x" * 2500], "text", letters=9999, seed=1)] == [1000, 1000, 500]


def test_sampling_depends_on_the_seed() -> None:
    texts = [f"{place:03d}" for place in range(100)]
    draws = {tuple(sample_letters(texts, "text", letters=30, seed=seed)) for seed in (1, 2)}
    assert len(draws) == 2


def test_splits_at_a_period_come_first() -> None:
    # ATATA repeats every two letters: in AT|ATA|TA the left pair is AT + ATA, so it must rank before ATA + TA.
    known = {"A", "T", "AT", "TA", "ATA"}
    assert all_merges(["ATATA"], known) == [("AT", "ATA"), ("ATA", "TA")]


def test_a_model_with_pieces_it_was_told_to_keep_is_refused(tmp_path: Path) -> None:
    path = _native(
        tmp_path / "kept.model", model_type="bpe", normalization_rule_name="identity", remove_extra_whitespaces=False,
        user_defined_symbols=["<dna>"],
    )  # fmt: skip
    with pytest.raises(TokenizerError, match="'<dna>' is a user-defined piece"):
        read_vocabulary(path)
