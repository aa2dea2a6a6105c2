"""What vocabularies are learnt from: bad letters, too little, protected English, interruptions, one huge record."""

from pathlib import Path

import numpy as np
import pytest

from llama_gene.config import TokenizerConfig
from llama_gene.errors import ArtifactError, DataError, TokenizerError
from llama_gene.tokenizer.audit.audit import audit
from llama_gene.tokenizer.audit.records import Source
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.sample import without_sequences
from llama_gene.tokenizer.tiny import tiny_vocabulary
from vocabularies import RESIDUES, make_genes, write_records


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("genes")
    return {
        "dna": write_records(folder / "dna.fa", make_genes("ACGT", 1)),
        "protein": write_records(folder / "protein.fa", make_genes(RESIDUES, 2)),
    }


def test_too_few_sequences_say_how_many_tokens_they_gave(tmp_path: Path) -> None:
    short = write_records(tmp_path / "short.fa", ["ACGTACGT"])
    config = TokenizerConfig(dna_size=500, protein_size=0)
    with pytest.raises(TokenizerError, match=r"dna_size = 500: 8 dna letters gave \d tokens .* set dna_size to"):
        extend_from_files(config, base=None, dna=[short], protein=[], seed=1, output=tmp_path / "out")


def test_a_size_below_the_alphabet_is_refused(tmp_path: Path, genes: dict[str, Path]) -> None:
    config = TokenizerConfig(method="append", dna_size=3, protein_size=0)
    with pytest.raises(TokenizerError, match="dna_size = 3: below the 4 letters"):
        extend_from_files(config, base=None, dna=[genes["dna"]], protein=[], seed=1, output=tmp_path / "out")


