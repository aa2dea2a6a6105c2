"""Continue pre-training on packed blocks of DNA, protein and English (paper, section 2.3.2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from peft import PeftModel
from transformers import PreTrainedModel

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import OptimizerConfig, PretrainConfig
from llama_gene.corpus.blocks import BLOCK_SCHEMA, block_files, is_curriculum
from llama_gene.errors import DataError, ModelError
from llama_gene.model.adapters import add_adapters, count_parameters, merge_adapters
from llama_gene.model.extend import read_extension
from llama_gene.model.folders import load_model, load_pair, save_model
from llama_gene.model.machine import best_device
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.training.loop import clear_checkpoints, train, uses_bf16
from llama_gene.training.measure import bits_per_letter

CODE = 1


def pretrain(config: PretrainConfig, *, model: Path, blocks: Path, seed: int, output: Path) -> Manifest:
    """Stage "pretrain": a plain Hugging Face folder; with lora also the adapter, under `adapter/`.

    Args:
        config: Settings.
        model: Folder of the extended model, with its tokenizer.
        blocks: Folder of `corpus pack`.
        seed: Order of blocks and dropout.
        output: Stage folder.

    Raises:
        DataError: there are no blocks.
        ModelError: the blocks were made with another tokenizer.
    """

    def build(work: Path, ledger: Ledger) -> None:
        files, valid_files = (block_files(blocks / split) for split in ("train", "valid"))
        rows, valid = _map_blocks(files), _map_blocks(valid_files)
        if not len(rows):
            raise DataError(f"{blocks / 'train'}: no token blocks. Expected those of `llama-gene corpus pack`; run it.")
        network = load_trainable(model, config, seed=seed)
        _check_ids(rows, network, model)
        before = bits_per_letter(network, valid, bf16=uses_bf16(config))
        share = count_parameters(network)
        ledger.facts["history"] = train(
            network, rows, config, epochs=config.epochs, max_steps=config.max_steps, seed=seed, work=work,
            title="pre-training", order="sequential" if is_curriculum(files) else "random",
        )  # fmt: skip
        network = save_trained(network, model, work)
        ledger.facts["validation_before"] = before
        ledger.facts["validation"] = bits_per_letter(network, valid, bf16=uses_bf16(config))
        ledger.facts["trainable_parameters"], ledger.facts["parameters"] = share
        ledger.counts["rows"] = len(rows)
        ledger.counts["tokens"] = sum(sum(lengths) for lengths in rows["lengths"])

    inputs = {"model": model, "blocks": blocks}
    return build_stage("pretrain", output, build, config=config, inputs=inputs, seed=seed, code=CODE)


def load_trainable(folder: Path, config: OptimizerConfig, *, seed: int) -> PreTrainedModel | PeftModel:
    """The model of a folder, with what the method trains set to require gradients.

    Full training keeps float32 weights. Adapters keep the base in the type it is stored in, and in float32 where
    nothing is multiplied in bfloat16.
    """
    keeps_type = config.method == "lora" and uses_bf16(config)
    network, tokenizer = load_pair(folder, dtype=None if keeps_type else torch.float32)
    # Before the trainer would move it: the validation that comes first would take hours on a CPU.
    network.to(best_device())
    if config.method == "full":
        return network
    first_new, _ = read_extension(folder, tokenizer)
    return add_adapters(network, config, new_rows=range(first_new, tokenizer.size), seed=seed)


def save_trained(network: PreTrainedModel | PeftModel, base: Path, work: Path) -> PreTrainedModel:
    """Write plain weights (and the adapter on its own) and remove what only a resume needed."""
    if isinstance(network, PeftModel):
        network.save_pretrained(work / "adapter", save_embedding_layers=False)
        network = merge_adapters(network)
    save_model(network, base, work)
    clear_checkpoints(work)
    return network


def merge_adapter_folder(model: Path, adapter: Path, output: Path) -> Manifest:
    """Stage "merge": a plain folder from a base and an adapter folder.

    Raises:
        ModelError: the adapter belongs to another model.
    """

    def build(work: Path, ledger: Ledger) -> None:
        network = load_model(model, dtype=None)
        try:
            adapted = PeftModel.from_pretrained(network, str(adapter))
        except (RuntimeError, ValueError, OSError) as error:
            line = str(error).strip().splitlines()[0]
            raise ModelError(f"{adapter}: does not fit {model} ({line}). Name the base it was trained on.") from error
        save_model(merge_adapters(adapted), model, work)

    return build_stage(
        "merge", output, build, config={}, inputs={"model": model, "adapter": adapter}, seed=0, code=CODE
    )


def _map_blocks(files: Sequence[Path]) -> Dataset:
    """All blocks of some files, mapped into memory: nothing is read or copied before it is needed."""
    if not files:
        return Dataset.from_dict({name: [] for name in BLOCK_SCHEMA.names})
    return concatenate_datasets([Dataset.from_file(str(file)) for file in files])


def _check_ids(rows: Dataset, network: torch.nn.Module, folder: Path) -> None:
    size = load_tokenizer(folder).size
    first: Any = rows[0]["input_ids"]
    if max(first) >= size:
        raise ModelError(
            f"{folder}: the blocks hold id {max(first):,} but this tokenizer ends at {size - 1:,}. "
            "Pack the corpus again with this tokenizer."
        )
