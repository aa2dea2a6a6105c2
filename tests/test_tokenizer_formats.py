"""Formats are compared text by text."""

import base64
import io
from pathlib import Path

import pytest
import sentencepiece

from auditing import source, write_grown
from llama_gene.config import AuditConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.audit.audit import audit
from llama_gene.tokenizer.audit.formats import FormatAgreement, TextSample, compare_formats
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.tiny import english_pages
from llama_gene.tokenizer.vocabulary import extend_vocabulary, read_vocabulary, write_vocabulary


@pytest.fixture(scope="module")
def spiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model built like LLaMA-2's."""
    path = tmp_path_factory.mktemp("base") / "tokenizer.model"
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for _, page in english_pages() for line in page.splitlines() if line]),
        model_writer=model, vocab_size=400, model_type="bpe", byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=1.0, minloglevel=2,
    )  # fmt: skip
    path.write_bytes(model.getvalue())
    return path


def write_extended(base: Path, folder: Path) -> Path:
    folder.mkdir()
    write_vocabulary(extend_vocabulary(read_vocabulary(base), ["AC", "GT", "ACGT"], []), folder)
    return folder


def write_ranks(path: Path) -> Path:
    """A tiktoken model of the 256 bytes and three words."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" the"]
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)))
    return path


TEXTS = {"dna": ["ACGTACGT", "ACCA"], "text": ["the genome", "naïve </s> 東京"]}


def test_the_bulk_encoder_alone_is_compared_where_there_is_no_native_model(tmp_path: Path) -> None:
    found = compare_formats(load_tokenizer(write_grown(tmp_path / "grown")), TEXTS)
    assert found == {"bulk": FormatAgreement(4, 0, 0, None)}


def test_sentencepiece_gives_the_same_ids(spiece: Path, tmp_path: Path) -> None:
    found = compare_formats(load_tokenizer(write_extended(spiece, tmp_path / "out")), TEXTS)
    assert list(found) == ["bulk", "sentencepiece"]
    assert found["sentencepiece"] == FormatAgreement(4, 0, 0, None)


def test_tiktoken_gives_the_same_ids(tmp_path: Path) -> None:
    folder = write_extended(write_ranks(tmp_path / "tokenizer.model"), tmp_path / "out")
    found = compare_formats(load_tokenizer(folder), {**TEXTS, "protein": ["<|end_of_text|>"]})
    assert list(found) == ["bulk", "tiktoken"]
    assert found["tiktoken"] == FormatAgreement(5, 0, 0, None)


def test_a_model_without_the_new_tokens_differs_where_they_stand(spiece: Path, tmp_path: Path) -> None:
    folder = write_extended(spiece, tmp_path / "out")
    (folder / "tokenizer.model").write_bytes(spiece.read_bytes())
    gene = load_tokenizer(folder)
    found = compare_formats(gene, {"dna": ["the", "KKKKKKKKKKKKKKKKKKKKKKKKKKACGT", "  ACGT"]})["sentencepiece"]
    assert (found.texts, found.differing, found.differing_with_runs_of_spaces) == (3, 1, 1)
    assert found.first_difference is not None
    assert found.first_difference.text == "KKKKKKKKKKKKKKKKKKKKACGT"
    assert found.first_difference.expected_ids == (gene.size - 1,)
    assert len(found.first_difference.ids) == 4


def test_a_difference_that_counts_is_shown_before_one_with_spaces(spiece: Path, tmp_path: Path) -> None:
    folder = write_extended(spiece, tmp_path / "out")
    (folder / "tokenizer.model").write_bytes(spiece.read_bytes())
    found = compare_formats(load_tokenizer(folder), {"dna": ["  ACGT", "KGT", "KKGT"]})["sentencepiece"]
    assert found.first_difference is not None
    assert found.first_difference.text == "KGT"


def test_differing_formats_break_the_limit(spiece: Path, tmp_path: Path) -> None:
    folder = write_extended(spiece, tmp_path / "out")
    (folder / "tokenizer.model").write_bytes(spiece.read_bytes())
    found = audit(folder, config=AuditConfig(), base=spiece, dna=source("ACGT", "KK"))
    (broken,) = (check for check in found.limits if not check.passed)
    assert (broken.name, broken.measured) == ("max_format_differences", 1)


def test_a_broken_native_model_is_named(spiece: Path, tmp_path: Path) -> None:
    folder = write_extended(spiece, tmp_path / "out")
    (folder / "tokenizer.model").write_bytes(b"nothing of the kind")
    with pytest.raises(TokenizerError, match=r"tokenizer\.model: neither a SentencePiece nor a tiktoken model"):
        compare_formats(load_tokenizer(folder), TEXTS)


def test_the_sample_is_bounded_in_texts_and_letters() -> None:
    sample = TextSample()
    for _ in range(3):
        sample.add("text", ["word"] * 900)
    sample.add("dna", ["A" * 6000] * 300)
    assert len(sample.texts["text"]) == 2000
    # Pieces of 5,000 and 1,000 in turn, until a million letters are there.
    assert [len(piece) for piece in sample.texts["dna"][:3]] == [5000, 1000, 5000]
    assert sum(map(len, sample.texts["dna"])) == 1_001_000
