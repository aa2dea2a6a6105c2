"""What readers give: one record per sequence or document, and one coding sequence per gene product."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llama_gene.config import Kind

PROTEIN_ANNOTATIONS = (
    "accession", "product", "gene", "organism", "family", "function", "ec", "go", "go_function", "go_process",
    "go_component",
)  # fmt: skip
"""What `annotations` of a protein may hold, where the source says so."""


class Record(NamedTuple):
    """One sequence or document.

    `annotations` may hold `PROTEIN_ANNOTATIONS`: "accession", "product", "gene", "organism" and "function" (strings),
    "family" (a tuple of all it belongs to), "ec" (a tuple of all EC numbers), "go" (a tuple of "term name(GO:0000000)";
    by aspect "go_function", "go_process" and "go_component"); for texts "title", and for proteins of which a part is
    missing "fragment" (strings).
    """

    id: str
    kind: Kind
    text: str
    source: str = ""
    description: str = ""
    annotations: Mapping[str, str | tuple[str, ...]] = {}


@dataclass(frozen=True)
class CodonException:
    """A codon that is not read by the table (INSDC `transl_except`).

    `start` is 0-based in the spliced coding DNA; `residue` is one letter, `*` for a stop made by poly-adenylation.
    """

    start: int
    residue: str


@dataclass(frozen=True)
class CodingSequence:
    """A protein-coding region, spliced and on its own strand.

    `dna` is 5' to 3' of the coding strand and starts with the first base of the location; the first full codon
    starts at `codon_start` (1, 2 or 3). `protein` is the translation the source gives, or "". `location` is in the
    source's own words (1-based). `start` and `end` are 0-based, half-open on the record, `strand` is 1 or -1.
    """

    record_id: str
    locus_tag: str
    product: str
    dna: str
    protein: str = ""
    table: int = 1
    codon_start: int = 1
    exceptions: tuple[CodonException, ...] = ()
    partial_start: bool = False
    partial_end: bool = False
    location: str = ""
    start: int = 0
    end: int = 0
    strand: int = 1
    gene: str = ""
    protein_id: str = ""
    ec: tuple[str, ...] = ()
    organism: str = ""

    @property
    def annotations(self) -> dict[str, str | tuple[str, ...]]:
        """What the source says of the protein, as `Record.annotations` holds it; what it does not say is left out."""
        found: dict[str, str | tuple[str, ...]] = {
            "product": self.product, "gene": self.gene, "organism": self.organism, "ec": self.ec
        }  # fmt: skip
        return {key: value for key, value in found.items() if value}
