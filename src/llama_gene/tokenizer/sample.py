"""Draw the letters a vocabulary is learnt from, in one pass and bounded memory."""

import heapq
import random
import re
from collections.abc import Iterable, Iterator

from llama_gene.config import Kind

# Ambiguous letters and gaps end a run: no token is learnt across them.
_RUNS: dict[Kind, re.Pattern[str]] = {
    "dna": re.compile("[ACGT]{2,}"),
    "protein": re.compile("[ACDEFGHIKLMNPQRSTVWY]{2,}"),
}
_PIECE_LETTERS = 1000
# What makes a word of an English text a sequence: a primer, a peptide, a gene.
SEQUENCE = re.compile("[ACGTUN]{12,}|[A-Z]{20,}")
_SEQUENCE_WORD = re.compile(rf"\S*(?:{SEQUENCE.pattern})\S*")


def sample_letters(texts: Iterable[str], kind: Kind, *, letters: int, seed: int) -> list[str]:
    """Pieces of up to 1,000 letters drawn at random, in the order they were read.

    Args:
        texts: Sequences or documents; sequences are read in upper case and cut at ambiguous letters.
        kind: What the letters are.
        letters: About how many to draw; everything where there are fewer.
        seed: Decides which.

    >>> sample_letters(["acgtNNacc", "G"], "dna", letters=1000, seed=1)
    ['ACGT', 'ACC']
    """
    rng = random.Random(seed)
    # A heap of the lowest draws: the highest leaves when what remains is still enough.
    kept: list[tuple[float, int, str]] = []
    total = 0
    for place, piece in enumerate(_pieces(texts, kind)):
        draw = rng.random()
        if total >= letters and -draw < kept[0][0]:
            continue
        heapq.heappush(kept, (-draw, place, piece))
        total += len(piece)
        while total - len(kept[0][2]) >= letters:
            total -= len(heapq.heappop(kept)[2])
    return [piece for _, _, piece in sorted(kept, key=lambda entry: entry[1])]


def _pieces(texts: Iterable[str], kind: Kind) -> Iterator[str]:
    for text in texts:
        if kind == "text":
            yield from _whole_words(text)
            continue
        for run in _RUNS[kind].findall(text.upper()):
            for start in range(0, len(run), _PIECE_LETTERS):
                yield run[start : start + _PIECE_LETTERS]


def _whole_words(text: str) -> Iterator[str]:
    """The text in pieces that end at a space, where there is one."""
    start = 0
    while start < len(text):
        end = start + _PIECE_LETTERS
        space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
        end = space + 1 if end < len(text) and space > start else end
        yield text[start:end]
        start = end


def without_sequences(text: str) -> str:
    """An English text without the words that are sequences.

    >>> without_sequences("the primer 5'-ACGTACGTACGTAC-3' binds")
    'the primer   binds'
    """
    return _SEQUENCE_WORD.sub(" ", text)
