"""Read a tiktoken `.model` (LLaMA 3), append ranks to it, and write it as `tokenizer.json`.

A line of the file is a token's bytes in base64, a space and its rank; the rank is the id. LLaMA 3 gives the 256 ids
after its 128,000 ranks to special tokens that the file does not name, so new ranks begin after those:

    0 … 127,999 ranks · 128,000 … 128,255 special tokens · 128,256 … new ranks

tiktoken takes a word that is a token whole, else it merges the neighbours that spell the best-ranked token, leftmost
first. `tokenizers` does the same with `ignore_merges` and every split of a token in its list of pairs.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.merges import all_merges

# How LLaMA 3 cuts text into words (llama3 repository, llama/tokenizer.py); digits in threes, letters in one.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"
_RESERVED = [f"<|reserved_special_token_{number}|>" for number in range(251)]
SPECIAL_TOKENS = (
    BOS, EOS, *_RESERVED[:4], "<|start_header_id|>", "<|end_header_id|>", _RESERVED[4], "<|eot_id|>", *_RESERVED[5:],
)  # fmt: skip
_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n")


@dataclass(frozen=True)
class TiktokenModel:
    """The bytes of a `.model`, its ranks, and the ids of the special tokens it does not name."""

    data: bytes
    ranks: Mapping[bytes, int]
    special: Mapping[str, int]


def is_tiktoken(data: bytes) -> bool:
    """True where the first line looks like one of a tiktoken file."""
    return _LINE.match(data[:4096]) is not None


def parse_tiktoken(data: bytes, name: str) -> TiktokenModel:
    """The model in the bytes of a file; `name` stands in error messages.

    Raises:
        TokenizerError: a line is not base64 and a rank, a byte has no rank, or ids have a hole.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise TokenizerError(
                f"{name}:{number}: {line[:40].decode('ascii', 'replace')!r} is not a token in base64 and its rank. "
                "Expected a tiktoken model as LLaMA 3's; download it again."
            ) from None
    missing = next((byte for byte in range(256) if bytes([byte]) not in ranks), None)
    if missing is not None:
        raise TokenizerError(f"{name}: byte {missing} has no rank, so not every text could be written.")
    ids = sorted(ranks.values())
    first_special = next((place for place, rank in enumerate(ids) if place != rank), len(ids))
    extended = range(first_special + len(SPECIAL_TOKENS), len(ids) + len(SPECIAL_TOKENS))
    if ids[first_special:] != list(extended):
        raise TokenizerError(
            f"{name}: id {first_special} has no token. Expected ranks without holes, or a hole of "
            f"{len(SPECIAL_TOKENS)} for the special tokens before new ranks."
        )
    special = {token: first_special + place for place, token in enumerate(SPECIAL_TOKENS)}
    return TiktokenModel(data, ranks, special)


def append_ranks(model: TiktokenModel, texts: Sequence[str]) -> TiktokenModel:
    """The model with new tokens after its last id, each ranked below the one before it; the old bytes stay in front."""
    first = max(*model.ranks.values(), *model.special.values()) + 1
    added = {text.encode(): first + place for place, text in enumerate(texts)}
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in added.items())
    data = model.data if model.data.endswith(b"\n") else model.data + b"\n"
    return TiktokenModel(data + lines, {**model.ranks, **added}, model.special)


def tiktoken_tokenizer(model: TiktokenModel) -> Tokenizer:
    """The same vocabulary for the `tokenizers` library."""
    letter_of = byte_letters()
    vocabulary = {"".join(letter_of[byte] for byte in token): rank for token, rank in model.ranks.items()}
    ranked = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = all_merges(ranked, vocabulary.keys())
    # `tokenizers` numbers an added token by its place unless the model knows it.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary | dict(model.special), merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in model.special])
    return tokenizer


def byte_letters() -> list[str]:
    """The letter that byte-level vocabularies write each byte as (GPT-2's table): printable ones are themselves.

    >>> byte_letters()[65], byte_letters()[32]
    ('A', 'Ġ')
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]
