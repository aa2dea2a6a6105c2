"""Genomes of the two species: every gene a cassette of promoter, leader, coding sequence and trailer.

Coordinates are 0-based, half-open, on the plus strand of the chromosome. A gene's expression follows from its
promoter by the same rule as the promoter-strength task.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from llama_gene.demo.motifs import Motif, random_dna, sample, stream
from llama_gene.demo.promoters import Promoter, bacterial_promoter, promoter_strength, tata_promoter
from llama_gene.demo.proteins import FACES, FAMILIES, Protein, make_protein
from llama_gene.demo.splicing import intron
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.translate import genetic_code

RIBOSOME_SITE = Motif("AGGAGG", (0.85, 0.92, 0.92, 0.85, 0.92, 0.85))
KOZAK = Motif("GCCACC", (0.7, 0.7, 0.8, 0.95, 0.8, 0.8))
POLY_A_SIGNAL = Motif("AATAAA", (0.95,) * 6)
_INTRON_BP = (60, 100)
_EXON_MIN_BP = 20
_INTRON_COUNT_SHARES = (0.25, 0.45, 0.30)


@dataclass(frozen=True)
class Species:
    """A made-up species: its names, genetic code, and how often codons end in A, C, G, T (relative)."""

    key: str
    name: str
    prefix: str
    table: int
    chromosomes: tuple[str, ...]
    start_codons: tuple[tuple[str, float], ...]
    codon_ends: tuple[int, int, int, int]


BACTERIUM = Species(
    "bacterium", "synthetic bacterium", "SYB", 11, ("SYB_chromosome", "SYB_plasmid"),
    (("ATG", 0.85), ("GTG", 0.10), ("TTG", 0.05)), (1, 3, 3, 1),
)  # fmt: skip
EUKARYOTE = Species(
    "eukaryote", "synthetic eukaryote", "SYE", 1, ("SYE_chr1", "SYE_chr2", "SYE_chr3", "SYE_chr4"),
    (("ATG", 1.0),), (3, 1, 1, 3),
)  # fmt: skip
SPECIES = (BACTERIUM, EUKARYOTE)


@dataclass(frozen=True)
class Gene:
    """One gene on its chromosome.

    `exons` and `signals` (name, start, end) ascend on the plus strand; `strand` is 1 or -1; `coding` is the spliced
    coding sequence with its stop, 5' to 3'; `expression` is log2 of arbitrary units.
    """

    locus_tag: str
    strand: int
    exons: tuple[tuple[int, int], ...]
    signals: tuple[tuple[str, int, int], ...]
    coding: str
    protein: Protein
    expression: float


@dataclass(frozen=True)
class Chromosome:
    """Letters of the plus strand and the genes on it, left to right."""

    id: str
    species: Species
    letters: str
    genes: tuple[Gene, ...]


def make_genome(species: Species, genes: int, seed: int) -> tuple[Chromosome, ...]:
    """The chromosomes of a species, genes shared evenly among them, each on a random strand.

    >>> [len(chromosome.genes) for chromosome in make_genome(BACTERIUM, 5, seed=1)]
    [3, 2]
    """
    rng = stream(seed, f"genome {species.key}")
    count = len(species.chromosomes)
    chromosomes, first = [], 1
    for index, name in enumerate(species.chromosomes):
        share = genes // count + (index < genes % count)
        chromosomes.append(_make_chromosome(rng, species, name, first, share))
        first += share
    return tuple(chromosomes)


def coding_dna(rng: np.random.Generator, residues: str, species: Species) -> str:
    """A coding sequence with start and stop codon, in the species' codon usage.

    >>> coding_dna(np.random.default_rng(1), "MW", EUKARYOTE)[:6]
    'ATGTGG'
    """
    starts, shares = zip(*species.start_codons, strict=True)
    codons = [str(rng.choice(starts, p=shares))]
    for residue, share in zip(residues[1:] + "*", rng.random(len(residues)).tolist(), strict=True):
        synonyms, cumulative = _codon_usage(species)[residue]
        codons.append(synonyms[min(int(np.searchsorted(cumulative, share, side="right")), len(synonyms) - 1)])
    return "".join(codons)


def _make_chromosome(rng: np.random.Generator, species: Species, name: str, first: int, count: int) -> Chromosome:
    pieces, genes, length = [], [], 0
    for number in range(first, first + count):
        spacer = random_dna(rng, int(rng.integers(30, 70)))
        pieces.append(spacer)
        length += len(spacer)
        letters, gene = _make_cassette(rng, species, f"{species.prefix}_{number:04d}")
        if rng.random() < 0.5:
            letters, gene = reverse_complement(letters), _flipped(gene, len(letters))
        pieces.append(letters)
        genes.append(_shifted(gene, length))
        length += len(letters)
    pieces.append(random_dna(rng, 50))
    return Chromosome(name, species, "".join(pieces), tuple(genes))


def _make_cassette(rng: np.random.Generator, species: Species, locus_tag: str) -> tuple[str, Gene]:
    """A gene on the plus strand of its own letters."""
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    protein = make_protein(rng, family, str(rng.choice(["", *FACES])))
    coding = coding_dna(rng, protein.residues, species)
    make_promoter = bacterial_promoter if species is BACTERIUM else tata_promoter
    promoter: Promoter = make_promoter(rng, strength=float(rng.uniform(0.6, 1.3)))
    leader, leader_signal = _make_leader(rng, species)
    body, exons = (coding, ((0, len(coding)),)) if species is BACTERIUM else _with_introns(rng, coding)
    trailer = random_dna(rng, 20)
    if species is EUKARYOTE:
        trailer += sample(rng, POLY_A_SIGNAL) + random_dna(rng, 15)
    before = len(promoter.letters)
    name, start, end = leader_signal
    signals = (*promoter.boxes, (name, start + before, end + before))
    shift = before + len(leader)
    shifted = tuple((exon_start + shift, exon_end + shift) for exon_start, exon_end in exons)
    gene = Gene(locus_tag, 1, shifted, signals, coding, protein, promoter_strength(rng, promoter))
    return promoter.letters + leader + body + trailer, gene


def _make_leader(rng: np.random.Generator, species: Species) -> tuple[str, tuple[str, int, int]]:
    """From the promoter's end to the start codon, with the signal where translation starts."""
    head = random_dna(rng, int(rng.integers(4, 12)))
    motif, name = (RIBOSOME_SITE, "ribosome_binding_site") if species is BACTERIUM else (KOZAK, "other")
    gap = random_dna(rng, int(rng.integers(5, 9))) if species is BACTERIUM else ""
    return head + sample(rng, motif) + gap, (name, len(head), len(head) + len(motif))


