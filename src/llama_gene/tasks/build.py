"""Stage `tasks build`: items become Alpaca instructions in the paper's words.

Writes train.jsonl, valid.jsonl and test.jsonl, and tasks.json, the definitions with what the choices override.
Questions asked again with hits (`hit_records`) and those that a tool answers (`tool_records`) follow. A prompt with its
answer and end token never exceeds `config.max_tokens`: the sequence is shortened as the task says, or the item refused
and counted; the answer is whole.
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
from pydantic import ValidationError

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_json
from llama_gene.config import Spelling, Split, TaskChoice, TasksConfig, WordingConfig, spellings_of
from llama_gene.errors import ArtifactError, ConfigError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import open_parquet
from llama_gene.sequences.terms import split_terms
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.examples import Solved, pool_of
from llama_gene.tasks.fitting import Instruction, Setting
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.hit_records import FAMILY, WITH_HITS, WITHOUT, hit_records, known_items
from llama_gene.tasks.own_records import own_records
from llama_gene.tasks.phrasing import Phrasing, fit_phrased, put, solve
from llama_gene.tasks.questions import Draw, ask_item
from llama_gene.tasks.split import CHOSEN, read_chosen
from llama_gene.tasks.states import PartQuestion
from llama_gene.tasks.tool_calls import (
    as_asked,
    call_row,
    can_be_asked,
    is_called,
    kinds_of,
    result_tokens,
    tool_name,
    with_result,
    write_call,
)
from llama_gene.tasks.tool_questions import TOOL_CALLS
from llama_gene.tasks.tool_records import Shown, call_records
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

STAGE = "tasks-build"
_CODE = 7
_BATCH_ROWS = 1024


def build_tasks(config: TasksConfig, *, splits: Path, tokenizer: Path, seed: int, output: Path) -> Manifest:
    """Turn the items of `tasks split` into instructions that fit.

    Args:
        config: The same section that made the splits.
        splits: Stage folder of `split_tasks`.
        tokenizer: Folder of the vocabulary that will read the prompts.
        seed: Seed of wordings, of examples and of the letters asked about.
        output: Stage folder.

    Raises:
        ArtifactError: `splits` is no such folder, or was not made for these choices.
        ConfigError: a choice asks of a task what it does not have.
    """
    chosen = read_chosen(splits)
    choices = {choice.name: choice for choice in config.choices}
    missing = [name for name in choices if name not in chosen]
    if missing:
        raise ArtifactError(f"{splits}: holds no task {missing[0]!r}. Run `llama-gene tasks split` with these choices.")
    tasks = {name: as_asked(as_chosen(chosen[name], choice), choice) for name, choice in choices.items()}

    def build(work: Path, ledger: Ledger) -> None:
        words = load_tokenizer(tokenizer)
        settings = {
            name: tuple(_setting(task, spelling, config, words) for spelling in spellings_of(task.spelling))
            for name, task in tasks.items()
        }
        phrasings = _read_phrasings(splits, settings, config.wording, seed)
        write_json(work / CHOSEN, {name: task.model_dump(mode="json") for name, task in tasks.items()})
        asked = {name: kinds_of(task) for name, task in tasks.items() if can_be_asked(task)}
        for split in SPLITS:
            shown = Shown(asked)
            _build_split(split, work, splits, settings, phrasings, choices, seed, ledger, shown)
            if config.with_hits.share and split != "test":
                _add_hits(config, split, work, tasks, words, seed, ledger)
            if config.tool_calls.train:
                _add_calls(config, split, work, shown, words, seed, ledger)

    inputs = {"splits": splits, "tokenizer": tokenizer}
    return build_stage(STAGE, output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


def as_chosen(task: Task, choice: TaskChoice) -> Task:
    """The definition with what the choice overrides.

    Raises:
        ConfigError: the task cannot be asked so.

    >>> from llama_gene.tasks.definitions import load_task
    >>> as_chosen(load_task("rna-structure"), TaskChoice(name="rna-structure", unit="letter")).letters_after
    30
    """
    wanted = {name: getattr(choice, name) for name in ("spelling", "unit", "positions", "steps")}
    changes = {name: value for name, value in wanted.items() if value is not None}
    try:
        return Task.model_validate(task.model_dump() | changes)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"tasks.choices: task {task.name!r}: {said}. Change or drop {', '.join(changes)}.") from None


def _setting(task: Task, spelling: Spelling, config: TasksConfig, tokenizer: GeneTokenizer) -> Setting:
    """What the questions of a task share; where a tool answers, there is room for the call and for what follows it."""
    limit, answer_limit = config.max_tokens, config.max_answer_tokens
    if is_called(task):
        limit -= result_tokens(task, tokenizer)
        answer_limit = max(answer_limit, len(tokenizer.encode(write_call(tool_name(task)))))
    return Setting(task, spelling, tokenizer, limit, answer_limit)


def _build_split(
    split: Split,
    work: Path,
    splits: Path,
    settings: Mapping[str, tuple[Setting, ...]],
    phrasings: Mapping[tuple[str, Spelling], Phrasing],
    choices: Mapping[str, TaskChoice],
    seed: int,
    ledger: Ledger,
    shown: Shown,
) -> None:
    """Write the questions of the tasks, and keep in `shown` what the questions for tools are made of."""
    rngs = {name: np.random.default_rng([seed, zlib.crc32(f"{name} {split}".encode())]) for name in settings}
    written: Counter[tuple[str, Spelling]] = Counter()
    with (work / f"{split}.jsonl").open("w", encoding="utf-8") as lines:
        for name, rows in _read_batches(splits / f"{split}.parquet"):
            if name not in settings:
                continue
            limit = getattr(choices[name], split)
            rows = [call_row(settings[name][0].task, row) for row in rows]
            shown.add_items(rows)
            counts: Counter[str] = Counter()
            # Held-out items are asked once, in the first spelling, so that no score counts one twice.
            asked = settings[name] if split == "train" else settings[name][:1]
            for setting in asked:
                phrasing = phrasings[name, setting.spelling]
                mark = f"~{setting.spelling}" if len(asked) > 1 else ""
                for record in _records(setting, phrasing, mark, rows, split, Draw(seed, limit), rngs[name], counts):
                    if limit is not None and written[name, setting.spelling] >= limit:
                        counts["over the limit"] += 1
                        continue
                    written[name, setting.spelling] += 1
                    if split == "train" and is_called(setting.task):
                        record = with_result(setting.task, record, setting.tokenizer)
                    elif not is_called(setting.task):
                        shown.add_plain(record)
                    lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            ledger.counts.update({f"{name}: {reason}": count for reason, count in counts.items() if count})
    for name, spelled in settings.items():
        fact = ledger.facts.setdefault(name, {"spelling": spelled[0].spelling, "items": {}})
        fact["items"][split] = sum(written[name, setting.spelling] for setting in spelled)


def _add_hits(
    config: TasksConfig,
    split: Split,
    work: Path,
    tasks: Mapping[str, Task],
    tokenizer: GeneTokenizer,
    seed: int,
    ledger: Ledger,
) -> None:
    """Go on with questions of the function family that were written already, with hits before them."""
    path, apart = work / f"{split}.jsonl", work / f"{split}.hits"
    with path.open(encoding="utf-8") as written, apart.open("w", encoding="utf-8") as lines:
        for name, records in groupby(map(json.loads, written), key=itemgetter("task")):
            if tasks[name].family != FAMILY:
                continue
            counts: Counter[str] = Counter()
            known, total = known_items(work / "train.jsonl", name), ledger.facts[name]["items"][split]
            again = hit_records(config, records, known, tokenizer, seed=seed, total=total, counts=counts)
            lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in again)
            ledger.counts.update({f"{name}: {reason}": count for reason, count in counts.items() if count})
            ledger.facts[name].setdefault("with_hits", {})[split] = counts[WITH_HITS] + counts[WITHOUT]
    with path.open("ab") as all_lines, apart.open("rb") as more:
        shutil.copyfileobj(more, all_lines)
    apart.unlink()


def _add_calls(
    config: TasksConfig, split: Split, work: Path, shown: Shown, tokenizer: GeneTokenizer, seed: int, ledger: Ledger
) -> None:
    """Go on with the questions that a tool answers."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{TOOL_CALLS} {split}".encode())])
    counts: Counter[str] = Counter()
    records = list(call_records(config, split, shown, tokenizer, rng, counts))
    with (work / f"{split}.jsonl").open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    ledger.counts.update({f"{TOOL_CALLS}: {reason}": count for reason, count in counts.items()})
    ledger.facts.setdefault(TOOL_CALLS, {"items": {}})["items"][split] = len(records)


