"""Answer one task about every record of a file: streamed, batched, and resumable after a kill.

Records are taken in chunks. A chunk is answered together (all its questions in batches of like length) and its lines
are written at once, so memory is that of one chunk however long the file is, and a file's lines do not depend on where
a run was stopped. On a Ray cluster a task answers a run of whole chunks, and so writes the same lines.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from llama_gene.artifacts import fingerprint
from llama_gene.assistant.asking import Question, ask_task
from llama_gene.assistant.closed import Plan, answer_plans, plan_item, shots_for
from llama_gene.assistant.conversation import SYNTHETIC, Assistant, labels_of
from llama_gene.assistant.measured import describe_measured
from llama_gene.assistant.predict_input import Asked, read_asked
from llama_gene.assistant.predict_output import Prediction, Table, check_output, open_partial
from llama_gene.config import PredictConfig, describe
from llama_gene.errors import DataError
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.specialist import Specialist, load_specialist
from llama_gene.progress import show_progress
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import format_number, read_call, tool_name, write_answer

CODE = 1


@dataclass(frozen=True)
class Job:
    """What is predicted: by which model, for which task, from which file, and how.

    `columns`: of a table, that of each sequence. `specialist`: folder of the small model whose numbers a model calls.
    """

    assistant: Assistant
    task: Task
    source: Path
    config: PredictConfig
    columns: tuple[str, ...] = ()
    specialist: Path | None = None

    @cached_property
    def tool(self) -> Specialist | None:
        """Computes the numbers that the model's calls ask for; None: the calls stay as they are written.

        Raises:
            DataError: it is of another task, or the model was not tuned to call it.
        """
        if self.specialist is None:
            return None
        found = load_specialist(self.specialist)
        if found.card.task != self.task.name or found.card.labels or self.labels:
            raise DataError(
                f"{self.specialist}: a specialist of {found.card.task!r}. Expected one that gives a number, of task "
                f"{self.task.name!r}, which the model was tuned to call; name that one, or leave --specialist out."
            )
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """The closed answers; empty where answers are free."""
        return labels_of(self.assistant, self.task)

    @property
    def bin_values(self) -> tuple[float, ...]:
        """The number each label stands for; empty where the task has none, or no training items are known."""
        pool = self.assistant.examples.get(self.task.name)
        known = pool.bin_values if pool else {}
        return tuple(known[label] for label in self.labels) if known and set(self.labels) <= set(known) else ()


@dataclass(frozen=True)
class Predicted:
    """What a run did: lines written, what was changed or left out by reason, and what to know before believing it."""

    output: str
    task: str
    answered: int
    counts: dict[str, int]
    seconds: float
    notes: tuple[str, ...] = ()


def predict(job: Job, output: Path) -> Predicted:
    """Write a line for each record that can be answered.

    Args:
        job: What is predicted.
        output: A file .tsv or .jsonl; columns id, answer, p(label) for each label, value (regression) and notices.

    Raises:
        ConfigError: another suffix.
        DataError: the input cannot be read, nothing in it can be answered, or what a killed run left is of another
            model, task or input.
    """
    started = time.monotonic()
    table = table_of(job, check_output(output, job.source))
    counts: Counter[str] = Counter()
    with open_partial(output, table.header, made_of(job)) as writer:
        before = writer.progress.records
        asked = read_asked(job.source, job.task, columns=job.columns, on_invalid=job.config.on_invalid, counts=counts)
        # What was refused on the way is counted again, so that the counts are those of the whole file.
        waiting = islice(asked, before, None)
        for chunk in show_progress(chunks_of(waiting, job.config.chunk_records), f"predicting {job.task.name}"):
            refused: Counter[str] = Counter()
            lines = [table.line(found) for found in answer_chunk(job, chunk, refused)]
            writer.write(lines, records=len(chunk), counts=refused)
        found = writer.progress
        counts.update(found.counts)
        if not found.answered:
            raise DataError(f"{job.source}: nothing was answered ({_reasons(counts)}). Mend the file or the task.")
    return tell(job, output, found.answered, counts, started)


def tell(job: Job, output: Path, answered: int, counts: Counter[str], started: float) -> Predicted:
    """What a run that began at a monotonic time did."""
    assistant, name = job.assistant, job.task.name
    unlearnt = bool(assistant.learnt) and name not in assistant.learnt
    notes = (
        describe_measured(assistant.measured.get(name)),
        *[f"The model was not tuned on task {name}."] * unlearnt,
        *[SYNTHETIC] * assistant.is_synthetic,
    )
    seconds = round(time.monotonic() - started, 2)
    return Predicted(str(output), name, answered, dict(sorted(counts.items())), seconds, notes)


def table_of(job: Job, suffix: str) -> Table:
    """The columns of a job."""
    return Table(job.labels, job.task.family == "regression", suffix)


def made_of(job: Job) -> dict[str, str]:
    """A hash of everything that decides the lines, by what it is."""
    chat = describe(job.assistant.config) | {"examples": _hash_of(job.assistant.config.examples)}
    measured = job.assistant.measured.get(job.task.name)
    tool = fingerprint(job.specialist) if job.specialist and job.tool else ""
    settings = [describe(job.config), chat, job.columns, repr(measured), tool, CODE]
    return {
        "model": fingerprint(job.assistant.folder),
        "task": _digest(describe(job.task)),
        "input": fingerprint(job.source),
        "settings": _digest(settings),
    }


def _hash_of(named: str) -> str:
    return fingerprint(Path(named).expanduser()) if named else ""


def _digest(value: object) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items()) or "it holds no record"


def chunks_of(asked: Iterator[Asked], size: int) -> Iterator[list[Asked]]:
    """Records in lists of equal length, the last one perhaps shorter."""
    while chunk := list(islice(asked, size)):
        yield chunk


def answer_chunk(job: Job, chunk: Sequence[Asked], counts: Counter[str]) -> list[Prediction]:
    """The answer to each record that can be asked about, in order.

    Args:
        job: What is predicted.
        chunk: Records.
        counts: Receives what was not asked, where bad records are skipped.

    Raises:
        DataError: a record cannot be asked about, and `on_invalid` is "error".
    """
    return _answer_closed(job, chunk, counts) if job.labels else _answer_free(job, chunk, counts)


def _answer_closed(job: Job, chunk: Sequence[Asked], counts: Counter[str]) -> list[Prediction]:
    planned: list[tuple[Asked, Plan]] = []
    for asked in chunk:
        shots = shots_for(job.assistant, job.task, asked.sequences)
        try:
            planned.append((asked, plan_item(job.assistant, job.task, asked.sequences, shots)))
        except DataError as error:
            _refuse(job, asked, error, counts)
    answers = answer_plans(
        job.assistant, [plan for _, plan in planned], batch_items=job.config.batch_items,
        batch_tokens=job.config.batch_tokens,
    )  # fmt: skip
    values = job.bin_values
    return [
        Prediction(
            asked.id,
            answer.reply,
            answer.probabilities,
            sum(share * value for share, value in zip(answer.probabilities.values(), values, strict=True))
            if values
            else None,
            (*asked.notices, *answer.notices),
        )
        for (asked, _), answer in zip(planned, answers, strict=True)
    ]


def _answer_free(job: Job, chunk: Sequence[Asked], counts: Counter[str]) -> list[Prediction]:
    planned: list[tuple[Asked, Question]] = []
    for asked in chunk:
        shots = shots_for(job.assistant, job.task, asked.sequences)
        try:
            planned.append((asked, ask_task(job.assistant, job.task, asked.sequences, shots=shots)))
        except DataError as error:
            _refuse(job, asked, error, counts)
    texts = generate_answers(
        job.assistant.model, job.assistant.tokenizer, [question.prompt for _, question in planned],
        max_new_tokens=job.assistant.config.max_new_tokens, batch_items=job.config.batch_items,
        batch_tokens=job.config.batch_tokens,
    )  # fmt: skip
    if job.tool is not None:
        return _compute(job, job.tool, planned, texts)
    return [
        Prediction(asked.id, text, notices=(*asked.notices, *question.notices))
        for (asked, question), text in zip(planned, texts, strict=True)
    ]


def _compute(
    job: Job, tool: Specialist, planned: Sequence[tuple[Asked, Question]], calls: Sequence[str]
) -> list[Prediction]:
    """The numbers that calls ask for; a call that is wrong in any way gives none, and says why."""
    read = [read_call(text, {tool_name(job.task)}) for text in calls]
    valid = [place for place, call in enumerate(read) if call.problem is None]
    values = dict(zip(valid, tool.predict([planned[place][0].sequences for place in valid]).tolist(), strict=True))
    found = []
    for place, ((asked, question), text) in enumerate(zip(planned, calls, strict=True)):
        value, notices = values.get(place), (*asked.notices, *question.notices)
        if value is None:
            found.append(Prediction(asked.id, text, notices=(*notices, f"No number: {read[place].problem}.")))
            continue
        sentence = write_answer(job.task.title, format_number(value), job.task.numbers.unit)
        found.append(Prediction(asked.id, sentence, value=value, notices=notices))
    return found


def _refuse(job: Job, asked: Asked, error: DataError, counts: Counter[str]) -> None:
    if job.config.on_invalid == "error":
        raise DataError(f"{job.source}: record {asked.id!r}: {error}") from error
    counts["the question does not fit"] += 1


def record_of(found: Predicted) -> dict[str, object]:
    """Plain JSON values."""
    return asdict(found)
