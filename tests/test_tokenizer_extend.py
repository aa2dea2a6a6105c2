"""Extending vocabularies: ids stay, counts are exact, every library gives the same ids."""

import json
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import TokenizerConfig
from llama_gene.prompts import CHAT_TEMPLATE, Message, render
from llama_gene.sequences.readers import read_records
from llama_gene.tokenizer.extend import extend_from_corpus, extend_from_files, read_base, train_vocabulary
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.tokenizer.tiny import english_pages, tiny_vocabulary
from llama_gene.tokenizer.vocabulary import read_vocabulary
from vocabularies import MAKERS, RESIDUES, make_genes, open_tiktoken, write_records

ENGLISH = "Is it a promoter?\n\n### Input:\nACGTACGT####MKVLAT  two spaces, naïve 2027 </s><s> <0x0A>"


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("genes")
    return {
        "dna": write_records(folder / "dna.fa", make_genes("ACGT", 1)),
        "protein": write_records(folder / "protein.fa", make_genes(RESIDUES, 2)),
    }


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | None]:
    """A base of every make, by name."""
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def extend(
    tmp_path_factory: pytest.TempPathFactory, genes: dict[str, Path], bases: dict[str, Path | None]
) -> Callable[[str, str], Path]:
    """Extend a base by name and method, once."""
    folder = tmp_path_factory.mktemp("extended")

    def build(base: str, method: str) -> Path:
        output = folder / f"{base}-{method}"
        config = TokenizerConfig(method=method, dna_size=120, protein_size=90)
        extend_from_files(
            config, base=bases[base], dna=[genes["dna"]], protein=[genes["protein"]], seed=1, output=output
        )
        return output

    return build


BASES = tuple(MAKERS)
METHODS = ("continue", "append")


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_no_base_id_moves(
    base: str, method: str, extend: Callable[[str, str], Path], bases: dict[str, Path | None]
) -> None:
    grown, before = load_tokenizer(extend(base, method)), read_base(bases[base])
    assert [grown.token(place) for place in range(before.size)] == [
        before.tokenizer.id_to_token(place) for place in range(before.size)
    ]


@pytest.mark.parametrize("base", BASES)
def test_continue_gives_exactly_the_tokens_asked_for(base: str, extend: Callable[[str, str], Path]) -> None:
    folder = extend(base, "continue")
    told = json.loads((folder / "extension.json").read_text())
    assert told["size"] == load_tokenizer(folder).size == told["base_size"] + 120 + 90
    assert told["dna_range"] == [told["base_size"], told["base_size"] + 120]
    assert told["protein_range"] == [told["base_size"] + 120, told["base_size"] + 210]


