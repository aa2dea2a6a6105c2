"""How English is written before and after: which tokens of the base are gone, and in which words.

Tokens are held as spans of UTF-8 bytes. A word is a run of characters other than white space.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_gene.tokenizer.audit.records import ChangedWord
from llama_gene.tokenizer.sample import SEQUENCE
from llama_gene.tokenizer.tiktoken_model import byte_letters

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WORD = re.compile(r"\S+")
_BYTE_PIECE = re.compile("<0x([0-9A-F]{2})>")
_LONGEST_WORD = 100
_MOST_WORDS = 50
# Memory stays bounded: the rarest words go when there are too many.
_KEPT_WORDS = 50_000


class Spans(NamedTuple):
    """Borders of tokens in bytes: token i is bytes starts[i] .. ends[i]-1."""

    starts: Numbers
    ends: Numbers


@dataclass
class _Change:
    count: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class Drift:
    """Words whose writing changed, and the base's tokens outside words that are sequences."""

    words: dict[str, _Change] = field(default_factory=dict)
    tokens: int = 0
    changed: int = 0

    def most_frequent(self) -> tuple[ChangedWord, ...]:
        """The 50 most frequent words, ties by name."""
        ranked = sorted(self.words.items(), key=lambda entry: (-entry[1].count, entry[0]))
        return tuple(
            ChangedWord(word, change.count, change.before, change.after) for word, change in ranked[:_MOST_WORDS]
        )


class Pieces(NamedTuple):
    """The UTF-8 bytes of each token of a vocabulary, and how many."""

    texts: list[bytes]
    widths: Numbers


class Encoded(NamedTuple):
    """The ids of one text and the vocabulary they are of."""

    ids: npt.NDArray[np.int32]
    pieces: Pieces

    def spans(self) -> Spans:
        """Where each token begins and ends."""
        widths = self.pieces.widths[self.ids]
        ends = np.cumsum(widths)
        return Spans(ends - widths, ends)

    def pieces_of(self, start: int, end: int) -> tuple[str, ...]:
        """The tokens that reach into a stretch of bytes, readable, a space as ▁."""
        starts, ends = self.spans()
        ids = self.ids[(starts < end) & (ends > start)].tolist()
        return tuple(self.pieces.texts[token_id].decode("utf-8", "replace").replace(" ", "▁") for token_id in ids)


def read_pieces(tokens: Sequence[str]) -> Pieces:
    """The bytes that the token strings of a vocabulary stand for: byte-level, or SentencePiece with ▁ and <0x0A>.

    >>> read_pieces(["▁the", "<0x0A>", "é"]).texts
    [b' the', b'\\n', b'\\xc3\\xa9']
    """
    letters = byte_letters()
    if set(letters).issubset(tokens) and "<0x00>" not in set(tokens):
        byte_of = {letter: byte for byte, letter in enumerate(letters)}
        texts = [
            bytes(byte_of[letter] for letter in token) if byte_of.keys() >= set(token) else token.encode()
            for token in tokens
        ]
    else:
        texts = [
            bytes.fromhex(found[1]) if (found := _BYTE_PIECE.fullmatch(token)) else token.replace("▁", " ").encode()
            for token in tokens
        ]
    return Pieces(texts, np.fromiter(map(len, texts), np.int64, len(texts)))


def gone(before: Spans, after: Spans) -> Flags:
    """True for each span of `before` that is none of `after`.

    >>> gone(Spans(np.array([0, 1, 2]), np.array([1, 2, 3])), Spans(np.array([0, 1]), np.array([1, 3]))).tolist()
    [False, True, True]
    """
    if not len(after.ends):
        return np.ones(len(before.ends), np.bool_)
    place = np.minimum(np.searchsorted(after.ends, before.ends), len(after.ends) - 1)
    return (after.ends[place] != before.ends) | (after.starts[place] != before.starts)


def note_drift(drift: Drift, text: str, before: Encoded, after: Encoded) -> None:
    """Count what changed in one text.

    Args:
        drift: Is filled.
        text: What was encoded.
        before: The base's encoding of the text; `after` the tokenizer's.
    """
    old, new = before.spans(), after.spans()
    changed = gone(old, new)
    words = _words_of(text, old) if changed.any() or SEQUENCE.search(text) else None
    if words is None or not len(words.starts):
        drift.tokens += len(changed)
        drift.changed += int(changed.sum())
        return
    # The last byte of a token tells its word: a space in front belongs to the word after it.
    last = old.ends - 1
    word_of = np.searchsorted(words.starts, last, "right") - 1
    inside = (word_of >= 0) & (last < words.ends[word_of])
    outside = ~(inside & words.are_sequences[word_of])
    drift.tokens += int(outside.sum())
    drift.changed += int((outside & changed).sum())
    for place in np.unique(word_of[changed & inside & outside]).tolist():
        _count(drift, words, place, before, after)


def _count(drift: Drift, words: "_Words", place: int, before: Encoded, after: Encoded) -> None:
    word = words.texts[place]
    if len(word) > _LONGEST_WORD:
        return
    if word not in drift.words:
        start, end = int(words.starts[place]), int(words.ends[place])
        drift.words[word] = _Change(0, before.pieces_of(start, end), after.pieces_of(start, end))
    drift.words[word].count += 1
    if len(drift.words) > _KEPT_WORDS:
        ranked = sorted(drift.words, key=lambda kept: -drift.words[kept].count)
        drift.words = {kept: drift.words[kept] for kept in ranked[: _KEPT_WORDS // 2]}


class _Words(NamedTuple):
    """The words of a text; starts and ends in bytes of its encoding."""

    texts: list[str]
    starts: Numbers
    ends: Numbers
    are_sequences: Flags


def _words_of(text: str, spans: Spans) -> _Words | None:
    """None where the tokens do not spell the text, so that words cannot be found in them."""
    widths = [1] * len(text) if text.isascii() else [len(character.encode()) for character in text]
    byte_of = np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
    # LLaMA-2 puts a space before every text.
    added = int(spans.ends[-1] if len(spans.ends) else 0) - int(byte_of[-1])
    if added not in (0, 1):
        return None
    found = list(_WORD.finditer(text))
    starts = byte_of[[word.start() for word in found]] if found else byte_of[:0]
    ends = byte_of[[word.end() for word in found]] if found else byte_of[:0]
    are_sequences = np.array([bool(SEQUENCE.search(word[0])) for word in found], np.bool_)
    return _Words([word[0] for word in found], starts + added, ends + added, are_sequences)
