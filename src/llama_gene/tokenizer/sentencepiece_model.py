"""Read a SentencePiece BPE `.model` (LLaMA 1 and 2, Mistral), append pieces to it, and write it as `tokenizer.json`.

A `.model` is a protobuf message (sentencepiece_model.proto of google/sentencepiece). Repeated fields may be continued
by writing more of them after the old bytes, so the old bytes stay as they are, bit for bit.

SentencePiece merges the neighbours that spell the best-scored piece, leftmost first. Not done here: unigram models,
models that normalise text, user-defined pieces.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.merges import all_merges

SPACE = "▁"
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
_BPE = 2
# LLaMA gives runs of spaces this score; a piece below it would never be made.
_FLOOR = -1e8


class Piece(NamedTuple):
    """One row of the vocabulary."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class SentencePieceModel:
    """The bytes of a `.model` and what they say; the id of a piece is its place."""

    data: bytes
    pieces: tuple[Piece, ...]
    bos: str
    eos: str
    unknown: str
    adds_dummy_prefix: bool


def parse_sentencepiece(data: bytes, name: str) -> SentencePieceModel:
    """The model in serialized bytes; `name` stands in error messages.

    Raises:
        TokenizerError: not a SentencePiece model, not BPE, or it changes text before it cuts it.
    """
    try:
        message = list(_fields(data))
        pieces = tuple(_piece(value) for number, value in message if number == 1)
        trainer = {key: value for number, part in message if number == 2 for key, value in _fields(part)}
        normalizer = {key: value for number, part in message if number == 3 for key, value in _fields(part)}
    except (ValueError, IndexError, struct.error, TypeError, AttributeError):
        pieces, trainer, normalizer = (), {}, {}
    if not pieces:
        raise TokenizerError(
            f"{name}: not a SentencePiece model, nor a tiktoken one. Expected a LLaMA's tokenizer.model."
        )
    if trainer.get(3, 1) != _BPE:
        raise TokenizerError(
            f"{name}: this SentencePiece model is not of type BPE. Only BPE can go on learning merges."
        )
    if normalizer.get(2) or normalizer.get(4, 1):
        raise TokenizerError(
            f"{name}: this model normalises text or removes spaces. Expected the identity, as in LLaMA and Mistral."
        )
    kept = next((piece.text for piece in pieces if piece.kind == _USER_DEFINED), None)
    if kept is not None:
        raise TokenizerError(f"{name}: {kept!r} is a user-defined piece, never cut. Give the model's tokenizer.json.")
    named = {kind: [piece.text for piece in pieces if piece.kind == kind] for kind in (_UNKNOWN, _CONTROL)}
    bos, eos = (_control(trainer, number, default, named[_CONTROL]) for number, default in ((46, "<s>"), (47, "</s>")))
    return SentencePieceModel(
        data, pieces, bos, eos, named[_UNKNOWN][0] if named[_UNKNOWN] else "", bool(normalizer.get(3, 1))
    )


def _control(trainer: dict[int, Any], number: int, default: str, controls: Sequence[str]) -> str:
    text = trainer[number].decode() if number in trainer else default
    return text if text in controls else ""


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of a protobuf message: int for a varint, float for 32 bits, bytes for a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("not a protobuf message")
        part = data[at : at + size]
        yield tag >> 3, struct.unpack("<f", part)[0] if wire == 5 else part
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("not a varint")


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def _piece(data: bytes) -> Piece:
    values = dict(_fields(data))
    return Piece(values[1].decode("utf-8"), float(values.get(2, 0.0)), values.get(3, _NORMAL))


def append_pieces(model: SentencePieceModel, texts: Sequence[str]) -> SentencePieceModel:
    """The model with new pieces after the old ones, each ranked below the last real merge and the piece before it."""
    last = min((piece.score for piece in model.pieces if piece.kind == _NORMAL and piece.score > _FLOOR), default=0.0)
    added = [Piece(text, last - 1 - place, _NORMAL) for place, text in enumerate(texts)]
    written = bytearray(model.data)
    for piece in added:
        text = piece.text.encode()
        body = b"\x0a" + _write_varint(len(text)) + text + b"\x15" + struct.pack("<f", piece.score)
        written += b"\x0a" + _write_varint(len(body)) + body
    # A later trainer_spec is merged into the earlier one: only vocab_size (field 4) changes.
    size = b"\x20" + _write_varint(len(model.pieces) + len(added))
    written += b"\x12" + _write_varint(len(size)) + size
    return SentencePieceModel(
        bytes(written), model.pieces + tuple(added), model.bos, model.eos, model.unknown, model.adds_dummy_prefix
    )


def to_tokenizer(model: SentencePieceModel) -> Tokenizer:
    """The same vocabulary for the `tokenizers` library, with the leading ▁ of each text."""
    known = {piece.text for piece in model.pieces if piece.kind == _NORMAL}
    ranked = [
        piece.text
        for _, piece in sorted(enumerate(model.pieces), key=lambda numbered: (-numbered[1].score, numbered[0]))
        if piece.kind == _NORMAL
    ]
    vocabulary = {piece.text: place for place, piece in enumerate(model.pieces)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=all_merges(ranked, known), unk_token=model.unknown or None, fuse_unk=True,
            byte_fallback=any(piece.kind == _BYTE for piece in model.pieces),
        )
    )  # fmt: skip
    prefix = [normalizers.Prepend(SPACE)] if model.adds_dummy_prefix else []
    tokenizer.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", SPACE)])
    tail = [decoders.Strip(" ", 1, 0)] if model.adds_dummy_prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *tail]
    )
    tokenizer.add_special_tokens(
        [
            AddedToken(piece.text, normalized=False, special=True)
            for piece in model.pieces
            if piece.kind in (_UNKNOWN, _CONTROL)
        ]
    )
    return tokenizer
