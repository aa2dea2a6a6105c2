"""The built-in base `tiny`: byte-level BPE learnt on the spot from the English pages of this package.

Any text can be written with it: special tokens, 256 bytes, then merges. Digits stand alone, a run of letters stays
whole, so gene tokens can merge freely.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.learn import learn_merges
from llama_gene.tokenizer.merges import spell_merges
from llama_gene.tokenizer.vocabulary import Vocabulary

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
TINY_SIZE = 768
_WORDS = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"


def english_pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown text) of each English page of the package, by name."""
    pages = resources.files("llama_gene.tokenizer") / "english"
    for page in sorted(pages.iterdir(), key=lambda page: page.name):
        if page.name.endswith(".md"):
            yield page.name.removesuffix(".md"), page.read_text(encoding="utf-8")


@cache
def tiny_vocabulary() -> Vocabulary:
    """The built-in base; the same ids on every machine.

    >>> tiny_vocabulary().size
    768
    """
    return learn_byte_level((text for _, text in english_pages()), size=TINY_SIZE, max_token_letters=16)


def learn_byte_level(texts: Iterable[str], *, size: int, max_token_letters: int) -> Vocabulary:
    """A byte-level BPE vocabulary of its own.

    Args:
        texts: What to learn from.
        size: Tokens in all: three special ones, 256 bytes, merges.
        max_token_letters: Longest token in bytes, a leading space included.

    Raises:
        TokenizerError: `size` leaves no room for the bytes, or the texts hold too few pairs.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    first = [BOS, EOS, PAD, *letters]
    if size < len(first):
        raise TokenizerError(f"Vocabulary size {size}: expected at least {len(first)}, one for each byte. Raise it.")
    id_of = np.zeros(1 << 16, np.int32)
    id_of[[ord(letter) for letter in letters]] = range(len(first) - len(letters), len(first))
    cut = _pre_tokenizer()
    words = (
        id_of[np.frombuffer(word.encode("utf-16-le"), np.uint16)]
        for text in texts
        for word, _ in cut.pre_tokenize_str(text)
    )
    merges = learn_merges(
        words,
        new_tokens=size - len(first),
        max_token_letters=max_token_letters,
        letters_of=["\0s", "\0e", "\0p", *letters],
    )
    tokens, pairs = spell_merges(merges, first)
    if len(tokens) < size:
        raise TokenizerError(
            f"Vocabulary size {size}: the texts gave {len(tokens)} tokens before no pair stood twice. "
            "Give more text or a smaller size."
        )
    tokenizer = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=pairs))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (BOS, EOS, PAD)])
    return Vocabulary(tokenizer, BOS, EOS, PAD)


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
