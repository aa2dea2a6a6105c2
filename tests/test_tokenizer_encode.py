"""The fast encoder gives the ids of `tokenizers`, whatever the vocabulary and the run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from llama_gene.config import TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.encode import BulkEncoder, RunEncoder, make_encoders
from llama_gene.tokenizer.encode_words import WordEncoder, may_cut
from llama_gene.tokenizer.joined import Encoded, join_texts
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer, read_tokenizer_json
from llama_gene.tokenizer.tiny import tiny_vocabulary
from vocabularies import MAKERS, RESIDUES, grow, make_genes

GROWN = TokenizerConfig(dna_size=150, protein_size=150)
_runs = st.one_of(
    st.text("ACGT", min_size=1, max_size=120),
    st.text("AC", min_size=1, max_size=120),
    st.text(RESIDUES, min_size=1, max_size=120),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=60),
    st.builds(lambda unit, times: unit * times, st.text("ACGT", min_size=1, max_size=4), st.integers(1, 60)),
)


@pytest.fixture(scope="module", params=MAKERS)
def grown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GeneTokenizer:
    folder = tmp_path_factory.mktemp(request.param)
    return _at_once(load_tokenizer(grow(MAKERS[request.param](folder), folder, GROWN)))


def _at_once(tokenizer: GeneTokenizer) -> GeneTokenizer:
    """Few texts, too, go the fast way."""
    return replace(tokenizer, _bulk=BulkEncoder(tokenizer._plain, worth_it=0))


def _plain(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(_runs, min_size=1, max_size=8))
def test_ids_of_runs_are_those_of_tokenizers(grown: GeneTokenizer, runs: list[str]) -> None:
    plain = _plain(grown.folder)
    assert grown.encode_batch(runs) == [plain.encode(run, add_special_tokens=False).ids for run in runs]


def test_every_make_of_vocabulary_has_its_fast_encoders(grown: GeneTokenizer) -> None:
    first, second = make_encoders(_plain(grown.folder))
    genes, proteins = make_genes("ACGT", 7), make_genes(RESIDUES, 8)
    assert all(_encoded_by(first, genes))
    assert not any(_encoded_by(first, proteins))
    # The small SentencePiece base has no token for some letters.
    known = [set(protein) <= set(second.alphabet) for protein in proteins]
    assert _encoded_by(second, proteins) == known


def _encoded_by(encoder: RunEncoder, texts: list[str]) -> list[bool]:
    """Which of the texts are runs of its alphabet."""
    joined = join_texts(texts)
    out = Encoded.with_room(joined)
    encoder.encode_into(joined, out)
    return [size > 0 for size in out.sizes.tolist()]


def test_runs_longer_than_are_merged_together_and_many_short_ones(grown: GeneTokenizer) -> None:
    long = "".join(make_genes("ACGT", 5))
    runs = [long * (40_000 // len(long) + 1), "A" * 20_001, *make_genes("ACGT", 6), *["GATTACA", "A", "TTTTTTT"] * 3000]
    plain = _plain(grown.folder)
    expected = [plain.encode(run, add_special_tokens=False).ids for run in runs]
    assert [ids.tolist() for ids in grown.encode_arrays(runs)] == expected


def test_other_texts_are_left_to_tokenizers(grown: GeneTokenizer) -> None:
    texts = ["", "a promoter", "ACGTn", "ACGT ACGT", "ACGT\n", "▁ACGT", "é", "\0", "ACGT</s>", "Ω" * 9]
    plain = _plain(grown.folder)
    assert grown.encode_batch(texts) == [plain.encode(text, add_special_tokens=False).ids for text in texts]


def test_order_is_kept_among_runs_and_other_texts(grown: GeneTokenizer) -> None:
    texts = ["ACGTACGT", "English.", "MKVLAT", "", "GATTACA"]
    assert grown.encode_batch(texts) == [grown.encode(text) for text in texts]


def test_vocabularies_learnt_apart_and_put_together_are_encoded_right(tmp_path: Path) -> None:
    config = TokenizerConfig(method="append", dna_size=150, protein_size=150)
    base = MAKERS["sentencepiece"](tmp_path)
    appended = _at_once(load_tokenizer(grow(base, tmp_path, config)))
    plain = _plain(appended.folder)
    texts = [*make_genes("ACGT", 3), *make_genes(RESIDUES, 4)]
    assert appended.encode_batch(texts) == [plain.encode(text, add_special_tokens=False).ids for text in texts]


def test_ranks_that_do_not_grow_are_refused() -> None:
    # ATA is ranked before TA, one of the ways to spell it: A + TA would come before its time.
    values = json.loads(tiny_vocabulary().tokenizer.to_str())
    vocabulary = values["model"]["vocab"]
    size = len(vocabulary)
    vocabulary |= {"QX": size, "QXQ": size + 1}
    values["model"]["merges"] = [["QX", "Q"], ["Q", "X"]]
    tokenizer = Tokenizer.from_str(json.dumps(values))
    assert len(list(make_encoders(tokenizer))) == 1
    assert BulkEncoder(tokenizer, worth_it=0).encode(["QXQXQ"])[0].tolist() == tokenizer.encode("QXQXQ").ids


def test_a_vocabulary_with_a_run_for_an_added_token_is_left_to_tokenizers() -> None:
    tokenizer = Tokenizer.from_str(tiny_vocabulary().tokenizer.to_str())
    tokenizer.add_tokens(["GATC"])
    assert list(make_encoders(tokenizer)) == []
    assert BulkEncoder(tokenizer, worth_it=0).encode(["AGATCA"])[0].tolist() == tokenizer.encode("AGATCA").ids


def test_dropout_of_nothing_and_of_everything(grown: GeneTokenizer) -> None:
    run = make_genes("ACGT", 5)[0]
    assert grown.encode_with_dropout(run, 0.0, seed=1).tolist() == grown.encode(run)
    letters = grown.encode_with_dropout(run, 1.0, seed=1)
    assert "".join(grown.token(token_id) for token_id in letters).lstrip("▁") == run
    assert max(len(grown.token(token_id)) for token_id in letters) == 1


def test_dropout_spells_the_same_letters_otherwise_and_the_same_way_for_a_seed(grown: GeneTokenizer) -> None:
    run = make_genes("ACGT", 6)[0]
    found = [grown.encode_with_dropout(run, 0.2, seed=seed).tolist() for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert all(grown.decode(ids) == run for ids in found)
    assert len(grown.encode(run)) < len(found[0]) < len(run)


def test_a_merge_is_passed_over_as_often_as_asked() -> None:
    # One merge is due in AC, once: it is dropped, and nothing is left to do, with the probability asked for.
    values = json.loads(tiny_vocabulary().tokenizer.to_str())
    values["model"]["vocab"]["QZ"] = len(values["model"]["vocab"])
    values["model"]["merges"] = [["Q", "Z"]]
    _, encoder = make_encoders(Tokenizer.from_str(json.dumps(values)))
    whole = sum(len(encoder.encode_with_dropout("QZ", 0.3, seed)) == 1 for seed in range(4000))
    assert 0.67 < whole / 4000 < 0.73


def test_dropout_of_a_text_that_is_no_run_is_refused(grown: GeneTokenizer) -> None:
    with pytest.raises(TokenizerError, match="capital letters alone"):
        grown.encode_with_dropout("a promoter", 0.1, seed=1)


_prose = st.text(st.sampled_from(" a▁bcéΩ.\n\tACGT0<s>/"), max_size=60)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.one_of(_prose, st.text(max_size=30)), min_size=1, max_size=6))
def test_english_word_by_word_has_the_ids_of_the_whole_text(grown: GeneTokenizer, texts: list[str]) -> None:
    plain = _plain(grown.folder)
    expected = [plain.encode(text, add_special_tokens=False).ids for text in texts]
    assert [ids.tolist() for ids in grown.encode_arrays(texts)] == expected
    if may_cut(plain):
        encoder = WordEncoder(plain)
        assert [encoder.encode(text).tolist() for text in texts * 2] == expected * 2


def test_only_texts_that_nothing_else_cuts_may_be_cut(tmp_path: Path) -> None:
    cut = {}
    for name, make in MAKERS.items():
        (tmp_path / name).mkdir()
        cut[name] = may_cut(_plain(grow(make(tmp_path / name), tmp_path / name, GROWN)))
    assert cut == {name: name == "sentencepiece" for name in MAKERS}
    values = json.loads((tmp_path / "sentencepiece" / "extended" / "tokenizer.json").read_text())
    values["model"]["vocab"]["a▁b"] = len(values["model"]["vocab"])
    assert not may_cut(Tokenizer.from_str(json.dumps(values)))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff{}", "cannot be read"), (b'{"model": 1}', "not a tokenizer.json"), (None, "no such file")],
)
def test_a_file_that_is_no_tokenizer_is_told_from_one_that_cannot_be_read(tmp_path, content, told):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenizerError, match=told):
        read_tokenizer_json(path)


_LONG_LIVED = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from llama_gene.tokenizer.load import load_tokenizer

def encode_new(seed):
    rng = random.Random(seed)
    for _ in range(3000):
        tokenizer.encode_prompt("".join(rng.choices("ACGT", k=60)))

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

tokenizer = load_tokenizer(Path(sys.argv[1]))
tokenizer.remember_nothing()
with ThreadPoolExecutor(8) as pool:
    list(pool.map(encode_new, range(8)))
    before = resident_pages()
    list(pool.map(encode_new, range(8, 16)))
    print(resident_pages() - before)  # with the threads alive, as a server's are
"""


def test_a_server_keeps_nothing_of_the_sequences_it_encoded(tmp_path: Path) -> None:
    # A process of its own: memory that other tests gave back would hide what is kept here.
    folder = grow(None, tmp_path, GROWN)
    grown = subprocess.run([sys.executable, "-c", _LONG_LIVED, folder], capture_output=True, text=True, check=True)
    # Kept, the words took 50 MB.
    assert int(grown.stdout) * os.sysconf("SC_PAGE_SIZE") < 5e6
