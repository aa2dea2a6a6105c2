"""Promoters of the two species, look-alikes that are none, and their strength.

Bacterium: a −35 box (TTGACA) and a −10 box (TATAAT), 17 ± 1 bp apart, the −10 box ending about 6 bp before the start
of transcription (Hawley & McClure 1983, doi:10.1093/nar/11.8.2237). Eukaryote: a TATA box that starts about 30 bp
before it. Strength is the sum of both boxes' bits, less a penalty for spacing, plus noise.
"""

from dataclasses import dataclass, replace

import numpy as np

from llama_gene.demo.motifs import Motif, place, random_dna, sample, score_everywhere, shuffle

MINUS_35 = Motif("TTGACA", (0.95, 0.95, 0.93, 0.90, 0.88, 0.86))
MINUS_10 = Motif("TATAAT", (0.93, 0.96, 0.88, 0.90, 0.88, 0.96))
TATA_BOX = Motif("TATAAAAG", (0.92, 0.96, 0.94, 0.96, 0.90, 0.92, 0.80, 0.76))
SPACINGS_BP = {16: 0.25, 17: 0.5, 18: 0.25}
DISCRIMINATORS_BP = {5: 0.15, 6: 0.7, 7: 0.15}
TATA_STARTS_BP = {-32: 0.2, -31: 0.3, -30: 0.3, -29: 0.2}
WINDOW_BP = 80
START = 60
_WRONG_SPACINGS_BP = (8, 9, 10, 11, 12, 22, 23, 24, 25, 26)
_WRONG_TATA_STARTS_BP = (-58, -54, -50, -46, -18, -14, -10, -6, 0, 4, 8)
_WRONG_PLACE_SHARE = 0.3
_SPACING_PENALTY_BITS = 3.0
_NOISE_BITS = 2.0
_BITS_PER_UNIT = 4.0


@dataclass(frozen=True)
class Promoter:
    """DNA around a start of transcription; every place is a 0-based index into `letters`.

    `boxes` holds (name, start, end), half-open, left to right; it is empty where there is no promoter.
    """

    letters: str
    start: int
    boxes: tuple[tuple[str, int, int], ...] = ()

    @property
    def spacing_bp(self) -> int:
        """Letters between the first box and the second."""
        return self.boxes[1][1] - self.boxes[0][2]


def bacterial_promoter(
    rng: np.random.Generator, *, strength: float = 1.0, spacing_bp: int | None = None, start: int = START
) -> Promoter:
    """A −35 and a −10 box in background DNA.

    Args:
        rng: Source of randomness.
        strength: How close the boxes are to their consensus; see `motifs.sample`.
        spacing_bp: Letters between the boxes; none: 16, 17 or 18.
        start: Index of the first transcribed base, >= 50 bp.

    >>> promoter = bacterial_promoter(np.random.default_rng(1))
    >>> len(promoter.letters), promoter.spacing_bp in (16, 17, 18)
    (80, True)
    """
    minus_10 = start - _pick(rng, DISCRIMINATORS_BP) - len(MINUS_10)
    minus_35 = minus_10 - (_pick(rng, SPACINGS_BP) if spacing_bp is None else spacing_bp) - len(MINUS_35)
    letters = random_dna(rng, start + WINDOW_BP - START)
    letters = place(letters, minus_35, sample(rng, MINUS_35, strength))
    letters = place(letters, minus_10, sample(rng, MINUS_10, strength))
    boxes = (
        ("minus_35_signal", minus_35, minus_35 + len(MINUS_35)),
        ("minus_10_signal", minus_10, minus_10 + len(MINUS_10)),
    )
    return Promoter(letters, start, boxes)


def tata_promoter(rng: np.random.Generator, *, strength: float = 1.0, offset_bp: int | None = None) -> Promoter:
    """A TATA box about 30 bp before the start of transcription.

    Args:
        rng: Source of randomness.
        strength: How close the box is to its consensus; see `motifs.sample`.
        offset_bp: Start of the box relative to the start of transcription; none: −32 to −29.

    >>> promoter = tata_promoter(np.random.default_rng(1))
    >>> promoter.boxes[0][1] - promoter.start in (-32, -31, -30, -29)
    True
    """
    box = START + (_pick(rng, TATA_STARTS_BP) if offset_bp is None else offset_bp)
    letters = place(random_dna(rng, WINDOW_BP), box, sample(rng, TATA_BOX, strength))
    return Promoter(letters, START, (("TATA_box", box, box + len(TATA_BOX)),))


