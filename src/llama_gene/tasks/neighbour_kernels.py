"""The compiled loops that find which sequences are worth aligning: words that two of them share on one diagonal.

Axes: Q sequences that ask, T those that are searched, C candidates kept for each Q. A word is a run of letters as a
number; of a word that a sequence holds several times only the first place counts, so that repeats cost no more than
other letters. A hit is a word that Q and T share; its diagonal is the difference of the two places. Hits that follow
each other on the same diagonal are evidence of an alignment, single ones come by chance (Steinegger and Söding 2017,
Nature Biotechnology 35:1026).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled

NOBODY = -1
_NO_DIAGONAL = -(1 << 31)


class Words(NamedTuple):
    """The different words of some sequences.

    Attributes:
        words: int32 [words], those of one sequence after those of another.
        places: int32 [words], where each begins in its sequence, 0-based.
        begins: int64 [sequences + 1], where the words of each sequence begin.
    """

    words: NDArray[np.int32]
    places: NDArray[np.int32]
    begins: NDArray[np.int64]


class Index(NamedTuple):
    """Who holds each word.

    Attributes:
        first: int32 [possible words + 1], where the holders of each word begin.
        owners: int32 [words], the sequence.
        places: int32 [words], where in it the word begins.
    """

    first: NDArray[np.int32]
    owners: NDArray[np.int32]
    places: NDArray[np.int32]


@compiled
def list_words(
    codes: NDArray[np.uint8], begins: NDArray[np.int64], letters: int, length: int, seen: NDArray[np.int32]
) -> Words:
    """The different words of sequences that lie one after the other.

    Args:
        codes: uint8 [letters], 0 to `letters` - 1; a larger code is in no word.
        begins: int64 [sequences + 1], where each sequence begins.
        letters: Size of the alphabet.
        length: Letters of a word.
        seen: int32 [letters ** length], all below 0; is overwritten.
    """
    words = np.empty(len(codes), np.int32)
    places = np.empty(len(codes), np.int32)
    bounds = np.zeros(len(begins), np.int64)
    most = letters**length
    count = 0
    for sequence in range(len(begins) - 1):
        word = run = 0
        for at in range(begins[sequence], begins[sequence + 1]):
            if codes[at] >= letters:
                word = run = 0
                continue
            word = (word * letters + codes[at]) % most
            run += 1
            if run >= length and seen[word] != sequence:
                seen[word] = sequence
                words[count] = word
                places[count] = at + 1 - length - begins[sequence]
                count += 1
        bounds[sequence + 1] = count
    return Words(words[:count].copy(), places[:count].copy(), bounds)


@compiled
def index_words(found: Words, possible: int) -> Index:
    """Sort words by their number (counting sort).

    Args:
        found: Of the sequences that are searched.
        possible: How many different words there can be.
    """
    first = np.zeros(possible + 1, np.int32)
    for word in found.words:
        first[word + 1] += 1
    for word in range(possible):
        first[word + 1] += first[word]
    at = first[:-1].copy()
    owners = np.empty(len(found.words), np.int32)
    places = np.empty(len(found.words), np.int32)
    for sequence in range(len(found.begins) - 1):
        for number in range(found.begins[sequence], found.begins[sequence + 1]):
            word = found.words[number]
            owners[at[word]] = sequence
            places[at[word]] = found.places[number]
            at[word] += 1
    return Index(first, owners, places)


@compiled
def _enter(score: int, who: int, scores_C: NDArray[np.int32], who_C: NDArray[np.int32]) -> None:
    """Put a candidate at its place among the best so far; of equal ones the earlier stays before."""
    place = len(scores_C) - 1
    while place > 0 and scores_C[place - 1] < score:
        scores_C[place] = scores_C[place - 1]
        who_C[place] = who_C[place - 1]
        place -= 1
    scores_C[place] = score
    who_C[place] = who


@compiled
def add_candidates(
    asked: Words,
    index: Index,
    bounds: tuple[int, int],
    itself_Q: NDArray[np.int64],
    scores_QC: NDArray[np.int32],
    who_QC: NDArray[np.int32],
) -> None:
    """Enter those of one block of sequences that share most words on one diagonal with each that asks.

    Args:
        asked: Words of those that ask.
        index: Words of the block.
        bounds: Number of the first sequence of the block, and of the first one after it.
        itself_Q: Number that each must not find, itself, or `NOBODY`.
        scores_QC: Best scores so far, descending; 0 where there is none. Is filled.
        who_QC: Their numbers, or `NOBODY`. Is filled.
    """
    first, end = bounds
    diagonal_T = np.full(end - first, _NO_DIAGONAL, np.int64)
    score_T = np.zeros(end - first, np.int32)
    touched = np.empty(end - first, np.int32)
    for q in range(len(asked.begins) - 1):
        count = 0
        for number in range(asked.begins[q], asked.begins[q + 1]):
            word, place = asked.words[number], asked.places[number]
            for hit in range(index.first[word], index.first[word + 1]):
                t = index.owners[hit]
                diagonal = index.places[hit] - place
                if score_T[t] == 0:
                    touched[count] = t
                    count += 1
                    score_T[t] = 1
                elif diagonal_T[t] == diagonal:
                    score_T[t] += 1
                diagonal_T[t] = diagonal
        for at in range(count):
            t = touched[at]
            if score_T[t] > scores_QC[q, -1] and t + first != itself_Q[q]:
                _enter(score_T[t], t + first, scores_QC[q], who_QC[q])
            score_T[t] = 0
            diagonal_T[t] = _NO_DIAGONAL
