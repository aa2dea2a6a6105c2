"""What `retrieval.py` measures in a process of its own, without torch: one JSON line of seconds, bytes and memory.

python _retrieval_child.py build KIND OUTPUT FILES…
python _retrieval_child.py find KIND INDEX LETTERS
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from _memory import peak_mebibytes
from llama_gene.config import IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.storage import tree_bytes


def cpu_seconds() -> float:
    """Processor time of this process and of the programs that it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def build(kind: Any, output: str, *files: str) -> dict[str, Any]:
    """Index files."""
    counts = build_index(
        IndexConfig(kind=kind), files=[Path(file) for file in files], seed=1, output=Path(output)
    ).counts
    return {"bytes": tree_bytes(Path(output)), **counts}


def find(kind: Any, folder: str, letters: str) -> dict[str, Any]:
    """Ask an index once."""
    index = open_index(Path(folder))
    return {"method": index.choose_method(letters, kind).method, "hits": len(index.find_sequences(letters, kind))}


def main() -> None:
    loaded, started = peak_mebibytes(), cpu_seconds()
    found = {"build": build, "find": find}[sys.argv[1]](*sys.argv[2:])
    used = {"cpu_s": round(cpu_seconds() - started, 2), "peak_mib": round(peak_mebibytes())}
    print(json.dumps({**used, "loaded_mib": round(loaded), **found}))


if __name__ == "__main__":
    main()
