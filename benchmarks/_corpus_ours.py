"""Our side of `corpus_build.py` in a process of its own: `python _corpus_ours.py TASK` with the task as JSON.

The task: `sources` ([path, kind] each), `tokenizer`, `workers`, `block_tokens`, `near_duplicates` (whether they are
looked for), `exclude` (folder of task items, or null), `pack` (or only build), `output` and `result`, the file to tell
the times in.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from llama_gene.config import CorpusConfig, EngineConfig, NearDuplicateConfig, PackConfig, Source
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus

_ALL = 10**15


def build_and_pack(task: dict[str, Any]) -> dict[str, float]:
    """Do the task; seconds of both stages, and what came of them."""
    output, engine = Path(task["output"]), EngineConfig(workers=task["workers"])
    config = CorpusConfig(
        sources=tuple(Source(path=path, kind=kind) for path, kind in task["sources"]),
        near_duplicates=NearDuplicateConfig() if task["near_duplicates"] else NearDuplicateConfig(kinds=()),
    )
    exclude = Path(task["exclude"]) if task["exclude"] else None
    started = time.perf_counter()
    corpus = build_corpus(
        config, data=output, seed=1, output=output / "corpus", exclude=exclude, engine=engine
    )  # fmt: skip
    built = time.perf_counter()
    letters = sum(number for name, number in corpus.counts.items() if name.endswith(("letters train", "letters valid")))
    told: dict[str, float] = {"build_seconds": built - started, "letters_kept": letters}
    if task["pack"]:
        # Both splits whole, as the peer packs them.
        packing = PackConfig(block_tokens=task["block_tokens"], weights={}, max_valid_tokens=_ALL)
        blocks = pack_corpus(
            packing, corpus=output / "corpus", tokenizer=Path(task["tokenizer"]), seed=1, output=output / "blocks",
            engine=engine,
        )  # fmt: skip
        told["pack_seconds"] = time.perf_counter() - built
        for name in ("tokens", "blocks"):
            told[name] = blocks.facts["train"][name] + blocks.facts["valid"][name]
    return told


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    Path(asked["result"]).write_text(json.dumps(build_and_pack(asked)), encoding="utf-8")
