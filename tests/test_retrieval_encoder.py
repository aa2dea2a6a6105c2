"""The vectors of passages can come from a local sentence-embedding folder, and a query uses the same one."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel, BertConfig, BertModel, PreTrainedTokenizerFast

from llama_gene.artifacts import read_manifest
from llama_gene.config import IndexConfig
from llama_gene.errors import ArtifactError, ConfigError, ModelError
from llama_gene.model.encoder import load_encoder
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from running import refused, run

PASSAGES = ["ribosome reads messenger", "histone winds around", "flagellum turns like a screw", "oxygen binds iron"]
WORDS = ["the", *" ".join(PASSAGES).split()]


def make_encoder(folder, seed=0):
    """A two-layer BERT with random weights over a few words."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    tokenizer = Tokenizer(WordLevel({name: place for place, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    sizes = BertConfig(
        vocab_size=len(names), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=20, initializer_range=0.5,
    )  # fmt: skip
    BertModel(sizes, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("index")
    for number, text in enumerate(PASSAGES):
        (folder / f"{number}.md").write_text(text)
    config = IndexConfig(encoder=str(encoder))
    build_index(config, files=[folder / "*.md"], seed=1, output=folder / "idx", load_encoder=load_encoder)
    return folder


def states_of(encoder, ids):
    with torch.inference_mode():
        return AutoModel.from_pretrained(encoder)(torch.tensor([ids])).last_hidden_state[0].numpy()


def test_a_vector_is_the_mean_over_the_tokens_of_its_text_alone_and_of_length_one(encoder):
    vectors = load_encoder(encoder).embed(["ribosome reads", "the flagellum turns like a screw", "zebra"])
    ids = [2, *(4 + WORDS.index(word) for word in ("ribosome", "reads")), 3]
    mean = states_of(encoder, ids).mean(0)
    assert vectors[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors.dtype == np.float32


def test_a_folder_that_says_so_is_pooled_by_its_first_token(encoder, tmp_path):
    shutil.copytree(encoder, tmp_path / "e")
    (tmp_path / "e/1_Pooling").mkdir()
    first = states_of(encoder, [2, 4, 3])[0]
    for said in ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, {"pooling_mode": "cls"}):
        (tmp_path / "e/1_Pooling/config.json").write_text(json.dumps(said))
        (vector,) = load_encoder(tmp_path / "e").embed(["the"])
        assert vector == pytest.approx(first / np.linalg.norm(first), abs=1e-5)


def test_many_texts_keep_their_order_and_long_ones_are_cut(encoder):
    loaded = load_encoder(encoder)
    texts = [" ".join(WORDS[start : start + length]) for start in range(10) for length in (5, 1, 3, 2)]
    assert loaded.embed(texts) == pytest.approx(np.concatenate([loaded.embed([text]) for text in texts]), abs=1e-5)
    assert loaded.most_tokens == 18
    long = "oxygen " * 16
    assert loaded.embed([long + "iron"]) == pytest.approx(loaded.embed([long]), abs=1e-6)


def test_no_more_tokens_are_read_than_the_folder_says_the_model_was_trained_on(encoder, tmp_path):
    shutil.copytree(encoder, tmp_path / "e")
    (tmp_path / "e/sentence_bert_config.json").write_text('{"max_seq_length": 4, "do_lower_case": false}')
    loaded = load_encoder(tmp_path / "e")
    assert loaded.most_tokens == 4
    whole, cut = loaded.embed(["oxygen binds iron", "oxygen binds"])
    assert whole == pytest.approx(cut, abs=1e-6)
    config = IndexConfig(encoder=str(tmp_path / "e"))
    (tmp_path / "texts").mkdir()
    for name, text in {"whole": "oxygen binds", "cut": "oxygen binds iron"}.items():
        (tmp_path / f"texts/{name}.md").write_text(text)
    built = build_index(config, files=[tmp_path / "texts"], seed=1, output=tmp_path / "i", load_encoder=load_encoder)
    assert built.counts["passages whose end the encoder does not read"] == 1
    (tmp_path / "e/sentence_bert_config.json").write_text('{"max_seq_length": 9999}')
    assert load_encoder(tmp_path / "e").most_tokens == 18


def test_a_question_is_embedded_by_the_encoder_of_the_index(folder, encoder):
    index = open_index(folder / "idx", load_encoder=load_encoder)
    for text in PASSAGES:
        hit = index.passages_by_vectors(text)[0]
        assert (hit.text, hit.found_by) == (text, ("vectors",))
    manifest = read_manifest(folder / "idx")
    assert manifest.facts["encoder"] == str(encoder)
    assert manifest.facts["dimensions"] == 16
    assert np.load(folder / "idx/vectors.npy").shape == (4, 16)
    assert not (folder / "idx/terms.json").exists()


def test_an_index_opened_without_its_encoder_says_so_where_it_is_needed(folder):
    index = open_index(folder / "idx")
    assert index.passages_by_words("ribosome")
    with pytest.raises(ConfigError, match=r"an encoder made its vectors.*load_encoder"):
        index.find_passages("ribosome")


def test_an_encoder_that_went_or_changed_is_refused_and_one_that_moved_is_named(folder, encoder, tmp_path):
    shutil.copytree(folder / "idx", tmp_path / "idx")
    moved = shutil.copytree(encoder, tmp_path / "moved")
    config = IndexConfig(encoder=str(moved))
    assert open_index(tmp_path / "idx", config, load_encoder).find_passages("oxygen")[0].text == "oxygen binds iron"
    make_encoder(moved, seed=1)
    with pytest.raises(ArtifactError, match="moved: not the encoder that embedded the passages"):
        open_index(tmp_path / "idx", config, load_encoder)
    shutil.rmtree(moved)
    with pytest.raises(ArtifactError, match=r"moved: no such folder.*Put it back, or set index\.encoder"):
        open_index(tmp_path / "idx", config, load_encoder)


def test_an_index_without_encoder_is_not_asked_with_one(folder, encoder, tmp_path):
    build_index(IndexConfig(), files=[folder / "*.md"], seed=1, output=tmp_path / "idx")
    with pytest.raises(ConfigError, match=r"was built without one\. Build it again, or leave it out"):
        open_index(tmp_path / "idx", IndexConfig(encoder=str(encoder)), load_encoder)
    with pytest.raises(ConfigError, match="give load_encoder"):
        build_index(IndexConfig(encoder=str(encoder)), files=[folder / "*.md"], seed=1, output=tmp_path / "other")


def no_config(folder):
    (folder / "config.json").unlink()


def no_weights(folder):
    (folder / "model.safetensors").rename(folder / "model.bin")


def cut_weights(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])


