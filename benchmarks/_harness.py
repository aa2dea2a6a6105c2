"""What the benchmarks share: arguments, paired runs that take turns, medians, a table and one JSON document.

Each round runs us and every peer on the same work, and the order turns round by round, so that a machine that slows
down or speeds up slows or speeds all alike. A ratio is the median over rounds of our speed divided by the peer's in
the same round: above 1 we are faster.
"""

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from llama_gene.config import ModelConfig
from llama_gene.evaluation.evaluate import describe_hardware

_PIPED_COLUMNS = 200
DEMO_SHAPE = ModelConfig(hidden_size=96, layers=4, heads=4, intermediate_size=256, max_positions=1024)
DEMO_ROWS = 1280
# The larger shape of the reports, "real-cpu" there: 10 million parameters.
REAL_SHAPE = ModelConfig(hidden_size=192, layers=6, heads=6, intermediate_size=512, max_positions=1024, tied=True)
REAL_ROWS = 40_000


@dataclass(frozen=True)
class Arguments:
    """What the user asked for."""

    quick: bool
    json: Path | None
    options: argparse.Namespace


@dataclass(frozen=True)
class Pair:
    """Speeds of us and one peer, units per second, round by round."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over rounds of our speed by the peer's."""
        return statistics.median(a / b for a, b in zip(self.ours, self.peer, strict=True))


def read_arguments(description: str | None, options: Mapping[str, Mapping[str, Any]] | None = None) -> Arguments:
    """`--quick`, `--json FILE`, and the options of one benchmark.

    Args:
        description: Its first line is shown by `--help`.
        options: What `add_argument` takes, by name of the option.
    """
    parser = argparse.ArgumentParser(description=(description or "").strip().partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, small sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    for name, settings in (options or {}).items():
        parser.add_argument(name, **settings)
    found = parser.parse_args()
    return Arguments(found.quick, found.json, found)


def take_turns(ours: Callable[[], None], peer: Callable[[], None], *, units: float, rounds: int) -> Pair:
    """Time both on the same work, `rounds` times each, after one run of each that does not count.

    Args:
        ours: Does the work once.
        peer: Does the same work once.
        units: How much work that is.
        rounds: Paired runs, >= 1.
    """
    speeds: dict[str, list[float]] = {"ours": [], "peer": []}
    sides = [("ours", ours), ("peer", peer)]
    for number in range(rounds + 1):
        for name, work in sides if number % 2 else reversed(sides):
            started = time.perf_counter()
            work()
            if number:
                speeds[name].append(units / (time.perf_counter() - started))
    return Pair(tuple(speeds["ours"]), tuple(speeds["peer"]))


def summary(speeds: tuple[float, ...], unit: str) -> dict[str, Any]:
    """Median and all rounds of one side."""
    return {unit: round(statistics.median(speeds), 2), "rounds": [round(speed, 2) for speed in speeds]}


def report(
    arguments: Arguments,
    *,
    work: Mapping[str, Any],
    ours: Mapping[str, Any],
    peers: Mapping[str, Any],
    ratios: Mapping[str, float],
    table: list[tuple[str, ...]],
) -> None:
    """Print a table; write the JSON document where one is asked for.

    Args:
        arguments: From `read_arguments`.
        work: What was done.
        ours: Our figures.
        peers: The peers' figures by name.
        ratios: Our speed by the peer's, at the largest size run.
        table: First the heads, then rows.
    """
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, head in enumerate(table[0]):
        shown.add_column(head, justify="left" if place == 0 else "right")
    for row in table[1:]:
        shown.add_row(*row)
    console = Console()
    # What is piped has no width of its own: keep each row on its line.
    (console if console.is_terminal else Console(width=_PIPED_COLUMNS)).print(shown)
    document = {
        "work": dict(work),
        "machine": describe_hardware(),
        "ours": dict(ours),
        "peers": dict(peers),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rewrite_page(page: Path, name: str, lines: Iterable[str]) -> None:
    """Put lines between the markers `<!-- NAME:start -->` and `<!-- NAME:end -->` of a page."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text, table = page.read_text(encoding="utf-8"), "\n".join(lines)
    changed, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: f"{start}\n{table}\n{end}", text, flags=re.DOTALL
    )
    if not count:
        raise SystemExit(f"{page}: no lines {start} and {end}. Add them where the table should stand.")
    page.write_text(changed, encoding="utf-8")
