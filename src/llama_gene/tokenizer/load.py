"""Open a tokenizer folder for the data half: `tokenizer.json` and `tokenizer_config.json`, without torch.

Ids equal those of `transformers.AutoTokenizer` on the same folder. Two ways to encode: text from outside never gives
a special id, a rendered prompt may.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from llama_gene.artifacts import fingerprint
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.encode import BulkEncoder
from llama_gene.tokenizer.joined import Encoded, Ids, Texts

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"


@dataclass(frozen=True)
class GeneTokenizer:
    """A vocabulary ready for use.

    `size` counts every id, special ones included; ids are 0 .. size-1. `bos` is "" and `bos_id` None where the
    vocabulary has no begin token.
    """

    bos: str
    eos: str
    bos_id: int | None
    eos_id: int
    special_tokens: tuple[str, ...]
    size: int
    fingerprint: str
    folder: Path
    _plain: Tokenizer
    _bulk: BulkEncoder

    @cached_property
    def _prompt(self) -> Tokenizer:
        """The same vocabulary, which knows special tokens; corpora never need it, and it takes a second to make."""
        return Tokenizer.from_str(self._plain.to_str())

    def remember_nothing(self) -> None:
        """Let no thread keep the words it has encoded, for a process that is asked for days.

        `tokenizers` keeps 10,000 words in each thread, which is worth much in a corpus. A server has dozens of threads,
        and a sequence, which is one word, does not come again: 1.7 KB of each stayed.
        """
        for one in (self._plain, self._prompt):
            one.model._resize_cache(0)

    def encode(self, text: str) -> list[int]:
        """Ids of text from outside, without begin or end token; special-token strings are spelled as plain text."""
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """As `encode`, for many texts, on all cores."""
        return [ids.tolist() for ids in self.encode_arrays(texts)]

    def encode_arrays(self, texts: Sequence[str]) -> list[Ids]:
        """As `encode_batch`, as int32 arrays: runs of sequence letters several times faster than `tokenizers`."""
        return self._bulk.encode(texts)

    def encode_joined(self, texts: Texts) -> Encoded:
        """As `encode_arrays`, for texts that stand back to back."""
        return self._bulk.encode_joined(texts)

    def encode_with_dropout(self, text: str, share: float, seed: int) -> Ids:
        """Ids of a sequence with BPE-dropout: each merge is left out with probability `share`.

        Args:
            text: Capital letters alone.
            share: 0 .. 1; at 0 the ids are those of `encode`.
            seed: The same ids for the same seed.

        Raises:
            TokenizerError: the text is no run of letters, or this vocabulary cuts runs by a rule.
        """
        for encoder in self._bulk.run_encoders() if text.isascii() else ():
            if (ids := encoder.encode_with_dropout(text, share, seed)) is not None:
                return ids
        raise TokenizerError(f"{text[:20]!r}: BPE-dropout needs capital letters alone and a vocabulary of merges.")

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a prompt made by `prompts.render`: special-token strings become their ids."""
        return list(self._prompt.encode(text, add_special_tokens=False).ids)

    def encode_answer(self, answer: str) -> list[int]:
        """Ids of an answer as it follows the response heading of a prompt, without the end token.

        Encoded alone, an answer may begin otherwise (LLaMA-2 puts a space before every text); after the heading's
        line break it begins as it does in a whole conversation.
        """
        heading, both = self.encode("\n"), self.encode("\n" + answer)
        if both[: len(heading)] != heading:
            raise TokenizerError(
                f"{self.folder}: joins a line break with the answer {answer[:20]!r} after it, so prompts and answers "
                "cannot be told apart. Use a vocabulary that keeps line breaks to themselves."
            )
        return both[len(heading) :]

    def lengths_after_break(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text as it follows a line break, those of the break left out.

        Args:
            texts: Not empty; a vocabulary is taken to keep line breaks apart, as `encode_answer` checks.
        """
        if self._letters_begin_alike and all(text[:1].isascii() and text[:1].isalpha() for text in texts):
            return [len(ids) for ids in self.encode_arrays(texts)]
        line_break = len(self.encode("\n"))
        return [len(ids) - line_break for ids in self.encode_arrays([f"\n{text}" for text in texts])]

    @cached_property
    def _letters_begin_alike(self) -> bool:
        """A letter begins a text as it begins a line: not with LLaMA-2, which puts a space before every text."""
        first = len(self.encode("\n"))
        return all(self.encode(f"\n{text}")[first:] == self.encode(text) for text in ("ACGT", "MKVLAT", "a"))

    @property
    def vocabulary(self) -> dict[str, int]:
        """Every token string with its id, special tokens included."""
        return dict(self._plain.get_vocab(with_added_tokens=True))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Span of each token of `encode(text)` in characters, 0-based, half-open."""
        return [(start, end) for start, end in self._plain.encode(text, add_special_tokens=False).offsets]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens are left out."""
        return str(self._plain.decode(list(ids), skip_special_tokens=True))

    def token(self, token_id: int) -> str:
        """The string of one id as the vocabulary writes it."""
        found = self._plain.id_to_token(token_id)
        if found is None:
            raise TokenizerError(f"Token id {token_id} is outside 0..{self.size - 1}. Encode with this vocabulary.")
        return str(found)


def load_tokenizer(folder: Path) -> GeneTokenizer:
    """The tokenizer of a folder that holds `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        TokenizerError: a file is missing or broken, there is no end token, or ids have a hole.
    """
    config = read_tokenizer_config(folder)
    plain = read_tokenizer_json(folder / TOKENIZER_FILE)
    mark_special(plain, [token_text(config.get(role)) for role in ("bos_token", "eos_token", "pad_token", "unk_token")])
    plain.encode_special_tokens = True
    special = special_tokens(plain)
    _check_special_is_out_of_reach(plain, special, folder)
    eos = token_text(config.get("eos_token"))
    bos = token_text(config.get("bos_token"))
    eos_id = plain.token_to_id(eos) if eos else None
    if eos_id is None:
        raise TokenizerError(
            f"{folder / CONFIG_FILE}: eos_token {eos!r} is not in the vocabulary. Expected the token that ends a text."
        )
    return GeneTokenizer(
        bos=bos,
        eos=eos,
        bos_id=plain.token_to_id(bos) if bos else None,
        eos_id=eos_id,
        special_tokens=special,
        size=check_no_holes(plain, folder / TOKENIZER_FILE),
        fingerprint=fingerprint(folder / TOKENIZER_FILE),
        folder=folder,
        _plain=plain,
        _bulk=BulkEncoder(plain),
    )


def special_tokens(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The special-token strings by id."""
    added = tokenizer.get_added_tokens_decoder()
    return tuple(added[token_id].content for token_id in sorted(added) if added[token_id].special)


def mark_special(tokenizer: Tokenizer, tokens: Sequence[str]) -> None:
    """Make special the tokens that have a role but are not marked so; none is added to the vocabulary."""
    there = [token for token in tokens if token and tokenizer.token_to_id(token) is not None]
    already = special_tokens(tokenizer)
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in there if token not in already]
    )


def _check_special_is_out_of_reach(plain: Tokenizer, special: Sequence[str], folder: Path) -> None:
    ids = {plain.token_to_id(token) for token in special}
    for token in special:
        if ids.intersection(plain.encode(f"x{token}x", add_special_tokens=False).ids):
            raise TokenizerError(
                f"{folder / TOKENIZER_FILE}: the plain text {token!r} would become a special token. "
                "Expected a vocabulary whose merges cannot make one."
            )


def read_tokenizer_json(path: Path) -> Tokenizer:
    """A `tokenizers.Tokenizer` without truncation, padding or added begin and end tokens."""
    if not path.is_file():
        raise TokenizerError(f"{path}: no such file. Expected a tokenizer.json; run `llama-gene tokenizer extend`.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{path}: cannot be read ({error}). Expected a tokenizer.json; make it again.") from None
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        # tokenizers raises nothing narrower; what is narrower, such as a full memory, is none of its findings.
        if type(error) is not Exception:
            raise
        raise TokenizerError(f"{path}: not a tokenizer.json ({error}). Make it again.") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def read_tokenizer_config(folder: Path) -> dict[str, Any]:
    """The values of `tokenizer_config.json`."""
    path = folder / CONFIG_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TokenizerError(
            f"{path}: no such file. Expected a folder made by `llama-gene tokenizer extend`."
        ) from None
    except ValueError as error:
        raise TokenizerError(f"{path}: not JSON ({error}). Make the tokenizer again.") from None
    if not isinstance(values, dict):
        raise TokenizerError(f"{path}: expected a table of settings. Make the tokenizer again.")
    return values


def token_text(value: Any) -> str:
    """A special token of `tokenizer_config.json`, written there as a string or as a table; "" where there is none.

    >>> token_text({"content": "</s>", "lstrip": False}), token_text(None)
    ('</s>', '')
    """
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def check_no_holes(tokenizer: Tokenizer, path: Path) -> int:
    """The number of ids, which must be 0 .. number-1.

    Raises:
        TokenizerError: an id is missing, so new rows would not line up with new ids.
    """
    ids = set(tokenizer.get_vocab(with_added_tokens=True).values())
    missing = next((token_id for token_id in range(max(ids, default=-1) + 1) if token_id not in ids), None)
    if missing is not None or not ids:
        raise TokenizerError(f"{path}: id {missing or 0} has no token. Expected ids 0..{max(ids, default=0)} all used.")
    return len(ids)
