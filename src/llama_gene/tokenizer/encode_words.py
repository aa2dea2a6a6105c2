"""A fast encoder for English with vocabularies that do not cut texts into words, such as LLaMA-2's.

There a whole text is merged as one long word, and nothing that was merged before helps. But a space, written ▁, is only
ever the beginning of a token, so no merge reaches over from a letter to the ▁ behind it: a text may be cut there, and
each word be encoded once and remembered. Vocabularies that cut texts themselves (LLaMA-3) remember their own words.
"""

import json
import re

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

_SPACE = "▁"
_WORD = re.compile(f"{_SPACE}*[^{_SPACE}]+|{_SPACE}+")
_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": _SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
    ],
}
# About 200 bytes each; genomes, say, would fill the memory with words that never come again.
_MOST_WORDS = 500_000
_LONGEST_KEPT = 64


class WordEncoder:
    """Encodes texts word by word; the ids are those of the whole text.

    Args:
        tokenizer: One that `may_cut`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._model = tokenizer.model
        self._known: dict[str, bytes] = {}

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """The ids of a text, without begin and end token."""
        words = _WORD.findall(_normalize(text))
        known = self._known
        found = [known.get(word) or self._encode_new(word) for word in words]
        return np.frombuffer(b"".join(found), np.int32)

    def _encode_new(self, word: str) -> bytes:
        ids = np.array([token.id for token in self._model.tokenize(word)], np.int32).tobytes()
        if len(word) <= _LONGEST_KEPT:
            if len(self._known) >= _MOST_WORDS:
                self._known.clear()
            self._known[word] = ids
        return ids


def _normalize(text: str) -> str:
    return _SPACE + text.replace(" ", _SPACE) if text else ""


def may_cut(tokenizer: Tokenizer) -> bool:
    """Whether texts may be cut before each space: nothing else cuts them, and no token has a space behind a letter."""
    values = json.loads(tokenizer.to_str())
    model = values["model"]
    plain = (
        tokenizer.pre_tokenizer is None
        and model["type"] == "BPE"
        and model.get("byte_fallback")
        and not model.get("dropout")
        and all(token["special"] for token in values["added_tokens"])
    )
    # Asked of the normalizer itself, a text takes longer than all the rest.
    if not plain or values["normalizer"] != _NORMALIZER:
        return False
    return not any(_SPACE in token.lstrip(_SPACE) for token in model["vocab"])
