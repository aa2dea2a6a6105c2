"""Stage "baselines": what must be beaten, before there is a model. `scores.json` holds every score of every task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_json
from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.baseline_answers import CODE, DECIDING, TaskBaselines, beside, find_baselines
from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.evaluation.items import Item, read_splits, refuse_equal_splits
from llama_gene.evaluation.metrics import Estimate, draw_scores, estimate, unit_of_items
from llama_gene.evaluation.notes import TaskNote, read_notes
from llama_gene.evaluation.scorer import measure_answers
from llama_gene.progress import show_progress

SCORES = "scores.json"


def run_baselines(
    config: EvaluateConfig, *, instructions: Path, seed: int, output: Path, kept: Path | None = None
) -> Manifest:
    """Stage "baselines" over the instructions of `config.split`: every method's scores on every task.

    Args:
        config: Which methods, and their settings.
        instructions: Folder of `tasks build`.
        seed: Of intervals, networks and samples of validation items.
        output: Stage folder.
        kept: Folder of kept answers; None: `baselines` beside the instructions, where a model's evaluation finds them.

    Raises:
        DataError: no items, items that are those of training, or a label that training never showed.
    """

    def build(work: Path, ledger: Ledger) -> None:
        splits, notes = read_splits(instructions, config.split), read_notes(instructions)
        if not config.allow_leaks:
            refuse_equal_splits(splits, config.split, instructions)
        scores: dict[str, Any] = {}
        for task, asked in show_progress(list(splits[config.split].items()), "Baselines"):
            metric = notes.get(task, TaskNote()).metric
            found = find_baselines(config, splits, task, seed=seed, kept=kept or beside(instructions), metric=metric)
            scores[task] = _scores(config, found, asked, seed, metric)
            ledger.counts["items"] += len(asked)
        ledger.facts["best"] = {task: one["best"] for task, one in scores.items()}
        write_json(work / SCORES, scores)

    settings = config.model_dump(mode="json", include=DECIDING | {"split", "bootstrap", "allow_leaks"})
    return build_stage(
        "baselines", output, build, config=settings, inputs={"instructions": instructions}, seed=seed, code=CODE
    )


def scores_table(folder: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows: every score of every method in a folder of `run_baselines`."""
    rows = []
    for task, found in json.loads((folder / SCORES).read_text(encoding="utf-8")).items():
        for place, (metric, scores) in enumerate(found["scores"].items()):
            start = (task, str(found["n"])) if place == 0 else ("", "")
            cells = (_cell(scores.get(name), starred=name == found["best"]) for name in BASELINE_NAMES)
            rows.append((*start, metric, *cells))
    return ("task", "n", "score", *BASELINE_NAMES), rows


def _cell(score: Mapping[str, float | None] | None, *, starred: bool) -> str:
    if score is None or score["value"] is None:
        return "–"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]{' *' if starred else ''}"


def _scores(
    config: EvaluateConfig, one: TaskBaselines, items: Sequence[Item], seed: int, metric: str
) -> dict[str, Any]:
    """Each method's scores with intervals, and what they were measured on."""
    units, drawn_as = unit_of_items([item.group for item in items])
    measured = {
        (name, score): found
        for name, answers in one.answers.items()
        for score, found in measure_answers(items, answers, metric).items()
    }
    drawn = draw_scores(measured, units=units, resamples=config.bootstrap, seed=seed)
    scores: dict[str, dict[str, Estimate]] = {}
    for (name, score), found in drawn.items():
        scores.setdefault(score, {})[name] = estimate(found)
    return {
        "family": items[0].family,
        "kinds": list(items[0].kinds),
        "n": len(items),
        "drawn_as": drawn_as,
        "train_items": one.train_items,
        "seconds": dict(one.seconds),
        "best": one.best,
        "valid": dict(one.valid),
        "methods": {name: answers.method for name, answers in one.answers.items()},
        "scores": {metric: {name: asdict(found) for name, found in each.items()} for metric, each in scores.items()},
    }
