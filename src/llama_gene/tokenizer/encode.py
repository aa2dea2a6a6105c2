"""A fast encoder for runs of sequence letters; its ids are those of `tokenizer.json`, one for one.

A run is a text of capital letters alone. Many runs are merged at once, merge by merge in the order of their ranks (see
`encode_kernels`), on all cores. Everything else is left to `tokenizers`. Not done here: texts with other letters,
vocabularies that cut runs by a rule, and `append`ed ones (see `_make_encoder`). English goes through `encode_words`
where the vocabulary allows it.
"""

import json
import logging
import string
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from llama_gene.tokenizer import encode_kernels as kernels
from llama_gene.tokenizer import encode_table_kernels as tables
from llama_gene.tokenizer.dropout_kernels import encode_with_dropout
from llama_gene.tokenizer.encode_words import WordEncoder, may_cut
from llama_gene.tokenizer.joined import Encoded, Ids, Texts, join_texts

_BASES = "ACGT"
# Letters in the order of their codes: bases first, so that what DNA needs stands together.
_ALPHABETS = (_BASES, _BASES + "".join(sorted(set(string.ascii_uppercase) - set(_BASES))))
_LONGEST_TOKEN = 64
# Tokens of the first step: with 1,024 of them, what may stand side by side fits into the fast caches.
_START_TOKENS = 1024
# With fewer letters, threads take longer to start than they save.
_WORTH_THREADS = 100_000

log = logging.getLogger(__name__)


