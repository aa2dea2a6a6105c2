"""Learn a BPE vocabulary from DNA and protein: seconds and peak memory of us, SentencePiece and tokenizers.

Each learner runs in a process of its own on the same file of fragments, one after the other, and is asked for the
same number of tokens of at most 16 letters. The time is that of reading and learning, the memory the peak of the
whole process (`idle_bytes` of it before the work began). Quick: 2 MB of made-up sequences, 4,000 tokens. Else sequences come from LLAMA_GENE_DATA where that is
set, 30,000 tokens: DNA of 10, 50 and 200 MB and protein of 200 MB against both peers, DNA of 1 GB without them (they
need over 30 GB). `--only KIND:MB` runs some of these.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from tokenizers import Tokenizer, models, trainers

from _harness import Arguments, report
from _sequences import LETTERS, write_fragments
from llama_gene.config import GeneKind
from llama_gene.tokenizer.learn import learn_merges

LONGEST = 16
PEERS = ("sentencepiece", "tokenizers")
FULL = ("dna:10", "dna:50", "protein:200", "dna:200", "dna:1000")
ALONE_FROM_MB = 1000


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, small sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--only", nargs="+", default=list(FULL), metavar="KIND:MB", help=f"of {' '.join(FULL)}")
    parser.add_argument("--worker", nargs=4, metavar=("LEARNER", "FILE", "KIND", "TOKENS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        learner, file, kind, tokens = asked.worker
        print(json.dumps(learn(learner, Path(file), kind, int(tokens))))
        return
    data = None if asked.quick else os.environ.get("LLAMA_GENE_DATA")
    sizes = ["protein:2", "dna:2"] if asked.quick else asked.only
    tokens = 4000 if asked.quick else 30_000
    found = {size: measure(size, tokens, Path(data) if data else None) for size in sizes}
    show(Arguments(asked.quick, asked.json), found, tokens, real=data is not None)


def measure(size: str, tokens: int, data: Path | None) -> dict[str, dict[str, float]]:
    """Every learner on the same file."""
    kind, megabytes = size.split(":")
    learners = ("ours",) if int(megabytes) >= ALONE_FROM_MB else ("ours", *PEERS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fragments.txt"
        letters = write_fragments(file, kind, int(megabytes) * 1_000_000, data)
        found = {}
        for learner in learners:
            command = [sys.executable, __file__, "--worker", learner, str(file), kind, str(tokens)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout.splitlines()[-1])
            found[learner] = told | {
                "letters": letters,
                "letters_per_second": round(letters / told["seconds"]),
                "bytes_a_letter": round(told["peak_bytes"] / letters, 2),
            }
    return found


def learn(learner: str, file: Path, kind: GeneKind, tokens: int) -> dict[str, float]:
    """What one process does: read the fragments, learn, tell what it took."""
    work: dict[str, Callable[[Path, GeneKind, int], int]] = {
        "ours": learn_ours, "sentencepiece": learn_sentencepiece, "tokenizers": learn_tokenizers
    }  # fmt: skip
    # Compiled code is loaded before the clock starts; it is kept on disk from the first use on.
    learn_merges([[0, 1, 0, 1] * 9] * 9, new_tokens=40, max_token_letters=8, letters_of=["A", "C"])
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started = time.perf_counter()
    found = work[learner](file, kind, tokens)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": round(seconds, 2), "peak_bytes": peak, "idle_bytes": idle, "tokens": found}


def fragments(file: Path) -> Iterator[str]:
    """The lines of the file, one by one."""
    with file.open(encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n")


def learn_ours(file: Path, kind: GeneKind, tokens: int) -> int:
    """Our learner, from single letters."""
    code_of = np.zeros(128, np.uint16)
    code_of[[ord(letter) for letter in LETTERS[kind]]] = range(len(LETTERS[kind]))
    words = (code_of[np.frombuffer(fragment.encode(), np.uint8)] for fragment in fragments(file))
    merges = learn_merges(
        words, new_tokens=tokens, max_token_letters=LONGEST, letters_of=list(LETTERS[kind])
    )
    return len(merges)


def learn_sentencepiece(file: Path, kind: GeneKind, tokens: int) -> int:
    """SentencePiece's BPE trainer on as many threads as there are cores."""
    model = io.BytesIO()
    control = 3
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=fragments(file), model_writer=model, model_type="bpe",
        vocab_size=tokens + len(LETTERS[kind]) + control, max_sentencepiece_length=LONGEST, character_coverage=1.0,
        max_sentence_length=1_000_000, add_dummy_prefix=False, normalization_rule_name="identity",
        num_threads=os.cpu_count() or 1, minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return int(processor.get_piece_size()) - control - len(LETTERS[kind])


def learn_tokenizers(file: Path, kind: GeneKind, tokens: int) -> int:
    """Hugging Face's BpeTrainer, on all cores as it comes."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=tokens + len(LETTERS[kind]), initial_alphabet=list(LETTERS[kind]), min_frequency=2,
        max_token_length=LONGEST + 1, show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(fragments(file), trainer)
    return int(tokenizer.get_vocab_size()) - len(LETTERS[kind])


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
