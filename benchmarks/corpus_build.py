"""Genomes, proteins and English to token blocks on disk: MB of letters a second, and peak memory, of us and a pipeline.

Timed is all from compressed files to blocks: read, clean, leave out exact duplicates, split, cut, shuffle, encode and
pack. What near-duplicates and task items add are lines of their own. The peer does the same to the second size of DNA
with Biopython, `datasets` and `tokenizers`. Each run is a process of its own, whose memory is that of all its processes
together (pages that several share count once), looked at once a second; compiled code lies on disk before.

Quick: made-up sequences of a few MB, the `tiny` vocabulary with 256 + 256 tokens. Else inputs grow from
LLAMA_GENE_DATA where that is set, and the vocabulary is LLaMA-2 with 30,000 + 30,000 tokens. With `--folder` inputs and
vocabulary are made once and kept.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from _corpora import REAL_PLACES, Prepared, prepare, write_items
from _harness import read_arguments, report
from llama_gene.config import Kind, TokenizerConfig
from llama_gene.tokenizer.extend import extend_from_files

OURS, PEER = (Path(__file__).with_name(f"_corpus_{side}.py") for side in ("ours", "peer"))
CORES = os.cpu_count() or 1
BLOCK_TOKENS = 1024
# What is asked of two cores, MB of letters a second, and how many letters of each kind the paper read.
AT_LEAST: dict[Kind, int] = {"dna": 25, "protein": 15, "text": 6}
PAPER_LETTERS = 16_000_000_000
_LARGEST: dict[Kind, int] = {"protein": 1_000_000_000, "text": 300_000_000}
# A sample takes a tenth of a second of one core.
_SAMPLED_EVERY_S = 1.0
_MIB = 2**20
OPTIONS: dict[str, dict[str, Any]] = {
    "--tokenizer": {"type": Path, "metavar": "FOLDER", "help": "encode with this one"},
    "--sizes": {"metavar": "GB,GB", "help": "of DNA, in GB of letters (0.2,1,4; quick: 0.002,0.004)"},
    "--folder": {"type": Path, "metavar": "FOLDER", "help": "keep inputs and vocabulary here, and take them again"},
}


@dataclass(frozen=True)
class Bench:
    """Where the runs work, and what encodes."""

    folder: Path
    tokenizer: Path

    def run(self, side: Path, inputs: Sequence[Prepared], **changes: Any) -> dict[str, float]:
        """One side's work in a process of its own: what it tells, its whole time and its peak memory."""
        output, result = self.folder / "output", self.folder / "result.json"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        task: dict[str, Any] = {
            "sources": [[str(one.folder), one.kind] for one in inputs], "tokenizer": str(self.tokenizer),
            "workers": CORES, "block_tokens": BLOCK_TOKENS, "near_duplicates": False, "exclude": None, "pack": True,
            "output": str(output), "result": str(result), **changes,
        }  # fmt: skip
        settings = {
            "HF_HOME": str(output / "cache"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, str(side), json.dumps(task)], env={**os.environ, **settings})
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory_of_tree(process.pid))
            time.sleep(_SAMPLED_EVERY_S)
        if process.returncode:
            raise SystemExit(f"{side.name} failed with exit code {process.returncode}")
        told: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
        shutil.rmtree(output)
        told |= {"seconds_with_start": time.perf_counter() - started, "peak_MiB": peak / _MIB}
        done = ", ".join([side.stem, *(name_of(one) for one in inputs), *changes])
        print(f"{done}: {told['seconds_with_start']:.0f} s in all", file=sys.stderr)
        return told


