"""K-mers and single letters by rule: runs are cut, words are not."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from llama_gene.config import TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.tokenizer.tiny import tiny_vocabulary
from llama_gene.tokenizer.units import cut_into_units
from vocabularies import MAKERS, RESIDUES, grow, make_genes

BASES = ("tiny", "sentencepiece", "tiktoken")


def _grown(base: str, folder: Path, **settings: object) -> GeneTokenizer:
    config = TokenizerConfig(**{"dna_size": 0, "protein_size": 0, **settings})
    return load_tokenizer(grow(MAKERS[base](folder), folder, config))


def _tail(tokenizer: GeneTokenizer, text: str, number: int) -> list[str]:
    return [tokenizer.token(token_id) for token_id in tokenizer.encode("\n" + text)[-number:]]


@pytest.mark.parametrize("base", BASES)
def test_a_run_is_cut_into_k_mers_from_its_left_end(base: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit="kmer", dna_k=6)
    assert _tail(tokenizer, "ACGTACGGGTTTAC", 4) == ["ACGTAC", "GGGTTT", "A", "C"]


@pytest.mark.parametrize("base", BASES)
def test_an_unknown_base_stands_alone_and_shifts_the_frame(base: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit="kmer", dna_k=6)
    assert _tail(tokenizer, "ACGTACNGGGTTTA", 4) == ["ACGTAC", "N", "GGGTTT", "A"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("unit", ["kmer", "letter"])
def test_words_of_few_sequence_letters_stay_as_the_base_writes_them(base: str, unit: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit=unit, protein_unit=unit)
    before = tiny_vocabulary().tokenizer if base == "tiny" else None
    for text in ("TATA box", "GATTACA", "ACGTACGTACG", "the CAT", "xACGTACGTACGTACGT"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
        if before:
            assert tokenizer.encode(text) == before.encode(text).ids


@pytest.mark.parametrize("base", BASES)
def test_letters_are_the_base_s_own(base: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit="letter", protein_unit="letter")
    assert _tail(tokenizer, "ACGTACGTACGT", 12) == list("ACGTACGTACGT")
    assert _tail(tokenizer, "MKVLATWWDEFGHI", 14) == list("MKVLATWWDEFGHI")


@pytest.mark.parametrize("base", BASES)
def test_units_mix_with_learnt_tokens_of_the_other_kind(base: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit="kmer", dna_k=4, protein_size=60)
    assert len(tokenizer.encode("ACGTACGTACGT")) <= 4
    protein = make_genes(RESIDUES, 2)[0]
    assert len(tokenizer.encode(protein)) < len(protein)
    assert tokenizer.decode(tokenizer.encode(protein)) == protein


def test_k_mers_are_new_tokens_after_the_last_id(tmp_path: Path) -> None:
    tokenizer = _grown("tiny", tmp_path, dna_unit="kmer", dna_k=4)
    assert tokenizer.size == 768 + 4**4
    assert tokenizer.token(768) == "AAAA"
    assert tokenizer.token(768 + 255) == "TTTT"


def test_the_rule_is_in_tokenizer_json_alone(tmp_path: Path) -> None:
    tokenizer = _grown("sentencepiece", tmp_path, dna_unit="letter")
    assert not (tokenizer.folder / "tokenizer.model").exists()


def test_too_many_k_mers_are_refused() -> None:
    with pytest.raises(TokenizerError, match="20 letters give 3,200,000 5-mers"):
        cut_into_units(tiny_vocabulary(), "protein", "kmer", 5)
    with pytest.raises(ValidationError, match="less than or equal to 8"):
        TokenizerConfig(dna_unit="kmer", dna_k=9)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("dna_unit", ["bpe", "kmer"])
def test_dna_is_never_cut_as_protein(base: str, dna_unit: str, tmp_path: Path) -> None:
    tokenizer = _grown(base, tmp_path, dna_unit=dna_unit, dna_k=6, dna_size=60, protein_unit="kmer", protein_k=2)
    assert _tail(tokenizer, "MKVLATWWDEFGHI", 7) == ["MK", "VL", "AT", "WW", "DE", "FG", "HI"]
    if dna_unit == "kmer":
        assert _tail(tokenizer, "ACGTACGGGTTT", 2) == ["ACGTAC", "GGGTTT"]
    else:
        plain = _grown(base, tmp_path, dna_size=60)
        assert _tail(tokenizer, "ACGTACGGGTTTAC", 4) == _tail(plain, "ACGTACGGGTTTAC", 4)
