"""Learn a BPE vocabulary from DNA and protein: seconds and peak memory of us, SentencePiece and tokenizers.

Each learner runs in a process of its own on the same file of fragments, one after the other, and is asked for the
same number of tokens of at most 16 letters. The time is that of reading and learning, the memory the peak of the
whole process (`idle_bytes` of it before the work began). Quick: 2 MB of made-up sequences, 4,000 tokens. Else
sequences come from LLAMA_GENE_DATA where that is set, 30,000 tokens: DNA of 10, 50 and 200 MB and protein of 200 MB
against both peers, DNA of 1 GB without them (they need over 30 GB). `--only KIND:MB` runs some of these.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _harness import Arguments, read_arguments, report
from _learners import LONGEST
from _sequences import write_fragments

WORKER = Path(__file__).with_name("_learners.py")
PEERS = ("sentencepiece", "tokenizers")
FULL = ("dna:10", "dna:50", "protein:200", "dna:200", "dna:1000")
ALONE_FROM_MB = 1000


def main() -> None:
    """Run, print, write."""
    only = {"nargs": "+", "default": list(FULL), "metavar": "KIND:MB", "help": f"of {' '.join(FULL)}"}
    asked = read_arguments(__doc__, {"--only": only})
    data = None if asked.quick else os.environ.get("LLAMA_GENE_DATA")
    sizes = ["protein:2", "dna:2"] if asked.quick else asked.options.only
    tokens = 4000 if asked.quick else 30_000
    found = {size: measure(size, tokens, Path(data) if data else None) for size in sizes}
    show(asked, found, tokens, real=data is not None)


def measure(size: str, tokens: int, data: Path | None) -> dict[str, dict[str, float]]:
    """Every learner on the same file."""
    kind, megabytes = size.split(":")
    learners = ("ours",) if int(megabytes) >= ALONE_FROM_MB else ("ours", *PEERS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fragments.txt"
        letters = write_fragments(file, kind, int(megabytes) * 1_000_000, data)
        found = {}
        for learner in learners:
            command = [sys.executable, str(WORKER), learner, str(file), kind, str(tokens)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout.splitlines()[-1])
            found[learner] = told | {
                "letters": letters,
                "letters_per_second": round(letters / told["seconds"]),
                "bytes_a_letter": round(told["peak_bytes"] / letters, 2),
            }
    return found


def show(arguments: Arguments, found: dict[str, dict[str, dict[str, float]]], tokens: int, *, real: bool) -> None:
    """Print the table, write the document."""
    rows = [("work", "learner", "seconds", "MB/s", "bytes a letter", "ratio")]
    for size, by_learner in found.items():
        for learner, told in by_learner.items():
            ratio = told["seconds"] / by_learner["ours"]["seconds"]
            rows.append(
                (
                    size.replace(":", " ") + " MB", learner, f"{told['seconds']:.1f}",
                    f"{told['letters_per_second'] / 1e6:.2f}", f"{told['bytes_a_letter']:.1f}", f"{ratio:.1f}",
                )
            )  # fmt: skip
    compared = [size for size in found if len(found[size]) > 1]
    largest = max(compared, key=lambda size: (size.startswith("dna"), int(size.split(":")[1])), default=None)
    ratios = (
        {peer: found[largest][peer]["seconds"] / found[largest]["ours"]["seconds"] for peer in PEERS} if largest else {}
    )
    peers: dict[str, Any] = {peer: {size: found[size][peer] for size in compared} for peer in PEERS}
    report(
        arguments,
        work={
            "tokens": tokens,
            "longest_token": LONGEST,
            "sequences": "genomes and proteomes of LLAMA_GENE_DATA, mutated copies beyond" if real else "made up",
            "ratios_at": largest,
        },
        ours={size: told["ours"] for size, told in found.items()},
        peers=peers,
        ratios=ratios,
        table=rows,
    )


if __name__ == "__main__":
    main()
