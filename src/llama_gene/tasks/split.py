"""Stage `tasks split`: sequences, labels and splits of every chosen task, before any tokenizer exists.

Writes train.parquet, valid.parquet, test.parquet and tasks.json, the definitions used. One task is held in memory at
a time.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest, write_json
from llama_gene.config import Split, TaskChoice, TasksConfig, resolve
from llama_gene.errors import ArtifactError, ConfigError, DataError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Inspector, list_files
from llama_gene.tasks.bins import Bins, chosen_rule, fit_bins
from llama_gene.tasks.cleaning import clean_items, drop_duplicates
from llama_gene.tasks.decoys import make_decoys
from llama_gene.tasks.definitions import Task, load_task, task_files
from llama_gene.tasks.groups import SPLITS, assign_splits, group_items
from llama_gene.tasks.items import Item
from llama_gene.tasks.readers import data_files, read_items
from llama_gene.tasks.states import chains_within

STAGE = "tasks-split"
# What of a choice no split depends on.
READ_BY_BUILD = {"spelling", "unit", "steps", "answer"}
CHOSEN = "tasks.json"
_CODE = 2
_ROWS_AT_ONCE = 20_000
SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("family", pa.string()),
        ("id", pa.string()),
        ("sequences", pa.list_(pa.string())),
        ("kinds", pa.list_(pa.string())),
        ("target", pa.string()),
        ("value", pa.float64()),
        ("labels", pa.list_(pa.string())),
        ("group", pa.string()),
        ("split", pa.string()),
        ("words", pa.struct([("instruction", pa.string()), ("input", pa.string())])),
        ("reading", pa.struct([("code", pa.int32()), ("residues", pa.string())])),
    ]
)


def split_tasks(config: TasksConfig, *, data: Path, seed: int, output: Path) -> Manifest:
    """Read, check, group and split the chosen tasks.

    Args:
        config: Choices, their limits, and folders of further definitions.
        data: Folder that relative paths start from.
        seed: Seed of splits, decoys and samples.
        output: Stage folder.

    Raises:
        ConfigError: no such task, or one chosen twice.
        DataError: a file is missing or wrong, or a task has one class only.
    """
    extra = [resolve(folder, data) for folder in config.definitions]
    tasks = chosen_tasks(config, data)
    inputs = {f"definition {task.name}": task_files(extra)[task.name] for task in tasks}
    for task in tasks:
        for pattern in data_files(task, data):
            inputs |= {f"data {_inside(path, data)}": path for path in list_files(pattern)}

    def build(work: Path, ledger: Ledger) -> None:
        write_json(work / CHOSEN, {task.name: task.model_dump(mode="json") for task in tasks})
        with ExitStack() as stack:
            writers = {
                split: stack.enter_context(pq.ParquetWriter(work / f"{split}.parquet", SCHEMA)) for split in SPLITS
            }
            for choice, task in show_progress(list(zip(config.choices, tasks, strict=True)), "Splitting tasks"):
                counts: Counter[str] = Counter()
                kept, labels, facts = _split_task(task, choice, config, data, seed, counts)
                for split in SPLITS:
                    for start in range(0, len(kept[split]), _ROWS_AT_ONCE):
                        rows = [_row(task, item, labels, split) for item in kept[split][start : start + _ROWS_AT_ONCE]]
                        writers[split].write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                ledger.counts.update({f"{task.name}: {reason}": count for reason, count in counts.items() if count})
                ledger.facts[task.name] = facts

    settings = config.model_dump(
        mode="json",
        include={"choices", "definitions", "on_invalid"},
        exclude={"choices": {"__all__": READ_BY_BUILD}},
    )
    return build_stage(STAGE, output, build, config=settings, inputs=inputs, seed=seed, code=_CODE)


def chosen_tasks(config: TasksConfig, data: Path) -> list[Task]:
    """The definitions of the chosen tasks, in order.

    Raises:
        ConfigError: no choice, no such task, or one chosen twice.
    """
    if not config.choices:
        raise ConfigError("tasks.choices is empty. Name at least one task (`llama-gene tasks list`).")
    names = Counter(choice.name for choice in config.choices)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigError(f"tasks.choices names {twice[0]!r} twice. Keep one of them.")
    extra = [resolve(folder, data) for folder in config.definitions]
    return [load_task(choice.name, extra) for choice in config.choices]


def read_chosen(splits: Path) -> dict[str, Task]:
    """The definitions that a folder of `split_tasks` was made with, by name.

    Raises:
        ArtifactError: the folder is no finished stage of this kind.
    """
    if read_manifest(splits).stage != STAGE or not (splits / CHOSEN).is_file():
        raise ArtifactError(f"{splits}: not made by `llama-gene tasks split`. Run that stage and name its folder.")
    values = json.loads((splits / CHOSEN).read_text(encoding="utf-8"))
    return {name: Task.model_validate(value) for name, value in values.items()}


def _inside(path: Path, data: Path) -> str:
    return path.relative_to(data).as_posix() if path.is_relative_to(data) else path.as_posix()


def _split_task(
    task: Task, choice: TaskChoice, config: TasksConfig, data: Path, seed: int, counts: Counter[str]
) -> tuple[Mapping[Split, list[Item]], tuple[str, ...], dict[str, Any]]:
    """Items per split, the labels they may have, and what the manifest keeps of the task."""
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    inspector = Inspector(config.on_invalid, counts)
    items = drop_duplicates(task, clean_items(task, read_items(task, data, inspector), inspector), counts)
    if not items:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in counts.most_common(3)) or "no items in the files"
        raise DataError(f"task {task.name!r}: nothing is left to ask ({reasons}). Check the files and the definition.")
    items = group_items(task, items)  # a step of its own: of millions of items no third copy is held
    items = assign_splits(task, items, rng, counts)
    if task.split_makes_decoys:
        items = make_decoys(task, items, rng, counts)
    kept = {split: _sample(task, choice, items, split, rng, counts) for split in SPLITS}
    facts: dict[str, Any] = {"family": task.family, "items": {split: len(kept[split]) for split in SPLITS}}
    labels: tuple[str, ...] = task.label_names
    if task.family == "regression":
        values = [item.value for item in kept["train"] if item.value is not None]
        bins = fit_bins(task.name, chosen_rule(task.numbers, choice), values, counts)
        labels = bins.names
        kept = {split: [_binned(item, bins) for item in kept[split]] for split in SPLITS}
        facts["edges"] = list(bins.edges)
    _check_classes(task, labels, kept["train"])
    if labels and task.family != "structure":
        facts["labels"] = {
            split: dict(sorted(Counter(item.target for item in kept[split]).items())) for split in SPLITS
        }
    return kept, labels, facts


def _binned(item: Item, bins: Bins) -> Item:
    return item if item.value is None else replace(item, target=bins.name_of(item.value))


def _check_classes(task: Task, labels: Sequence[str], train: Sequence[Item]) -> None:
    if not labels:
        return
    targets = set("".join(item.target for item in train)) if task.family == "structure" else {i.target for i in train}
    if len(targets - {"-"}) < 2:
        raise DataError(
            f"task {task.name!r}: its {len(train)} training items have one class only ({', '.join(sorted(targets))}). "
            "A task needs at least two; check the label column and the limits."
        )


def _sample(
    task: Task, choice: TaskChoice, items: Sequence[Item], split: Split, rng: np.random.Generator, counts: Counter[str]
) -> list[Item]:
    """At most the asked number of items in random order, each class in its share.

    A limit counts final questions: a chain of a structure task makes at most `positions` of them.
    """
    members = [item for item in items if item.split == split]
    members = [members[place] for place in rng.permutation(len(members))]
    limit: int | None = getattr(choice, split)
    if limit is not None and task.family == "structure":
        positions = task.positions if choice.positions is None else choice.positions
        limit = chains_within(limit, positions, [len(item.sequences[0]) for item in members])
    if limit is None or limit >= len(members):
        return members
    counts["over the limit"] += len(members) - limit
    if not task.labels or task.family == "structure":
        return members[:limit]
    left = share_out(Counter(item.target for item in members), limit)
    chosen = []
    for item in members:
        if left[item.target] > 0:
            left[item.target] -= 1
            chosen.append(item)
    return chosen


def share_out(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many of each class to take: in proportion, by largest remainder.

    >>> share_out({"a": 90, "b": 10}, 11)
    {'a': 10, 'b': 1}
    """
    total = sum(sizes.values())
    exact = {name: limit * size / total for name, size in sizes.items()}
    taken = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: (taken[name] - exact[name], name))
    for name in by_remainder[: limit - sum(taken.values())]:
        taken[name] += 1
    return taken


def _row(task: Task, item: Item, labels: Sequence[str], split: Split) -> dict[str, Any]:
    return {
        "task": task.name,
        "family": task.family,
        "id": f"{task.name}:{item.id}",
        "sequences": list(item.sequences),
        "kinds": [wanted.kind for wanted in task.inputs],
        "target": item.target,
        "value": item.value,
        "labels": list(labels) if labels else None,
        "group": item.group,
        "split": split,
        "words": item.words and {"instruction": item.words.instruction, "input": item.words.input},
        "reading": asdict(item.reading) if item.reading else None,
    }
