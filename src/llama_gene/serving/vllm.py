"""Hand a model folder over to vLLM's own server, told to do as ours does wherever it would do otherwise.

A model folder is a plain Hugging Face one that brings its chat template along, so vLLM reads it as it is. The options
and variables are those of vLLM 0.32 and 0.33, read in its source and tried with 0.32 on a CPU.
"""

import math
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch
from transformers import PreTrainedConfig

from llama_gene.config import ChatConfig, ServeConfig
from llama_gene.errors import ConfigError, ModelError
from llama_gene.model.folders import answering_dtype, read_shape
from llama_gene.model.machine import best_device

# vllm/v1/attention/backends/cpu_attn.py, get_supported_head_sizes; a GPU takes every multiple of 8 up to 256.
_CPU_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
# llama-gene tells nobody what it does and asks no other host; who sets a variable himself keeps his value. The address
# is that of vLLM's processes among themselves: without it they use the machine's own on the network.
_QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
}


def become_vllm(
    folder: Path, config: ServeConfig, chat: ChatConfig, listening: socket.socket, *, announce: Callable[[str], None]
) -> NoReturn:
    """Replace this process by vLLM's own server.

    Args:
        folder: Tuned model folder.
        config: Address, room and patience.
        chat: Its `dtype` says what the weights are in memory.
        listening: The open port, which vLLM opens again; port 0 has become a free one.
        announce: Gets the command, so that it can be run with more of vLLM's options.

    Raises:
        ConfigError: vLLM is not installed, or keys are set, which it would not ask for.
        ModelError: no model folder, or heads of a size that vLLM has no kernel for.
    """
    if config.keys:
        raise ConfigError(
            "serve.keys: vLLM's own server does not read this file. Leave out --keys, or --engine vllm; one key for "
            "all can be set with the variable VLLM_API_KEY."
        )
    if shutil.which("vllm") is None:
        raise ConfigError("serve.engine = 'vllm', but vLLM is not installed. Run: pip install vllm")
    shape = read_shape(folder)
    check_heads(folder, shape)
    with listening:
        opened = config.model_copy(update={"port": listening.getsockname()[1]})
    command = vllm_command(folder, opened, answering_dtype(shape, chat.dtype))
    variables = _QUIET | os.environ
    announce(f"handing over to {shlex.join([*(f'{name}={variables[name]}' for name in _QUIET), *command])}")
    sys.stdout.flush()
    os.execvpe(command[0], command, variables)


def check_heads(folder: Path, shape: PreTrainedConfig) -> None:
    """Refuse a model that vLLM would load and open to clients, and fall over at the first question.

    Raises:
        ModelError: vLLM's kernels for a CPU do not take heads of this size, and there is no GPU.
    """
    numbers = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    if best_device().type == "cpu" and numbers not in _CPU_HEADS:
        raise ModelError(
            f"{folder}: its attention heads have {numbers} numbers (head_dim); on a CPU vLLM takes "
            f"{', '.join(map(str, _CPU_HEADS))}. Leave out --engine vllm, or train with another model.hidden_size or "
            "model.heads."
        )


def vllm_command(folder: Path, config: ServeConfig, dtype: torch.dtype | None) -> list[str]:
    """The command line of vLLM's own server.

    What vLLM would do otherwise than we do is set as ours: float32 weights are not rounded to bfloat16, the cache has
    the size that the settings say (of a CPU's memory vLLM would take 92 %), an answer is greedy where the request names
    no temperature, running answers are finished after SIGTERM, pages of other sites may not ask, and there is no page
    of the API's documentation, which would fetch from elsewhere.

    Args:
        folder: Tuned model folder.
        config: Address, room and patience.
        dtype: Type of the weights in memory; None: as vLLM chooses.

    >>> vllm_command(Path("runs/demo/finetuned"), ServeConfig(port=9000), torch.float32)[:5]
    ['vllm', 'serve', 'runs/demo/finetuned', '--served-model-name', 'finetuned']
    """
    named = str(dtype).removeprefix("torch.") if dtype else "auto"
    return [
        "vllm", "serve", str(folder), "--served-model-name", folder.resolve().name, "--host", config.host, "--port",
        str(config.port), "--dtype", named, "--max-num-seqs", str(config.max_running), "--kv-cache-memory-bytes",
        str(round(config.cache_gib * 2**30)), "--override-generation-config", '{"temperature": 0}',
        "--shutdown-timeout", str(math.ceil(config.drain_s)), "--allowed-origins", "[]", "--disable-fastapi-docs",
    ]  # fmt: skip
