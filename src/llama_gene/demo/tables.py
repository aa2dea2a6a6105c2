"""The task tables of the synthetic organism, one row an item, no sequence twice.

Look-alikes share the composition of what they resemble, so length and GC content do not tell. The rows are drawn by
the same rules as the genomes but are not taken from them.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from llama_gene.demo.genome import SPECIES, coding_dna
from llama_gene.demo.motifs import stream
from llama_gene.demo.promoters import (
    at_start,
    bacterial_decoy,
    bacterial_promoter,
    promoter_strength,
    tata_decoy,
    tata_promoter,
)
from llama_gene.demo.proteins import COUNTERPARTS, FACES, FAMILIES, Protein, make_protein
from llama_gene.demo.splicing import SpliceSite, splice_window

STRENGTH_UPSTREAM_BP = 40
_STRENGTH_RANGE = (0.3, 1.3)
_SITES: tuple[SpliceSite, ...] = ("donor", "acceptor", "none")


class Table(NamedTuple):
    """Column names and rows of text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def task_tables(items: int, pairs: int, seed: int) -> Iterator[tuple[str, Table]]:
    """Every task's file name (without suffix) and table.

    Args:
        items: Rows of each table but `interaction`.
        pairs: Interacting pairs; as many that do not interact are added.
        seed: Seed; each table has a stream of its own.

    >>> [(name, len(table.rows)) for name, table in task_tables(4, 2, seed=1)][:2]
    [('promoter', 4), ('tata', 4)]
    """
    makers: tuple[tuple[str, tuple[str, ...], int, Callable[[np.random.Generator, int], tuple[str, ...]]], ...] = (
        ("promoter", ("sequence", "label"), items, _promoter_row),
        ("tata", ("sequence", "label"), items, _tata_row),
        ("splice", ("sequence", "label"), items, _splice_row),
        ("structure", ("sequence", "states"), items, _structure_row),
        ("interaction", ("sequence_1", "sequence_2", "label"), 2 * pairs, _pair_row),
        ("product", ("sequence", "product"), items, _product_row),
        ("function", ("sequence", "family", "function"), items, _function_row),
        ("strength", ("sequence", "strength"), items, _strength_row),
    )
    for name, columns, count, make in makers:
        yield name, Table(("id", *columns), _distinct_rows(name, count, seed, make))


def relatives(count: int, seed: int) -> tuple[Protein, ...]:
    """Further members of the families, to read and not to answer.

    >>> len(relatives(3, seed=1))
    3
    """
    rng = stream(seed, "relatives")
    return tuple(_member(rng, index, face=str(rng.choice(["", *FACES]))) for index in range(count))


def csv_text(table: Table) -> str:
    """The table as CSV.

    >>> csv_text(Table(("id", "sequence"), (("1", "ACGT"),)))
    'id,sequence\\n1,ACGT\\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()


def _distinct_rows(
    name: str, count: int, seed: int, make: Callable[[np.random.Generator, int], tuple[str, ...]]
) -> tuple[tuple[str, ...], ...]:
    """`count` rows with distinct sequences, classes in turn, then in random order."""
    rng = stream(seed, f"task {name}")
    rows: list[tuple[str, ...]] = []
    seen: set[str] = set()
    while len(rows) < count:
        row = make(rng, len(rows))
        if row[0] not in seen:
            seen.add(row[0])
            rows.append(row)
    order = rng.permutation(count).tolist()
    return tuple((f"{name}_{number:05d}", *rows[place]) for number, place in enumerate(order, start=1))


def _promoter_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    if index % 2:
        return bacterial_promoter(rng).letters, "promoter"
    return bacterial_decoy(rng), "non-promoter"


def _tata_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    if index % 2:
        return tata_promoter(rng).letters, "promoter"
    return tata_decoy(rng), "non-promoter"


def _splice_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    site = _SITES[index % len(_SITES)]
    return splice_window(rng, site), site


def _structure_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    protein = _member(rng, index)
    return protein.residues, protein.states


def _product_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    species = SPECIES[index // len(FAMILIES) % len(SPECIES)]
    family = FAMILIES[index % len(FAMILIES)]
    return coding_dna(rng, make_protein(rng, family).residues, species), family.product


def _function_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    family = FAMILIES[index % len(FAMILIES)]
    return make_protein(rng, family).residues, family.name, family.function


def _strength_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    promoter = bacterial_promoter(rng, strength=float(rng.uniform(*_STRENGTH_RANGE)))
    return at_start(promoter, STRENGTH_UPSTREAM_BP).letters, f"{promoter_strength(rng, promoter):.3f}"


def _pair_row(rng: np.random.Generator, index: int) -> tuple[str, ...]:
    """Counterparts bind. Of those that do not, half carry faces that do not fit and half lack one of the two."""
    face = str(rng.choice(list(FACES)))
    mate = COUNTERPARTS[face]
    if index % 4 == 0:
        mate = str(rng.choice([other for other in FACES if other != mate]))
    elif index % 4 == 2:
        face, mate = (face, "blank") if rng.random() < 0.5 else ("blank", mate)
    families: Sequence[int] = rng.integers(0, len(FAMILIES), 2).tolist()
    first, second = _member(rng, families[0], face), _member(rng, families[1], mate)
    return first.residues, second.residues, "binding" if index % 2 else "non-binding"


def _member(rng: np.random.Generator, index: int, face: str = "") -> Protein:
    return make_protein(rng, FAMILIES[index % len(FAMILIES)], face)
