"""Introns of the eukaryote and windows around their ends.

An intron begins with GT, ends with AG, and carries a branch point and a pyrimidine-rich stretch before its end
(Mount 1982, doi:10.1093/nar/10.2.459). Windows are centred on the border between exon and intron.
"""

from typing import Literal

import numpy as np

from llama_gene.demo.motifs import Motif, draw, place, random_dna, sample, score_everywhere, shuffle

SpliceSite = Literal["donor", "acceptor", "none"]
DONOR = Motif("GTAAGT", (1.0, 1.0, 0.92, 0.88, 0.95, 0.85))
BRANCH_POINT = Motif("TACTAAC", (0.80, 0.80, 0.90, 0.85, 0.80, 0.98, 0.80))
ACCEPTOR = Motif("CAG", (0.85, 1.0, 1.0))
WINDOW_BP = 60
BORDER = 30
_TRACT_BP = 14
_TRACT_WEIGHTS = np.array([0.05, 0.37, 0.05, 0.53])
_GAPS_BP = (2, 3, 4)


def intron_end(rng: np.random.Generator) -> str:
    """Branch point, gap, pyrimidine tract and CAG: the last 26 to 28 bp of an intron.

    >>> intron_end(np.random.default_rng(1))[-2:]
    'AG'
    """
    gap = random_dna(rng, int(rng.choice(_GAPS_BP)))
    return sample(rng, BRANCH_POINT) + gap + draw(rng, "ACGT", _TRACT_WEIGHTS, _TRACT_BP) + sample(rng, ACCEPTOR)


def intron(rng: np.random.Generator, length_bp: int) -> str:
    """A whole intron.

    Args:
        rng: Source of randomness.
        length_bp: Letters in all, >= 40.

    >>> letters = intron(np.random.default_rng(1), 60)
    >>> letters[:2], letters[-2:], len(letters)
    ('GT', 'AG', 60)
    """
    end = intron_end(rng)
    return sample(rng, DONOR) + random_dna(rng, length_bp - len(DONOR) - len(end)) + end


def splice_window(rng: np.random.Generator, site: SpliceSite) -> str:
    """60 bp with a donor (intron starts at 30), an acceptor (intron ends at 30) or neither.

    A window without a site is another one in another order, with GT or AG put where the border would be, so that
    neither composition nor the two border letters tell.

    >>> rng = np.random.default_rng(1)
    >>> splice_window(rng, "donor")[30:32], splice_window(rng, "acceptor")[28:30]
    ('GT', 'AG')
    """
    if site == "donor":
        return place(random_dna(rng, WINDOW_BP), BORDER, sample(rng, DONOR))
    if site == "acceptor":
        end = intron_end(rng)
        return place(random_dna(rng, WINDOW_BP), BORDER - len(end), end)
    if rng.random() < 0.5:
        return place(shuffle(rng, splice_window(rng, "donor")), BORDER, "GT")
    return place(shuffle(rng, splice_window(rng, "acceptor")), BORDER - 2, "AG")


def best_splice_site(letters: str) -> SpliceSite:
    """The site that the known signals speak for: the best rule that knows them, to within the branch point.

    >>> best_splice_site("C" * 30 + "GTAAGT" + "C" * 24)
    'donor'
    """
    donor = float(score_everywhere(DONOR, letters)[BORDER])
    tract = letters[BORDER - 3 - _TRACT_BP : BORDER - 3]
    acceptor = float(score_everywhere(ACCEPTOR, letters)[BORDER - 3])
    acceptor += sum(float(np.log2(4 * _TRACT_WEIGHTS["ACGT".index(letter)])) for letter in tract)
    # The two border letters are planted in look-alikes, so their 4 bits count for nothing.
    donor, acceptor = donor - 4, acceptor - 4
    if max(donor, acceptor) < 1:
        return "none"
    return "donor" if donor > acceptor else "acceptor"
