"""A vocabulary that can grow: read a base, append tokens after its last id, write it as a Hugging Face folder.

Bases: a `tokenizer.json` of type BPE, a SentencePiece or tiktoken `.model`, or the built-in `tiny`. Ids of the base
never move.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from llama_gene.artifacts import write_json, write_text
from llama_gene.errors import TokenizerError
from llama_gene.prompts import CHAT_TEMPLATE
from llama_gene.tokenizer.load import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    check_no_holes,
    mark_special,
    read_tokenizer_config,
    read_tokenizer_json,
    token_text,
)
from llama_gene.tokenizer.sentencepiece_model import (
    SentencePieceModel,
    append_pieces,
    parse_sentencepiece,
    to_tokenizer,
)
from llama_gene.tokenizer.tiktoken_model import (
    BOS,
    EOS,
    TiktokenModel,
    append_ranks,
    is_tiktoken,
    parse_tiktoken,
    tiktoken_tokenizer,
)

NATIVE_FILE = "tokenizer.model"
_BOS_NAMES = ("<s>", "<|begin_of_text|>", "<|startoftext|>", "<bos>")
_EOS_NAMES = ("</s>", "<|end_of_text|>", "<|endoftext|>", "<|eot_id|>", "<eos>")
_PAD_NAMES = ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>", "<unk>")


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and what its file does not say: its special roles, and the native model it was made from."""

    tokenizer: Tokenizer
    bos: str
    eos: str
    pad: str
    native: SentencePieceModel | TiktokenModel | None = None

    @property
    def size(self) -> int:
        """Number of ids, special ones included."""
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    def letters(self) -> list[str]:
        """The string of each id; that of an added token is made unlike any text."""
        added = self.tokenizer.get_added_tokens_decoder()
        return [
            f"\0{token_id}" if token_id in added else str(self.tokenizer.id_to_token(token_id))
            for token_id in range(self.size)
        ]


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary of a `.model`, a `tokenizer.json`, or a folder that holds one of them.

    In a folder with both the `.model` counts, unless `tokenizer.json` has more ids.

    Raises:
        TokenizerError: nothing there, a broken file, not BPE, a hole in the ids, or runs of letters are cut.
    """
    vocabulary = _read_folder(path) if path.is_dir() else _read_file(path)
    check_no_holes(vocabulary.tokenizer, path)
    _check_letters_stay_whole(vocabulary.tokenizer, path)
    return vocabulary


def _read_folder(folder: Path) -> Vocabulary:
    has_json = (folder / TOKENIZER_FILE).is_file()
    if not (folder / NATIVE_FILE).is_file():
        if not has_json:
            raise TokenizerError(f"{folder}: no {NATIVE_FILE} and no {TOKENIZER_FILE}. Expected a tokenizer's folder.")
        return _read_json(folder / TOKENIZER_FILE)
    try:
        native = _read_native(folder / NATIVE_FILE)
    except TokenizerError:
        if has_json:
            return _read_json(folder / TOKENIZER_FILE)
        raise
    if has_json and (listed := _read_json(folder / TOKENIZER_FILE)).size > native.size:
        return listed
    return native


def _read_file(path: Path) -> Vocabulary:
    if not path.is_file():
        raise TokenizerError(
            f"{path}: no such file or folder. Expected 'tiny', a .model, a tokenizer.json or a folder."
        )
    return _read_json(path) if path.suffix == ".json" else _read_native(path)


def _read_native(path: Path) -> Vocabulary:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TokenizerError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    if is_tiktoken(data):
        ranks = parse_tiktoken(data, str(path))
        return Vocabulary(tiktoken_tokenizer(ranks), BOS, EOS, EOS, ranks)
    model = parse_sentencepiece(data, str(path))
    if not model.eos:
        raise TokenizerError(f"{path}: no end token. Expected a model with </s>, as LLaMA's.")
    return Vocabulary(to_tokenizer(model), model.bos, model.eos, model.unknown or model.eos, model)


def _read_json(path: Path) -> Vocabulary:
    tokenizer = read_tokenizer_json(path)
    _check_bpe(json.loads(path.read_text(encoding="utf-8")), path)
    config = read_tokenizer_config(path.parent) if (path.parent / CONFIG_FILE).is_file() else {}
    eos = _role(tokenizer, config, "eos_token", _EOS_NAMES)
    if not eos:
        raise TokenizerError(f"{path}: no end token. Name it as eos_token in a {CONFIG_FILE} beside it.")
    pad = _role(tokenizer, config, "pad_token", _PAD_NAMES) or eos
    bos = _role(tokenizer, config, "bos_token", _BOS_NAMES)
    mark_special(tokenizer, [bos, eos, pad])
    return Vocabulary(tokenizer, bos, eos, pad)


def _role(tokenizer: Tokenizer, config: dict[str, Any], role: str, usual: Sequence[str]) -> str:
    names = [token_text(config[role])] if config.get(role) else usual
    return next((name for name in names if tokenizer.token_to_id(name) is not None), "")


def _check_bpe(values: dict[str, Any], path: Path) -> None:
    model = values.get("model", {})
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise TokenizerError(f"{path}: a {model.get('type')} vocabulary. Only BPE can go on learning merges.")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise TokenizerError(f"{path}: marks parts of words inside its tokens. Expected byte-level BPE or LLaMA's.")


def _check_letters_stay_whole(tokenizer: Tokenizer, path: Path) -> None:
    run = "ACGTWMKV" * 8
    text = tokenizer.normalizer.normalize_str(run) if tokenizer.normalizer else run
    words = (
        [text] if tokenizer.pre_tokenizer is None else [w for w, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
    )
    if not any(run in word for word in words):
        raise TokenizerError(f"{path}: changes or cuts runs of capital letters, so no gene token could be used.")


def extend_vocabulary(vocabulary: Vocabulary, tokens: Sequence[str], merges: Sequence[tuple[str, str]]) -> Vocabulary:
    """The vocabulary with tokens after its last id.

    Args:
        vocabulary: Stays as it is.
        tokens: New strings of capital letters, best first.
        merges: Pairs that make them, used after the base's. A base with a `.model` makes its own from all splits.
    """
    if isinstance(vocabulary.native, SentencePieceModel):
        pieces = append_pieces(vocabulary.native, tokens)
        return replace(vocabulary, tokenizer=to_tokenizer(pieces), native=pieces)
    if isinstance(vocabulary.native, TiktokenModel):
        ranks = append_ranks(vocabulary.native, tokens)
        return replace(vocabulary, tokenizer=tiktoken_tokenizer(ranks), native=ranks)
    values = json.loads(vocabulary.tokenizer.to_str())
    model = values["model"]
    # `tokenizers` numbers an added token by its place unless the model knows it, so the model gets to know it.
    model["vocab"] |= {added["content"]: added["id"] for added in values["added_tokens"]}
    model["vocab"] |= {token: vocabulary.size + place for place, token in enumerate(tokens)}
    # A pair listed twice would lose its earlier place.
    pairs = dict.fromkeys([*(tuple(pair) for pair in model["merges"]), *merges])
    model["merges"] = [list(pair) for pair in pairs]
    return replace(vocabulary, tokenizer=Tokenizer.from_str(json.dumps(values)))


def write_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and, for a base that was one, `tokenizer.model`.

    No begin or end token is added on encoding: the chat template writes them.
    """
    values = json.loads(vocabulary.tokenizer.to_str())
    values["post_processor"] = None
    write_text(folder / TOKENIZER_FILE, json.dumps(values, ensure_ascii=False))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": vocabulary.bos or None,
        "eos_token": vocabulary.eos,
        "pad_token": vocabulary.pad,
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    if isinstance(vocabulary.native, SentencePieceModel) and vocabulary.native.unknown:
        config["unk_token"] = vocabulary.native.unknown
    write_json(folder / CONFIG_FILE, config)
    if vocabulary.native is not None:
        (folder / NATIVE_FILE).write_bytes(vocabulary.native.data)
