"""Stage `tasks build`: items become Alpaca instructions in the paper's words.

Writes train.jsonl, valid.jsonl and test.jsonl, and carries tasks.json along. A prompt with its answer and end token
never exceeds `config.max_tokens`: the sequence is shortened as the task says, or the item refused and counted; the
answer is whole.
"""

import json
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import Split, TaskChoice, TasksConfig
from llama_gene.errors import ArtifactError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import open_parquet
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.fitting import Question, Setting, fit
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.split import CHOSEN, read_chosen
from llama_gene.tasks.states import ask_tokens, letter_spans
from llama_gene.tasks.wordings import PAPER_WORDINGS
from llama_gene.tokenizer.load import load_tokenizer

STAGE = "tasks-build"
_CODE = 2
_BATCH_ROWS = 1024


def build_tasks(config: TasksConfig, *, splits: Path, tokenizer: Path, seed: int, output: Path) -> Manifest:
    """Turn the items of `tasks split` into instructions that fit.

    Args:
        config: The same section that made the splits.
        splits: Stage folder of `split_tasks`.
        tokenizer: Folder of the vocabulary that will read the prompts.
        seed: Seed of wordings and of the tokens asked.
        output: Stage folder.

    Raises:
        ArtifactError: `splits` is no such folder, or was not made for these choices.
    """
    tasks = read_chosen(splits)
    choices = {choice.name: choice for choice in config.choices}
    missing = [name for name in choices if name not in tasks]
    if missing:
        raise ArtifactError(f"{splits}: holds no task {missing[0]!r}. Run `llama-gene tasks split` with these choices.")

    def build(work: Path, ledger: Ledger) -> None:
        words = load_tokenizer(tokenizer)
        settings = {
            name: Setting(
                task, choices[name].spelling or task.spelling, words, config.max_tokens, config.max_answer_tokens
            )
            for name, task in tasks.items()
            if name in choices
        }
        shutil.copyfile(splits / CHOSEN, work / CHOSEN)
        for split in SPLITS:
            _build_split(split, work, splits, settings, choices, seed, ledger)

    inputs = {"splits": splits, "tokenizer": tokenizer}
    return build_stage(STAGE, output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


def _build_split(
    split: Split,
    work: Path,
    splits: Path,
    settings: Mapping[str, Setting],
    choices: Mapping[str, TaskChoice],
    seed: int,
    ledger: Ledger,
) -> None:
    rngs = {name: np.random.default_rng([seed, zlib.crc32(f"{name} {split}".encode())]) for name in settings}
    written: Counter[str] = Counter()
    with (work / f"{split}.jsonl").open("w", encoding="utf-8") as lines:
        for name, rows in _read_batches(splits / f"{split}.parquet"):
            if name not in settings:
                continue
            limit = getattr(choices[name], split)
            counts: Counter[str] = Counter()
            for record in _records(settings[name], rows, split, rngs[name], counts):
                if limit is not None and written[name] >= limit:
                    counts["over the limit"] += 1
                    continue
                written[name] += 1
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            ledger.counts.update({f"{name}: {reason}": count for reason, count in counts.items() if count})
    for name in settings:
        ledger.facts.setdefault(name, {"spelling": settings[name].spelling, "items": {}})["items"][split] = written[
            name
        ]


def _read_batches(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Items of one task at a time, in the order of the file."""
    file = open_parquet(path)
    total = -(-file.metadata.num_rows // _BATCH_ROWS)
    for batch in show_progress(file.iter_batches(_BATCH_ROWS), f"Wording {path.stem} items", total):
        for name, rows in groupby(batch.to_pylist(), key=itemgetter("task")):
            yield name, list(rows)


def _records(
    setting: Setting, rows: Sequence[Mapping[str, Any]], split: Split, rng: np.random.Generator, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    named = [(row, *asked) for row in rows for asked in _questions(setting, row, split, rng, counts)]
    for (row, name, _), made in zip(named, fit(setting, [entry[2] for entry in named], counts), strict=True):
        if made is None:
            continue
        yield {
            "id": name,
            "instruction": made.instruction,
            "input": made.input,
            "output": made.output,
            "task": row["task"],
            "family": row["family"],
            "split": split,
            "labels": row["labels"],
            "group": row["group"],
            "sequences": list(made.sequences),
            "kinds": row["kinds"],
            "value": row["value"],
            "nearest": row["nearest"],
            "pair_class": row["pair_class"],
        }


def _questions(
    setting: Setting, row: Mapping[str, Any], split: Split, rng: np.random.Generator, counts: Counter[str]
) -> Iterator[tuple[str, Question]]:
    """Name and question of an item: one, or several tokens of a chain."""
    task, sequences, labels = setting.task, tuple(row["sequences"]), tuple(row["labels"] or ())
    wording, number = _choose_wording(task, split, rng)
    if len(task.wordings) > 1:
        counts[f"wording {number}"] += 1
    if task.family != "structure":
        yield row["id"], Question(wording, sequences, row["target"], labels)
        return
    chain = sequences[0]
    spans = letter_spans(chain) if setting.spelling == "spaced" else setting.tokenizer.offsets(chain)
    asked = ask_tokens(
        chain, row["target"], spans, task.labels, context=task.context_letters, number=task.positions, rng=rng
    )
    if not asked:
        counts["no token with known states"] += 1
    for token in asked:
        yield f"{row['id']}@{token.end}", Question(wording, (token.letters,), token.label, labels)


def _choose_wording(task: Task, split: Split, rng: np.random.Generator) -> tuple[str, int]:
    """Any wording in training; where models are judged the first, so that scores can be compared."""
    if not task.wordings:
        return PAPER_WORDINGS[task.family], 0
    number = int(rng.integers(len(task.wordings))) if split == "train" else 0
    return task.wordings[number], number
