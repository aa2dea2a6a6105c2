"""Merges as pairs of strings: those that were learnt, and all that spell a token."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet


def spell_merges(
    merges: Iterable[tuple[int, int]], letters_of: Sequence[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """What `learn_merges` gave, in letters.

    Returns:
        All tokens, new ones after `letters_of`; each merge as a pair of strings.

    >>> spell_merges([(0, 1), (2, 0)], ["A", "T"])
    (['A', 'T', 'AT', 'ATA'], [('A', 'T'), ('AT', 'A')])
    """
    tokens = list(letters_of)
    known = set(tokens)
    pairs = []
    for left, right in merges:
        pairs.append((tokens[left], tokens[right]))
        spelt = tokens[left] + tokens[right]
        if spelt not in known:
            known.add(spelt)
            tokens.append(spelt)
    return tokens, pairs


def all_merges(ranked: Iterable[str], known: AbstractSet[str]) -> list[tuple[str, str]]:
    """Every split of each token into two known ones, best-ranked token first.

    SentencePiece and tiktoken merge any two neighbours that spell a token; `tokenizers` follows a list of pairs, so
    every split stands in it. Where two splits of a token overlap (`x y z` with xy = yz), the first two take the left
    one. Its left part is a period of the token, so splits at a period come first.

    >>> all_merges(["AT", "ATA"], {"A", "T", "AT", "TA", "ATA"})
    [('A', 'T'), ('AT', 'A'), ('A', 'TA')]
    """
    merges = []
    for token in ranked:
        cuts = [cut for cut in range(1, len(token)) if token[:cut] in known and token[cut:] in known]
        if len(cuts) > 1:
            cuts.sort(key=lambda cut: (token[cut:] != token[:-cut], cut))
        merges += [(token[:cut], token[cut:]) for cut in cuts]
    return merges
