"""Instructions per second: `tasks split` and `tasks build` of made-up items against `datasets.map` with `tokenizers`.

The peer writes records and measures their tokens, and nothing else: it finds no copies, keeps no two strands together,
looks up no near items and fits no sequence to the context. Seconds and the most memory of each step, in a process of
its own. Quick: 5,000 items and a small vocabulary. Else a million, and `--tokenizer FOLDER` names the vocabulary.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from _data import make_tokenizer
from _harness import read_arguments, report
from _tasks_child import measure, write_items

LENGTH_BP = 70


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(
        __doc__, {"--tokenizer": {"type": Path, "metavar": "FOLDER", "help": "vocabulary (default: a small one)"}}
    )
    items = 5_000 if arguments.quick else 1_000_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tokenizer = arguments.options.tokenizer or folder / "tokenizer"
        if not tokenizer.exists():
            make_tokenizer(folder)
        write_items(folder / "task", items, LENGTH_BP)
        # Neither side pays for compiling loops, nor for reading libraries from a cold disk.
        write_items(folder / "warm", 500, LENGTH_BP)
        for step in ("split", "build", "peer"):
            measure(step, folder / "warm", tokenizer)
        found = {step: measure(step, folder / "task", tokenizer) for step in ("split", "build", "peer")}
        vocabulary = len(json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    both = found["split"]["seconds"] + found["build"]["seconds"]
    peer: dict[str, Any] = found.pop("peer")
    ratio = peer["seconds"] / found["build"]["seconds"]
    table = [("step", "items", "seconds", "peak MiB", "ratio to datasets.map")]
    for name, one in (*found.items(), ("datasets.map", peer)):
        mark = f"{ratio:.2f}" if name == "build" else ""
        table.append((name, f"{one['items']:,}", f"{one['seconds']:.1f}", f"{one['peak_MiB']:,.0f}", mark))
    report(
        arguments,
        work={"items": items, "letters": LENGTH_BP, "vocabulary": vocabulary},
        ours=found | {"split_and_build_seconds": round(both, 2)},
        peers={"datasets_map": peer},
        ratios={"datasets_map": ratio, "datasets_map_with_split": peer["seconds"] / both},
        table=table,
    )


if __name__ == "__main__":
    main()
