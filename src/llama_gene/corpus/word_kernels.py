"""The compiled loops over letters: every word of a sequence or text as one number, those that are wanted written down.

A number is scrambled (the finaliser of splitmix64), so that its size is a fixed pseudo-random order of words and its
bits can be used as hashes. A filter decides which words are wanted before anything is written: most are not, and what
is not written costs no memory. Letters come as bytes; a zero byte parts two texts, and no word reaches over it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.tokenizer.compiled import compiled, inlined

_INVALID = 255
_BASE_CODES = np.full(256, _INVALID, dtype=np.uint8)
_BASE_CODES[np.frombuffer(b"ACGTacgt", dtype=np.uint8)] = [0, 1, 2, 3] * 2  # a soft mask does not make another word
_RESIDUE_CODES = np.full(256, _INVALID, dtype=np.uint8)
_RESIDUE_CODES[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)] = np.arange(26)
_IN_WORD = np.zeros(256, dtype=np.bool_)
_IN_WORD[np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)] = True
_IN_WORD[0x80:] = True

_ZERO, _ONE, _TWO, _THREE, _FIVE, _SIX = (np.uint64(number) for number in (0, 1, 2, 3, 5, 6))
_BITS = np.uint64(63)
_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_TOGETHER = 512


class Wanted(NamedTuple):
    """Which words to write down.

    Attributes:
        most: uint64, the largest number that is wanted.
        filter: uint64 [a power of two], a Bloom filter: each word sets three bits of one element.
    """

    most: np.uint64
    filter: NDArray[np.uint64]


class Waiting(NamedTuple):
    """A few words that are looked up in the filter together, so that the slow memory is asked for many at once.

    A filter of ten million words lies outside the fast caches: one by one they take four times as long.
    """

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]
    elements: NDArray[np.uint64]


class Found(NamedTuple):
    """Room for what is written down: as long as there are letters, but memory is only used as it fills."""

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]


@inlined
def _scramble(word: int) -> int:
    once = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    twice = (once ^ (once >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return twice ^ (twice >> np.uint64(31))


@inlined
def _bits_of(word: int) -> int:
    first, second, third = word & _BITS, (word >> _SIX) & _BITS, (word >> np.uint64(12)) & _BITS
    return (_ONE << first) | (_ONE << second) | (_ONE << third)


@compiled
def fill_filter(words: NDArray[np.uint64], table: NDArray[np.uint64]) -> None:
    """Set the bits of scrambled words in a Bloom filter of zeros."""
    mask = np.uint64(len(table) - 1)
    for word in words:
        table[(word >> np.uint64(18)) & mask] |= _bits_of(word)


@compiled
def _room(length: int) -> tuple[Waiting, Found]:
    waiting = Waiting(
        np.empty(_TOGETHER, dtype=np.uint64), np.empty(_TOGETHER, dtype=np.int64), np.empty(_TOGETHER, dtype=np.uint64)
    )
    return waiting, Found(np.empty(length, dtype=np.uint64), np.empty(length, dtype=np.int64))


@compiled
def _write_wanted(waiting: Waiting, count: int, wanted: Wanted, found: Found, written: int) -> int:
    """Write down the wanted of the first `count` waiting words; gives how many are written in all."""
    last = np.uint64(len(wanted.filter) - 1)
    for at in range(count):
        waiting.elements[at] = wanted.filter[(waiting.words[at] >> np.uint64(18)) & last]
    for at in range(count):
        word = waiting.words[at]
        bits = _bits_of(word)
        if waiting.elements[at] & bits == bits:
            found.words[written] = word
            found.starts[written] = waiting.starts[at]
            written += 1
    return written


@compiled
def dna_kernel(letters: NDArray[np.uint8], length: int, wanted: Wanted) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Words and starts of the wanted canonical words, left to right; `length` is at most 31."""
    waiting, found = _room(len(letters))
    top = np.uint64(2 * (length - 1))
    mask = (_ONE << np.uint64(2 * length)) - _ONE
    forward = backward = _ZERO
    valid = count = written = 0
    for at in range(len(letters)):
        code = _BASE_CODES[letters[at]]
        if code == _INVALID:
            valid = 0
            continue
        base = np.uint64(code)
        forward = ((forward << _TWO) | base) & mask
        backward = (backward >> _TWO) | ((_THREE - base) << top)
        valid += 1
        if valid < length:
            continue
        word = _scramble(min(forward, backward))
        if word > wanted.most:
            continue
        waiting.words[count] = word
        waiting.starts[count] = at - length + 1
        count += 1
        if count == _TOGETHER:
            written, count = _write_wanted(waiting, count, wanted, found, written), 0
    written = _write_wanted(waiting, count, wanted, found, written)
    return found.words[:written], found.starts[:written]


