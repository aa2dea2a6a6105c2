"""Stage `tasks split`: sequences, labels and splits of every chosen task, before any tokenizer exists.

Writes train.parquet, valid.parquet, test.parquet and tasks.json, the definitions used; leaks.parquet, leaks.json and
leaks.md, how near each held-out item is to training; balance.json and balance.md, the classes. One task is held in
memory at a time.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest, write_json, write_text
from llama_gene.config import Split, TaskChoice, TasksConfig, resolve
from llama_gene.errors import ArtifactError, ConfigError, DataError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Inspector, list_files
from llama_gene.tasks.assign import assign_splits
from llama_gene.tasks.balance import balance_page, count_classes, describe_classes, sample
from llama_gene.tasks.bins import Bins, chosen_rule, fit_bins
from llama_gene.tasks.by_column import deal_values
from llama_gene.tasks.cleaning import check_training, clean_items, drop_duplicates, drop_rare_classes, refuse_equal_sets
from llama_gene.tasks.decoys import make_decoys
from llama_gene.tasks.definitions import Task, load_task, task_files
from llama_gene.tasks.groups import SPLITS, group_items
from llama_gene.tasks.identity import choose_finder
from llama_gene.tasks.items import Item
from llama_gene.tasks.leaks import (
    HELD_OUT,
    Leaks,
    band_names,
    describe_leaks,
    find_leaks,
    leak_rows,
    leaks_page,
    nearest_of,
)
from llama_gene.tasks.partners import PairClass, deal_partners, pair_classes
from llama_gene.tasks.readers import data_files, read_items

STAGE = "tasks-split"
# What of a choice no split depends on.
READ_BY_BUILD = {"spelling", "unit", "steps", "answer"}
CHOSEN = "tasks.json"
_CODE = 3
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
        ("nearest", pa.float64()),
        ("pair_class", pa.string()),
    ]
)
LEAKS = pa.schema(
    [
        ("task", pa.string()),
        ("split", pa.string()),
        ("id", pa.string()),
        ("input", pa.string()),
        ("neighbour", pa.string()),
        ("identity", pa.float64()),
        ("coverage", pa.float64()),
        ("strand", pa.string()),
    ]
)


@dataclass(frozen=True)
class SplitItems:
    """The items of one task by split, the labels they may have, and what was found out about them."""

    kept: Mapping[Split, Sequence[Item]]
    labels: tuple[str, ...]
    facts: dict[str, Any]
    leaks: Leaks
    pair_classes: Mapping[Split, Sequence[PairClass | None]]


def split_tasks(config: TasksConfig, *, data: Path, seed: int, output: Path) -> Manifest:
    """Read, check, group and split the chosen tasks.

    Args:
        config: Choices, their limits, and folders of further definitions.
        data: Folder that relative paths start from.
        seed: Seed of splits, decoys and samples.
        output: Stage folder.

    Raises:
        ConfigError: no such task, or one chosen twice.
        DataError: a file is missing or wrong, a task has one class only, or held-out items that are those of training.
    """
    extra = [resolve(folder, data) for folder in config.definitions]
    tasks = chosen_tasks(config, data)
    inputs = {f"definition {task.name}": task_files(extra)[task.name] for task in tasks}
    for task in tasks:
        for pattern in data_files(task, data):
            inputs |= {f"data {_inside(path, data)}": path for path in list_files(pattern)}

    def build(work: Path, ledger: Ledger) -> None:
        write_json(work / CHOSEN, {task.name: task.model_dump(mode="json") for task in tasks})
        reports: dict[str, tuple[dict[str, Any], Mapping[Split, Mapping[str, int]]]] = {}
        with ExitStack() as stack:
            writers = {
                split: stack.enter_context(pq.ParquetWriter(work / f"{split}.parquet", SCHEMA)) for split in SPLITS
            }
            leaks = stack.enter_context(pq.ParquetWriter(work / "leaks.parquet", LEAKS))
            for choice, task in show_progress(list(zip(config.choices, tasks, strict=True)), "Splitting tasks"):
                counts: Counter[str] = Counter()
                made = _split_task(task, choice, config, data, seed, counts)
                for split in SPLITS:
                    for rows in _row_batches(task, made, split):
                        writers[split].write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                leaks.write_table(pa.Table.from_pylist(leak_rows(task, made.leaks), schema=LEAKS))
                reports[task.name] = _report(task, made)
                ledger.counts.update({f"{task.name}: {reason}": count for reason, count in counts.items() if count})
                ledger.facts[task.name] = made.facts
        _write_reports(work, reports)

    # What `tasks build` alone reads changes nothing here.
    settings = config.model_dump(
        mode="json",
        exclude={
            "choices": {"__all__": READ_BY_BUILD},
            "max_tokens": True,
            "max_answer_tokens": True,
            "wording": True,
            "tool_calls": True,
            "with_hits": True,
        },
    )
    settings["identity_by"] = {task.name: finders for task in tasks if (finders := _finders(task))}
    return build_stage(STAGE, output, build, config=settings, inputs=inputs, seed=seed, code=_CODE)


def chosen_tasks(config: TasksConfig, data: Path) -> list[Task]:
    """The definitions of the chosen tasks, in order, with the split rules of the run.

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
    tasks = [load_task(choice.name, extra) for choice in config.choices]
    return [
        task.model_copy(update={"split": task.split.changed(choice.split)})
        for task, choice in zip(tasks, config.choices, strict=True)
    ]


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