def test_case_uracil_and_ambiguous_letters_are_read_as_everywhere_and_never_learnt(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.fa"
    mixed.write_text(">a\nacguACGTNNNNacgtRacgt\n>b\nACGTACGT\n")
    config = TokenizerConfig(dna_size=2, protein_size=0)
    manifest = extend_from_files(config, base=None, dna=[mixed], protein=[], seed=1, output=tmp_path / "out")
    # 8 + 4 + 4 letters of the first record between N and R, 8 of the second.
    assert manifest.counts["dna_letters"] == 24
    grown = load_tokenizer(tmp_path / "out")
    assert all(set(grown.token(place)) <= set("ACGT") for place in range(768, 770))


def test_a_letter_that_is_none_stops_or_is_counted(tmp_path: Path, genes: dict[str, Path]) -> None:
    bad = tmp_path / "bad.fa"
    bad.write_text(f">a\nMK*VJ\n>b\n{make_genes(RESIDUES, 1)[0]}\n")
    config = TokenizerConfig(dna_size=0, protein_size=5)
    with pytest.raises(DataError, match=r"bad\.fa"):
        extend_from_files(config, base=None, dna=[], protein=[bad], seed=1, output=tmp_path / "out")
    manifest = extend_from_files(
        config, base=None, dna=[], protein=[bad], seed=1, output=tmp_path / "out", on_invalid="skip"
    )
    assert any("invalid" in reason or "letter" in reason for reason in manifest.counts)


def _english_page(folder: Path) -> Path:
    """Words that DNA merges would cut anew, a hundred times as much that they would not, and a primer."""
    page = folder / "english.txt"
    page.write_text("CATTAGAC GATTAC, " * 4 + "a plain word " * 400 + make_genes("ACGT", 1)[0])
    return page


@pytest.mark.parametrize("changed_max", [0.0, 0.002])
def test_protected_english_changes_no_more_than_it_may(
    changed_max: float, tmp_path: Path, genes: dict[str, Path]
) -> None:
    page = _english_page(tmp_path)
    config = TokenizerConfig(dna_size=60, protein_size=0, protect_english=True, english_changed_max=changed_max)
    folders = {}
    for name, chosen in (("plain", config.model_copy(update={"protect_english": False})), ("kept", config)):
        folders[name] = tmp_path / name
        extend_from_files(chosen, base=None, dna=[genes["dna"]], protein=[], text=[page], seed=1, output=folders[name])
    found = {
        name: audit(folder, base=Path("tiny"), text=[Source("page", [without_sequences(page.read_text())])])
        for name, folder in folders.items()
    }
    assert found["plain"].kinds["text"].changed_share > 0.002
    assert found["kept"].kinds["text"].changed_share <= changed_max


def test_a_primer_in_an_english_text_protects_nothing(tmp_path: Path, genes: dict[str, Path]) -> None:
    page = tmp_path / "primers.txt"
    page.write_text(" ".join(make_genes("ACGT", 1)))
    config = TokenizerConfig(dna_size=60, protein_size=0, protect_english=True, english_changed_max=0)
    for name, chosen in (("plain", config.model_copy(update={"protect_english": False})), ("kept", config)):
        extend_from_files(
            chosen, base=None, dna=[genes["dna"]], protein=[], text=[page], seed=1, output=tmp_path / name
        )
    assert (tmp_path / "kept/tokenizer.json").read_bytes() == (tmp_path / "plain/tokenizer.json").read_bytes()


def test_the_fields_own_acronyms_stay_as_the_base_writes_them(tmp_path: Path) -> None:
    protein = write_records(tmp_path / "p.fa", ["DNARNAPCRGFP" * 20] * 20)
    config = TokenizerConfig(dna_size=0, protein_size=5)
    extend_from_files(config, base=None, dna=[], protein=[protein], seed=1, output=tmp_path / "out")
    text = "DNA and RNA, by PCR (GFP)"
    assert load_tokenizer(tmp_path / "out").encode(text) == tiny_vocabulary().tokenizer.encode(text).ids


def test_english_can_be_protected_only_where_merging_goes_on() -> None:
    with pytest.raises(ValueError, match="protect_english needs method = 'continue'"):
        TokenizerConfig(method="append", protect_english=True)


def test_an_interrupted_extension_leaves_nothing_and_begins_again(
    tmp_path: Path, genes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    config, arguments = TokenizerConfig(dna_size=20, protein_size=0), {"base": None, "protein": [], "seed": 1}
    with monkeypatch.context() as patched:
        patched.setattr("llama_gene.tokenizer.grow.learn_merges", stop)
        with pytest.raises(KeyboardInterrupt):
            extend_from_files(config, dna=[genes["dna"]], output=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
    extend_from_files(config, dna=[genes["dna"]], output=tmp_path / "out", **arguments)
    assert load_tokenizer(tmp_path / "out").size == 788


@pytest.mark.slow
def test_a_record_of_250_million_letters_is_learnt_from_in_pieces(tmp_path: Path) -> None:
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(1).integers(0, 4, 250_000_000, dtype=np.uint8)]
    with (tmp_path / "long.fa").open("wb") as file:
        file.write(b">chromosome\n")
        file.write(letters.tobytes())
        file.write(b"\n")
    config = TokenizerConfig(dna_size=500, protein_size=0, sample_letters=5_000_000)
    manifest = extend_from_files(
        config, base=None, dna=[tmp_path / "long.fa"], protein=[], seed=1, output=tmp_path / "out"
    )
    assert 5_000_000 <= manifest.counts["dna_letters"] < 5_001_000
    assert load_tokenizer(tmp_path / "out").size == 768 + 500


def test_no_sequences_for_a_size_above_zero_is_an_error(tmp_path: Path, genes: dict[str, Path]) -> None:
    with pytest.raises(TokenizerError, match="no protein letters"):
        extend_from_files(
            TokenizerConfig(dna_size=9, protein_size=9),
            base=None, dna=[genes["dna"]], protein=[], seed=1, output=tmp_path / "out",
        )  # fmt: skip


def test_a_missing_base_is_named(tmp_path: Path, genes: dict[str, Path]) -> None:
    with pytest.raises(ArtifactError, match="nowhere"):
        extend_from_files(
            TokenizerConfig(dna_size=9, protein_size=0),
            base=tmp_path / "nowhere", dna=[genes["dna"]], protein=[], seed=1, output=tmp_path / "out",
        )  # fmt: skip


def test_a_size_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        TokenizerConfig(dna_size=-1)
