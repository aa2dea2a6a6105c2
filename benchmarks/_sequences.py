"""DNA and protein of any size for the tokenizer benchmarks: mutated copies of real or made-up sequences.

With a data folder the sequences start from its genomes and proteomes, else from a made-up genome with repeats and
codon-like bias and made-up proteins. Where more letters are asked for than there are, copies follow in which one
letter in 50 is another: what is learnt must not be a copy of what stood before.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _learners import LETTERS
from llama_gene.config import GeneKind
from llama_gene.sequences.readers import list_files, read_texts

REAL = {"dna": ("genomes/bacteria", "genomes/human/hg19_chr*.fa.gz"), "protein": ("proteins/proteomes",)}
_MUTATED = 0.02


def write_fragments(file: Path, kind: GeneKind, letters: int, data: Path | None) -> int:
    """Write fragments, one a line: DNA of 300-1000 letters, proteins as they are; gives how many letters there are."""
    rng = np.random.default_rng(1)
    written = 0
    with file.open("w", encoding="ascii") as lines:
        for fragment in _fragments(kind, data, rng):
            lines.write(fragment + "\n")
            written += len(fragment)
            if written >= letters:
                return written
    raise ValueError("no sequences")


def _fragments(kind: GeneKind, data: Path | None, rng: np.random.Generator) -> Iterator[str]:
    runs = _real(kind, data) if data else made_up(kind)
    pieces = [piece for run in runs for piece in _cut(run, kind, rng)]
    rng.shuffle(pieces)
    yield from pieces
    alphabet = np.frombuffer(LETTERS[kind].encode(), np.uint8)
    while pieces:
        for piece in pieces:
            codes = np.frombuffer(piece.encode(), np.uint8).copy()
            hit = rng.random(len(codes)) < _MUTATED
            codes[hit] = rng.choice(alphabet, int(hit.sum()))
            yield codes.tobytes().decode()


def _real(kind: GeneKind, data: Path) -> Iterator[str]:
    files = [file for place in REAL[kind] for file in list_files(data / place)]
    pattern = re.compile(f"[{LETTERS[kind]}]{{30,}}")
    for file in files:
        for text in read_texts([file], kind, on_invalid="skip"):
            yield from pattern.findall(text.upper())


def made_up(kind: GeneKind) -> Iterator[str]:
    """Runs of DNA of about 54 kb with genes and repeats, or proteins."""
    rng = random.Random(1)
    if kind == "protein":
        words = ["".join(rng.choices(LETTERS[kind], k=rng.randint(2, 6))) for _ in range(3000)]
        for _ in range(2000):
            yield "".join(rng.choices(words, k=rng.randint(20, 120)))
        return
    codons = rng.choices(["".join(rng.choices(LETTERS[kind], k=3)) for _ in range(64)], k=48)
    repeats = ["".join(rng.choices(LETTERS[kind], k=rng.randint(50, 300))) for _ in range(20)]
    for _ in range(20):
        genes = ("".join(rng.choices(codons, k=300)) + rng.choice(repeats) for _ in range(50))
        yield "".join(genes)


def _cut(run: str, kind: GeneKind, rng: np.random.Generator) -> Iterator[str]:
    if kind == "protein":
        yield run
        return
    start = 0
    while start < len(run):
        size = int(rng.integers(300, 1001))
        yield run[start : start + size]
        start += size
