"""The hand-over to vLLM's own server: what it is told, what is refused before; its answers, where it is installed."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import openai
import pytest
import torch

from chatting import make_chat_model
from llama_gene import cli
from llama_gene.config import ServeConfig, TokenizerConfig
from llama_gene.model.folders import new_llama, save_model
from llama_gene.serving.vllm import vllm_command
from llama_gene.tokenizer.load import load_tokenizer
from running import refused
from serving import serving
from vocabularies import MAKERS, grow

NEEDS_VLLM = pytest.mark.skipif(shutil.which("vllm") is None, reason="vLLM is not installed: no `vllm` on PATH")
QUESTION = [{"role": "user", "content": "Is it a promoter?\n\n### Input:\nTATAAAGCTAGCGCATTTGACATCTAGCTAGG"}]


def make_model(place, base):
    """A LLaMA of 64 numbers a token, with a vocabulary grown from a base of that make."""
    vocabulary = grow(MAKERS[base](place), place, TokenizerConfig(dna_size=40, protein_size=40))
    tokenizer = load_tokenizer(vocabulary)
    sizes = {
        "vocab_size": tokenizer.size, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 512,
    }  # fmt: skip
    model = new_llama(sizes, seed=1)
    # Our engine writes no special token but the end token, which a tuned model never wants to; random weights would.
    special = [tokenizer.vocabulary[token] for token in tokenizer.special_tokens]
    model.get_output_embeddings().weight.data[special] = 0
    save_model(model, vocabulary, place / "model")
    return place / "model"


@pytest.fixture(scope="module")
def small_heads(tmp_path_factory):
    """A model whose heads have 8 numbers."""
    return make_chat_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_heads):
    """One whose heads have 32 by its config.json, which is all that is read before vLLM starts."""
    copy = shutil.copytree(small_heads, tmp_path_factory.mktemp("large") / "model")
    shape = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(shape | {"head_dim": 32}))
    return copy


@pytest.fixture
def handed_over(monkeypatch):
    """What the process would become: its command and its variables."""
    found = []

    def become(*call):
        found.append(call)
        raise SystemExit

    monkeypatch.setattr(os, "execvpe", become)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    return found


def test_vllm_is_called_as_its_command_line_has_it_and_does_as_ours_does(folder):
    config = ServeConfig(host="::1", port=8001, max_running=4, cache_gib=0.5, drain_s=1.5)
    assert vllm_command(folder, config, torch.float32) == [
        "vllm", "serve", str(folder), "--served-model-name", "model", "--host", "::1", "--port", "8001", "--dtype",
        "float32", "--max-num-seqs", "4", "--kv-cache-memory-bytes", "536870912", "--override-generation-config",
        '{"temperature": 0}', "--shutdown-timeout", "2", "--allowed-origins", "[]", "--disable-fastapi-docs",
    ]  # fmt: skip


def test_vllm_is_told_to_report_nothing_and_to_fetch_nothing_unless_the_user_says_otherwise(
    folder, handed_over, monkeypatch, capsys
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    with pytest.raises(SystemExit):
        cli.run(["serve", str(folder), "--engine", "vllm", "--port", "0"])
    program, command, variables = handed_over[0]
    assert program == "vllm"
    assert int(command[command.index("--port") + 1]) > 0
    assert [variables[name] for name in ("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_OFFLINE")] == ["1", "1", "0"]
    assert variables["PATH"] == os.environ["PATH"]
    assert "HF_HUB_OFFLINE=0 VLLM_HOST_IP=127.0.0.1 vllm serve" in capsys.readouterr().out


def test_what_vllm_cannot_do_is_told_before_it_starts(folder, small_heads, tmp_path, handed_over, capsys):
    ask = ["serve", folder, "--engine", "vllm", "--port", 0]
    refused(capsys, [*ask, "--keys", tmp_path / "keys"], "does not read this file.*VLLM_API_KEY")
    refused(capsys, [*ask, "--specialist", tmp_path], "no tasks, indexes or tools")
    refused(capsys, ["serve", tmp_path, *ask[2:]], "no config.json")
    if not torch.cuda.is_available():
        refused(capsys, ["serve", small_heads, *ask[2:]], "heads have 8 numbers .head_dim.; on a CPU vLLM takes 32, 64")
    assert not handed_over


def test_vllm_is_missed_in_one_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    refused(capsys, ["serve", folder, "--engine", "vllm", "--port", 0], "pip install vllm")


@NEEDS_VLLM
@pytest.mark.slow
@pytest.mark.parametrize("base", ["sentencepiece", "tiktoken"])
def test_vllm_gives_the_answers_of_our_own_engine(tmp_path, base):
    """Whole and streamed, through the same client; then it ends on SIGTERM."""
    folder = make_model(tmp_path, base)
    with serving(folder) as address:
        ours = answers_of(address)
    with serving_by_vllm(folder, tmp_path / "log") as address:
        assert answers_of(address) == ours


@contextmanager
def serving_by_vllm(folder, log):
    """The address of the server that the command becomes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_gene.cli", "serve", folder, "--engine", "vllm", "--port", str(port)]
    settings = ["--set", "serve.cache_gib=0.1", "--set", "serve.max_running=8"]
    # Compiling would take vLLM a minute; the variable is that of its own tests.
    variables = {**os.environ, "VLLM_CPU_CI_ENV": "1"}
    with (
        log.open("w") as file,
        subprocess.Popen([*command, *settings], stdout=file, stderr=file, env=variables) as server,
    ):
        try:
            while not answers(f"http://127.0.0.1:{port}/health"):
                assert server.poll() is None, log.read_text()
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(120)


def answers(address):
    try:
        return httpx.get(address, timeout=5).is_success
    except httpx.TransportError:
        return False


def answers_of(address):
    """The model's name, an answer whole and streamed, why it ended, and the tokens of its prompt."""
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    whole = client.chat.completions.create(model="model", messages=QUESTION, max_tokens=24)
    stream = client.chat.completions.create(model="model", messages=QUESTION, max_tokens=24, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    first = whole.choices[0]
    assert streamed == first.message.content
    name = client.models.list().data[0].id
    return name, first.message.content, first.finish_reason, whole.usage.prompt_tokens