def _read_batches(path: Path) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Items of one task at a time, in the order of the file."""
    file = open_parquet(path)
    total = -(-file.metadata.num_rows // _BATCH_ROWS)
    for batch in show_progress(file.iter_batches(_BATCH_ROWS), f"Wording {path.stem} items", total):
        for name, rows in groupby(batch.to_pylist(), key=itemgetter("task")):
            yield name, list(rows)


def _read_phrasings(
    splits: Path, settings: Mapping[str, tuple[Setting, ...]], config: WordingConfig, seed: int
) -> dict[tuple[str, Spelling], Phrasing]:
    """How each task is asked in each spelling; examples come from its first training items: their order is random."""
    pools: dict[tuple[str, Spelling], tuple[Solved, ...]] = {}
    for name, rows in _first_batches(splits / "train.parquet") if config.defined else ():
        for setting in settings.get(name, ()):
            if rows[0]["words"] or is_called(setting.task):
                continue
            draw = Draw(seed, None)
            asked = ((row, each.question) for row in rows for each in ask_item(setting, row, draw, Counter()))
            solved = (solve(setting, question, row["group"]) for row, question in asked)
            known = pools.get((name, setting.spelling))
            pools[name, setting.spelling] = known or pool_of(item for item in solved if item is not None)
    return {
        (name, setting.spelling): Phrasing(config, setting.task.questions, pools.get((name, setting.spelling), ()))
        for name, spelled in settings.items()
        for setting in spelled
    }


def _first_batches(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The first items of each row group; a task fills one or more of its own, so every task is met."""
    file = open_parquet(path)
    for number in range(file.num_row_groups):
        batch = next(file.iter_batches(_BATCH_ROWS, row_groups=[number]), None)
        for name, rows in groupby(batch.to_pylist() if batch is not None else (), key=itemgetter("task")):
            yield name, list(rows)


