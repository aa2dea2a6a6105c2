"""tiktoken files: read as tiktoken reads them, refused by line where they are broken."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.tiktoken_model import SPECIAL_TOKENS, byte_letters, is_tiktoken, parse_tiktoken
from llama_gene.tokenizer.vocabulary import read_vocabulary, write_vocabulary
from vocabularies import MAKERS, make_tiktoken_base, open_tiktoken

BYTES = [base64.b64encode(bytes([byte])) for byte in range(256)]


def _lines(tokens: list[bytes]) -> bytes:
    return b"".join(token + b" %d\n" % rank for rank, token in enumerate(tokens))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiktoken_base(tmp_path_factory.mktemp("tiktoken"))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_gets_the_ids_of_tiktoken(base: Path, text: str) -> None:
    tokenizer = read_vocabulary(base).tokenizer
    tokenizer.encode_special_tokens = True
    assert tokenizer.encode(text, add_special_tokens=False).ids == open_tiktoken(base).encode_ordinary(text)


def test_special_tokens_come_after_the_ranks_in_the_order_of_llama_3(base: Path) -> None:
    vocabulary = read_vocabulary(base)
    ranks = vocabulary.size - 256
    named = {token: vocabulary.tokenizer.token_to_id(token) - ranks for token in SPECIAL_TOKENS}
    assert list(named.values()) == list(range(256))
    # LLaMA 3: 128000 begins a text, 128001 ends it, 128006 and 128007 enclose a role, 128009 ends a turn.
    assert (named["<|begin_of_text|>"], named["<|end_of_text|>"], named["<|eot_id|>"]) == (0, 1, 9)
    assert (named["<|start_header_id|>"], named["<|end_header_id|>"]) == (6, 7)
    assert named["<|reserved_special_token_250|>"] == 255


def test_no_special_token_can_be_written_by_a_user(base: Path, tmp_path: Path) -> None:
    write_vocabulary(read_vocabulary(base), tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    special = {tokenizer.encode_prompt(token)[0] for token in SPECIAL_TOKENS}
    assert len(special) == len(SPECIAL_TOKENS) == len(tokenizer.special_tokens)
    for token in SPECIAL_TOKENS:
        for text in (token, f"a{token}b", f"ACGT{token}"):
            assert not special.intersection(tokenizer.encode(text))
            assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_extended_file_can_be_extended_again(base: Path) -> None:
    data = base.read_bytes() + base64.b64encode(b"GATTACAGATTACA") + b" 1021\n"
    first = parse_tiktoken(data, "twice.model")
    assert first.ranks[b"GATTACAGATTACA"] == 1021
    assert first.special["<|begin_of_text|>"] == 765


def test_bytes_have_the_letters_of_byte_level_vocabularies() -> None:
    letters = byte_letters()
    assert len(set(letters)) == 256
    assert (letters[ord("A")], letters[ord(" ")], letters[ord("\n")], letters[0xA0]) == ("A", "Ġ", "Ċ", "ł")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (_lines(BYTES) + b"QUFB\n", r"m:257: 'QUFB' is not a token in base64 and its rank"),
        (_lines(BYTES) + b"Q*FB 256\n", r"m:257: 'Q\*FB 256' is not a token"),
        (_lines(BYTES) + b"QUFB x\n", r"m:257: 'QUFB x' is not a token"),
        (_lines(BYTES[:-1]), "byte 255 has no rank"),
        (_lines(BYTES) + b"QUFB 300\n", "id 256 has no token"),
    ],
)
def test_a_broken_file_is_refused_by_line(data: bytes, told: str) -> None:
    with pytest.raises(TokenizerError, match=told):
        parse_tiktoken(data, "m")


def test_the_two_native_formats_are_told_apart(tmp_path: Path) -> None:
    assert is_tiktoken(MAKERS["tiktoken"](tmp_path).read_bytes())
    assert not is_tiktoken(MAKERS["sentencepiece"](tmp_path).read_bytes())
