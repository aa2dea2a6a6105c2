"""Programs that find sequences, where they are installed: MMseqs2 and, for proteins, DIAMOND.

Steinegger and Söding 2017, Nat Biotechnol 35:1026; Buchfink et al. 2021, Nat Methods 18:366. Both read the FASTA file
of the index anew for each query and are at their best with many at once: for one query HMMER is faster.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from llama_gene.config import GeneKind, IndexConfig
from llama_gene.errors import DataError
from llama_gene.retrieval.found import Found, Strand

MMSEQS: Literal["mmseqs"] = "mmseqs"
DIAMOND: Literal["diamond"] = "diamond"
_MMSEQS_COLUMNS = "target,evalue,fident,qstart,qend,tstart,tend,qlen"
_MMSEQS_TYPE: dict[GeneKind, str] = {"protein": "1", "dna": "3"}
_DIAMOND_COLUMNS = ("sseqid", "evalue", "pident", "qstart", "qend", "sstart", "send", "qlen")


def has_program(name: str) -> bool:
    """Whether a program is on the path."""
    return shutil.which(name) is not None


def find_by_mmseqs(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best hits first, by E-value; arguments as `find_by_hmmer`.

    Raises:
        DataError: MMseqs2 fails.
    """

    def command(asked: Path, result: Path) -> list[str]:
        # Of DNA words of 11: the table of the usual 15 alone takes 8 GB and a minute.
        word = ["-k", "11"] if kind == "dna" else []
        return [
            MMSEQS, "easy-search", str(asked), str(fasta), str(result), str(asked.with_name("work")),
            "--search-type", _MMSEQS_TYPE[kind], "--format-output", _MMSEQS_COLUMNS, "-e", str(config.max_e_value),
            "--max-seqs", str(max(300, most)), "--strand", "2", "-v", "1", *word,
        ]  # fmt: skip

    return _best(_run(query, command), kind, MMSEQS, most)


def find_by_diamond(query: str, kind: GeneKind, fasta: Path, config: IndexConfig, most: int) -> list[Found]:
    """Best hits first, by E-value; arguments as `find_by_hmmer`, proteins alone.

    Raises:
        DataError: DIAMOND fails.
    """

    def command(asked: Path, result: Path) -> list[str]:
        # Seeds of the query, not of the file, are kept in memory: 30 times faster for one query.
        return [
            DIAMOND, "blastp", "--query", str(asked), "--db", str(fasta), "--out", str(result), "--algo", "1",
            "--sensitive", "--evalue", str(config.max_e_value), "--max-target-seqs", str(most), "--quiet",
            "--tmpdir", str(asked.parent), "--outfmt", "6", *_DIAMOND_COLUMNS,
        ]  # fmt: skip

    return _best(_run(query, command), kind, DIAMOND, most)


def _run(query: str, command: Callable[[Path, Path], list[str]]) -> list[list[str]]:
    """The columns of each row that a program writes."""
    with TemporaryDirectory() as folder:
        asked, result = Path(folder) / "query.fasta", Path(folder) / "result.tsv"
        asked.write_text(f">query\n{query}\n", encoding="ascii")
        words = command(asked, result)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise DataError(f"{' '.join(words[:2])} failed ({said[-1]}). Mend it, or set index.method = 'auto'.")
        return [line.split("\t") for line in result.read_text(encoding="ascii").splitlines()]


def _best(rows: Sequence[Sequence[str]], kind: GeneKind, method: str, most: int) -> list[Found]:
    found = [read_row(row, kind, method) for row in rows]
    return sorted(found, key=lambda one: (one.e_value, one.number, one.start))[:most]


def read_row(row: Sequence[str], kind: GeneKind, method: str) -> Found:
    """A row of a program: places are 1-based, and run down where the other strand aligns; DIAMOND gives percent."""
    number, e_value, identity, *places = row
    query_from, query_to, target_from, target_to, length = map(int, places)
    is_turned = (query_from > query_to) != (target_from > target_to)
    strand: Strand = "" if kind == "protein" else "-" if is_turned else "+"
    coverage = (abs(query_to - query_from) + 1) / length
    first, last = sorted((target_from, target_to))
    share = float(identity) / (100 if method == DIAMOND else 1)
    return Found(int(number), share, coverage, float(e_value), method, strand, first - 1, last)
