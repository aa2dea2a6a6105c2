"""Learn gene tokens on a vocabulary and give the vocabulary that has them: the two methods, no files.

`continue` encodes the sequences with the tokenizer as it stands and goes on learning merges: DNA first, then protein
on the tokenizer that already has DNA. `append` is the paper's way (section 2.1.2): separate vocabularies are learnt
from single letters, and the pieces that are not there yet are put at the end.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from llama_gene.config import Kind, TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.learn import learn_merges, spell_merges
from llama_gene.tokenizer.sentencepiece_model import all_merges
from llama_gene.tokenizer.vocabulary import Vocabulary, extend_vocabulary

GeneKind = Literal["dna", "protein"]
GENE_KINDS: tuple[GeneKind, ...] = ("dna", "protein")
Sampler = Callable[[GeneKind], Sequence[str]]

_LETTERS_ONLY = re.compile("[A-Z]+")
_BATCH = 2000


@dataclass(frozen=True)
class Growth:
    """A grown vocabulary.

    `ranges` holds the new ids of each kind, half-open. `duplicates` counts learnt pieces that were there already.
    """

    vocabulary: Vocabulary
    base_size: int
    ranges: dict[GeneKind, tuple[int, int]]
    duplicates: dict[GeneKind, int]


@dataclass(frozen=True)
class _Learnt:
    tokens: list[str]
    merges: list[tuple[str, str]]
    duplicates: int = 0


def grow_vocabulary(config: TokenizerConfig, base: Vocabulary, sample: Sampler) -> Growth:
    """The base with `dna_size`, then `protein_size` new tokens.

    Args:
        config: Method, sizes, longest token.
        base: Its ids do not move.
        sample: Pieces of a kind to learn from; asked only for a kind whose size is above zero.

    Raises:
        TokenizerError: there are too few letters for the size asked.
    """
    sizes: dict[GeneKind, int] = {"dna": config.dna_size, "protein": config.protein_size}
    learn = _continue if config.method == "continue" else _append
    grown = base
    ranges: dict[GeneKind, tuple[int, int]] = {}
    duplicates: dict[GeneKind, int] = {}
    for kind in GENE_KINDS:
        start = grown.size
        if sizes[kind]:
            learnt = learn(grown, sample(kind), kind, sizes[kind], config.max_token_letters)
            grown = extend_vocabulary(grown, learnt.tokens, learnt.merges)
            duplicates[kind] = learnt.duplicates
        ranges[kind] = (start, grown.size)
    return Growth(grown, base.size, ranges, duplicates)


def _continue(vocabulary: Vocabulary, pieces: Sequence[str], kind: Kind, size: int, longest: int) -> _Learnt:
    letters = vocabulary.letters()
    merges = learn_merges(
        _words(vocabulary, letters, pieces), new_tokens=size, max_token_letters=longest, letters_of=letters
    )
    tokens, pairs = spell_merges(merges, letters)
    _check_enough(len(tokens) - len(letters), size, kind, pieces)
    return _Learnt(tokens[len(letters) :], pairs)


def _append(vocabulary: Vocabulary, pieces: Sequence[str], kind: Kind, size: int, longest: int) -> _Learnt:
    alphabet = sorted(set().union(*pieces))
    place_of = {letter: place for place, letter in enumerate(alphabet)}
    words = ([place_of[letter] for letter in piece] for piece in pieces)
    room = max(size - len(alphabet), 0)
    merges = learn_merges(words, new_tokens=room, max_token_letters=longest, letters_of=alphabet)
    learnt, _ = spell_merges(merges, alphabet)
    _check_enough(len(learnt), size, kind, pieces)
    there = set(vocabulary.letters())
    tokens = [token for token in learnt[:size] if token not in there]
    return _Learnt(tokens, all_merges(tokens, there.union(tokens)), duplicates=size - len(tokens))


def _check_enough(found: int, size: int, kind: Kind, pieces: Sequence[str]) -> None:
    if found < size:
        raise TokenizerError(
            f"{kind}_size = {size}: {sum(map(len, pieces)):,} {kind} letters gave {found} tokens before no pair stood "
            f"twice any more. Give more sequences or set {kind}_size to {found} or less."
        )


def _words(vocabulary: Vocabulary, letters: Sequence[str], pieces: Sequence[str]) -> Iterator[npt.NDArray[np.int32]]:
    """The pieces as token ids, cut where a token is more than capital letters (such as a leading ▁)."""
    is_gene = np.array([_LETTERS_ONLY.fullmatch(spelt) is not None for spelt in letters])
    for start in range(0, len(pieces), _BATCH):
        batch = list(pieces[start : start + _BATCH])
        for found in vocabulary.tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            ids = np.array(found.ids, np.int32)
            for part in np.split(ids, np.flatnonzero(~is_gene[ids])):
                yield part[is_gene[part]]


def spelling(base: Vocabulary, tokens: Sequence[str]) -> list[list[int]]:
    """The base ids that spell each token inside a text: what new embedding rows start from."""
    # A line break ends any merge and takes the leading ▁, so what follows it is the token alone.
    return [
        [token_id for token_id, (start, _) in zip(found.ids, found.offsets, strict=True) if start > 0]
        for found in base.tokenizer.encode_batch(["\n" + token for token in tokens], add_special_tokens=False)
    ]
