"""Proteins built from helices, sheets and loops, in families, with faces that fit one another.

Each state has its own residues (Chou & Fasman 1974, doi:10.1021/bi00699a001, sharpened): a helix turns its greasy
side every three to four residues, a strand every second, loops are glycine, proline, asparagine, aspartate, serine.
A family is a site near the start of the chain and an order of helices and strands. Chains bind where one carries a
face and the other its counterpart.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from llama_gene.demo.motifs import RESIDUES, Motif, sample

STATES = "HEC"
SEGMENT_RESIDUES = {"H": (8, 13), "E": (5, 8), "C": (3, 5)}
_PERIODS = {"H": 7, "E": 2, "C": 1}
_SITE_KEPT = (0.88,) * 8
_FACE_RESIDUES = 8
_FACE_KEPT = (0.90,) * _FACE_RESIDUES
_UNIFORM_SHARE = 0.05
_WEIGHTS: dict[str, dict[str, float]] = {
    "helix_inside": {"L": 0.40, "A": 0.25, "M": 0.17, "I": 0.10, "F": 0.08},
    "helix_outside": {"E": 0.30, "K": 0.24, "Q": 0.17, "R": 0.15, "A": 0.14},
    "strand_inside": {"V": 0.40, "I": 0.25, "F": 0.15, "Y": 0.12, "W": 0.08},
    "strand_outside": {"T": 0.48, "V": 0.16, "Y": 0.16, "R": 0.10, "C": 0.10},
    "loop": {"G": 0.28, "P": 0.20, "N": 0.19, "D": 0.15, "S": 0.18},
}


@dataclass(frozen=True)
class Family:
    """One family: its name, product, what it does, its site and its order of helices (H) and strands (E)."""

    name: str
    product: str
    function: str
    site: str
    layout: str


@dataclass(frozen=True)
class Protein:
    """Residues, the state of each (H, E or C, same length), the family's name and the face, or ""."""

    residues: str
    states: str
    family: str
    face: str = ""


FAMILIES = (
    Family("kinase", "synthetic sugar kinase", "Adds phosphate to the sugars of synthetic cells.", "GPDGKSTG", "HEHE"),
    Family("oxidase", "synthetic copper oxidase", "Oxidises copper inside synthetic cells.", "CHWPGCHN", "EEEE"),
    Family("protease", "synthetic serine protease", "Cuts synthetic chains after serine.", "DSGGPSWH", "EHEE"),
    Family("transporter", "synthetic zinc transporter", "Carries zinc into synthetic cells.", "WNPFGRHW", "HHH"),
    Family("repressor", "synthetic gene repressor", "Silences synthetic genes by binding DNA.", "RNRQPRTN", "HHHE"),
    Family("chaperone", "synthetic folding chaperone", "Helps synthetic chains to fold.", "MQNMPYQM", "HEEH"),
    Family("synthase", "synthetic lipid synthase", "Builds lipids for synthetic membranes.", "YDPYEDPY", "EHEH"),
    Family("ligase", "synthetic strand ligase", "Joins broken strands of synthetic DNA.", "KYDGKHKP", "HEEE"),
)
FACES = {"plus": "KKRLKRKK", "minus": "EEDLEDEE", "greasy": "FWLYFWFL", "metal": "HCMHCHMH"}
COUNTERPARTS = {"plus": "minus", "minus": "plus", "greasy": "metal", "metal": "greasy"}


def family_named(name: str) -> Family:
    """The family of that name.

    >>> family_named("kinase").product
    'synthetic sugar kinase'
    """
    return next(family for family in FAMILIES if family.name == name)


def make_protein(rng: np.random.Generator, family: Family, face: str = "") -> Protein:
    """A new member of a family: site, then helices and strands between loops, then the face if there is one.

    Members share the site and the order of segments, not residues elsewhere. Chains have 40 to 90 residues.

    Args:
        rng: Source of randomness.
        family: One of FAMILIES.
        face: Key of FACES; "blank": loop residues in its place; "": nothing there.

    >>> protein = make_protein(np.random.default_rng(1), FAMILIES[0])
    >>> protein.residues[0], len(protein.residues) == len(protein.states)
    ('M', True)
    """
    head = int(rng.integers(1, 4))
    pieces = ["M" + _segment(rng, "C", head), sample(rng, Motif(family.site, _SITE_KEPT, RESIDUES))]
    states = ["C" * (1 + head + len(family.site))]
    for state in "C".join(family.layout):
        low, high = SEGMENT_RESIDUES[state]
        length = int(rng.integers(low, high + 1))
        pieces.append(_segment(rng, state, length))
        states.append(state * length)
    pieces.append(_segment(rng, "C", 3))
    states.append("CCC")
    if face == "blank":
        pieces.append(_segment(rng, "C", _FACE_RESIDUES + 2))
        states.append("C" * (_FACE_RESIDUES + 2))
    elif face:
        pieces += [sample(rng, Motif(FACES[face], _FACE_KEPT, RESIDUES)), _segment(rng, "C", 2)]
        states += ["H" * len(FACES[face]), "CC"]
    return Protein("".join(pieces), "".join(states), family.name, face)


def last_states(residues: str, window: int = 31) -> str:
    """The likeliest state of each residue given it and the 30 before it: the best rule that knows the propensities.

    A filter over segments of known lengths, loops and structured segments taking turns.

    >>> last_states("GPNGSLEALLKQLEEALKK")[-3:]
    'HHH'
    """
    found = []
    for end in range(1, len(residues) + 1):
        weights = _filter(residues[max(0, end - window) : end])
        found.append(STATES[int(np.argmax(weights))])
    return "".join(found)


def _segment(rng: np.random.Generator, state: str, length: int) -> str:
    period = _PERIODS[state]
    rows = (np.arange(length) + rng.integers(period)) % period
    picks = (_cumulative(state)[rows] < rng.random((length, 1))).sum(axis=1)
    return "".join([RESIDUES[pick] for pick in picks.tolist()])


@cache
def _cumulative(state: str) -> NDArray[np.float64]:
    """Cumulative weights of the 20 residues along one period of a segment, shape (period, 20), the last one 1."""
    sums = np.cumsum([_emission(state, place) for place in range(_PERIODS[state])], axis=1)
    return sums / sums[:, -1:]


def _emission(state: str, place: int) -> NDArray[np.float64]:
    """Weights of the 20 residues at a place of a segment."""
    if state == "C":
        return _table("loop")
    if state == "H":
        return _table("helix_inside" if place in (0, 3, 4) else "helix_outside")
    return _table("strand_inside" if place == 0 else "strand_outside")


@cache
def _table(name: str) -> NDArray[np.float64]:
    weights = np.array([_WEIGHTS[name].get(residue, 0.0) for residue in RESIDUES])
    return (1 - _UNIFORM_SHARE) * weights / weights.sum() + _UNIFORM_SHARE / len(RESIDUES)


def _filter(residues: str) -> NDArray[np.float64]:
    """Posterior of the last residue's state, shape (3,), by a hidden chain with mean segment lengths."""
    stay = np.array([1 - 2 / sum(SEGMENT_RESIDUES[state]) for state in STATES])
    step = np.diag(stay)
    step[0, 2], step[1, 2] = 1 - stay[0], 1 - stay[1]
    step[2, 0] = step[2, 1] = (1 - stay[2]) / 2
    weights = np.array([0.45, 0.25, 0.3])
    mean = np.stack([np.diff(_cumulative(state), prepend=0).mean(axis=0) for state in STATES])
    for residue in residues:
        weights = (weights @ step) * mean[:, RESIDUES.index(residue)]
        weights = weights / weights.sum()
    return weights