class BulkEncoder:
    """Encodes many texts: runs of letters and English the fast way, the rest through `tokenizers`; the same ids.

    A fast encoder is made once `worth_it` letters have been asked of it: before that it would take longer than it
    saves.

    >>> from llama_gene.tokenizer.tiny import tiny_vocabulary
    >>> [ids.tolist() for ids in BulkEncoder(tiny_vocabulary().tokenizer).encode(["GAT", "a"])]
    [[41, 35, 54], [67]]
    """

    def __init__(self, tokenizer: Tokenizer, *, worth_it: int = 300_000) -> None:
        self._tokenizer = tokenizer
        self._worth_it = worth_it
        self._seen = self._seen_rest = 0
        self._encoders: list[RunEncoder | None] = []

    def run_encoders(self) -> "Iterator[RunEncoder]":
        """The fast encoders, each made when it is first asked for; none where the vocabulary allows none."""
        for number in range(len(_ALPHABETS)):
            if number == len(self._encoders):
                self._encoders.append(next(self._makers, None))
            if encoder := self._encoders[number]:
                yield encoder

    @cached_property
    def _word_encoder(self) -> WordEncoder | None:
        return WordEncoder(self._tokenizer) if may_cut(self._tokenizer) else None

    @cached_property
    def _makers(self) -> "Iterator[RunEncoder]":
        return make_encoders(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, without begin and end token."""
        return self.encode_joined(join_texts(texts)).split()

    def encode_joined(self, texts: Texts) -> Encoded:
        """The same for texts that stand back to back."""
        out = Encoded.with_room(texts)
        kernels.find_runs(texts.letters, texts.starts, out.sizes)
        waiting = int(texts.lengths[out.sizes == kernels.WAITS].sum())
        self._seen += waiting
        for encoder in self.run_encoders() if waiting and self._seen > self._worth_it else ():
            encoder.encode_into(texts, out)
            if not (out.sizes == kernels.WAITS).any():
                break
        rest = np.flatnonzero(out.sizes < 0)
        self._seen_rest += int(texts.lengths[rest].sum())
        return out.filled(rest, self._encode_rest([texts.text(place) for place in rest.tolist()]))

    def _encode_rest(self, texts: Sequence[str]) -> list[Ids]:
        if self._seen_rest > self._worth_it and self._word_encoder:
            return [self._word_encoder.encode(text) for text in texts]
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in encoded]


@dataclass(frozen=True)
class RunEncoder:
    """Encodes runs of one alphabet.

    `prefix` stands before every text (LLaMA-2's ▁) and is letter number `len(alphabet)`. `id_of_V` turns the numbers
    used inside into ids. Texts of up to `looked_up` letters may be whole tokens that merges do not make; they are
    not runs here.
    """

    alphabet: str
    prefix: str
    looked_up: int
    merges: kernels.Merges
    start: kernels.Start
    lexicon: kernels.Lexicon
    id_of_V: Ids

    @cached_property
    def _spelling(self) -> kernels.Spelling:
        code_of = np.full(256, kernels.NO_CODE)
        for code, letter in enumerate(self.alphabet):
            code_of[ord(letter)] = code
        return kernels.Spelling(code_of, len(self.prefix), len(self.alphabet), self.looked_up + 1)

    def encode_into(self, texts: Texts, out: Encoded) -> None:
        """Encode those of the texts that wait and are runs of this alphabet, on as many cores as numba may use."""
        begin, end = texts.starts[0], texts.starts[-1]
        number = numba.config.NUMBA_NUM_THREADS if end - begin > _WORTH_THREADS else 1
        borders = np.linspace(begin, end, number + 1).astype(np.int64)
        firsts = [0, *np.searchsorted(texts.starts, borders[1:-1]).tolist(), len(texts.lengths)]
        if number == 1:
            self._encode(texts, out, 0, firsts[-1])
            return
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(lambda span: self._encode(texts, out, *span), pairwise(firsts)))

    def _encode(self, texts: Texts, out: Encoded, first: int, last: int) -> None:
        kernels.encode_runs(
            self.start, self.lexicon, self._spelling, texts.letters, texts.starts[first : last + 1],
            self.id_of_V, out.ids, out.starts[first:last], out.sizes[first:last],
        )  # fmt: skip

    def encode_with_dropout(self, text: str, share: float, seed: int) -> Ids | None:
        """The ids of one text, each merge left out with probability `share` (BPE-dropout, see `dropout_kernels`).

        Training on such encodings makes a model less sensitive to where tokens begin.

        Args:
            text: ASCII; None is given back where it is no run.
            share: 0 .. 1; at 0 the ids are those of `encode_into`, at 1 single letters.
            seed: The same ids for the same seed.
        """
        codes = self._spelling.code_of[np.frombuffer(text.encode("ascii"), np.uint8)]
        if (codes == kernels.NO_CODE).any():
            return None
        word = np.array([*[len(self.alphabet)] * len(self.prefix), *codes], np.int32)
        size = encode_with_dropout(self.merges, word, share, seed)
        return self.id_of_V[word[:size]]


def make_encoders(tokenizer: Tokenizer) -> Iterator[RunEncoder]:
    """An encoder for runs of A, C, G, T and one for all capital letters; none where the vocabulary allows none."""
    values = json.loads(tokenizer.to_str())
    prefix = _prefix(tokenizer)
    added_runs = any(_is_run(token["content"]) for token in values["added_tokens"])
    if prefix is None or values["model"].get("dropout") or added_runs:
        return
    for alphabet in _ALPHABETS:
        if encoder := _make_encoder(values["model"], alphabet, prefix):
            yield encoder


def _is_run(text: str) -> bool:
    return text.isascii() and text.isalpha() and text.isupper()


def _prefix(tokenizer: Tokenizer) -> str | None:
    """What stands before a run when it comes to merging; None where a run does not stay whole."""
    for run in ("ACGT" * 8, string.ascii_uppercase * 2):
        text = tokenizer.normalizer.normalize_str(run) if tokenizer.normalizer else run
        words = tokenizer.pre_tokenizer.pre_tokenize_str(text) if tokenizer.pre_tokenizer else [(text, (0, 0))]
        if [word for word, _ in words] != [text] or not text.endswith(run) or len(text) > len(run) + 1:
            return None
    return text[: -len(run)]


def _make_encoder(model: dict[str, Any], alphabet: str, prefix: str) -> RunEncoder | None:
    """None where no letter has a token, or merges are not ranked below those that make their parts.

    Such ranks come about when vocabularies learnt apart are put together (`append`): time and rank then differ, and
    `encode_kernels` takes them to be the same.
    """
    vocabulary: dict[str, int] = model["vocab"]
    alphabet = "".join(letter for letter in alphabet if letter in vocabulary)
    letters = alphabet + prefix
    allowed = set(letters)
    if not alphabet or not allowed <= vocabulary.keys():
        return None
    spelt = [token for token in vocabulary if 1 < len(token) <= _LONGEST_TOKEN and allowed.issuperset(token)]
    tokens = [*letters, *spelt]
    if len(tokens) > kernels.MAKER_MASK:
        log.info("more than two million sequence tokens: tokenizers encodes all texts")
        return None
    merges_M4 = _list_merges(model["merges"], tokens)
    makers_V3 = _find_makers(_merge_table(merges_M4), tokens, letters)
    # The loops tell by its number when a token comes about; those that never do come last.
    order = np.argsort(makers_V3[:, 0], kind="stable")
    place_of = np.argsort(order)
    lexicon = _make_lexicon(makers_V3[order], place_of, np.array([len(token) for token in tokens], np.int32)[order])
    if (lexicon.parts_V2.max(axis=1, initial=-1) >= np.arange(len(lexicon.parts_V2))).any():
        log.info("merges are not ranked below those of their parts: tokenizers encodes all texts")
        return None
    merges_M4[:, [0, 1, 3]] = place_of[merges_M4[:, [0, 1, 3]]]
    id_of_V = np.array([vocabulary[tokens[at]] for at in order], np.int32)
    looked_up = _LONGEST_TOKEN if model.get("ignore_merges") else 0
    start = _make_start(lexicon, alphabet, len(letters))
    return RunEncoder(alphabet, prefix, looked_up, _merge_table(merges_M4), start, lexicon, id_of_V)


def _list_merges(pairs: Sequence[Sequence[str]], tokens: Sequence[str]) -> npt.NDArray[np.int64]:
    """The merges between tokens: numbers of left and right part, rank, number of the result."""
    number_of = {token: number for number, token in enumerate(tokens)}
    found = [
        (left, right, rank, result)
        for rank, pair in enumerate(pairs)
        if (left := number_of.get(pair[0])) is not None
        and (right := number_of.get(pair[1])) is not None
        and (result := number_of.get(pair[0] + pair[1])) is not None
    ]
    return np.array(found, np.int64).reshape(-1, 4)


def _merge_table(merges_M4: npt.NDArray[np.int64]) -> kernels.Merges:
    size = 1 << max(10, (2 * len(merges_M4)).bit_length())
    slots_S2 = np.zeros((size, 2), np.int64)
    slots_S2[:, 0] = -1
    merges = kernels.Merges(slots_S2, np.zeros(size // 8, np.uint64))
    tables.fill_merges(merges, merges_M4)
    return merges


def _find_makers(merges: kernels.Merges, tokens: Sequence[str], letters: str) -> npt.NDArray[np.int64]:
    code_of = {letter: code for code, letter in enumerate(letters)}
    codes = np.array([code_of[letter] for token in tokens for letter in token], np.uint8)
    starts = np.concatenate([[0], np.cumsum([len(token) for token in tokens])])
    makers_V3 = np.empty((len(tokens), 3), np.int64)
    tables.find_makers(merges, codes, starts, makers_V3)
    return makers_V3


def _make_lexicon(
    makers_V3: npt.NDArray[np.int64], place_of: npt.NDArray[np.int64], letters_V: npt.NDArray[np.int32]
) -> kernels.Lexicon:
    """The tokens that come out, from rows in their order; `place_of` says where in it a part is now."""
    size = int(np.count_nonzero(makers_V3[:, 0] < kernels.NONE))
    parts_V2 = np.where(makers_V3[:size, 1:] < 0, -1, place_of[makers_V3[:size, 1:]])
    lexicon = kernels.Lexicon(
        parts_V2.astype(np.int32), letters_V[:size], np.zeros(1 << max(10, (2 * size).bit_length()), np.uint64)
    )
    tables.fill_makers(lexicon.makers_S, lexicon.parts_V2)
    return lexicon


def _make_start(lexicon: kernels.Lexicon, alphabet: str, letters: int) -> kernels.Start:
    size = min(_START_TOKENS, len(lexicon.letters_V))
    spelt: list[tuple[int, ...]] = []
    for token, (left, right) in enumerate(lexicon.parts_V2[:size].tolist()):
        spelt.append((token,) if left < 0 else spelt[left] + spelt[right])
    number_of = {spelling: token for token, spelling in enumerate(spelt)}
    next_NA, token_N = [[0] * letters], [-1]
    for token, spelling in enumerate(spelt):
        node = 0
        for letter in spelling:
            if not next_NA[node][letter]:
                next_NA[node][letter] = len(next_NA)
                next_NA.append([0] * letters)
                token_N.append(-1)
            node = next_NA[node][letter]
        token_N[node] = token
    shorter = [
        next((number_of[spelling[:end]] for end in range(len(spelling) - 1, 0, -1) if spelling[:end] in number_of), -1)
        for spelling in spelt
    ]
    start = kernels.Start(
        np.array(next_NA, np.int32), np.array(token_N, np.int32), np.array(shorter, np.int32),
        np.zeros(size * size // 8 + 1, np.uint8),
        np.zeros(kernels.BASE_KEYS if alphabet == _BASES else kernels.LETTER_KEYS, np.int32),
    )  # fmt: skip
    tables.fill_beside(start, lexicon, letters)
    tables.fill_longest(start)
    return start
