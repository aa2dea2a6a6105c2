"""One vocabulary learner in a process of its own: `python _learners.py LEARNER FILE KIND TOKENS` tells what it took.

Imports nothing it does not need, so that the peak memory is that of learning.
"""

import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, trainers

from llama_gene.config import GeneKind
from llama_gene.sequences.alphabets import DNA, PROTEIN
from llama_gene.tokenizer.learn import learn_merges

LONGEST = 16
LETTERS: dict[GeneKind, str] = {"dna": DNA.letters, "protein": PROTEIN.letters}


def learn(learner: str, file: Path, kind: GeneKind, tokens: int) -> dict[str, float]:
    """What one process does: read the fragments, learn, tell what it took."""
    work: dict[str, Callable[[Path, GeneKind, int], int]] = {
        "ours": learn_ours, "sentencepiece": learn_sentencepiece, "tokenizers": learn_tokenizers
    }  # fmt: skip
    # Compiled code is loaded before the clock starts; it is kept on disk from the first use on.
    learn_merges([[0, 1, 0, 1] * 9] * 9, new_tokens=40, max_token_letters=8, letters_of=["A", "C"])
    idle = peak_bytes()
    started = time.perf_counter()
    found = work[learner](file, kind, tokens)
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), "peak_bytes": peak_bytes(), "idle_bytes": idle, "tokens": found}


def peak_bytes() -> int:
    """Most memory this process has had; `getrusage` would count the process it was started from, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def fragments(file: Path) -> Iterator[str]:
    """The lines of the file, one by one."""
    with file.open(encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n")


def learn_ours(file: Path, kind: GeneKind, tokens: int) -> int:
    """Our learner, from single letters; lines are read many at a time, -1 between them."""
    code_of = np.full(128, -1, np.int16)
    code_of[[ord(letter) for letter in LETTERS[kind]]] = range(len(LETTERS[kind]))

    def words() -> Iterator[NDArray[np.int16]]:
        with file.open("rb") as lines:
            while batch := lines.readlines(1 << 22):
                yield code_of[np.frombuffer(b"".join(batch), np.uint8)]

    merges = learn_merges(words(), new_tokens=tokens, max_token_letters=LONGEST, letters_of=list(LETTERS[kind]))
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


if __name__ == "__main__":
    learner, file, kind, tokens = sys.argv[1:]
    print(json.dumps(learn(learner, Path(file), "dna" if kind == "dna" else "protein", int(tokens))))