@pytest.mark.parametrize("base", BASES)
def test_append_leaves_out_the_pieces_that_are_there(base: str, extend: Callable[[str, str], Path]) -> None:
    folder = extend(base, "append")
    told = json.loads((folder / "extension.json").read_text())
    counts = json.loads((folder / "manifest.json").read_text())["counts"]
    assert counts["dna_tokens"] + counts["dna_duplicates"] == 120
    assert counts["dna_duplicates"] >= 4  # the four letters at least
    assert told["size"] - told["base_size"] == counts["dna_tokens"] + counts["protein_tokens"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_sequences_are_written_with_fewer_tokens(
    base: str, method: str, extend: Callable[[str, str], Path], genes: dict[str, Path]
) -> None:
    folder = extend(base, method)
    base_size = json.loads((folder / "extension.json").read_text())["base_size"]
    ids = load_tokenizer(folder).encode(make_genes("ACGT", 1)[0])
    assert sum(token_id >= base_size for token_id in ids) > len(ids) / 2


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_any_text_comes_back_whole(base: str, method: str, extend: Callable[[str, str], Path]) -> None:
    grown = load_tokenizer(extend(base, method))
    assert grown.decode(grown.encode(ENGLISH)) == ENGLISH


@pytest.mark.parametrize("base", BASES)
def test_text_from_outside_never_becomes_a_special_token(base: str, extend: Callable[[str, str], Path]) -> None:
    grown = load_tokenizer(extend(base, "continue"))
    special = {grown.encode_prompt(token)[-1] for token in grown.special_tokens}
    assert len(special) == len(grown.special_tokens) >= 2
    for token in grown.special_tokens:
        for text in (token, f"a{token}b", f" {token} ", token * 3):
            assert not special.intersection(grown.encode(text))
            assert grown.decode(grown.encode(text)) == text


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_auto_tokenizer_gives_the_same_ids(base: str, method: str, extend: Callable[[str, str], Path]) -> None:
    transformers = pytest.importorskip("transformers")
    folder = extend(base, method)
    ours, theirs = load_tokenizer(folder), transformers.AutoTokenizer.from_pretrained(folder)
    assert len(theirs) == ours.size
    assert (theirs.eos_token_id, theirs.bos_token_id) == (ours.eos_id, ours.bos_id)
    assert theirs.pad_token_id is not None
    assert theirs.chat_template == CHAT_TEMPLATE
    for text in ("ACGTTGCA" * 30, "MKVLATWW" * 9, "An English line\nand another.", ""):
        assert theirs(text)["input_ids"] == ours.encode(text)
    turns = [Message("user", "Is it a promoter?"), Message("assistant", "promoter")]
    rendered = render(turns, bos=ours.bos, eos=ours.eos)
    chat = [{"role": turn.role, "content": turn.content} for turn in turns]
    assert theirs.apply_chat_template(chat, tokenize=False) == rendered
    assert theirs.apply_chat_template(chat)["input_ids"] == ours.encode_prompt(rendered)


@pytest.mark.parametrize("method", METHODS)
def test_sentencepiece_gives_the_same_ids(method: str, extend: Callable[[str, str], Path]) -> None:
    folder = extend("sentencepiece", method)
    ours = load_tokenizer(folder)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert theirs.get_piece_size() == ours.size
    for text in [*make_genes("ACGT", 3, 40), *make_genes(RESIDUES, 4, 40), ENGLISH.replace("  ", " "), "</s>"]:
        assert theirs.encode(text) == ours.encode(text)


@pytest.mark.parametrize("method", METHODS)
def test_tiktoken_gives_the_same_ids(method: str, extend: Callable[[str, str], Path]) -> None:
    folder = extend("tiktoken", method)
    ours, theirs = load_tokenizer(folder), open_tiktoken(folder / "tokenizer.model")
    assert theirs.n_vocab == ours.size
    for text in [*make_genes("ACGT", 3, 40), *make_genes(RESIDUES, 4, 40), ENGLISH, "<|eot_id|>", "MKV", "AC"]:
        assert theirs.encode_ordinary(text) == ours.encode(text)


@pytest.mark.parametrize("base", ["sentencepiece", "tiktoken"])
def test_the_old_bytes_of_a_native_model_stay_in_front(
    base: str, extend: Callable[[str, str], Path], bases: dict[str, Path | None]
) -> None:
    grown, before = (extend(base, "continue") / "tokenizer.model").read_bytes(), bases[base]
    assert before is not None
    assert grown.startswith(before.read_bytes())


def test_new_ranks_begin_after_the_special_tokens(extend: Callable[[str, str], Path]) -> None:
    folder = extend("tiktoken", "continue")
    told = json.loads((folder / "extension.json").read_text())
    ranks = [int(line.split()[1]) for line in (folder / "tokenizer.model").read_bytes().splitlines()]
    merges = told["base_size"] - 256
    assert ranks == [*range(merges), *range(merges + 256, told["size"])]
    assert told["dna_range"][0] == merges + 256


def test_new_native_scores_rank_below_every_real_merge_in_order(
    extend: Callable[[str, str], Path], bases: dict[str, Path | None]
) -> None:
    folder = extend("sentencepiece", "continue")
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    old = sentencepiece.SentencePieceProcessor(model_file=str(bases["sentencepiece"])).get_piece_size()
    scores = [model.get_score(place) for place in range(old - 1, model.get_piece_size())]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


@pytest.mark.parametrize("base", BASES)
def test_spelling_names_base_ids_that_spell_each_new_token(base: str, extend: Callable[[str, str], Path]) -> None:
    folder = extend(base, "continue")
    grown, told = load_tokenizer(folder), json.loads((folder / "extension.json").read_text())
    assert len(told["spelling"]) == told["size"] - told["base_size"]
    for place, ids in enumerate(told["spelling"], start=told["base_size"]):
        assert all(token_id < told["base_size"] for token_id in ids)
        assert "".join(grown.token(token_id) for token_id in ids) == grown.token(place)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=60))
def test_tiny_writes_any_text_and_reads_it_back(text: str) -> None:
    tokenizer = tiny_vocabulary().tokenizer
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_tiny_writes_digits_one_by_one_and_keeps_letters_whole() -> None:
    cut = tiny_vocabulary().tokenizer.pre_tokenizer.pre_tokenize_str("ACGTACGT 2027")
    assert [word for word, _ in cut] == ["ACGTACGT", "Ġ", "2", "0", "2", "7"]


