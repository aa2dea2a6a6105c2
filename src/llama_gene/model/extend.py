"""Grow a LLaMA's embedding and output rows for the tokens added to its vocabulary.

Old rows stay bit-identical. A new row starts as the mean of the old rows that spelled its token, so the model reads
a new token at first as the blend of what it read before. The weights are padded to a multiple of `pad_rows_to`
rows; ids beyond the tokenizer's size have no token, and their rows start as the mean of all old rows.
"""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import ModelConfig
from llama_gene.errors import ModelError
from llama_gene.model.folders import load_model, new_llama, save_model
from llama_gene.tokenizer.extend import EXTENSION_FILE
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

CODE = 1
_MOST_PADDED_ROWS = 1024


def extend_model(config: ModelConfig, *, base: Path | None, tokenizer: Path, seed: int, output: Path) -> Manifest:
    """Stage "model": a Hugging Face folder with one row per token of the extended vocabulary.

    Args:
        config: Sizes of the `tiny` base, and the padding.
        base: Local LLaMA folder, or None for a random `tiny` one.
        tokenizer: Folder of the extended tokenizer.
        seed: Seed of the random weights.
        output: Stage folder.

    Raises:
        ModelError: the base cannot be read or has another vocabulary than the tokenizer extends.
    """

    def build(work: Path, ledger: Ledger) -> None:
        words = load_tokenizer(tokenizer)
        base_size, spellings = read_extension(tokenizer, words)
        model = _tiny(config, base_size, words, seed) if base is None else load_model(base, dtype=None)
        _check_same_vocabulary(model, base, tokenizer, base_size)
        _grow(model, spellings, base_size, config.pad_rows_to)
        if base is None:
            model.config.bos_token_id, model.config.eos_token_id = words.bos_id, words.eos_id
            model.generation_config.bos_token_id, model.generation_config.eos_token_id = words.bos_id, words.eos_id
        save_model(model, tokenizer, work)
        ledger.counts["rows.base"] = base_size
        ledger.counts["rows.new"] = words.size - base_size
        ledger.counts["rows.padding"] = model.config.vocab_size - words.size
        ledger.facts["parameters"] = sum(weight.numel() for weight in model.parameters())

    inputs = {"tokenizer": tokenizer} | ({"base": base} if base else {})
    return build_stage("model", output, build, config=config, inputs=inputs, seed=seed, code=CODE)


def read_extension(tokenizer: Path, words: GeneTokenizer) -> tuple[int, list[list[int]]]:
    """Size of the base vocabulary, and the base ids that spell each new token, in the order of the new ids."""
    note = tokenizer / EXTENSION_FILE
    if not note.is_file():
        return words.size, []
    try:
        extension = json.loads(note.read_text(encoding="utf-8"))
        return extension["base_size"], extension["spelling"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{note}: cannot be read ({error}). Run `llama-gene tokenizer extend` again.") from None


def llama_sizes(config: ModelConfig, rows: int) -> dict[str, Any]:
    """The `LlamaConfig` arguments of the built-in `tiny` base with this many rows."""
    return {
        "vocab_size": rows,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads or config.heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_positions,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tied,
    }


def _tiny(config: ModelConfig, rows: int, words: GeneTokenizer, seed: int) -> PreTrainedModel:
    sizes = llama_sizes(config, rows) | {"bos_token_id": words.bos_id, "eos_token_id": words.eos_id}
    return new_llama(sizes, seed=seed)


def _check_same_vocabulary(model: PreTrainedModel, base: Path | None, tokenizer: Path, base_size: int) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if not base_size <= rows < base_size + _MOST_PADDED_ROWS:
        raise ModelError(
            f"{base}: {rows:,} embedding rows, but {tokenizer} extends a vocabulary of {base_size:,} tokens. "
            "Extend the tokenizer of this very model, or name the model it belongs to."
        )
    if base is None or not (base / "tokenizer.json").is_file():
        return
    opened = load_tokenizer(base)
    own = opened.vocabulary
    extended = {token: index for token, index in load_tokenizer(tokenizer).vocabulary.items() if index < base_size}
    moved = sorted(token for token, index in own.items() if extended.get(token) != index and index < base_size)
    if moved:
        raise ModelError(
            f"{base}: its tokenizer has other ids than the base of {tokenizer} ({len(moved):,} differ, "
            f"for example {moved[0]!r}). Extend the tokenizer of this very model."
        )
    if opened.size > base_size:
        raise ModelError(
            f"{base}: its tokenizer has {opened.size:,} tokens, but {tokenizer} extends a vocabulary of {base_size:,}; "
            "the rows of the others would be lost. Extend the tokenizer of this very model."
        )


def _grow(model: PreTrainedModel, spellings: list[list[int]], base_size: int, pad_rows_to: int) -> None:
    """Resize in place; every matrix of rows (two where untied) gets its own means."""
    size = base_size + len(spellings)
    rows = -(-size // pad_rows_to) * pad_rows_to
    model.resize_token_embeddings(rows, mean_resizing=False)
    matrices = [model.get_input_embeddings().weight]
    if not model.config.tie_word_embeddings:
        matrices.append(model.get_output_embeddings().weight)
    with torch.no_grad():
        for matrix in matrices:
            old = matrix[:base_size].float()
            for index, spelling in enumerate(spellings, start=base_size):
                matrix[index] = old[spelling].mean(dim=0).to(matrix.dtype)
            matrix[size:] = old.mean(dim=0).to(matrix.dtype)
