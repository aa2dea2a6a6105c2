"""Alignments: two sequences through parasail, several through a profile of HMMER (pyhmmer).

Two sequences are scored as everywhere in the package (`sequences.alignment`). Several are aligned to a profile: one
is built from the sequence that is most like all others, all are aligned to it, and again to a profile of that
alignment. So letters that few sequences share (insertions) stand beside each other without being compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from llama_gene.config import GeneKind
from llama_gene.errors import DataError
from llama_gene.sequences.alignment import Mode, gap_costs, score_all, trace
from llama_gene.tools.letters import SequenceKind, Short, checked_sequence

try:
    from pyhmmer import easel, hmmer, plan7
except ImportError:
    easel = hmmer = plan7 = None

_MOST_LETTERS = 2_000
# About 20 seconds and 300 megabytes on one core.
_MOST_CELLS = 20_000_000
_ROUNDS = 2

AlignmentMode = Annotated[
    Mode,
    Field(description="global: both from end to end; local: the best parts; semi-global: from end to end, but gaps at "
          "the ends are free."),
]  # fmt: skip
Named = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], Annotated[Short, Field(max_length=_MOST_LETTERS)]],
    Field(min_length=2, max_length=100, description="Name to letters, 2 to 100 sequences of one kind."),
]


@dataclass(frozen=True)
class PairAlignment:
    """Two rows of one length with `-` for gaps; `middle` has | for equal letters.

    Places are 0-based, half-open. `identity` is equal letters by the letters of the shorter sequence, as everywhere
    here; `identity_of_columns` by the columns shown. The first letter of a gap costs `gap_first`, others `gap_further`.
    """

    first: str
    middle: str
    second: str
    first_start: int
    first_end: int
    second_start: int
    second_end: int
    score: int
    identity: float
    identity_of_columns: float
    mode: str
    matrix: str
    gap_first: int
    gap_further: int


@dataclass(frozen=True)
class ManyAligned:
    """Rows of one length by name, in the order given, with `-` for gaps.

    `conserved` are the 0-based columns where all letters are equal. `method` says how it was made.
    """

    rows: dict[str, str]
    columns: int
    conserved: tuple[int, ...]
    method: str


def align_pair(first: Short, second: Short, kind: SequenceKind, mode: AlignmentMode = "global") -> PairAlignment:
    """The best alignment of two sequences of DNA or protein, with its score and identity.

    Proteins by BLOSUM62, DNA by +5 for equal and -4 for other letters, on the strands given.

    >>> found = align_pair("ACGTACGTAAC", "ACGTACGAAC", "dna")
    >>> found.first, found.second, found.score
    ('ACGTACGTAAC', 'ACGTACG-AAC', 25)
    """
    one = checked_sequence(first, kind, "align_pair: first")
    other = checked_sequence(second, kind, "align_pair: second")
    found = trace(one, other, kind, mode)
    equal = sum(a == b for a, b in zip(found.first, found.second, strict=True))
    opening, further = gap_costs(kind)
    return PairAlignment(
        found.first,
        "".join("|" if a == b else " " for a, b in zip(found.first, found.second, strict=True)),
        found.second,
        *found.first_span, *found.second_span, found.score,
        identity=equal / min(len(one), len(other)), identity_of_columns=equal / max(1, len(found.first)),
        mode=mode, matrix="BLOSUM62" if kind == "protein" else "+5/-4", gap_first=opening, gap_further=further,
    )  # fmt: skip


def align_many(sequences: Named, kind: SequenceKind) -> ManyAligned:
    """A multiple alignment of 2 to 100 sequences of one kind, by a profile hidden Markov model (HMMER).

    Raises:
        DataError: pyhmmer is not installed, letters of another alphabet, or too many letters together.

    >>> align_many({"a": "MKTAYIAKQRQISFVK", "b": "MKTAYIAQRQISFVK"}, "protein").rows["b"]
    'MKTAYIA-QRQISFVK'
    """
    if plan7 is None:
        raise DataError('align_many: pyhmmer is not installed. Install it with: pip install "llama-gene[search]"')
    letters = {name: checked_sequence(text, kind, f"align_many: {name}") for name, text in sequences.items()}
    total, longest = sum(map(len, letters.values())), max(map(len, letters.values()))
    if total * longest > _MOST_CELLS:
        raise DataError(
            f"align_many: {total:,} letters, the longest sequence {longest:,}. Expected a product of {_MOST_CELLS:,} "
            "at most; give fewer or shorter ones."
        )
    rows = dict(zip(letters, _align_to_profile(list(letters.values()), kind), strict=True))
    columns = list(zip(*rows.values(), strict=True))
    conserved = tuple(place for place, column in enumerate(columns) if len(set(column)) == 1)
    return ManyAligned(rows, len(columns), conserved, f"HMMER profile (pyhmmer), {_ROUNDS} rounds")


def _align_to_profile(letters: Sequence[str], kind: GeneKind) -> list[str]:
    """The rows; those that are all gaps together are left out."""
    alphabet = easel.Alphabet.amino() if kind == "protein" else easel.Alphabet.dna()
    background = plan7.Background(alphabet)
    digital = [
        easel.TextSequence(name=str(number).encode(), sequence=text).digitize(alphabet)
        for number, text in enumerate(letters)
    ]
    centre = digital[_centre(letters, kind)]
    builder = plan7.Builder(alphabet)
    profile, _, _ = builder.build(centre, background)
    block = easel.DigitalSequenceBlock(alphabet, digital)
    for _ in range(_ROUNDS - 1):
        aligned = hmmer.hmmalign(profile, block, digitize=True, all_consensus_cols=True)
        aligned.name = b"profile"
        profile, _, _ = builder.build_msa(aligned, background)
    final = hmmer.hmmalign(profile, block, all_consensus_cols=True)
    rows = [row.upper().replace(".", "-").replace("~", "-") for row in final.alignment]
    kept = [column for column in zip(*rows, strict=True) if set(column) != {"-"}]
    return ["".join(row) for row in zip(*kept, strict=True)]


def _centre(letters: Sequence[str], kind: GeneKind) -> int:
    """The sequence whose local alignments with all others score most; the first of equals."""
    sums = [sum(score_all(text, letters, kind)) for text in letters]
    return sums.index(max(sums))