def no_tokenizer(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()


def its_own_code(folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}, "model_type": "evil"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('ran')")


def one_more_layer(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))


def another_module(folder):
    modules = [{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))


def another_pooling(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))


def no_length(folder):
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": "256"}')


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_config, "no config.json"),
        (no_weights, r"no \*\.safetensors"),
        (cut_weights, "transformers cannot load it"),
        (no_tokenizer, "no vocabulary"),
        (its_own_code, "transformers cannot load it"),
        (one_more_layer, "16 weights are missing"),
        (another_module, "modules.json: has a Dense layer"),
        (no_length, "sentence_bert_config.json: max_seq_length = '256'. Expected a number of tokens"),
        (another_pooling, r"pools by max\. Expected mean or cls"),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused_in_one_line(encoder, tmp_path, damage, words):
    shutil.copytree(encoder, tmp_path / "e")
    damage(tmp_path / "e")
    with pytest.raises(ModelError, match=words) as caught:
        load_encoder(tmp_path / "e")
    assert "\n" not in str(caught.value)


def test_the_command_builds_and_asks_with_an_encoder(folder, encoder, tmp_path, capsys):
    files = ["index", "--output", tmp_path / "idx", folder / "*.md"]
    assert run([*files, "--set", f"index.encoder={encoder}", "--ask", "flagellum turns", "--json"]) == 0
    (first, *_) = json.loads(capsys.readouterr().out)["passages"]
    assert (first["text"], first["found_by"]) == (PASSAGES[2], ["words", "vectors"])
    assert run(["index", "--output", tmp_path / "idx", "--ask", "oxygen"]) == 0
    assert re.search(r"1\. 3\.md:0-17", capsys.readouterr().out)
    refused(capsys, [*files, "--set", f"index.encoder={tmp_path / 'none'}"], "none: no such file or folder")