def bacterial_decoy(rng: np.random.Generator) -> str:
    """No promoter: the letters of one in another order or, in 3 of 10, both boxes at a wrong spacing.

    >>> len(bacterial_decoy(np.random.default_rng(1)))
    80
    """
    if rng.random() < _WRONG_PLACE_SHARE:
        return bacterial_promoter(rng, spacing_bp=int(rng.choice(_WRONG_SPACINGS_BP))).letters
    return shuffle(rng, bacterial_promoter(rng).letters)


def tata_decoy(rng: np.random.Generator) -> str:
    """No promoter: the letters of one in another order or, in 3 of 10, a TATA box at a wrong place.

    >>> len(tata_decoy(np.random.default_rng(1)))
    80
    """
    if rng.random() < _WRONG_PLACE_SHARE:
        return tata_promoter(rng, offset_bp=int(rng.choice(_WRONG_TATA_STARTS_BP))).letters
    return shuffle(rng, tata_promoter(rng).letters)


def bacterial_log_odds(letters: str, start: int = START) -> float:
    """Bits in favour of a promoter that starts transcription at `start`: the best rule that knows the boxes.

    >>> bacterial_log_odds("A" * 25 + "TTGACA" + "C" * 17 + "TATAAT" + "G" * 26) > 10
    True
    """
    bits_35, bits_10 = score_everywhere(MINUS_35, letters), score_everywhere(MINUS_10, letters)
    odds = 0.0
    for discriminator, discriminator_share in DISCRIMINATORS_BP.items():
        minus_10 = start - discriminator - len(MINUS_10)
        for spacing, spacing_share in SPACINGS_BP.items():
            minus_35 = minus_10 - spacing - len(MINUS_35)
            odds += discriminator_share * spacing_share * 2.0 ** (bits_35[minus_35] + bits_10[minus_10])
    return float(np.log2(odds))


def tata_log_odds(letters: str, start: int = START) -> float:
    """Bits in favour of a TATA box that starts transcription at `start`.

    >>> tata_log_odds("C" * 30 + "TATAAAAG" + "C" * 42) > 10
    True
    """
    bits = score_everywhere(TATA_BOX, letters)
    return float(np.log2(sum(share * 2.0 ** bits[start + offset] for offset, share in TATA_STARTS_BP.items())))


def promoter_strength(rng: np.random.Generator, promoter: Promoter) -> float:
    """Measured expression of a bacterial or TATA promoter, log10 of arbitrary units: its true strength and noise.

    >>> promoter = bacterial_promoter(np.random.default_rng(1), strength=2.0)
    >>> promoter_strength(np.random.default_rng(1), promoter) > true_strength(replace(promoter, letters="A" * 80))
    True
    """
    return round(true_strength(promoter) + float(rng.normal(0, _NOISE_BITS)) / _BITS_PER_UNIT, 3)


def true_strength(promoter: Promoter) -> float:
    """Expression without noise: bits of the boxes where they were put, less 3 for each bp of spacing away from 17.

    >>> best = Promoter("A" * 25 + "TTGACA" + "C" * 17 + "TATAAT" + "G" * 26, 60, (("a", 25, 31), ("b", 48, 54)))
    >>> round(true_strength(best), 2)
    5.61
    """
    motifs = (MINUS_35, MINUS_10) if len(promoter.boxes) == 2 else (TATA_BOX,)
    bits = sum(
        float(score_everywhere(motif, promoter.letters[start:end])[0])
        for motif, (_, start, end) in zip(motifs, promoter.boxes, strict=True)
    )
    penalty = _SPACING_PENALTY_BITS * abs(promoter.spacing_bp - 17) if len(promoter.boxes) == 2 else 0.0
    return (bits - penalty) / _BITS_PER_UNIT


def at_start(promoter: Promoter, upstream_bp: int) -> Promoter:
    """The same promoter cut to `upstream_bp` letters before the start of transcription and 20 after it.

    >>> at_start(bacterial_promoter(np.random.default_rng(1)), upstream_bp=40).start
    40
    """
    cut = promoter.start - upstream_bp
    boxes = tuple((name, start - cut, end - cut) for name, start, end in promoter.boxes)
    return replace(promoter, letters=promoter.letters[cut:], start=upstream_bp, boxes=boxes)


def _pick(rng: np.random.Generator, shares: dict[int, float]) -> int:
    return int(rng.choice(list(shares), p=list(shares.values())))
