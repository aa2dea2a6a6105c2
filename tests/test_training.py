import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from llama_gene.artifacts import read_manifest
from llama_gene.config import FinetuneConfig, PretrainConfig
from llama_gene.errors import ConfigError, DataError, ModelError
from llama_gene.model.folders import load_pair
from llama_gene.prompts import Message, render
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.training.finetune import finetune
from llama_gene.training.instructions import encode_instruction, instruction_rows
from llama_gene.training.measure import bits_per_letter, token_losses
from llama_gene.training.pretrain import pretrain
from llama_gene.training.rows import NO_TARGET, PackedRows
from models import make_blocks, make_instructions, make_model, make_vocabulary

FAST = {"learning_rate": 5e-3, "rows_per_step": 4, "bf16": "off"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(vocabulary, model, blocks, instructions) folders."""
    folder = tmp_path_factory.mktemp("parts")
    vocabulary = make_vocabulary(folder)
    return vocabulary, make_model(folder, vocabulary), make_blocks(folder, vocabulary), make_instructions(folder)


def logits_of(model, row):
    batch = PackedRows()([row])
    for name in ("labels", "shift_labels", "logits_to_keep"):
        batch.pop(name)
    with torch.no_grad():
        return model.eval()(**batch).logits[0]


def test_changing_one_document_leaves_the_others_logits_unchanged(parts):
    model, _ = load_pair(parts[1])
    row = {"input_ids": list(range(300, 330)), "lengths": [10, 12, 8]}
    changed = {"input_ids": [*range(300, 310), *range(500, 512), *range(322, 330)], "lengths": [10, 12, 8]}
    before, after = logits_of(model, row), logits_of(model, changed)
    assert torch.equal(before[:10], after[:10])
    assert torch.equal(before[22:], after[22:])
    assert not torch.allclose(before[10:22], after[10:22])


def test_a_packed_document_has_the_logits_it_has_alone(parts):
    model, _ = load_pair(parts[1])
    packed = logits_of(model, {"input_ids": list(range(300, 330)), "lengths": [10, 12, 8]})
    alone = logits_of(model, {"input_ids": list(range(310, 322)), "lengths": [12]})
    assert torch.allclose(packed[10:22], alone, atol=1e-5)


def test_rows_of_unlike_length_make_one_batch_with_the_loss_of_each_alone(parts):
    model, _ = load_pair(parts[1])
    model.eval()
    rows = [{"input_ids": list(range(300, 330)), "lengths": [10, 20]}, {"input_ids": [400, 401, 402], "lengths": [3]}]
    with torch.no_grad():
        together = model(**PackedRows()(rows), num_items_in_batch=30).loss * 30
    alone = sum(token_losses(model, row, bf16=False).sum() for row in rows)
    assert float(together) == pytest.approx(float(alone), rel=1e-5)
    assert int((PackedRows()(rows)["labels"] != NO_TARGET).sum()) == 9 + 19 + 2


def test_bits_of_a_model_that_knows_nothing_are_the_logarithm_of_the_vocabulary(parts):
    model, tokenizer = load_pair(parts[1])
    with torch.no_grad():
        model.get_input_embeddings().weight.zero_()
    ids = [tokenizer.bos_id, *tokenizer.encode("ACGTAC"), tokenizer.eos_id]
    block = {"input_ids": ids, "lengths": [len(ids)], "kinds": ["dna"], "letters": [6]}
    expected = (len(ids) - 1) * math.log2(model.config.vocab_size) / 6
    assert bits_per_letter(model, [block], bf16=False) == {"bits_per_base": pytest.approx(expected, abs=1e-3)}


def test_full_pretraining_lowers_the_bits_of_every_kind(tmp_path, parts):
    config = PretrainConfig(method="full", epochs=4, **FAST)
    made = pretrain(config, model=parts[1], blocks=parts[2], seed=1, output=tmp_path / "out")
    assert set(made.facts["validation"]) == {"bits_per_base", "bits_per_residue", "bits_per_byte"}
    for unit, bits in made.facts["validation"].items():
        assert bits < 0.8 * made.facts["validation_before"][unit]
    assert made.facts["trainable_parameters"] == made.facts["parameters"]
    assert not (tmp_path / "out" / "checkpoints").exists()
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_lora_on_a_pretrained_model_learns_and_leaves_old_rows_bit_identical(tmp_path, parts):
    first = pretrain(
        PretrainConfig(method="full", epochs=2, **FAST), model=parts[1], blocks=parts[2], seed=1, output=tmp_path / "a"
    )
    config = PretrainConfig(method="lora", epochs=3, **FAST)
    made = pretrain(config, model=tmp_path / "a", blocks=parts[2], seed=1, output=tmp_path / "b")
    losses = [point["loss"] for point in made.facts["history"]]
    assert losses[-1] < losses[0]
    assert made.facts["validation"]["bits_per_base"] < first.facts["validation"]["bits_per_base"]
    before = load_file(tmp_path / "a" / "model.safetensors")["model.embed_tokens.weight"]
    after = load_file(tmp_path / "b" / "model.safetensors")["model.embed_tokens.weight"]
    assert torch.equal(before[:768], after[:768])
    assert not torch.equal(before[768:816], after[768:816])
    assert made.facts["trainable_parameters"] < made.facts["parameters"] / 2
    assert (tmp_path / "b" / "adapter" / "adapter_model.safetensors").is_file()


RUN = """
import sys, pathlib
from llama_gene.config import PretrainConfig
from llama_gene.training.pretrain import pretrain
config = PretrainConfig(method="lora", epochs=6, learning_rate=5e-3, rows_per_step=2, bf16="off", save_minutes=0.005)
model, blocks, output = map(pathlib.Path, sys.argv[1:])
pretrain(config, model=model, blocks=blocks, seed=1, output=output)
"""


def start(parts, output):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, str(parts[1]), str(parts[2]), str(output)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def wait_for_checkpoint(output, process):
    pattern = "checkpoints/checkpoint-*/trainer_state.json"
    while not list(output.with_name(output.name + ".partial").glob(pattern)):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_killed_with_9_goes_on_to_the_same_weights(tmp_path, parts):
    whole = start(parts, tmp_path / "whole")
    assert whole.wait() == 0, whole.stderr.read()
    killed = start(parts, tmp_path / "killed")
    wait_for_checkpoint(tmp_path / "killed", killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    again = start(parts, tmp_path / "killed")
    assert again.wait() == 0, again.stderr.read()
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_torn_checkpoint_is_passed_over(tmp_path, parts):
    torn = tmp_path / "out.partial" / "checkpoints" / "checkpoint-99"
    config = PretrainConfig(method="full", epochs=1, **FAST)
    made = pretrain(config, model=parts[1], blocks=parts[2], seed=1, output=tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "first")
    torn.mkdir(parents=True)
    (tmp_path / "out.partial" / ".key").write_text(made.key)
    again = pretrain(config, model=parts[1], blocks=parts[2], seed=1, output=tmp_path / "out")
    assert again.facts["validation"] == made.facts["validation"]


def test_blocks_of_another_vocabulary_are_refused(tmp_path, parts):
    small = make_model(tmp_path, make_vocabulary(tmp_path, dna=0, protein=0))
    with pytest.raises(ModelError, match="Pack the corpus again"):
        pretrain(PretrainConfig(method="full"), model=small, blocks=parts[2], seed=1, output=tmp_path / "out")


def test_a_step_that_is_no_multiple_of_a_pass_is_refused(tmp_path, parts):
    config = PretrainConfig(method="full", rows_per_device=3, rows_per_step=4)
    with pytest.raises(ConfigError, match="no multiple of rows_per_device"):
        pretrain(config, model=parts[1], blocks=parts[2], seed=1, output=tmp_path / "out")


def test_only_the_answer_and_its_end_token_are_learnt(parts):
    tokenizer = load_tokenizer(parts[0])
    record = json.loads((parts[3] / "train.jsonl").read_text().splitlines()[0])
    ids, targets = encode_instruction(record, tokenizer, whole_text=False)
    answer_at = targets.index(1)
    assert tokenizer.decode(ids[answer_at:-1]) == record["output"]
    assert targets == [0] * answer_at + [1] * (len(ids) - answer_at)
    assert ids[-1] == tokenizer.eos_id
    assert ids[0] == tokenizer.bos_id
    assert encode_instruction(record, tokenizer, whole_text=True) == (ids, [0] + [1] * (len(ids) - 1))


def test_every_answer_of_a_conversation_is_learnt_and_begins_as_when_it_is_asked(parts):
    tokenizer = load_tokenizer(parts[0])
    first = {"instruction": "How strong?", "input": "ACGT", "output": '{"tool": "predict"}'}
    both = {
        "instruction": "The tool gives 2.", "input": "", "output": "It is 2.",
        "history": [["How strong?\n\n### Input:\nACGT", '{"tool": "predict"}']],
    }  # fmt: skip
    alone, _ = encode_instruction(first, tokenizer, whole_text=False)
    ids, targets = encode_instruction(both, tokenizer, whole_text=False)
    learnt = [token for token, target in zip(ids, targets, strict=True) if target]
    assert ids[: len(alone)] == alone
    assert tokenizer.decode(learnt) == '{"tool": "predict"}It is 2.'
    assert learnt.count(tokenizer.eos_id) == 2
    turns = [Message("user", both["history"][0][0]), Message("assistant", both["history"][0][1])]
    prompt = render([*turns, Message("user", "The tool gives 2.")], bos=tokenizer.bos, eos=tokenizer.eos)
    last = targets[::-1].index(0)
    assert ids[: len(ids) - last] == tokenizer.encode_prompt(prompt)


def test_instructions_are_packed_whole_and_none_is_lost(tmp_path, parts):
    tokenizer = load_tokenizer(parts[0])
    rows = instruction_rows(parts[3] / "train.jsonl", tokenizer, FinetuneConfig(row_tokens=400), tmp_path)
    assert sum(len(row["lengths"]) for row in rows) == 40
    assert all(len(row["input_ids"]) == sum(row["lengths"]) <= 400 for row in rows)
    with pytest.raises(DataError, match="a row holds 64"):
        list(instruction_rows(parts[3] / "train.jsonl", tokenizer, FinetuneConfig(row_tokens=64), tmp_path))


def test_rows_are_the_same_whatever_the_number_of_processes(tmp_path, parts, monkeypatch):
    def rows_of(workers):
        monkeypatch.setattr("llama_gene.training.instructions.count_workers", lambda work, waiting: workers)
        config = FinetuneConfig(row_tokens=400)
        return instruction_rows(parts[3] / "train.jsonl", load_tokenizer(parts[0]), config, tmp_path / str(workers))

    monkeypatch.setattr("llama_gene.training.instructions._PACKED_TOGETHER", 16)
    alone, both = rows_of(1), rows_of(2)
    assert both.to_list() == alone.to_list()
    assert sum(len(lengths) for lengths in both["lengths"]) == 40


@pytest.mark.slow
def test_tuning_learns_the_answers_and_chooses_its_method_on_validation(tmp_path, parts):
    config = FinetuneConfig(method="lora", epochs=15, row_tokens=512, candidates=("lora", "full"), **FAST)
    made = finetune(config, model=parts[1], instructions=parts[3], seed=1, output=tmp_path / "out", synthetic=True)
    trials = made.facts["candidates_nats_per_answer_token"]
    assert made.facts["method"] == min(trials, key=trials.get)
    assert made.facts["validation"]["nats_per_answer_token"] < 0.5 * min(trials.values())
    assert made.counts["instructions"] == 40
    assert json.loads((tmp_path / "out" / "llama_gene.json").read_text())["synthetic"] is True
    assert read_manifest(tmp_path / "out").stage == "finetune"
    assert not (tmp_path / "out" / "cache").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "a",', "train.jsonl:2: not JSON"),
        ('{"id": "a", "instruction": "Is it?", "input": ""}', "train.jsonl:2: expected an object with id, instruction"),
        (
            '{"id": "a", "instruction": "Is it?", "input": "", "output": "b", "history": [["c"]]}',
            "train.jsonl:2: history",
        ),
        ("", "train.jsonl: holds no instructions"),
    ],
)
def test_instructions_that_cannot_be_read_are_refused_with_their_line(tmp_path, parts, line, said):
    (tmp_path / "train.jsonl").write_text("\n" + line)
    with pytest.raises(DataError, match=said):
        instruction_rows(tmp_path / "train.jsonl", load_tokenizer(parts[0]), FinetuneConfig(), tmp_path)


def test_a_folder_without_blocks_is_refused_and_one_with_nothing_held_out_is_not(tmp_path, parts):
    config = PretrainConfig(method="full", max_steps=1, **FAST)
    (tmp_path / "blocks").mkdir()
    with pytest.raises(DataError, match="no token blocks"):
        pretrain(config, model=parts[1], blocks=tmp_path / "blocks", seed=1, output=tmp_path / "out")
    shutil.copytree(parts[2] / "train", tmp_path / "blocks" / "train")
    made = pretrain(config, model=parts[1], blocks=tmp_path / "blocks", seed=1, output=tmp_path / "out")
    assert made.facts["validation"] == {}
    (tmp_path / "blocks" / "train" / "00-00000.arrow").write_bytes(b"junk" * 9)
    with pytest.raises(DataError, match=r"00-00000\.arrow: not a file of token blocks"):
        pretrain(config, model=parts[1], blocks=tmp_path / "blocks", seed=1, output=tmp_path / "out")
