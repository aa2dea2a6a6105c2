"""Compare the ids that the formats of a tokenizer folder give for the same texts.

`tokenizer.json`, read by `tokenizers`, is the measure. Held against it are the bulk encoder of this package and, where
the folder has a `tokenizer.model`, the library it was made for: SentencePiece or tiktoken. Not compared here:
transformers, which reads the same tokenizer.json.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tiktoken
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from llama_gene.config import Kind
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.encode import BulkEncoder
from llama_gene.tokenizer.load import TOKENIZER_FILE, GeneTokenizer, read_tokenizer_json
from llama_gene.tokenizer.tiktoken_model import WORDS, is_tiktoken, parse_tiktoken
from llama_gene.tokenizer.vocabulary import NATIVE_FILE

Encode = Callable[[Sequence[str]], list[list[int]]]

_MOST_TEXTS = 2000
_MOST_LETTERS = 1_000_000
_PIECE_LETTERS = 5000
_SHOWN_LETTERS = 80
_SHOWN_BEFORE = 20
_SHOWN_IDS = 8


@dataclass(frozen=True)
class Difference:
    """Where two formats part: the text from shortly before that token, and the ids of both from there on."""

    kind: Kind
    text: str
    expected_ids: tuple[int, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class FormatAgreement:
    """How often a format gives other ids than tokenizer.json.

    Texts with two or more spaces in a row, counting one that LLaMA-2 puts in front, are in `texts` but not in
    `differing`: there LLaMA-2's own formats disagree.
    """

    texts: int
    differing: int
    differing_with_runs_of_spaces: int
    first_difference: Difference | None


@dataclass
class TextSample:
    """The first texts of each kind, long ones in pieces of 5,000 letters: at most 2,000 and about a million letters."""

    texts: dict[Kind, list[str]] = field(default_factory=dict)
    _letters: Counter[Kind] = field(default_factory=Counter)

    def add(self, kind: Kind, texts: Iterable[str]) -> None:
        """Keep what there is room for."""
        kept = self.texts.setdefault(kind, [])
        for text in texts:
            for start in range(0, len(text), _PIECE_LETTERS):
                if len(kept) >= _MOST_TEXTS or self._letters[kind] >= _MOST_LETTERS:
                    return
                kept.append(text[start : start + _PIECE_LETTERS])
                self._letters[kind] += len(kept[-1])


def compare_formats(gene: GeneTokenizer, texts: Mapping[Kind, Sequence[str]]) -> dict[str, FormatAgreement]:
    """Each other format of the tokenizer's folder, by name: `bulk`, and `sentencepiece` or `tiktoken`.

    Args:
        gene: The tokenizer and its folder.
        texts: By kind. Special-token strings in them are plain text.

    Raises:
        TokenizerError: tokenizer.model is broken.
    """
    plain = read_tokenizer_json(gene.folder / TOKENIZER_FILE)
    plain.encode_special_tokens = True

    def expected(batch: Sequence[str]) -> list[list[int]]:
        return [found.ids for found in plain.encode_batch_fast(list(batch), add_special_tokens=False)]

    encoder = BulkEncoder(plain, worth_it=0)

    def bulk(batch: Sequence[str]) -> list[list[int]]:
        return [found.tolist() for found in encoder.encode(batch)]

    formats: dict[str, Encode] = {"bulk": bulk, **_native(gene.folder / NATIVE_FILE)}
    ids = {kind: expected(batch) for kind, batch in texts.items()}
    return {name: _compare(encode, texts, ids, plain) for name, encode in formats.items()}


def _native(path: Path) -> dict[str, Encode]:
    if not path.is_file():
        return {}
    data = path.read_bytes()
    if is_tiktoken(data):
        model = parse_tiktoken(data, str(path))
        encoding = tiktoken.Encoding(
            name=path.parent.name, pat_str=WORDS, mergeable_ranks=dict(model.ranks), special_tokens=dict(model.special)
        )
        return {"tiktoken": lambda batch: [encoding.encode_ordinary(text) for text in batch]}
    try:
        processor = SentencePieceProcessor(model_proto=data)
    except RuntimeError:
        raise TokenizerError(
            f"{path}: neither a SentencePiece nor a tiktoken model. Make the folder again, or remove this file."
        ) from None
    return {"sentencepiece": lambda batch: [processor.encode(text) for text in batch]}


def _compare(
    encode: Encode, texts: Mapping[Kind, Sequence[str]], expected: Mapping[Kind, list[list[int]]], plain: Tokenizer
) -> FormatAgreement:
    differing = {False: 0, True: 0}
    first: Difference | None = None
    for kind, batch in texts.items():
        for text, right, ids in zip(batch, expected[kind], encode(batch), strict=True):
            if ids == right:
                continue
            spaced = _has_run_of_spaces(text)
            differing[spaced] += 1
            # An example that counts goes before one that is forgiven.
            if first is None or (not spaced and differing[False] == 1):
                first = _difference(kind, text, right, ids, plain)
    return FormatAgreement(sum(map(len, texts.values())), differing[False], differing[True], first)


def _has_run_of_spaces(text: str) -> bool:
    """True where a space has another beside it, one put in front of the text included; ▁ is LLaMA-2's space.

    >>> _has_run_of_spaces("a b"), _has_run_of_spaces(" a"), _has_run_of_spaces("a  b")
    (False, True, True)
    """
    return "  " in " " + text.replace("▁", " ")


def _difference(kind: Kind, text: str, expected: Sequence[int], ids: Sequence[int], plain: Tokenizer) -> Difference:
    pairs = enumerate(zip(expected, ids, strict=False))
    same = next((place for place, (left, right) in pairs if left != right), min(len(expected), len(ids)))
    start = max(0, len(plain.decode(expected[:same], skip_special_tokens=False)) - _SHOWN_BEFORE)
    return Difference(
        kind, text[start : start + _SHOWN_LETTERS],
        tuple(expected[same : same + _SHOWN_IDS]), tuple(ids[same : same + _SHOWN_IDS]),
    )  # fmt: skip
