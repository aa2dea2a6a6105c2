"""The peer of `corpus_build.py` in a process of its own: genomes to blocks with Biopython, `datasets` and `tokenizers`.

What one writes who knows these libraries, and the same work as ours: letters in upper case, cut at all that is no base,
exact duplicates on either strand left out, 2 % of the regions of 100 kb held out, fragments of 300-1000 bp, half of
them reversed, one shuffle of everything, begin and end tokens, blocks of whole documents with their lengths, Arrow
files. One process reads, two encode and pack. The task is that of `_corpus_ours.py`.
"""

import gzip
import json
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from Bio import SeqIO
from Bio.Seq import reverse_complement
from datasets import Dataset
from tokenizers import Tokenizer

_RUN = re.compile("[ACGT]{30,}")
_REGION_BP = 100_000
_VALID_SHARE = 0.02
_SHORTEST, _LONGEST = 300, 1000
_BATCH = 4096


def read_runs(files: list[str]) -> Iterator[str]:
    """Runs of bases, each once, whatever its strand."""
    seen: set[bytes] = set()
    for file in files:
        with gzip.open(file, "rt", encoding="ascii") as lines:
            for record in SeqIO.parse(lines, "fasta"):
                for run in _RUN.findall(str(record.seq).upper()):
                    digest = min(
                        blake2b(strand.encode(), digest_size=8).digest() for strand in (run, reverse_complement(run))
                    )
                    if digest not in seen:
                        seen.add(digest)
                        yield run


def fragments(files: list[str]) -> Iterator[dict[str, Any]]:
    """The documents, and whether they are held out."""
    rng = np.random.default_rng(1)
    for run in read_runs(files):
        for begin in range(0, len(run), _REGION_BP):
            region = run[begin : begin + _REGION_BP]
            is_valid = rng.random() < _VALID_SHARE
            start = 0
            while start < len(region):
                piece = region[start : start + int(rng.integers(_SHORTEST, _LONGEST + 1))]
                start += len(piece)
                yield {"text": reverse_complement(piece) if rng.random() < 0.5 else piece, "is_valid": is_valid}


def encode_and_pack(batch: dict[str, list[str]], tokenizer: str, block: int, begin: int, end: int) -> dict[str, Any]:
    """Blocks of one batch: a document goes into the block begun last, or into a new one."""
    blocks: list[list[int]] = []
    lengths: list[list[int]] = []
    for encoding in _open(tokenizer).encode_batch_fast(batch["text"], add_special_tokens=False):
        ids = [begin, *encoding.ids[: block - 2], end]
        if not blocks or len(blocks[-1]) + len(ids) > block:
            blocks.append([])
            lengths.append([])
        blocks[-1].extend(ids)
        lengths[-1].append(len(ids))
    return {"input_ids": blocks, "lengths": lengths}


_opened: dict[str, Tokenizer] = {}


def _open(folder: str) -> Tokenizer:
    """The tokenizer, read once in each process."""
    if folder not in _opened:
        _opened[folder] = Tokenizer.from_file(f"{folder}/tokenizer.json")
    return _opened[folder]


def build_and_pack(task: dict[str, Any]) -> dict[str, float]:
    """Do the task; seconds, and what came of it."""
    settings = json.loads(Path(task["tokenizer"], "tokenizer_config.json").read_text(encoding="utf-8"))
    tokenizer = _open(task["tokenizer"])
    begin, end = (tokenizer.token_to_id(settings[name]) for name in ("bos_token", "eos_token"))
    started = time.perf_counter()
    files = sorted(str(file) for path, _ in task["sources"] for file in Path(path).iterdir())
    documents = Dataset.from_generator(
        fragments, gen_kwargs={"files": files}, cache_dir=str(Path(task["output"], "cache"))
    )
    is_valid = documents.data.column("is_valid").to_numpy()
    pack = partial(
        encode_and_pack, tokenizer=task["tokenizer"], block=task["block_tokens"], begin=begin, end=end
    )  # fmt: skip
    blocks = []
    for split, rows in (("train", ~is_valid), ("valid", is_valid)):
        if not rows.any():
            continue
        chosen = documents.select(np.flatnonzero(rows)).shuffle(seed=1)
        packed = chosen.map(
            pack, batched=True, batch_size=_BATCH, num_proc=task["workers"], remove_columns=chosen.column_names
        )
        packed.save_to_disk(str(Path(task["output"], split)))
        blocks.append(packed)
    seconds = time.perf_counter() - started
    lengths = [chunk for packed in blocks for chunk in packed.data.column("lengths").chunks]
    return {
        "seconds": seconds,
        "documents": len(documents),
        "tokens": sum(int(chunk.flatten().to_numpy().sum()) for chunk in lengths),
        "blocks": sum(map(len, blocks)),
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    Path(asked["result"]).write_text(json.dumps(build_and_pack(asked)), encoding="utf-8")
