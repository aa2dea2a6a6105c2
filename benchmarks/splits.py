"""How fast and how completely `tasks split` finds the nearest training sequence of held-out ones, and what it costs.

The peer aligns every held-out sequence with every training sequence on both strands (parasail, as we do with the
candidates), so it misses nothing. Made-up 70-base stretches, a third of them changed copies of training. With `--data`
also the leak reports of real tasks, and with MMseqs2 on the path its clusters of made-up proteins beside ours.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from _harness import read_arguments, report, summary, take_turns
from llama_gene.config import GeneKind
from llama_gene.sequences.alignment import align, score_all
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement
from llama_gene.tasks.alike import near_identical
from llama_gene.tasks.groups import Links
from llama_gene.tasks.identity import choose_finder, identical_pairs
from llama_gene.tasks.leaks import band_of
from llama_gene.tasks.neighbours import find_neighbours, in_threads

_LENGTH = 70
_TASKS = ("promoter-core", "tf-0", "deeploc", "ppi-yeast", "solubility")
_LEVELS = (0.95, 0.9, 0.8, 0.7, 0.5)
_FAMILY = 4


def make_letters(rng: np.random.Generator, number: int, length: int, kind: GeneKind) -> list[str]:
    letters = np.frombuffer((DNA if kind == "dna" else PROTEIN).letters.encode(), np.uint8)
    return [bytes(rng.choice(letters, length)).decode() for _ in range(number)]


def change(letters: str, identity: float, rng: np.random.Generator, kind: GeneKind) -> str:
    """A copy with some letters replaced by others."""
    alphabet = (DNA if kind == "dna" else PROTEIN).letters
    found = list(letters)
    for place in rng.choice(len(found), round((1 - identity) * len(found)), replace=False):
        found[place] = str(rng.choice(list(alphabet.replace(found[place], ""))))
    return "".join(found)


def align_all(asking: list[str], searched: list[str]) -> list[float]:
    """Identity of the best of all alignments, of either strand."""

    def best(letters: str) -> float:
        found = []
        for strand in (letters, reverse_complement(letters)):
            scores = score_all(strand, searched, "dna")
            place = max(range(len(scores)), key=scores.__getitem__)
            found.append((scores[place], align(strand, searched[place], "dna").identity))
        return max(found)[1]

    return list(in_threads(best, asking, "Aligning all with all"))


def found_by_band(truth: list[float], ours: list[float]) -> dict[str, dict[str, float]]:
    """Of the sequences whose nearest lies in a band, how many we found one as near for."""
    bands: dict[str, list[bool]] = defaultdict(list)
    for wanted, found in zip(truth, ours, strict=True):
        bands[band_of(wanted)].append(found >= wanted - 1e-9)
    return {
        band: {"sequences": len(hits), "found": round(float(np.mean(hits)), 3)} for band, hits in sorted(bands.items())
    }


def sketch_misses(rng: np.random.Generator, number: int) -> dict[str, dict[str, dict[str, float]]]:
    """Share of changed copies that are linked by `similarity` 0.2 and 0.5, and by `identity` a little below theirs."""
    shapes: tuple[tuple[GeneKind, int], ...] = (("dna", _LENGTH), ("dna", 300), ("protein", 300))
    result: dict[str, dict[str, dict[str, float]]] = {}
    for kind, length in shapes:
        first = make_letters(rng, number, length, kind)
        levels = result.setdefault(f"{kind} of {length}", {})
        for level in _LEVELS[:-1] if kind == "dna" else _LEVELS:
            both = [*first, *(change(letters, level, rng, kind) for letters in first)]
            links = {
                "similarity 0.2": set(near_identical(both, kind, 0.2)),
                "similarity 0.5": set(near_identical(both, kind, 0.5)),
                "identity": set(identical_pairs(both, kind, level - 0.05, "kmers")),
            }
            levels[f"{level:g}"] = {
                name: round(sum((place, place + number) in pairs for place in range(number)) / number, 3)
                for name, pairs in links.items()
            }
    return result


def cluster(families: int, identity: float, kind: GeneKind, length: int, rng: np.random.Generator) -> dict[str, Any]:
    """Seconds, and the share of made-up families that each finder keeps whole and apart from others."""
    founders = make_letters(rng, families, length, kind)
    members = [change(one, identity, rng, kind) for one in founders for _ in range(_FAMILY)]
    found: dict[str, Any] = {}
    for finder in ("kmers", "mmseqs"):
        if finder == "mmseqs" and choose_finder("auto", "protein") != "mmseqs":
            continue
        started = time.perf_counter()
        links = Links()
        for first, second in identical_pairs(members, kind, identity**2 - 0.1, finder):
            links.join(first, second)
        roots = [links.root(place) for place in range(len(members))]
        whole = sum(len(set(roots[at : at + _FAMILY])) == 1 for at in range(0, len(roots), _FAMILY))
        found[finder] = {
            "seconds": round(time.perf_counter() - started, 1),
            "whole_families": round(whole / families, 3),
        }
    return {"sequences": len(members), "letters": length, "identity": identity, **found}


def measure(*arguments: object) -> dict[str, Any]:
    """Run `_splits_child.py`, and read what it prints."""
    command = [sys.executable, str(Path(__file__).with_name("_splits_child.py")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _figures(found: dict[str, Any]) -> dict[str, float]:
    return {name: found[name] for name in ("seconds", "mebibytes")}


def real_reports(data: Path) -> dict[str, Any]:
    """Seconds and memory of splitting real tasks without and with the leak report."""
    found = {}
    for task in _TASKS:
        plain, full = (measure("report", data, task, items) for items in (0, 10_000))
        facts = full["facts"]
        found[task] = {
            "items": facts["items"], "seconds_without": plain["seconds"], "seconds": full["seconds"],
            "mebibytes_without": plain["mebibytes"], "mebibytes": full["mebibytes"],
            "nearest_of_test": facts["nearest"]["test"],
            "pair_classes_of_test": facts.get("pair_classes", {}).get("test", {}),
        }  # fmt: skip
    return found


def main() -> None:
    arguments = read_arguments(
        __doc__, {"--data": {"type": Path, "help": "folder of real data: leak reports of tasks"}}
    )
    sizes = {"asking": 60, "searched": 4_000} if arguments.quick else {"asking": 60, "searched": 40_000}
    rng = np.random.default_rng(1)
    searched = make_letters(rng, sizes["searched"], _LENGTH, "dna")
    copies = [
        change(searched[place], 0.65 + 0.35 * place / sizes["asking"], rng, "dna") for place in range(sizes["asking"])
    ]
    asking = [copies[place] if place % 3 else make_letters(rng, 1, _LENGTH, "dna")[0] for place in range(len(copies))]
    truth = align_all(asking, searched)
    nearest = [one.identity for one in find_neighbours(asking, searched, "dna", "searching")]
    pair = take_turns(
        lambda: find_neighbours(asking, searched, "dna", "searching") and None,
        lambda: align_all(asking, searched) and None,
        units=len(asking),
        rounds=1,
    )
    large = ((500, 4_000),) if arguments.quick else ((5_000, 40_000), (5_000, 160_000))
    ours: dict[str, Any] = {
        "search": summary(pair.ours, "sequences_per_s") | {"found": found_by_band(truth, nearest)},
        "large": [
            {"asking": asked, "searched": among, **_figures(measure("search", asked, among))} for asked, among in large
        ],
        "linked": sketch_misses(rng, 50 if arguments.quick else 400),
        "clusters": [
            cluster(50 if arguments.quick else 1_500, 0.75, "protein", 300, rng),
            cluster(50 if arguments.quick else 3_000, 0.95, "dna", _LENGTH, rng),
        ],
    }
    if arguments.options.data:
        ours["reports"] = real_reports(arguments.options.data)
    rows = [("work", "ours", "all alignments", "ratio")]
    rows.append(("nearest of a sequence, per s", f"{pair.ours[0]:,.0f}", f"{pair.peer[0]:,.1f}", f"{pair.ratio:,.0f}"))
    report(
        arguments,
        work={"letters": _LENGTH, **sizes, "candidates": 20},
        ours=ours,
        peers={"exhaustive": summary(pair.peer, "sequences_per_s")},
        ratios={"exhaustive": pair.ratio},
        table=rows,
    )


if __name__ == "__main__":
    main()