def _records(
    setting: Setting,
    phrasing: Phrasing,
    mark: str,
    rows: Sequence[Mapping[str, Any]],
    split: Split,
    draw: Draw,
    rng: np.random.Generator,
    counts: Counter[str],
) -> Iterator[dict[str, Any]]:
    if setting.task.brings_questions:
        yield from own_records(setting, rows, split, counts)
        return
    named = [(row, asked) for row in rows for asked in ask_item(setting, row, draw, counts)]
    questions = [asked.question for _, asked in named]
    if split == "train":
        questions = [
            put(setting, phrasing, question, group=row["group"], rng=rng)
            for (row, _), question in zip(named, questions, strict=True)
        ]
    for (row, asked), made in zip(named, fit_phrased(setting, questions, counts), strict=True):
        if made is None:
            continue
        yield {
            "id": asked.name + mark,
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
            # Never without a type, or `datasets` takes the whole column for empty: a training item is its own nearest.
            "nearest": 1.0 if split == "train" else row["nearest"],
            "pair_class": row["pair_class"] or "",
            **_for_the_score(setting.task, row, asked.part, made),
        }


def _for_the_score(task: Task, row: Mapping[str, Any], part: PartQuestion | None, made: Instruction) -> dict[str, Any]:
    """What the score needs beside the output, in tasks that have it."""
    found: dict[str, Any] = {}
    if part is not None:
        found["span"] = {
            "chain": row["id"], "start": part.start, "end": part.end, "before": part.window.before,
            "states": list(part.states),
        }  # fmt: skip
    if task.answer.terms is not None:
        found["terms"] = list(split_terms(row["target"]))
    if made.answer is not None:
        found["answer"] = made.answer
    return found