def _finders(task: Task) -> dict[str, str]:
    """Who finds alike sequences on this machine, by kind; it can change the split, so the stage is known by it."""
    if task.split.identity is None:
        return {}
    return {wanted.kind: choose_finder(task.split.identity_by, wanted.kind) for wanted in task.inputs}


def _split_task(
    task: Task, choice: TaskChoice, config: TasksConfig, data: Path, seed: int, counts: Counter[str]
) -> SplitItems:
    """Read, deal and sample the items of one task, and look at what came of it."""
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    items = _deal(task, _read(task, config, data, counts), rng, counts)
    if task.split_makes_decoys:
        items = make_decoys(task, items, rng, counts)
    kept = {split: sample(task, choice, items, split, rng, counts) for split in SPLITS}
    facts: dict[str, Any] = {"family": task.family}
    labels: tuple[str, ...] = task.label_names
    if task.family == "regression":
        values = [item.value for item in kept["train"] if item.value is not None]
        bins = fit_bins(task.name, chosen_rule(task.numbers, choice), values, counts)
        labels = bins.names
        kept = {split: [_binned(item, bins) for item in kept[split]] for split in SPLITS}
        facts["edges"] = list(bins.edges)
    kept = check_training(task, labels, kept, config.on_rare_class, counts)
    facts["items"] = {split: len(kept[split]) for split in SPLITS}
    if finders := _finders(task):
        facts["identity_by"] = finders
    return SplitItems(kept, labels, facts, find_leaks(task, kept, config.leak_items), pair_classes(task, kept))


def _read(task: Task, config: TasksConfig, data: Path, counts: Counter[str]) -> list[Item]:
    """The items that can be used, one for equal sequences."""
    inspector = Inspector(config.on_invalid, counts)
    items = list(clean_items(task, read_items(task, data, inspector), inspector))
    if task.split.source == "ignore" or task.split.by in ("column", "partners"):
        items = [replace(item, split=None) for item in items]
    refuse_equal_sets(task, items)
    items = drop_duplicates(task, items, config.on_conflict, counts)
    items = drop_rare_classes(task, items, config.on_rare_class, counts)
    if not items:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in counts.most_common(3)) or "no items in the files"
        raise DataError(f"task {task.name!r}: nothing is left to ask ({reasons}). Check the files and the definition.")
    return items


def _deal(task: Task, items: list[Item], rng: np.random.Generator, counts: Counter[str]) -> list[Item]:
    """The items with their split, by the rule of the task; alike ones on one side."""
    if task.split.by == "column":
        items = deal_values(task, items, rng)
    elif task.split.by == "partners":
        items = deal_partners(task, items, rng, counts)
    return assign_splits(task, group_items(task, items), rng, counts)


def _report(task: Task, made: SplitItems) -> tuple[dict[str, Any], Mapping[Split, Mapping[str, int]]]:
    """Leaks and classes of a task; what is most telling goes into its facts."""
    leaks = describe_leaks(made.leaks, {split: len(made.kept[split]) for split in SPLITS}, made.pair_classes)
    classes = count_classes(task, made.labels, made.kept)
    made.facts["nearest"] = {split: leaks[split]["bands"] for split in HELD_OUT}
    if len(task.inputs) > 1:
        made.facts["pair_classes"] = {split: leaks[split]["pair_classes"] for split in HELD_OUT}
    if classes:
        made.facts["labels"] = classes
    return leaks, classes


def _write_reports(work: Path, reports: Mapping[str, tuple[dict[str, Any], Mapping[Split, Mapping[str, int]]]]) -> None:
    leaks = {name: found for name, (found, _) in reports.items()}
    classes = {name: sizes for name, (_, sizes) in reports.items()}
    write_json(work / "leaks.json", {"bands": band_names(), "tasks": leaks})
    write_text(work / "leaks.md", leaks_page(leaks))
    write_json(work / "balance.json", {name: describe_classes(sizes) for name, sizes in classes.items()})
    write_text(work / "balance.md", balance_page(classes))


def _binned(item: Item, bins: Bins) -> Item:
    return item if item.value is None else replace(item, target=bins.name_of(item.value))


def _row_batches(task: Task, made: SplitItems, split: Split) -> Iterator[list[dict[str, Any]]]:
    """Rows of the Parquet file, a few thousand at a time; the nearest is known of the first held-out items."""
    nearest = [nearest_of(found) for found in made.leaks.found.get(split, ())]
    entries = zip_longest(made.kept[split], nearest, made.pair_classes[split])
    while some := list(islice(entries, _ROWS_AT_ONCE)):
        yield [
            _row(task, item, made.labels, split) | {"nearest": near, "pair_class": pair_class}
            for item, near, pair_class in some
        ]


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
