"""`corpus pack`: whole documents in blocks, none lost, every id known."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from llama_gene.artifacts import build_stage, write_json
from llama_gene.config import CorpusConfig, PackConfig, Phase, Source
from llama_gene.corpus.blocks import BlockReader
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus
from llama_gene.errors import ArtifactError, DataError
from llama_gene.tokenizer.load import load_tokenizer

BOS, EOS = 0, 1


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One token per byte, and one for ACG."""
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"), bos="<s>")


def write_tokenizer(folder: Path, bos: str) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [bos or "<unused>", "</s>", *alphabet, "AC", "ACG"]
    vocabulary = {name: number for number, name in enumerate(names)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[("A", "C"), ("AC", "G")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.add_special_tokens(names[:2])
    made.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {"bos_token": bos or None, "eos_token": "</s>"})
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    for kind, letters in (("dna", "ACGT"), ("protein", "ACDEFGHIKLMNPQRSTVWY")):
        with (folder / f"{kind}.fa").open("w") as file:
            for number, length in enumerate(rng.integers(30, 260, 120)):
                file.write(f">{kind}{number}\n{''.join(rng.choice(list(letters), length))}\n")
    (folder / "pages").mkdir()
    for number in range(25):
        (folder / f"pages/{number}.txt").write_text(f"Sé {number} </s> é! " * int(rng.integers(3, 20)))
    sources = [
        Source(path=path, kind=kind) for path, kind in (("dna.fa", "dna"), ("protein.fa", "protein"), ("pages", "text"))
    ]
    config = CorpusConfig(sources=sources, valid_share=0.1)
    build_corpus(config, data=folder, seed=1, output=folder / "corpus")
    return folder / "corpus"


def packing(**settings: object) -> PackConfig:
    """All documents there are, unless the settings say otherwise."""
    return PackConfig(**{"weights": {}} | settings)


def rows(folder: Path, split: str) -> list[dict]:
    """Rows of a corpus, or blocks."""
    found = [row for file in sorted((folder / split).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return found or [block for _, block in BlockReader(folder / split).read()]


def documents(folder: Path, split: str) -> list[tuple[str, list[int], int]]:
    found = []
    for block in rows(folder, split):
        ends = np.cumsum(block["lengths"])
        assert ends[-1] == len(block["input_ids"])
        for kind, length, end, letters in zip(block["kinds"], block["lengths"], ends, block["letters"], strict=True):
            found.append((kind, block["input_ids"][end - length : end], letters))
    return found


def test_every_document_is_packed_whole_once_with_its_begin_and_end_token(corpus, tokenizer, tmp_path):
    manifest = pack_corpus(packing(block_tokens=700), corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    opened = load_tokenizer(tokenizer)
    for split in ("train", "valid"):
        expected = Counter(
            (row["kind"], (BOS, *opened.encode(row["text"]), EOS), len(row["text"].encode()))
            for row in rows(corpus, split)
        )
        assert (
            Counter((kind, tuple(ids), letters) for kind, ids, letters in documents(tmp_path / "p", split)) == expected
        )
        assert manifest.counts[f"{split} documents"] == expected.total()
        assert manifest.counts[f"{split} documents cut"] == 0
    assert manifest.facts["train"]["fill"] > 0.95


def test_no_block_is_overfull_and_every_id_is_known(corpus, tokenizer, tmp_path):
    pack_corpus(packing(block_tokens=64), corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    size = load_tokenizer(tokenizer).size
    for block in rows(tmp_path / "p", "train"):
        assert 0 < len(block["input_ids"]) <= 64
        assert all(0 <= token < size for token in block["input_ids"])


def test_a_long_document_becomes_pieces_that_together_are_the_document(corpus, tokenizer, tmp_path):
    config = packing(block_tokens=40)
    manifest = pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    assert manifest.counts["train documents cut"] > 50
    opened = load_tokenizer(tokenizer)
    tokens, letters, ends = Counter(), Counter(), Counter()
    for kind, ids, size in documents(tmp_path / "p", "train"):
        assert ids[0] == BOS
        ends[kind] += ids[-1] == EOS
        tokens.update((kind, token) for token in ids if token not in (BOS, EOS))
        letters[kind] += size
    assert tokens == Counter(
        (row["kind"], token) for row in rows(corpus, "train") for token in opened.encode(row["text"])
    )
    assert letters == Counter(row["kind"] for row in rows(corpus, "train") for _ in row["text"].encode())
    assert ends == Counter(row["kind"] for row in rows(corpus, "train"))


def test_text_that_spells_an_end_token_does_not_end_a_document(corpus, tokenizer, tmp_path):
    pack_corpus(packing(block_tokens=700), corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    pages = [ids for kind, ids, _ in documents(tmp_path / "p", "train") if kind == "text"]
    assert pages
    assert all(ids.count(EOS) == 1 and ids.count(BOS) == 1 for ids in pages)


def test_a_tokenizer_without_a_begin_token_packs_without_one(corpus, tmp_path):
    (tmp_path / "t").mkdir()
    folder = write_tokenizer(tmp_path / "t", bos="")
    pack_corpus(packing(block_tokens=700), corpus=corpus, tokenizer=folder, seed=1, output=tmp_path / "p")
    assert all(BOS not in ids and ids[-1] == EOS for _, ids, _ in documents(tmp_path / "p", "train"))


def test_training_keeps_near_its_token_limit_and_says_what_was_left_out(corpus, tokenizer, tmp_path):
    config = packing(block_tokens=700, max_tokens=5000, window_documents=10)
    manifest = pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    assert manifest.facts["train"]["tokens"] == pytest.approx(5000, rel=0.05)
    counts = manifest.counts
    left_out = counts["train documents left out: over the mixture or the token limit"]
    assert left_out + counts["train documents"] == counts["train documents in the corpus"] == len(rows(corpus, "train"))


def test_what_each_kind_leaves_out_is_counted_in_documents_and_letters(corpus, tokenizer, tmp_path):
    phases = (Phase(share=1, weights={"text": 1}), Phase(share=2, weights={"dna": 3, "text": 1}))
    config = packing(block_tokens=64, max_tokens=4000, phases=phases)
    counts = pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p").counts
    limit = "left out: over the mixture or the token limit"
    for kind in ("dna", "protein", "text"):
        texts = [row["text"].encode() for row in rows(corpus, "train") if row["kind"] == kind]
        packed = [entry for entry in documents(tmp_path / "p", "train") if entry[0] == kind]
        ended = sum(ids[-1] == EOS for _, ids, _ in packed)
        assert len(texts) - ended == counts[f"train {kind} documents {limit}"] > 0
        assert sum(map(len, texts)) - sum(entry[2] for entry in packed) == counts[f"train {kind} letters {limit}"]


def test_a_corpus_that_lost_a_document_is_refused(corpus, tokenizer, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    shard = next((tmp_path / "corpus/train").iterdir())
    table = pq.read_table(shard)
    pq.write_table(table.slice(0, len(table) - 1), shard)
    kind = table["kind"][-1].as_py()
    whole = sum(row["kind"] == kind for row in rows(corpus, "train"))
    with pytest.raises(DataError, match=rf"train: {whole - 1} {kind} documents, but the manifest counts {whole}\. Exp"):
        pack_corpus(packing(), corpus=tmp_path / "corpus", tokenizer=tokenizer, seed=1, output=tmp_path / "p")


def test_the_mixture_is_weighed_by_tokens(corpus, tokenizer, tmp_path):
    weights = {"dna": 0.5, "protein": 0.3, "text": 0.2}
    config = packing(block_tokens=700, max_tokens=8000, weights=weights)
    pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    tokens = Counter()
    for kind, ids, _ in documents(tmp_path / "p", "train"):
        tokens[kind] += len(ids)
    for kind, weight in weights.items():
        assert tokens[kind] / 8000 == pytest.approx(weight, abs=0.03)


def test_phases_follow_each_other_with_their_own_mixtures_and_share_no_document(corpus, tokenizer, tmp_path):
    phases = (Phase(share=1, weights={"text": 1}), Phase(share=2, weights={"dna": 3, "protein": 3, "text": 1}))
    config = packing(block_tokens=700, max_tokens=9000, phases=phases)
    pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    first, second = (
        [row for row in rows(tmp_path / "p", "train") if (set(row["kinds"]) == {"text"}) == only_text]
        for only_text in (True, False)
    )
    in_order = [set(row["kinds"]) == {"text"} for row in rows(tmp_path / "p", "train")]
    assert in_order.index(False) == sum(in_order), "English alone first, then the mixture"
    assert sum(map(len, (row["input_ids"] for row in first))) == pytest.approx(3000, rel=0.15)
    assert sum(map(len, (row["input_ids"] for row in second))) == pytest.approx(6000, rel=0.15)
    taken = Counter((kind, tuple(ids)) for kind, ids, _ in documents(tmp_path / "p", "train"))
    assert max(taken.values()) == 1


def test_readers_share_the_blocks_and_go_on_from_any_position(corpus, tokenizer, tmp_path):
    pack_corpus(packing(block_tokens=300), corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    reader = BlockReader(tmp_path / "p" / "train")
    whole = list(reader.read())
    assert [position for position, _ in whole] == list(range(len(reader)))
    shares = [list(reader.read(5, reader=number, readers=3)) for number in range(3)]
    assert sorted((pair for share in shares for pair in share), key=lambda pair: pair[0]) == whole[5:]
    assert reader[len(reader) - 1] == whole[-1][1]


def test_validation_takes_its_limit_of_each_kind(corpus, tokenizer, tmp_path):
    config = packing(block_tokens=700, max_valid_tokens=600)
    manifest = pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    tokens = Counter()
    for kind, ids, _ in documents(tmp_path / "p", "valid"):
        tokens[kind] += len(ids)
    assert set(tokens) == {"dna", "protein", "text"}
    assert max(tokens.values()) <= 750
    assert manifest.facts["valid"]["tokens"] == tokens.total()


def test_letters_per_token_are_those_of_the_text_alone(corpus, tokenizer, tmp_path):
    facts = pack_corpus(
        packing(block_tokens=700), corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / "p"
    ).facts
    opened = load_tokenizer(tokenizer)
    texts = [row["text"] for row in rows(corpus, "train") if row["kind"] == "dna"]
    expected = sum(map(len, texts)) / sum(len(opened.encode(text)) for text in texts)
    assert facts["train"]["kinds"]["dna"]["letters_per_token"] == pytest.approx(expected, abs=0.001)


def test_the_same_seed_packs_the_same_bytes(corpus, tokenizer, tmp_path):
    files = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        pack_corpus(packing(block_tokens=300), corpus=corpus, tokenizer=tokenizer, seed=seed, output=tmp_path / name)
        files.append((tmp_path / name / "train/00-00000.arrow").read_bytes())
    assert files[0] == files[1] != files[2]


def test_bpe_dropout_spells_training_sequences_otherwise_and_leaves_the_rest(corpus, tokenizer, tmp_path):
    plain, dropped = packing(block_tokens=128), packing(block_tokens=128, bpe_dropout=0.5)
    for name, config in (("plain", plain), ("dropped", dropped), ("again", dropped)):
        pack_corpus(config, corpus=corpus, tokenizer=tokenizer, seed=1, output=tmp_path / name)
    opened = load_tokenizer(tokenizer)
    for kind in ("dna", "protein", "text"):
        spelt, tokens, letters = {}, {}, {}
        for name in ("plain", "dropped", "again"):
            found = [entry for entry in documents(tmp_path / name, "train") if entry[0] == kind]
            spelt[name] = Counter("".join(opened.decode(ids) for _, ids, _ in found).replace(" ", ""))
            tokens[name], letters[name] = sum(len(ids) for _, ids, _ in found), sum(entry[2] for entry in found)
        assert spelt["dropped"] == spelt["plain"]
        assert letters["dropped"] == letters["plain"]
        assert tokens["dropped"] == tokens["again"]
        assert (tokens["dropped"] > tokens["plain"]) == (kind != "text")
    assert documents(tmp_path / "dropped", "valid") == documents(tmp_path / "plain", "valid")


def test_a_folder_that_is_no_corpus_is_refused(tokenizer, tmp_path):
    build_stage("model", tmp_path / "m", lambda work, ledger: None, config={}, inputs={}, seed=1, code=1)
    with pytest.raises(ArtifactError, match=r"a 'model' folder\. Expected the folder of `llama-gene corpus build`"):
        pack_corpus(packing(), corpus=tmp_path / "m", tokenizer=tokenizer, seed=1, output=tmp_path / "p")
    with pytest.raises(ArtifactError, match="not a finished stage folder"):
        pack_corpus(packing(), corpus=tmp_path, tokenizer=tokenizer, seed=1, output=tmp_path / "p")


def test_a_limit_below_the_first_document_is_an_error(tmp_path, tokenizer):
    (tmp_path / "long.txt").write_text("word " * 500)
    config = CorpusConfig(sources=[Source(path="long.txt", kind="text")])
    build_corpus(config, data=tmp_path, seed=1, output=tmp_path / "c")
    with pytest.raises(DataError, match=r"no training document fits\. Check the corpus and pack\.max_tokens"):
        pack_corpus(packing(max_tokens=1000), corpus=tmp_path / "c", tokenizer=tokenizer, seed=1, output=tmp_path / "p")
