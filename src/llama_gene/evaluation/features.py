"""Turn sequences into sparse counts for the baselines.

k-mers are counted with numpy: a rolling number per place, added up per item. Letters outside the plain
alphabet break a k-mer.

Axes: N items, F features.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from llama_gene.evaluation.items import Item
from llama_gene.sequences.alphabets import DNA, PROTEIN

LONGEST_PROTEIN_KMER = 3
LAST_LETTERS = 31
_ITEMS_AT_ONCE = 512
_LETTERS = {"dna": DNA.letters, "protein": PROTEIN.letters}
_ANY_TEXT = HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=1 << 14, alternate_sign=False, norm=None)


def kmer_counts(sequences: Sequence[str], kind: str, shortest: int, longest: int) -> sparse.csr_matrix:
    """How often each k-mer occurs, shortest <= k <= longest, as an (N, F) matrix of float32.

    Args:
        sequences: One per item; U counts as T in DNA, case does not count.
        kind: "dna" or "protein"; anything else is counted as pieces of text of 1 to 3 characters, hashed.
        shortest: Least k, >= 1.
        longest: Greatest k.

    >>> kmer_counts(["ACNA"], "dna", 1, 2).toarray()[0, :6].tolist()
    [2.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    """
    if kind not in _LETTERS:
        return sparse.csr_matrix(_ANY_TEXT.transform(sequences), dtype=np.float32)
    letters = _LETTERS[kind]
    parts = [
        _count(_codes(sequences[start : start + _ITEMS_AT_ONCE], kind), len(letters), shortest, longest)
        for start in range(0, len(sequences), _ITEMS_AT_ONCE)
    ]
    return sparse.vstack(parts, format="csr")


def _codes(sequences: Sequence[str], kind: str) -> list[np.ndarray[Any, Any]]:
    """Number of each letter in its alphabet, -1 for others."""
    table = np.full(256, -1, dtype=np.int64)
    for number, letter in enumerate(_LETTERS[kind]):
        table[[ord(letter), ord(letter.lower())]] = number
    if kind == "dna":
        table[[ord("U"), ord("u")]] = table[ord("T")]
    return [table[np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)] for text in sequences]


def _count(codes: list[np.ndarray[Any, Any]], letters: int, shortest: int, longest: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(codes)), [len(code) for code in codes])
    flat = np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64)
    blocks = []
    number, whole = np.zeros_like(flat), np.ones(len(flat), dtype=bool)
    for k in range(1, longest + 1):
        # A k-mer that starts here: it must stay in its item and hold plain letters only.
        ahead = np.full_like(flat, -1)
        starts = max(0, len(flat) - k + 1)
        ahead[:starts] = np.where(rows[:starts] == rows[k - 1 :], flat[k - 1 :], -1)
        whole &= ahead >= 0
        number = number * letters + np.maximum(ahead, 0)
        if k >= shortest:
            ones = np.ones(int(whole.sum()), dtype=np.float32)
            # A k-mer that occurs twice is added up.
            blocks.append(sparse.csr_matrix((ones, (rows[whole], number[whole])), shape=(len(codes), letters**k)))
    return sparse.hstack(blocks, format="csr")


def last_letters(sequences: Sequence[str], kind: str) -> sparse.csr_matrix:
    """One-hot letters of the last `LAST_LETTERS` places, aligned at the end, (N, places x letters)."""
    letters = _LETTERS.get(kind, "")
    codes = _codes(sequences, kind) if letters else []
    rows, columns = [], []
    for row, code in enumerate(codes):
        tail = code[-LAST_LETTERS:][::-1]
        places = np.flatnonzero(tail >= 0)
        rows.append(np.full(len(places), row))
        columns.append(places * len(letters) + tail[places])
    shape = (len(sequences), LAST_LETTERS * len(letters) or 1)
    if not rows:
        return sparse.csr_matrix(shape, dtype=np.float32)
    ones = np.ones(sum(map(len, rows)), dtype=np.float32)
    return sparse.csr_matrix((ones, (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def item_features(items: Sequence[Item], *, kmer_max: int, family: str) -> sparse.csr_matrix:
    """All features of items of one task, (N, F).

    One block per sequence: log(1 + count) of its k-mers, at unit length. A pair of one kind adds the product and
    the difference of its blocks; the structure family adds its last letters, one-hot.

    Args:
        items: All with the same kinds.
        kmer_max: Longest DNA k-mer; proteins go to `LONGEST_PROTEIN_KMER`.
        family: Task family.
    """
    kinds = items[0].kinds
    columns = [[item.sequences[place] for item in items] for place in range(len(kinds))]
    blocks = [
        normalize(kmer_counts(texts, kind, 1, longest_kmer(kind, kmer_max)).log1p())
        for texts, kind in zip(columns, kinds, strict=True)
    ]
    extra = []
    if len(kinds) == 2 and kinds[0] == kinds[1]:
        extra = [normalize(blocks[0].multiply(blocks[1]).tocsr()), normalize(abs(blocks[0] - blocks[1]))]
    if family == "structure":
        extra = [last_letters(texts, kind) / np.sqrt(LAST_LETTERS) for texts, kind in zip(columns, kinds, strict=True)]
    return sparse.hstack([*blocks, *extra], format="csr", dtype=np.float32)


def longest_kmer(kind: str, kmer_max: int) -> int:
    """The longest k-mer counted in sequences of a kind.

    >>> longest_kmer("dna", 6), longest_kmer("protein", 6)
    (6, 3)
    """
    return min(kmer_max, LONGEST_PROTEIN_KMER) if kind == "protein" else kmer_max
