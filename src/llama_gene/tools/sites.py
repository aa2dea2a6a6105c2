"""Restriction sites, by the enzymes of REBASE (through Bio.Restriction).

A cut is given by the base before which it lies, 0-based on the strand as given: EcoRI, G^AATTC, on `AAGAATTCAA` has its
site at 2, cuts the given strand before base 3 and the other strand before base 7.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Annotated, Literal

from Bio import Restriction
from pydantic import AfterValidator, Field

from llama_gene.errors import DataError
from llama_gene.tools.letters import Dna, Strand
from llama_gene.tools.motifs import occurrences

COMMON = (
    "EcoRI", "BamHI", "HindIII", "XhoI", "XbaI", "NotI", "NdeI", "NcoI", "SalI", "PstI", "KpnI", "SacI", "SmaI",
    "EcoRV", "BglII", "SpeI", "NheI", "BsaI", "BsmBI", "BbsI",
)  # fmt: skip
_KNOWN = {str(enzyme): enzyme for enzyme in Restriction.AllEnzymes}
_MOST_SITES = 1000
_MOST_COUNTED = 100_000


def _enzyme(name: str) -> str:
    if name not in _KNOWN:
        folded = {known.casefold(): known for known in _KNOWN}
        near = folded.get(name.casefold())
        advice = f"did you mean {near!r}?" if near else "leave it out."
        raise ValueError(f"{name[:20]!r}: no such enzyme. Expected a name as REBASE writes it (EcoRI, BsaI); {advice}")
    return name


Enzymes = Annotated[
    tuple[Annotated[str, AfterValidator(_enzyme)], ...],
    Field(min_length=1, max_length=100, description="Names of enzymes as REBASE writes them; default: 20 common ones."),
]
Topology = Annotated[Literal["linear", "circular"], Field(description="linear, or circular as plasmids are.")]


@dataclass(frozen=True)
class Cut:
    """Where an enzyme cuts: before base `given` of the strand given, before base `other` of the other one.

    None where the cut lies beyond an end of linear DNA.
    """

    given: int | None
    other: int | None


@dataclass(frozen=True)
class Site:
    """A recognition site: 0-based half-open, on the strand given; of circular DNA it may go on at the start.

    `strand` is where it reads 5' to 3'; one that is its own reverse complement stands on `+` alone.
    """

    enzyme: str
    start: int
    end: int
    strand: Strand
    cuts: tuple[Cut, ...]


@dataclass(frozen=True)
class Enzyme:
    """An enzyme, its pattern (^ cuts the strand read, _ the other one) and its number of sites."""

    name: str
    pattern: str
    sites: int


@dataclass(frozen=True)
class Digest:
    """The sites of all enzymes, left to right, and the lengths of the pieces that all together cut, in order.

    Pieces are those of the strand given; more than 1,000 sites are counted but not listed.
    """

    enzymes: tuple[Enzyme, ...]
    total: int
    sites: tuple[Site, ...]
    pieces_bp: tuple[int, ...]


def restriction_sites(dna: Dna, enzymes: Enzymes = COMMON, topology: Topology = "linear") -> Digest:
    """Where restriction enzymes recognise and cut DNA, on both strands.

    A letter of the DNA that stands for several bases is recognised where the enzyme takes all of them. Methylation is
    not looked at.

    Raises:
        DataError: more than 100,000 sites.

    >>> found = restriction_sites("AAGAATTCAA", enzymes=("EcoRI",))
    >>> found.sites[0].start, found.sites[0].cuts, found.pieces_bp
    (2, (Cut(given=3, other=7),), (3, 7))
    """
    names = tuple(dict.fromkeys(enzymes))
    places = ((name, start, strand) for name in names for start, strand in _places(dna, name, topology))
    found = list(islice(places, _MOST_COUNTED + 1))
    if len(found) > _MOST_COUNTED:
        raise DataError(
            f"restriction_sites: more than {_MOST_COUNTED:,} sites in {len(dna):,} bases. Expected fewer; give fewer "
            "enzymes or a part of the DNA."
        )
    sites = [_site(*place, len(dna), topology) for place in found]
    sites.sort(key=lambda site: (site.start, site.enzyme, site.strand))
    sums = Counter(site.enzyme for site in sites)
    counted = tuple(Enzyme(name, _KNOWN[name].elucidate(), sums[name]) for name in names)
    cuts = sorted({cut.given for site in sites for cut in site.cuts if cut.given is not None})
    return Digest(counted, len(sites), tuple(sites[:_MOST_SITES]), _pieces(cuts, len(dna), topology))


def _places(dna: str, name: str, topology: str) -> Iterator[tuple[int, Strand]]:
    pattern = _KNOWN[name].site
    # Of a circle, what follows the end is its start again.
    letters = dna + dna[: len(pattern) - 1] if topology == "circular" and len(pattern) <= len(dna) else dna
    return occurrences(letters, pattern, "both")


def _site(name: str, start: int, strand: Strand, length: int, topology: str) -> Site:
    cuts = tuple(_cuts(name, start, strand, length, topology))
    return Site(name, start, start + len(_KNOWN[name].site), strand, cuts)


def _cuts(name: str, start: int, strand: Strand, length: int, topology: str) -> Iterator[Cut]:
    """One cut, two where the enzyme cuts on both sides of its site, none where REBASE does not know."""
    enzyme = _KNOWN[name]
    end = start + len(enzyme.site)
    for read, opposite in ((enzyme.fst5, enzyme.fst3), (enzyme.scd5, enzyme.scd3)):
        if read is None or opposite is None:
            continue
        # REBASE counts from the start of the site on the strand read, and from its end on the other one.
        given, other = (start + read, end + opposite) if strand == "+" else (start - opposite, end - read)
        yield Cut(_place(given, length, topology), _place(other, length, topology))


def _place(cut: int, length: int, topology: str) -> int | None:
    if topology == "circular":
        return cut % length
    return cut if 0 < cut < length else None


def _pieces(cuts: Sequence[int], length: int, topology: str) -> tuple[int, ...]:
    if topology == "circular":
        return tuple(after - before for before, after in pairwise([*cuts, cuts[0] + length])) if cuts else (length,)
    return tuple(after - before for before, after in pairwise([0, *cuts, length]))
