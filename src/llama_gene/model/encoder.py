"""Vectors of texts from a local sentence-embedding model (Reimers and Gurevych 2019, EMNLP), named by `index.encoder`.

Any folder that `AutoModel` and `AutoTokenizer` read: BERT, RoBERTa, ModernBERT, LLaMA … The vector of a text is the
mean of the last hidden states over its tokens, or the first of them where `1_Pooling/config.json` of
sentence-transformers says so, brought to length 1; as many tokens are read as its `sentence_bert_config.json` says, for
which the model was trained. Only safetensors are read, nothing is fetched, no code of the folder
is run. Nothing is put before a text: models that want "query:" there are asked without.

Axes: N texts, T tokens, D dimensions.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from llama_gene.errors import ModelError
from llama_gene.model.machine import best_device

Pooling = Literal["mean", "cls"]
_MOST_TOKENS = 512
# RoBERTa counts positions from 2.
_FIRST_POSITION = 2
_AT_ONCE = 32
# Without any, transformers makes a tokenizer that knows no word.
_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
_MODULES, _POOLING, _READING = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"
_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)


@dataclass(frozen=True)
class Encoder:
    """A model that turns texts into vectors; made by `load_encoder`.

    Attributes:
        dimensions: D.
        most_tokens: Tokens it reads of a text; the rest counts for nothing.
        pooling: How the states of the tokens become one vector.
    """

    dimensions: int
    most_tokens: int
    pooling: Pooling
    _network: PreTrainedModel
    _tokenizer: Any

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1, (N, D)."""
        vectors_ND = np.zeros((len(texts), self.dimensions), np.float32)
        # Texts of like length side by side: short ones are not computed to the length of a long one.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), _AT_ONCE):
            places = order[start : start + _AT_ONCE]
            vectors_ND[places] = self._embed_batch([texts[place] for place in places])
        return vectors_ND

    def count_cut(self, texts: Sequence[str]) -> int:
        """Texts of more than `most_tokens`, of which the beginning alone is read."""
        ids = self._tokenizer(list(texts), truncation=True, max_length=self.most_tokens + 1)["input_ids"]
        return sum(len(found) > self.most_tokens for found in ids)

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.most_tokens, return_tensors="pt"
        ).to(self._network.device)
        states_NTD = self._network(**tokens).last_hidden_state
        vectors_ND = states_NTD[:, 0] if self.pooling == "cls" else mean_of_tokens(states_NTD, tokens["attention_mask"])
        return torch.nn.functional.normalize(vectors_ND.float(), dim=1).cpu().numpy()


def mean_of_tokens(states_NTD: torch.Tensor, mask_NT: torch.Tensor) -> torch.Tensor:
    """The mean of the states of the tokens that a mask lets count, (N, D); 0 where it lets none.

    >>> states_NTD = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [9.0, 9.0]]])
    >>> mean_of_tokens(states_NTD, torch.tensor([[1, 1, 0]]))
    tensor([[2., 2.]])
    """
    mask_NT1 = mask_NT[..., None].to(states_NTD.dtype)
    return (states_NTD * mask_NT1).sum(1) / mask_NT1.sum(1).clamp(min=1)


def load_encoder(folder: Path) -> Encoder:
    """The model of a folder, on the GPU where there is one.

    Args:
        folder: config.json, *.safetensors and a tokenizer.

    Raises:
        ModelError: no such folder, no safetensors, weights missing, or something that transformers cannot read; or a
            model that does more than pool its states.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder}: no config.json. Expected the Hugging Face folder of a sentence-embedding model; check "
            "index.encoder."
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: no *.safetensors. Convert the weights to safetensors first.")
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ModelError(
            f"{folder}: no vocabulary. Expected one of {', '.join(_VOCABULARIES)}; fetch the folder again."
        )
    pooling = _read_pooling(folder)
    try:
        with _quiet():
            network, told = AutoModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except _UNREADABLE as error:
        line = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{folder}: transformers cannot load it ({line}). Expected an encoder and its tokenizer."
        ) from error
    # transformers fills what is missing with random numbers; the pooler's weights are not used.
    if missing := sorted(name for name in told["missing_keys"] if not name.startswith("pooler.")):
        raise ModelError(f"{folder}: {len(missing)} weights are missing (first: {missing[0]}). Fetch the folder again.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    most_tokens = _most_tokens(folder, network, tokenizer)
    return Encoder(network.config.hidden_size, most_tokens, pooling, network.eval().to(best_device()), tokenizer)


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of weights that are not there, since they are looked at here, and show no bar."""
    told = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(told)


def _most_tokens(folder: Path, network: PreTrainedModel, tokenizer: Any) -> int:
    """What sentence-transformers would read of a text, and no more than the network has places for."""
    positions = getattr(network.config, "max_position_embeddings", None) or _MOST_TOKENS + _FIRST_POSITION
    said = _read_json(folder / _READING, {}).get("max_seq_length")
    if said is not None and not (isinstance(said, int) and said > 0):
        raise ModelError(f"{folder / _READING}: max_seq_length = {said!r}. Expected a number of tokens, 1 or more.")
    return min(said or _MOST_TOKENS, _MOST_TOKENS, tokenizer.model_max_length, max(1, positions - _FIRST_POSITION))


def _read_pooling(folder: Path) -> Pooling:
    """How sentence-transformers would pool; the mean where the folder does not say."""
    modules, file = _read_json(folder / _MODULES, []), folder / _POOLING
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules if isinstance(module, dict)]
    if more := [kind for kind in kinds if kind not in _KNOWN_MODULES]:
        raise ModelError(
            f"{folder / _MODULES}: has a {more[0]} layer. Expected one of {', '.join(_KNOWN_MODULES)} alone."
        )
    asked = _read_json(file, {})
    long = [name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for name, value in asked.items() if name.startswith("pooling_mode_") and value]  # fmt: skip
    wanted = asked.get("pooling_mode") or (long[0] if len(long) == 1 else long or "mean")
    if wanted not in ("mean", "cls"):
        raise ModelError(f"{file}: pools by {wanted}. Expected mean or cls; choose another encoder.")
    return "cls" if wanted == "cls" else "mean"


def _read_json(file: Path, default: Any) -> Any:
    if not file.is_file():
        return default
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file}: cannot be read ({error}). Fetch the folder again.") from None
    if not isinstance(found, type(default)):
        raise ModelError(f"{file}: expected a JSON {'list' if default == [] else 'object'}. Fetch the folder again.")
    return found
