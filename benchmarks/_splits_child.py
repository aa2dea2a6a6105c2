"""What `splits.py` measures in a process of its own, without torch: one JSON line of seconds, peak memory and findings.

python _splits_child.py search ASKING SEARCHED
python _splits_child.py report DATA TASK LEAK_ITEMS
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from _memory import peak_mebibytes
from llama_gene.config import TasksConfig
from llama_gene.tasks.neighbours import find_neighbours
from llama_gene.tasks.split import split_tasks


def search(asking: str, searched: str) -> None:
    """Made-up stretches of 70 bases against others."""
    rng = np.random.default_rng(3)
    some, others = (["".join(rng.choice(list("ACGT"), 70)) for _ in range(int(n))] for n in (asking, searched))
    find_neighbours(some, others, "dna", "searching")


def report(data: str, task: str, leak_items: str) -> Any:
    """Split a real task, with so many items of each split looked up."""
    config = TasksConfig.model_validate({"choices": [{"name": task}], "leak_items": int(leak_items)})
    with tempfile.TemporaryDirectory() as folder:
        return split_tasks(config, data=Path(data), seed=1, output=Path(folder) / "splits").facts[task]


def main() -> None:
    find_neighbours(["ACGTACGTACGT"], ["ACGTACGTACGG"], "dna", "compiling")
    find_neighbours(["MKTAYIAKQRQI"], ["MKTAYIAKQRQL"], "protein", "compiling")
    loaded, started = peak_mebibytes(), time.perf_counter()
    said = {"search": search, "report": report}[sys.argv[1]](*sys.argv[2:])
    figures = {"seconds": round(time.perf_counter() - started, 1), "mebibytes": round(peak_mebibytes() - loaded)}
    print(json.dumps(figures | {"facts": said}))


if __name__ == "__main__":
    main()