@compiled
def protein_kernel(
    letters: NDArray[np.uint8], length: int, wanted: Wanted
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Words and starts of the wanted words of residues, left to right; `length` is at most 12."""
    waiting, found = _room(len(letters))
    mask = (_ONE << np.uint64(5 * length)) - _ONE
    packed = _ZERO
    valid = count = written = 0
    for at in range(len(letters)):
        code = _RESIDUE_CODES[letters[at]]
        if code == _INVALID:
            valid = 0
            continue
        packed = ((packed << _FIVE) | np.uint64(code)) & mask
        valid += 1
        if valid < length:
            continue
        word = _scramble(packed)
        if word > wanted.most:
            continue
        waiting.words[count] = word
        waiting.starts[count] = at - length + 1
        count += 1
        if count == _TOGETHER:
            written, count = _write_wanted(waiting, count, wanted, found, written), 0
    written = _write_wanted(waiting, count, wanted, found, written)
    return found.words[:written], found.starts[:written]


@inlined
def _sign_length(letters: NDArray[np.uint8], at: int) -> int:
    """Bytes of a punctuation mark or space outside ASCII that begins here, in UTF-8; 0 where there is none.

    U+00A0-00BF, U+2000-206F and U+3000-303F: quotation marks, dashes, and spaces of all widths.
    """
    byte, length = letters[at], 0
    if byte == 0xC2 and at + 1 < len(letters):
        length = 2
    elif at + 2 < len(letters):
        after, end = letters[at + 1], letters[at + 2]
        general = byte == 0xE2 and (after == 0x80 or (after == 0x81 and end < 0xB0))
        if general or (byte == 0xE3 and after == 0x80):
            length = 3
    return length


@compiled
def text_kernel(
    letters: NDArray[np.uint8], length: int, wanted: Wanted
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Numbers and starts (in bytes) of the wanted runs of `length` words of UTF-8 text, left to right.

    A word is a run of letters and digits; what is between words counts for nothing, so case is the only thing that
    the text must be freed of before. A run is a polynomial of the hashes of its words (Karp and Rabin 1987).
    """
    waiting, found = _room(len(letters) // 2 + 1)
    hashes, begins = np.zeros(length, dtype=np.uint64), np.zeros(length, dtype=np.int64)
    oldest = _ONE
    for _ in range(length):
        oldest *= _BASE
    polynomial = _ZERO
    seen = count = written = at = 0
    while at < len(letters):
        byte = letters[at]
        if not _IN_WORD[byte]:
            if byte == 0:
                seen, polynomial = 0, _ZERO
                hashes[:] = _ZERO
            at += 1
            continue
        if byte >= 0xC2:
            sign = _sign_length(letters, at)
            if sign:
                at += sign
                continue
        begin, word = at, _OFFSET
        while at < len(letters) and _IN_WORD[letters[at]]:
            if letters[at] >= 0xC2 and _sign_length(letters, at):
                break
            word = (word ^ np.uint64(letters[at])) * _PRIME
            at += 1
        word = _scramble(word)
        slot = seen % length
        polynomial = polynomial * _BASE + word - hashes[slot] * oldest
        hashes[slot], begins[slot] = word, begin
        seen += 1
        if seen < length:
            continue
        word = _scramble(polynomial)
        if word > wanted.most:
            continue
        waiting.words[count] = word
        waiting.starts[count] = begins[seen % length]
        count += 1
        if count == _TOGETHER:
            written, count = _write_wanted(waiting, count, wanted, found, written), 0
    written = _write_wanted(waiting, count, wanted, found, written)
    return found.words[:written], found.starts[:written]
