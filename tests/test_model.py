import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from llama_gene.config import ModelConfig, OptimizerConfig
from llama_gene.errors import ModelError
from llama_gene.model.adapters import add_adapters, count_parameters, merge_adapters
from llama_gene.model.extend import extend_model
from llama_gene.model.folders import load_model, load_pair, new_llama
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.tiny import tiny_vocabulary
from models import SIZES, make_model, make_vocabulary


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    return make_vocabulary(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def trained_base(tmp_path_factory):
    """A stand-in for a pre-trained LLaMA: 768 rows, untied."""
    folder = tmp_path_factory.mktemp("base")
    sizes = {
        "vocab_size": tiny_vocabulary().size, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "max_position_embeddings": 256, "tie_word_embeddings": False,
    }  # fmt: skip
    new_llama(sizes, seed=5).to(torch.bfloat16).save_pretrained(folder)
    return folder


def test_old_rows_stay_bit_identical_and_new_rows_are_the_mean_of_what_spelled_them(tmp_path, vocabulary, trained_base):
    extend_model(SIZES, base=trained_base, tokenizer=vocabulary, seed=1, output=tmp_path / "out")
    before, after = load_file(trained_base / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    extension = json.loads((vocabulary / "extension.json").read_text())
    size = load_tokenizer(vocabulary).size
    assert size == 768 + 48
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(before[name], after[name][:768])
        assert after[name].shape[0] == 832
        for row, spelling in enumerate(extension["spelling"], start=768):
            expected = before[name][spelling].float().mean(dim=0).to(torch.bfloat16)
            assert torch.equal(after[name][row], expected)
    others = [name for name in before if "embed" not in name and "lm_head" not in name]
    assert others
    assert all(torch.equal(before[name], after[name]) for name in others)


def test_an_extended_model_opens_with_plain_transformers(tmp_path, vocabulary):
    folder = make_model(tmp_path, vocabulary)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(folder)
    text = "ACGTACGTTTGACA"
    assert tokenizer.encode(text, add_special_tokens=False) == ours.encode(text)
    out = model.generate(torch.tensor([ours.encode(text)]), max_new_tokens=3, do_sample=False)
    assert out.shape[1] <= len(ours.encode(text)) + 3
    assert (model.config.bos_token_id, model.config.eos_token_id) == (ours.bos_id, ours.eos_id)


def test_a_base_of_another_vocabulary_is_refused(tmp_path, vocabulary):
    sizes = {"vocab_size": 4000, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    new_llama(sizes, seed=1).save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match=r"4,000 embedding rows, but .* extends a vocabulary of 768"):
        extend_model(SIZES, base=tmp_path / "other", tokenizer=vocabulary, seed=1, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_whose_tokenizer_has_other_ids_is_refused(tmp_path, vocabulary, trained_base):
    base = shutil.copytree(trained_base, tmp_path / "base")
    other = make_vocabulary(tmp_path, dna=0, protein=0)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(other / name, base / name)
    text = (base / "tokenizer.json").read_text()
    (base / "tokenizer.json").write_text(text.replace('"<pad>"', '"<hole>"'))
    with pytest.raises(ModelError, match="has other ids than the base"):
        extend_model(SIZES, base=base, tokenizer=vocabulary, seed=1, output=tmp_path / "out")


@pytest.mark.parametrize("content", ["", "{}", '{"model_type": "bert"}'])
def test_a_folder_that_is_no_model_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="cannot load it"):
        load_model(tmp_path)


def test_a_folder_without_safe_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        load_model(tmp_path)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rows", ["new", "all"])
def test_merged_weights_give_the_adapted_logits(tmp_path, vocabulary, tied, rows):
    folder = make_model(tmp_path, vocabulary, ModelConfig(**SIZES.model_dump() | {"tied": tied}))
    model, tokenizer = load_pair(folder)
    old = model.get_input_embeddings().weight[:768].detach().clone()
    adapted = add_adapters(model, OptimizerConfig(train_rows=rows), new_rows=range(768, tokenizer.size), seed=1)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if weight.requires_grad and "lora" in name:
                weight.normal_(std=0.05)
            elif weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    ids = torch.tensor([tokenizer.encode("ACGTTTGACAACGT protein MKV")])
    adapted.eval()
    with torch.no_grad():
        expected = adapted(ids).logits
        merged = merge_adapters(adapted).eval()
        assert torch.allclose(merged(ids).logits, expected, atol=1e-4)
    assert torch.equal(merged.get_input_embeddings().weight[:768], old) is (rows == "new")


@pytest.mark.parametrize("rows", ["new", "all"])
def test_a_bfloat16_base_is_trained_in_float32_and_stored_as_it_was(tmp_path, vocabulary, rows):
    model, tokenizer = load_pair(make_model(tmp_path, vocabulary), dtype=torch.bfloat16)
    adapted = add_adapters(model, OptimizerConfig(train_rows=rows), new_rows=range(768, tokenizer.size), seed=1)
    types = {(weight.requires_grad, weight.dtype) for weight in adapted.parameters()}
    assert types == {(True, torch.float32), (False, torch.bfloat16)}
    assert {weight.dtype for weight in merge_adapters(adapted).parameters()} == {torch.bfloat16}


def test_the_trained_share_is_adapters_and_new_rows_only(tmp_path, vocabulary):
    model, tokenizer = load_pair(make_model(tmp_path, vocabulary))
    whole = count_parameters(model).total
    share = count_parameters(add_adapters(model, OptimizerConfig(), new_rows=range(768, tokenizer.size), seed=1))
    h, i, r = 32, 48, 8
    lora = 2 * (4 * r * (h + h) + 3 * r * (h + i))
    assert share.trainable == lora + 48 * h
    assert share.total == whole + share.trainable


def test_weights_that_are_missing_or_misshapen_are_refused_not_made_up(tmp_path, trained_base):
    folder = tmp_path / "base"
    shutil.copytree(trained_base, folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.norm.weight")
    weights["model.layers.0.mlp.up_proj.weight"] = weights["model.layers.0.mlp.up_proj.weight"][:4].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"2 weights are missing or of another size .* \(first: model.layers.0.mlp"):
        load_model(folder)