def _with_introns(rng: np.random.Generator, coding: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Put 0 to 2 introns into a coding sequence, after an AG where one lies in reach."""
    count = int(rng.choice(3, p=_INTRON_COUNT_SHARES))
    edges = [len(coding) * (index + 1) // (count + 1) for index in range(count)]
    cuts = [_near_ag(coding, edge) for edge in edges]
    pieces, exons, length = [], [], 0
    for start, end in zip([0, *cuts], [*cuts, len(coding)], strict=True):
        if start:
            letters = intron(rng, int(rng.integers(_INTRON_BP[0], _INTRON_BP[1] + 1)))
            pieces.append(letters)
            length += len(letters)
        pieces.append(coding[start:end])
        exons.append((length, length + end - start))
        length += end - start
    return "".join(pieces), tuple(exons)


def _near_ag(coding: str, edge: int) -> int:
    found = coding.find("AG", edge - _EXON_MIN_BP // 2, edge + _EXON_MIN_BP // 2)
    return edge if found < 0 else found + 2


def _flipped(gene: Gene, length: int) -> Gene:
    exons = tuple((length - end, length - start) for start, end in reversed(gene.exons))
    signals = tuple((name, length - end, length - start) for name, start, end in reversed(gene.signals))
    return replace(gene, strand=-gene.strand, exons=exons, signals=signals)


def _shifted(gene: Gene, by: int) -> Gene:
    exons = tuple((start + by, end + by) for start, end in gene.exons)
    return replace(gene, exons=exons, signals=tuple((name, start + by, end + by) for name, start, end in gene.signals))


@cache
def _codon_usage(species: Species) -> dict[str, tuple[tuple[str, ...], NDArray[np.float64]]]:
    """Residue (or `*`) to its codons and their cumulative shares."""
    residues = genetic_code(species.table).residues
    codons = sorted("".join((a, b, c)) for a in "ACGT" for b in "ACGT" for c in "ACGT")
    usage = {}
    for residue in sorted({residues[codon] for codon in codons}):
        synonyms = tuple(codon for codon in codons if residues[codon] == residue)
        weights = np.array([species.codon_ends["ACGT".index(codon[2])] for codon in synonyms], float)
        usage[residue] = (synonyms, np.cumsum(weights / weights.sum()))
    return usage


def all_genes(genome: tuple[Chromosome, ...]) -> Iterator[Gene]:
    """Every gene of a genome, in order.

    >>> [gene.locus_tag for gene in all_genes(make_genome(EUKARYOTE, 2, seed=1))]
    ['SYE_0001', 'SYE_0002']
    """
    for chromosome in genome:
        yield from chromosome.genes
