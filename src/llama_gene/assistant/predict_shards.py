"""Predict on a Ray cluster: a task of the cluster answers a run of whole chunks, and the parts are joined in order.

The lines are those of one machine, since a chunk holds the same records whoever answers it. Each finished part is kept
in `OUT.shards`, so a run that was killed goes on behind them. All nodes must see the same files.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from llama_gene.artifacts import locked, told_when_full, write_json, write_text
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.predict import Job, Predicted, answer_chunk, chunks_of, made_of, predict, table_of, tell
from llama_gene.assistant.predict_input import read_asked
from llama_gene.assistant.predict_output import Table, check_output, check_same
from llama_gene.config import ChatConfig, EngineConfig, PredictConfig, describe
from llama_gene.corpus.engine import Work, run_tasks
from llama_gene.errors import DataError
from llama_gene.progress import show_progress
from llama_gene.tasks.definitions import Task

_MADE_OF = "made_of.json"


@dataclass(frozen=True)
class Shard:
    """Records `start` to `stop` of a job, in plain values that go to another machine."""

    model: str
    chat: dict[str, Any]
    task: dict[str, Any]
    source: str
    config: dict[str, Any]
    columns: tuple[str, ...]
    specialist: str
    start: int
    stop: int
    suffix: str
    output: str


def predict_with(engine: EngineConfig, job: Job, output: Path) -> Predicted:
    """`predict` with the engine of the recipe; arguments and errors as there.

    Raises:
        ConfigError: Ray is asked for and not installed, or there is no cluster.
    """
    return predict(job, output) if engine.name == "local" else _predict_in_shards(engine, job, output)


def _predict_in_shards(engine: EngineConfig, job: Job, output: Path) -> Predicted:
    started = time.monotonic()
    suffix = check_output(output, job.source)
    folder = output.with_name(output.name + ".shards")
    counts: Counter[str] = Counter()
    asked = read_asked(job.source, job.task, columns=job.columns, on_invalid=job.config.on_invalid, counts=counts)
    records = sum(1 for _ in show_progress(asked, "counting records"))
    with locked(folder), told_when_full(output):
        _claim(folder, made_of(job))
        shards = list(_shards(job, records, suffix, folder))
        answered = 0
        for result in run_tasks(predict_shard, shards, Work(folder, job.source.stat().st_size, engine), "predicting"):
            answered += result["answered"]
            counts.update(result["counts"])
        if not answered:
            raise DataError(f"{job.source}: nothing was answered. Mend the file or the task.")
        _join(table_of(job, suffix), shards, output)
        shutil.rmtree(folder)
    return tell(job, output, answered, counts, started)


def _claim(folder: Path, made: dict[str, str]) -> None:
    """Make the folder of parts, or go on in it where it is of the same job."""
    note = folder / _MADE_OF
    if note.is_file():
        check_same(folder, json.loads(note.read_text(encoding="utf-8")), made)
        return
    folder.mkdir(exist_ok=True)
    write_json(note, made)


def _shards(job: Job, records: int, suffix: str, folder: Path) -> Iterator[Shard]:
    chunk = job.config.chunk_records
    # Whole chunks: a chunk answered in two parts would be batched otherwise.
    size = max(1, job.config.shard_records // chunk) * chunk
    for number, start in enumerate(range(0, records, size)):
        yield Shard(
            model=str(job.assistant.folder.absolute()), chat=describe(job.assistant.config), task=describe(job.task),
            source=str(job.source.absolute()), config=describe(job.config), columns=job.columns,
            specialist=str(job.specialist.absolute()) if job.specialist else "", start=start,
            stop=min(start + size, records), suffix=suffix, output=str(folder.absolute() / f"{number:06d}{suffix}"),
        )  # fmt: skip


def predict_shard(shard: Shard) -> dict[str, Any]:
    """Answer the records of a shard and write its lines, whole or not at all; gives the counts."""
    assistant = _open(shard.model, json.dumps(shard.chat, sort_keys=True))
    config = PredictConfig.model_validate(shard.config)
    tool = Path(shard.specialist) if shard.specialist else None
    job = Job(assistant, Task.model_validate(shard.task), Path(shard.source), config, shard.columns, tool)
    table, counts, lines = table_of(job, shard.suffix), Counter[str](), 0
    asked = read_asked(job.source, job.task, columns=job.columns, on_invalid=config.on_invalid, counts=Counter())
    fresh = Path(shard.output + ".tmp")
    with fresh.open("w", encoding="utf-8") as file:
        for chunk in chunks_of(islice(asked, shard.start, shard.stop), config.chunk_records):
            found = answer_chunk(job, chunk, counts)
            file.writelines(table.line(one) for one in found)
            lines += len(found)
    fresh.replace(shard.output)
    return {"answered": lines, "counts": dict(counts)}


@lru_cache(maxsize=1)
def _open(model: str, chat: str) -> Assistant:
    """The model of a worker process, kept for its next shard."""
    return Assistant.open(Path(model), ChatConfig.model_validate_json(chat))


def _join(table: Table, shards: list[Shard], output: Path) -> None:
    fresh = output.with_name(output.name + ".partial")
    write_text(fresh, table.header)
    with fresh.open("ab") as joined:
        for shard in shards:
            with Path(shard.output).open("rb") as part:
                shutil.copyfileobj(part, joined)
    fresh.replace(output)
