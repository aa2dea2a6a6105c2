"""Read and write plain Hugging Face model folders, with the tokenizer's files beside the weights.

Only safetensors are read or written, nothing is fetched, and no code from a folder is run.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from llama_gene.artifacts import write_json
from llama_gene.errors import ModelError
from llama_gene.model.machine import best_device
from llama_gene.tokenizer.extend import EXTENSION_FILE
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model", EXTENSION_FILE)
CARD = "llama_gene.json"


def load_model(folder: Path, *, dtype: torch.dtype | None = torch.float32) -> PreTrainedModel:
    """A causal language model from a local folder.

    Args:
        folder: config.json and model.safetensors (one file or shards).
        dtype: Type of the weights in memory; None: as stored.

    Raises:
        ModelError: no such folder, no safetensors, weights missing, or a folder that transformers cannot read.
    """
    _check_files(folder)
    transformers_logging.disable_progress_bar()
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto" if dtype is None else dtype, local_files_only=True, use_safetensors=True,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise _unreadable(folder, error) from error
    # transformers fills what is missing or misshapen with random numbers.
    wrong = sorted([*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])])
    if wrong:
        raise ModelError(
            f"{folder}: {len(wrong)} weights are missing or of another size than config.json says (first: {wrong[0]}). "
            "Expected a whole model folder; fetch it again."
        )
    return model


def read_shape(folder: Path) -> PreTrainedConfig:
    """The config.json of a model folder, whose weights are not read.

    Raises:
        ModelError: no such folder, no safetensors, or one that transformers cannot read.
    """
    _check_files(folder)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, error) from error


def _check_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json. Expected a Hugging Face model folder; check the path.")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: no *.safetensors. Convert the weights to safetensors first.")


def _unreadable(folder: Path, error: Exception) -> ModelError:
    line = str(error).strip().splitlines()[0]
    return ModelError(f"{folder}: transformers cannot load it ({line}). Expected a LLaMA-type folder.")


def new_llama(sizes: Mapping[str, Any], *, seed: int) -> PreTrainedModel:
    """A LLaMA with random float32 weights.

    Args:
        sizes: Keyword arguments of `LlamaConfig`.
        seed: Seed of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(**sizes))


def save_model(model: PreTrainedModel, tokenizer_folder: Path, output: Path) -> None:
    """Write weights, config and the tokenizer's files into one folder."""
    model.config.use_cache = True
    transformers_logging.disable_progress_bar()
    model.save_pretrained(output)
    for name in TOKENIZER_FILES:
        if (tokenizer_folder / name).is_file():
            shutil.copyfile(tokenizer_folder / name, output / name)


def load_pair(folder: Path, *, dtype: torch.dtype | None = torch.float32) -> tuple[PreTrainedModel, GeneTokenizer]:
    """A model and its tokenizer from one folder.

    Raises:
        ModelError: they do not belong together.
    """
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, dtype=dtype)
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < tokenizer.size:
        raise ModelError(
            f"{folder}: the model has {rows:,} embedding rows but its tokenizer {tokenizer.size:,} ids. "
            "Run `llama-gene model extend` with this tokenizer."
        )
    return model, tokenizer


def load_answerer(folder: Path, dtype: str = "auto") -> tuple[PreTrainedModel, GeneTokenizer]:
    """A model folder, ready to answer: in evaluation mode, on the GPU where there is one.

    Args:
        folder: As for `load_pair`.
        dtype: As for `answering_dtype`.

    Raises:
        ModelError: model and tokenizer do not belong together.
    """
    model, tokenizer = load_pair(folder, dtype=answering_dtype(read_shape(folder), dtype))
    return model.to(best_device()).eval(), tokenizer


def answering_dtype(shape: PreTrainedConfig, dtype: str) -> torch.dtype | None:
    """The type of the weights of a model that answers; None: as stored, where config.json does not name it.

    Args:
        shape: config.json of the model.
        dtype: "float32", "bfloat16", or "auto": float32 on a CPU; on a GPU the weights keep their stored type.
    """
    if dtype == "auto":
        return shape.dtype if best_device().type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Note beside the weights what the model was made from (`llama_gene.json`)."""
    write_json(folder / CARD, dict(facts))


def read_card(folder: Path) -> dict[str, Any]:
    """What `write_card` noted; empty for a folder we did not make."""
    file = folder / CARD
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
