"""Sequences of at least a given identity, for clusters that must not be split.

Identity is CD-HIT's: equal letters of the best local alignment by the letters of the shorter sequence. Two ways to
find them: MMseqs2 (`easy-cluster`, Steinegger and Söding 2017) where it is installed, or shared words with every
candidate aligned (`neighbours`), which needs no binary and takes minutes for ten thousand proteins. `auto` takes
MMseqs2 for proteins only: of short DNA pairs at 80 % identity it misses half, since its words are 15 bases long
(`docs/splits.md`). MinHash signatures (rensa) are no third way: two proteins of 50 % identity share no more words of
five residues than strangers do.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import GeneKind
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.alignment import align
from llama_gene.tasks.neighbours import find_candidates, in_threads, score_candidates

Finder = Literal["mmseqs", "kmers"]
_MMSEQS = "mmseqs"
_DATABASE_TYPE = {"protein": "1", "dna": "2"}
_TOGETHER = 64


def choose_finder(asked: Literal["auto", "mmseqs", "kmers"], kind: GeneKind) -> Finder:
    """Who finds alike sequences of a kind on this machine.

    Raises:
        ConfigError: MMseqs2 is asked for and not installed.

    >>> choose_finder("auto", "dna")
    'kmers'
    """
    is_installed = shutil.which(_MMSEQS) is not None
    if asked == "mmseqs" and not is_installed:
        raise ConfigError(
            "identity_by = 'mmseqs': no program 'mmseqs' on the path. Install MMseqs2 (conda install -c bioconda "
            "mmseqs2, brew install mmseqs2), or set identity_by = 'kmers'."
        )
    if asked == "auto":
        return "mmseqs" if kind == "protein" and is_installed else "kmers"
    return asked


def identical_pairs(
    sequences: Sequence[str], kind: GeneKind, identity: float, asked: Literal["auto", "mmseqs", "kmers"] = "auto"
) -> Iterator[tuple[int, int]]:
    """Links between sequences of at least this identity; who is joined by a chain of them need not be linked itself.

    Args:
        sequences: Upper-case letters, none empty.
        kind: What all are; DNA is compared on both strands.
        identity: From 0.2 to 1. Below 0.3 (protein) and 0.6 (short DNA) chance gives as much.
        asked: Who finds them.

    Raises:
        ConfigError: MMseqs2 is asked for and not installed.
        DataError: MMseqs2 fails.

    >>> sorted(set(identical_pairs(["ACGGTCAATCGATCGGAC", "GTCCGATCGATTGACCGA", "TTTTTTTTCCCCCCCC"], "dna", 0.9)))
    [(0, 1)]
    """
    different = sorted(set(sequences))
    number = {letters: place for place, letters in enumerate(different)}
    holders: dict[int, int] = {}
    for place, letters in enumerate(sequences):
        first = holders.setdefault(number[letters], place)
        if first != place:
            yield first, place
    find = _by_mmseqs if choose_finder(asked, kind) == "mmseqs" else _by_words
    for one, other in find(different, kind, identity):
        first, second = holders[one], holders[other]
        yield min(first, second), max(first, second)


def _by_words(sequences: Sequence[str], kind: GeneKind, identity: float) -> Iterator[tuple[int, int]]:
    """Align each sequence with its candidates."""
    who_QC = find_candidates(sequences, sequences, kind, title="Looking for alike sequences", itself=True)

    def alike(start: int) -> list[tuple[int, int]]:
        return [
            (one, other)
            for one in range(start, min(start + _TOGETHER, len(sequences)))
            for other in _alike(one, who_QC[one], sequences, kind, identity)
        ]

    chunks = range(0, len(sequences), _TOGETHER)
    for found in in_threads(alike, chunks, "Aligning alike sequences"):
        yield from found


def _alike(
    one: int, who_C: NDArray[np.int64], sequences: Sequence[str], kind: GeneKind, identity: float
) -> Iterator[int]:
    for candidate in score_candidates(sequences[one], who_C, sequences, kind):
        other = sequences[candidate.place]
        # An equal letter scores 4 or more, so with this many an alignment worth the name has a higher score.
        enough = identity * min(len(other), len(candidate.letters))
        if candidate.score >= enough and align(candidate.letters, other, kind).identity >= identity:
            yield candidate.place


def _by_mmseqs(sequences: Sequence[str], kind: GeneKind, identity: float) -> Iterator[tuple[int, int]]:
    """Connected components of MMseqs2, each named by one of its sequences."""
    with TemporaryDirectory() as folder:
        fasta, result = Path(folder) / "sequences.fasta", Path(folder) / "result"
        fasta.write_text("".join(f">{place}\n{text}\n" for place, text in enumerate(sequences)), encoding="ascii")
        command = [
            _MMSEQS, "easy-cluster", str(fasta), str(result), str(Path(folder) / "work"),
            # In several steps (its default) only representatives meet, and a family may come apart.
            "--single-step-clustering", "1",
            "--min-seq-id", str(identity), "--seq-id-mode", "1", "-c", "0", "--cluster-mode", "1",
            "--dbtype", _DATABASE_TYPE[kind], "--threads", str(os.cpu_count() or 1), "-v", "1",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise DataError(
                f"mmseqs easy-cluster failed ({said[-1]}). Mend its installation, or set identity_by = 'kmers'."
            )
        for line in Path(f"{result}_cluster.tsv").read_text(encoding="ascii").splitlines():
            first, second = sorted(map(int, line.split("\t")))
            if first != second:
                yield first, second