def memory_of_tree(process_id: int) -> int:
    """Bytes of a process and all it started: the proportional share of each page, so that none counts twice."""
    total = 0
    try:
        top = psutil.Process(process_id)
        processes = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            told = process.memory_full_info()
            # Only Linux tells what is shared by how many; elsewhere what is shared does not count.
            total += getattr(told, "pss", told.uss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__, OPTIONS)
    asked = arguments.options
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    data = Path(named) if named else None
    chosen = asked.sizes or ("0.002,0.004" if arguments.quick else "0.2,1,4")
    sizes = sorted(round(float(size) * 1e9) for size in chosen.split(","))
    with tempfile.TemporaryDirectory() as place:
        folder = (asked.folder or Path(place)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        inputs = prepare_all(sizes, folder, data)
        bench = Bench(folder, asked.tokenizer or extend(inputs, folder, data))
        smallest = {one.kind: one for one in reversed(inputs)}
        # Made-up proteins are few: with more items of them, every copy would hold one.
        items = write_items(folder / "items", list(smallest.values()), 2000 if data else 100)
        compile_all(bench, folder, items)
        ours = {name_of(one): measure(bench, one) for one in inputs}
        for one in [smallest["dna"]] if arguments.quick else smallest.values():
            ours[name_of(one)] |= measure_steps(bench, one, items, ours[name_of(one)])
        compared = next(one for one in inputs if one.kind == "dna" and one.letters >= sizes[min(1, len(sizes) - 1)])
        peer = with_speed(bench.run(PEER, [compared]), compared)
    figures = ours | summarize(inputs, ours)
    ratio = peer["seconds"] / ours[name_of(compared)]["seconds"]
    report(
        arguments,
        work={
            "inputs": "LLAMA_GENE_DATA, mutated and mixed copies beyond" if data else "made up",
            "letters": {name_of(one): one.letters for one in inputs}, "block_tokens": BLOCK_TOKENS, "workers": CORES,
            "at_least_MB_per_second": AT_LEAST, "compared_at": name_of(compared),
        },
        ours=figures,
        peers={"pipeline": {name_of(compared): rounded(peer)}},
        ratios={"pipeline": ratio},
        table=table(inputs, ours, compared, peer, ratio, figures),
    )  # fmt: skip


def prepare_all(sizes: Sequence[int], folder: Path, data: Path | None) -> list[Prepared]:
    """DNA of every size, then protein and English of one, in folders that tell what they grew from."""
    place = folder / ("real" if data else "made-up")
    place.mkdir(exist_ok=True)
    second = sizes[min(1, len(sizes) - 1)]
    protein, text = min(_LARGEST["protein"], second), min(_LARGEST["text"], second // 2)
    return [
        *prepare("dna", sizes, place, data),
        *prepare("protein", [protein], place, data),
        *prepare("text", [text], place, data),
    ]


def extend(inputs: Sequence[Prepared], folder: Path, data: Path | None) -> Path:
    """LLaMA-2 with tokens of the real sequences, or the small vocabulary with some of the made-up ones."""
    places = {one.kind: [one.folder] for one in inputs}
    if data:
        places = {kind: [data / place for place in found] for kind, found in REAL_PLACES.items()}
    tokens = 30_000 if data else 256
    output = folder / f"tokenizer-{tokens}"
    extend_from_files(
        TokenizerConfig(dna_size=tokens, protein_size=tokens),
        base=data / "tokenizers/llama2/tokenizer.model" if data else None,
        dna=places["dna"], protein=places["protein"], seed=1, output=output, on_invalid="skip",
    )  # fmt: skip
    return output


def compile_all(bench: Bench, folder: Path, items: Path) -> None:
    """Run everything once on next to nothing: compiled code is on disk from then on."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        little = [prepare(kind, [1_000_000], Path(place), None)[0] for kind in AT_LEAST]
        bench.run(OURS, little, near_duplicates=True, exclude=str(items))


def measure(bench: Bench, one: Prepared) -> dict[str, Any]:
    """Our figures for one input."""
    told = bench.run(OURS, [one])
    return rounded(with_speed(told | {"seconds": told["build_seconds"] + told["pack_seconds"]}, one))


def with_speed(told: dict[str, float], one: Prepared) -> dict[str, float]:
    """With what makes sizes comparable."""
    return told | {
        "MB_per_second": one.letters / 1e6 / told["seconds"],
        "seconds_per_GB": told["seconds"] / (one.letters / 1e9),
    }


def measure_steps(bench: Bench, one: Prepared, items: Path, plain: dict[str, Any]) -> dict[str, Any]:
    """What each step that is not part of the speed adds to it."""
    steps = {"near_duplicates": {"near_duplicates": True}, "contamination": {"exclude": str(items)}}
    found = {}
    for name, changes in steps.items():
        told = bench.run(OURS, [one], pack=False, **changes)
        more = told["build_seconds"] - plain["build_seconds"]
        told = with_speed(told | {"more_seconds": more, "seconds": plain["seconds"] + more}, one)
        found[f"with {name}"] = rounded(told)
    return found


def rounded(told: dict[str, float]) -> dict[str, float]:
    """Three places are enough."""
    return {name: round(value, 3) for name, value in told.items()}


def name_of(one: Prepared) -> str:
    """Kind and size."""
    return f"{one.kind}, {one.letters / 1e9:.3g} GB"


def summarize(inputs: Sequence[Prepared], ours: dict[str, dict[str, Any]]) -> dict[str, float]:
    """How time grows with DNA, the most memory, and the time of the paper's corpus at the speed of the largest runs."""
    largest = {one.kind: ours[name_of(one)]["MB_per_second"] for one in inputs}
    seconds = sum(PAPER_LETTERS / 1e6 / speed for speed in largest.values())
    runs = [(one.letters, ours[name_of(one)]["seconds"]) for one in inputs if one.kind == "dna"]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(runs)]
    # What every run costs, whatever its letters, is in neither step.
    further = {"seconds_per_further_letter_last_by_first_step": round(slopes[-1] / slopes[0], 3)} if slopes[1:] else {}
    return further | {
        "departure_from_a_line": round(departure_from_a_line(runs), 3),
        "peak_MiB": max(ours[name_of(one)]["peak_MiB"] for one in inputs),
        "minutes_for_48_GB": round(seconds / 60, 1),
    }


def departure_from_a_line(runs: Sequence[tuple[int, float]]) -> float:
    """How far the seconds lie from the straight line that fits them best, at most, as a share of them.

    Args:
        runs: Letters and seconds, at least two.

    >>> round(departure_from_a_line([(1, 2.0), (2, 3.0), (3, 4.0)]), 6)
    0.0
    """
    letters, seconds = np.array(runs, dtype=np.float64).T
    # Shares, not seconds, are made small: the shortest run counts as much as the longest.
    slope, start = np.polyfit(letters, seconds, 1, w=1 / seconds)
    return float(np.abs((start + slope * letters) / seconds - 1).max())


def table(
    inputs: Sequence[Prepared],
    ours: dict[str, Any],
    compared: Prepared,
    peer: dict[str, float],
    ratio: float,
    summary: dict[str, Any],
) -> list[tuple[str, ...]]:
    """Heads; a row for each input, each step and the peer; what follows from them."""

    def row(name: str, told: dict[str, float], asked: str = "", shown: str = "") -> tuple[str, ...]:
        figures = (f"{told['MB_per_second']:.1f}", asked, f"{told['seconds_per_GB']:.0f}", f"{told['peak_MiB']:.0f}")
        return (name, f"{told['seconds']:.1f}", *figures, shown)

    rows = [("work", "seconds", "MB/s", "asked", "seconds/GB", "peak MiB", "ratio")]
    for one in inputs:
        told = ours[name_of(one)]
        rows.append(row(name_of(one), told, f"{AT_LEAST[one.kind]}"))
        rows += [row(f"  {name}", step) for name, step in told.items() if name.startswith("with ")]
    rows.append(row(f"pipeline, {name_of(compared)}", peer, shown=f"{ratio:.1f}"))
    minutes = summary["minutes_for_48_GB"]
    for name in ("departure_from_a_line", "seconds_per_further_letter_last_by_first_step"):
        if name in summary:
            rows.append((name.replace("_", " "), "", "", "", "", "", f"{summary[name]:.2f}"))
    rows.append((f"16 GB of each, at these speeds: {minutes:.0f} min", *[""] * 6))
    return rows


if __name__ == "__main__":
    main()
