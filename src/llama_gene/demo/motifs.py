"""Random letters, and short signals drawn from and scored by a position weight matrix.

A signal is a consensus whose letters are each kept with a stated probability, the other letters of the alphabet
sharing the rest. Scores are bits against an even background (Stormo 2000, doi:10.1093/bioinformatics/16.1.16).
"""

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

BASES = "ACGT"
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@dataclass(frozen=True)
class Motif:
    """A consensus and the probability with which each of its letters is kept."""

    consensus: str
    kept: tuple[float, ...]
    letters: str = BASES

    def __len__(self) -> int:
        return len(self.consensus)


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent generator for one named part, so that parts do not shift one another.

    >>> int(stream(1, "a").integers(1000)) == int(stream(1, "a").integers(1000))
    True
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw(rng: np.random.Generator, letters: str, weights: NDArray[np.float64], length: int) -> str:
    """`length` letters, each with its weight (weights sum to 1).

    >>> draw(np.random.default_rng(1), "AC", np.array([1.0, 0.0]), 4)
    'AAAA'
    """
    places = np.searchsorted(np.cumsum(weights), rng.random(length), side="right")
    return "".join([letters[place] for place in np.minimum(places, len(letters) - 1).tolist()])


def random_dna(rng: np.random.Generator, length_bp: int, gc: float = 0.5) -> str:
    """Background DNA with the given share of G and C.

    >>> set(random_dna(np.random.default_rng(1), 50, gc=0.0)) == {"A", "T"}
    True
    """
    return draw(rng, BASES, np.array([1 - gc, gc, gc, 1 - gc]) / 2, length_bp)


def shuffle(rng: np.random.Generator, letters: str) -> str:
    """The same letters in another order: what composition can tell, and nothing more.

    >>> sorted(shuffle(np.random.default_rng(1), "AACGT"))
    ['A', 'A', 'C', 'G', 'T']
    """
    return "".join(letters[place] for place in rng.permutation(len(letters)).tolist())


def sample(rng: np.random.Generator, motif: Motif, strength: float = 1.0) -> str:
    """One copy of the signal.

    Args:
        rng: Source of randomness.
        motif: The signal.
        strength: 1: as stated; 0: chance letters; above 1: closer to the consensus, to at most 0.99.

    >>> sample(np.random.default_rng(1), Motif("TATA", (1.0, 1.0, 1.0, 1.0)), strength=2.0)
    'TATA'
    """
    chance = 1 / len(motif.letters)
    stated = np.array(motif.kept)
    kept = np.minimum(chance + (stated - chance) * strength, np.maximum(stated, 0.99))
    is_kept = rng.random(len(motif)) < kept
    steps = rng.integers(1, len(motif.letters), len(motif)).tolist()
    return "".join(
        letter if stays else motif.letters[(motif.letters.index(letter) + step) % len(motif.letters)]
        for letter, stays, step in zip(motif.consensus, is_kept.tolist(), steps, strict=True)
    )


def score_everywhere(motif: Motif, letters: str) -> NDArray[np.float64]:
    """Bits of the signal at each start, shape (len(letters) - len(motif) + 1,).

    >>> score_everywhere(Motif("TA", (0.97, 0.97)), "TAT").round(1).tolist()
    [3.9, -9.3]
    """
    table = _bits(motif)
    indices = np.array([motif.letters.index(letter) for letter in letters])
    windows = np.lib.stride_tricks.sliding_window_view(indices, len(motif))
    return table[np.arange(len(motif)), windows].sum(axis=1)


def place(letters: str, start: int, piece: str) -> str:
    """Overwrite letters with a piece, length unchanged.

    >>> place("AAAAAA", 2, "CG")
    'AACGAA'
    """
    return letters[:start] + piece + letters[start + len(piece) :]


@cache
def _bits(motif: Motif) -> NDArray[np.float64]:
    size = len(motif.letters)
    kept = np.clip(np.array(motif.kept), 0, 0.999)[:, None]
    table = np.repeat((1 - kept) / (size - 1), size, axis=1)
    for position, letter in enumerate(motif.consensus):
        table[position, motif.letters.index(letter)] = kept[position, 0]
    return np.log2(table * size)
