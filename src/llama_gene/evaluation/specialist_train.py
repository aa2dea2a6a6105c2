"""Stage `tasks specialist`: a small model of one task, trained on its training split in minutes on a processor.

Candidates are fitted on training items, the better on validation items stays; test items choose nothing.
Writes `specialist.json`, `specialist.safetensors` and `metrics.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_json
from llama_gene.config import SpecialistConfig, Split, describe
from llama_gene.errors import DataError
from llama_gene.evaluation.metrics import Estimate, label_scores, unit_of_items
from llama_gene.evaluation.numbers import value_scores
from llama_gene.evaluation.specialist import Card, Model, Specialist, save_specialist
from llama_gene.evaluation.specialist_fit import Examples, Fitted, fit_linear, fit_network
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.split import read_chosen

STAGE = "tasks-specialist"
METRICS = "metrics.json"
_CODE = 1
_RESAMPLES = 1000
_HELD_OUT: tuple[Split, ...] = ("valid", "test")


def train_specialist(config: SpecialistConfig, *, task: str, splits: Path, seed: int, output: Path) -> Manifest:
    """Train the specialist of a task on the training split of `tasks split`.

    Args:
        config: Kind of model and its sizes.
        task: Name of a task of the splits, with numbers or closed labels.
        splits: Stage folder of `tasks split`.
        seed: Seed of the network and of the intervals.
        output: Stage folder.

    Raises:
        ArtifactError: `splits` is no such folder.
        DataError: the task is not in it, or cannot be answered by a specialist; too few items.
    """
    definition = _check_task(task, splits)

    def build(work: Path, ledger: Ledger) -> None:
        rows = {split: _read_rows(splits, split, task) for split in SPLITS}
        labels = () if definition.family == "regression" else tuple(rows["train"][0]["labels"])
        parts = {split: _examples(rows[split], labels) for split in SPLITS}
        candidates = _fit(config, _card(config, definition, labels, parts["train"]), parts, seed)
        best = max(candidates, key=lambda model: candidates[model].score)
        found = {
            "task": task,
            "metric": "mcc" if labels else "spearman",
            "chosen": best,
            "candidates": {model: _describe(fitted, parts, seed) for model, fitted in candidates.items()},
        }
        save_specialist(candidates[best].specialist, work)
        write_json(work / METRICS, found)
        _enter(ledger, found, parts, candidates[best].specialist.card)

    settings = describe(config) | {"task": task}
    return build_stage(STAGE, output, build, config=settings, inputs={"splits": splits}, seed=seed, code=_CODE)


def _check_task(task: str, splits: Path) -> Task:
    tasks = read_chosen(splits)
    if task not in tasks:
        raise DataError(f"{splits}: holds no task {task!r}; it holds {', '.join(tasks)}. Name one of them.")
    found = tasks[task]
    if found.family == "structure" or (found.family != "regression" and not found.labels):
        raise DataError(
            f"task {task!r}: a specialist gives a number or one of closed labels for a whole item, and this is a "
            f"{found.family} task with {'a state per letter' if found.labels else 'free text'}. Choose another task."
        )
    return found


def _read_rows(splits: Path, split: Split, task: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(splits / f"{split}.parquet", filters=[("task", "=", task)]).to_pylist()
    if not rows:
        raise DataError(
            f"{splits}: task {task!r} has no {split} items. Raise its {split} limit or share and split again."
        )
    return rows


def _examples(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Examples:
    numbers = {label: place for place, label in enumerate(labels)}
    targets = [numbers[row["target"]] if labels else row["value"] for row in rows]
    return Examples(
        items=tuple(tuple(row["sequences"]) for row in rows),
        targets=np.array(targets, dtype=np.int64 if labels else np.float64),
        groups=tuple(row["group"] for row in rows),
    )


def _card(config: SpecialistConfig, task: Task, labels: tuple[str, ...], train: Examples) -> Card:
    """Numbers are standardised by the training items alone."""
    return Card(
        task=task.name,
        model="kmer",
        kinds=tuple(wanted.kind for wanted in task.inputs),
        labels=labels,
        centre=0.0 if labels else float(train.targets.mean()),
        scale=1.0 if labels else float(train.targets.std()),
        kmer_max=config.kmer_max,
        channels=config.channels,
        max_letters=config.max_letters,
        keep=task.keep,
    )


def _fit(config: SpecialistConfig, card: Card, parts: Mapping[Split, Examples], seed: int) -> dict[Model, Fitted]:
    """The candidates, the simpler first: it stays where both are equal."""
    found: dict[Model, Fitted] = {}
    if config.model in ("kmer", "auto"):
        found["kmer"] = fit_linear(card, parts["train"], parts["valid"])
    if config.model in ("cnn", "auto"):
        card = replace(card, model="cnn")
        found["cnn"] = fit_network(card, parts["train"], parts["valid"], epochs=config.epochs, seed=seed)
    return found


def _describe(fitted: Fitted, parts: Mapping[Split, Examples], seed: int) -> dict[str, Any]:
    """What was chosen on validation, and the scores of what is held out."""
    scores = {split: _score(fitted.specialist, parts[split], seed) for split in _HELD_OUT}
    return {
        **fitted.chosen,
        **{split: {name: asdict(one) for name, one in found.items()} for split, found in scores.items()},
    }


def _score(specialist: Specialist, examples: Examples, seed: int) -> dict[str, Estimate]:
    predicted = specialist.predict(examples.items)
    units, _ = unit_of_items(examples.groups)
    draw: Mapping[str, Any] = {"units": units, "resamples": _RESAMPLES, "seed": seed}
    if not specialist.card.labels:
        return value_scores(examples.targets, predicted, **draw)
    return label_scores(examples.targets, predicted.argmax(axis=1), len(specialist.card.labels), **draw)


def _enter(ledger: Ledger, found: Mapping[str, Any], parts: Mapping[Split, Examples], card: Card) -> None:
    ledger.counts.update({f"{split} items": len(part.items) for split, part in parts.items()})
    longer = sum(len(letters) > card.max_letters for part in parts.values() for item in part.items for letters in item)
    if longer and "cnn" in found["candidates"]:
        ledger.counts[f"sequences the network reads {card.max_letters:,} letters of"] = longer
    ledger.facts |= found
    best = found["candidates"][found["chosen"]]
    ledger.facts |= {f"{found['metric']} on {split}": best[split][found["metric"]]["value"] for split in _HELD_OUT}
