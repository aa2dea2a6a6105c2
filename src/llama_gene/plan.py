"""What a recipe will cost, before anything long starts: tokens, parameters, memory, disk and time.

Tokens of tuning are an upper bound (every instruction as long as it may be). Times are floating-point work divided
by the multiply rate measured now and `_EFFICIENCY`, the share of it that whole training steps reached (on two CPU
cores 0.1 at half a million parameters and 0.36 at ten million; on an H200 0.14 at 46 million and 0.5 at 7 billion):
right within a factor of three. Memory was within a tenth of what 7 billion parameters took there.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

from llama_gene.artifacts import MANIFEST
from llama_gene.config import FinetuneConfig, Kind, OptimizerConfig, PretrainConfig, Recipe, resolve
from llama_gene.corpus.english import control_files
from llama_gene.errors import ConfigError, DataError, ModelError
from llama_gene.model.adapters import Share, add_adapters, count_parameters
from llama_gene.model.extend import llama_sizes
from llama_gene.model.machine import accelerators, multiply_rate
from llama_gene.recipe import data_folder, steps
from llama_gene.sequences.readers import list_files
from llama_gene.tasks.definitions import load_task
from llama_gene.tasks.readers import data_files
from llama_gene.tokenizer.extend import read_base
from llama_gene.training.loop import uses_bf16

_EFFICIENCY = 0.2
_BYTES_PER_COMPRESSED_LETTER = 0.3
_LETTERS_PER_TOKEN = 3.0
_ADAM_BYTES = 16


@dataclass(frozen=True)
class Work:
    """Tokens a stage reads, and floating-point operations per token."""

    tokens: float
    flops_per_token: float

    def hours(self, rate: float) -> float:
        """Time at this many operations per second."""
        return self.tokens * self.flops_per_token / (rate * _EFFICIENCY) / 3600


def make_plan(recipe: Recipe, output: Path) -> dict[str, dict[str, Any]]:
    """Validate a recipe against its files and estimate its cost.

    Args:
        recipe: The settings.
        output: Folder of the run, to say what is finished already.

    Returns:
        Tables by title: stages, data, model, cost.

    Raises:
        LlamaGeneError: a file, task or model the recipe names is not there.
    """
    chain = steps(recipe, output)
    data = data_folder(recipe, output)
    letters = 0.0 if recipe.demo else _letters(recipe, data)
    if recipe.demo is None:
        _check_task_files(recipe, data)
        control_files(recipe.evaluate.controls, data)
    config = _model_config(recipe, data)
    stages = {step.name: "made before" if (step.folder / MANIFEST).is_file() else "to make" for step in chain}
    return {
        f"plan of {recipe.name}": stages,
        "data": {
            "sources": len(recipe.corpus.sources),
            "letters (from file sizes)": round(letters) or "made by the demo",
            "tasks": len(recipe.tasks.choices),
        },
        "cost": _cost(recipe, config, letters),
    }


def _check_task_files(recipe: Recipe, data: Path) -> None:
    definitions = [resolve(folder, data) for folder in recipe.tasks.definitions]
    for choice in recipe.tasks.choices:
        for file in data_files(load_task(choice.name, definitions), data):
            if not file.exists():
                raise DataError(f"{file}: no such file, but task {choice.name!r} reads it. Get it, or drop the task.")


def _cost(recipe: Recipe, config: LlamaConfig, letters: float) -> dict[str, Any]:
    pretraining, tuning = _share(config, recipe.pretrain, recipe), _share(config, recipe.finetune, recipe)
    body = pretraining.total - config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    head = config.vocab_size * config.hidden_size
    reading = Work(_pretrain_tokens(recipe, letters), 6 * (body + head))
    answering = Work(_tune_tokens(recipe), 6 * body)
    scoring = Work(_test_tokens(recipe), 2 * body)
    rate = multiply_rate(torch.bfloat16 if uses_bf16(recipe.pretrain) else torch.float32)
    hours = {
        "pretrain": reading.hours(rate),
        "finetune": answering.hours(rate),
        "evaluate": scoring.hours(rate),
    }
    return {
        "parameters": pretraining.total,
        "trainable, pretrain": pretraining.trainable,
        "trainable, finetune": tuning.trainable,
        "tokens, pretrain": round(reading.tokens),
        "tokens, finetune (at most)": round(answering.tokens),
        "tokens, evaluate (at most)": round(scoring.tokens),
        "memory, pretrain, GiB": round(_memory(config, recipe.pretrain, pretraining, recipe.pack.block_tokens), 2),
        "memory, finetune, GiB": round(_memory(config, recipe.finetune, tuning, recipe.finetune.row_tokens), 2),
        "device": ", ".join(accelerators()) or "CPU",
        "multiply rate, GFLOP/s": round(rate / 1e9),
        **{f"minutes, {stage} (estimate)": round(value * 60, 1) for stage, value in hours.items()},
    }


def _letters(recipe: Recipe, data: Path) -> float:
    """Letters of all sources that training reads, guessed from file sizes; every path is checked."""
    letters = Counter[Kind]()
    for source in recipe.corpus.sources:
        for file in list_files(resolve(source.path, data)):
            is_packed = file.suffix in {".gz", ".zst", ".zip"}
            size = file.stat().st_size / (_BYTES_PER_COMPRESSED_LETTER if is_packed else 1)
            letters[source.kind] += round(size * source.epochs)
    limits = recipe.corpus.max_letters
    return float(sum(min(number, limits.get(kind, number)) for kind, number in letters.items()))


def _model_config(recipe: Recipe, data: Path) -> LlamaConfig:
    words = read_base(None if recipe.tokenizer.base == "tiny" else resolve(recipe.tokenizer.base, data)).size
    rows = words + recipe.tokenizer.dna_size + recipe.tokenizer.protein_size
    rows = -(-rows // recipe.model.pad_rows_to) * recipe.model.pad_rows_to
    if recipe.model.base == "tiny":
        return LlamaConfig(**llama_sizes(recipe.model, rows))
    folder = resolve(recipe.model.base, data)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json. Set model.base to a local LLaMA folder, or to 'tiny'.")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if not hasattr(config, "num_hidden_layers"):
        raise ConfigError(f"{folder}: not a causal language model. Set model.base to a LLaMA-type folder.")
    config.vocab_size = rows
    return config


def _share(config: LlamaConfig, stage: OptimizerConfig, recipe: Recipe) -> Share:
    """Parameters counted on a model without memory."""
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
        if stage.method == "lora":
            new = recipe.tokenizer.dna_size + recipe.tokenizer.protein_size
            return count_parameters(
                add_adapters(model, stage, new_rows=range(config.vocab_size - new, config.vocab_size), seed=0)
            )
        return count_parameters(model)


def _memory(config: LlamaConfig, stage: PretrainConfig | FinetuneConfig, share: Share, row_tokens: int) -> float:
    """GiB of weights, gradients, optimizer, activations and (pre-training) logits."""
    frozen = 2 * (share.total - share.trainable)
    tokens = stage.rows_per_device * row_tokens
    kept = 2 if stage.gradient_checkpointing else 34
    activations = tokens * config.hidden_size * config.num_hidden_layers * kept * 2
    logits = tokens * config.vocab_size * 10 if isinstance(stage, PretrainConfig) else 0
    return (frozen + share.trainable * _ADAM_BYTES + activations + logits) / 2**30


def _pretrain_tokens(recipe: Recipe, letters: float) -> float:
    available = (letters or 1e6) / _LETTERS_PER_TOKEN
    tokens = min(available, recipe.pack.max_tokens or available) * recipe.pretrain.epochs
    steps = recipe.pretrain.max_steps
    return min(tokens, steps * recipe.pretrain.rows_per_step * recipe.pack.block_tokens) if steps else tokens


def _tune_tokens(recipe: Recipe) -> float:
    items = sum(choice.train or 10_000 for choice in recipe.tasks.choices) + recipe.tasks.tool_calls.train
    return items * recipe.tasks.max_tokens * recipe.finetune.epochs


def _test_tokens(recipe: Recipe) -> float:
    items = sum(choice.test or 1_000 for choice in recipe.tasks.choices)
    calls = recipe.tasks.tool_calls
    return (items + (calls.test if calls.train else 0)) * recipe.tasks.max_tokens