def test_extending_again_does_nothing(extend: Callable[[str, str], Path]) -> None:
    folder = extend("tiny", "continue")
    before = (folder / "tokenizer.json").stat().st_mtime_ns
    assert (extend("tiny", "continue") / "tokenizer.json").stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, genes: dict[str, Path]) -> None:
    config = TokenizerConfig(dna_size=50, protein_size=0, sample_letters=5000)
    for name in ("a", "b"):
        extend_from_files(config, base=None, dna=[genes["dna"]], protein=[], seed=3, output=tmp_path / name)
    assert (tmp_path / "a/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()


def test_a_corpus_folder_is_read_from_its_training_split(tmp_path: Path) -> None:
    (tmp_path / "corpus/train").mkdir(parents=True)
    dna, protein = make_genes("ACGT", 5), make_genes(RESIDUES, 6)
    kinds = ["dna"] * len(dna) + ["protein"] * len(protein) + ["text"]
    columns = {"kind": kinds, "text": [*dna, *protein, "English"]}
    pq.write_table(pa.table(columns), tmp_path / "corpus/train/part-0.parquet")
    config = TokenizerConfig(dna_size=40, protein_size=30)
    manifest = extend_from_corpus(config, base=None, corpus=tmp_path / "corpus", seed=1, output=tmp_path / "out")
    assert manifest.counts["dna_letters"] == sum(map(len, dna))
    assert load_tokenizer(tmp_path / "out").size == 768 + 70


def test_a_vocabulary_of_its_own_has_the_size_asked_for(tmp_path: Path, genes: dict[str, Path]) -> None:
    train_vocabulary("dna", [genes["dna"]], 400, tmp_path / "own")
    own = load_tokenizer(tmp_path / "own")
    assert own.size == 400
    assert max(len(own.token(place)) for place in range(259, 400)) > 3


def _spans(tokenizer: GeneTokenizer, text: str) -> list[str]:
    return [text[start:end] for start, end in tokenizer.offsets(text)]


@pytest.mark.parametrize("base", BASES)
def test_offsets_cover_a_sequence_from_end_to_end(base: str, extend: Callable[[str, str], Path]) -> None:
    text = make_genes("ACGT", 9)[0]
    assert "".join(_spans(load_tokenizer(extend(base, "continue")), text)) == text


@pytest.mark.slow
def test_auto_tokenizer_gives_the_same_ids_beside_a_llama_config(
    tmp_path: Path, extend: Callable[[str, str], Path]
) -> None:
    transformers = pytest.importorskip("transformers")
    folder = shutil.copytree(extend("sentencepiece", "continue"), tmp_path / "model")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    text = "Is ACGTTGCAACGTTGCA a promoter?"
    assert transformers.AutoTokenizer.from_pretrained(folder)(text)["input_ids"] == load_tokenizer(folder).encode(text)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_llama_2_gives_the_same_ids_in_every_library(method: str, data: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    base = data / "tokenizers/llama2/tokenizer.model"
    genomes = sorted((data / "genomes/bacteria").glob("*.fa.gz"))
    proteomes = sorted((data / "proteins/proteomes").glob("*.faa.gz"))
    config = TokenizerConfig(method=method, dna_size=1500, protein_size=1000, sample_letters=2_000_000)
    extend_from_files(
        config, base=base, dna=genomes[:2], protein=proteomes[:3], seed=1, output=tmp_path / "out", on_invalid="skip"
    )
    ours = load_tokenizer(tmp_path / "out")
    native = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "out/tokenizer.model"))
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert native.get_piece_size() == ours.size == len(auto)
    if method == "continue":
        assert ours.size == 32_000 + 2500
    genome = next(read_records(genomes[-1], "dna", on_invalid="skip")).text
    texts = [genome[start : start + 700] for start in range(0, 280_000, 700)]
    texts += [record.text for record in islice(read_records(proteomes[-1], "protein", on_invalid="skip"), 300)]
    texts += [line for _, page in english_pages() for line in page.splitlines() if line]
    expected = [native.encode(text) for text in texts]
    assert ours.encode_batch(texts) == expected
    assert auto(texts)["input_ids"] == expected


@pytest.mark.real_data
def test_llama_2_keeps_its_pieces_and_its_leading_space(data: Path) -> None:
    base = data / "tokenizers/llama2/tokenizer.model"
    native = sentencepiece.SentencePieceProcessor(model_file=str(base))
    ours = read_vocabulary(base).tokenizer
    assert [ours.id_to_token(place) for place in range(32_000)] == [
        native.id_to_piece(place) for place in range(32_000)
    ]
    for text in ("The", "ACGT", "naïve café 東京 🧬", "a\n\tb"):
        assert ours.encode(text, add_special_tokens=False).ids == native.encode(text)
