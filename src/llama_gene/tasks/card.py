"""A task as people read it: how it is asked, what it answers, where its data should lie, an example of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_gene.config import spellings_of
from llama_gene.prompts import Message, render, user_content
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.bins import bin_names
from llama_gene.tasks.cleaning import clean_items
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.items import Item
from llama_gene.tasks.readers import data_files, read_items
from llama_gene.tasks.shorten import cut_all
from llama_gene.tasks.sources import UNKNOWN_STATE
from llama_gene.tasks.states import majority, window_of
from llama_gene.tasks.table9 import TABLE9
from llama_gene.tasks.wordings import MARKED, input_text, instruction_text, marked_text, spell

_SHOWN_LETTERS = 60
_MEDIAN_BINS = 2


@dataclass(frozen=True)
class Example:
    """A question as a model reads it, and the answer; letters beyond the first ones are left out."""

    prompt: str
    answer: str


def task_lines(task: Task) -> Iterator[tuple[str, str]]:
    """What a task is, as pairs of a word and a text.

    >>> from llama_gene.tasks.definitions import load_task
    >>> dict(task_lines(load_task("gb1")))["answers"]
    'a number, asked as one of: low, high (bins of the training values)'
    """
    yield "title", task.title
    yield "asks", task.definition
    yield "family", task.family + (f" ({task.table9} in Table 9 of the paper)" if task.table9 else "")
    yield "reads", ", ".join(f"{wanted.called} ({wanted.kind})" for wanted in task.inputs) or "words alone"
    yield "answers", _answers(task)
    yield "spelled", " and ".join(spellings_of(task.spelling))
    yield "if too long", f"keeps {'the start, in register' if task.in_register else task.keep}"
    yield "metric", task.decided_by
    for name in ("source", "licence", "citation"):
        if text := getattr(task, name):
            yield name, text


def _answers(task: Task) -> str:
    if task.labels:
        return "one of: " + "; ".join(
            label.name + (f" (in the file: {', '.join(label.values)})" if label.values else "") for label in task.labels
        )
    if task.family == "regression":
        return f"a number, asked as one of: {', '.join(bin_names(_MEDIAN_BINS))} (bins of the training values)"
    return "free text" if task.answer.terms is None else f"a list of terms, of which {task.answer.terms} are written"


def question_lines(task: Task) -> list[str]:
    """Every wording with its places filled, the one that scores use first."""
    if task.brings_questions:
        return ["each item in its own words"]
    return [_question(task, wording) for wording in task.questions]


def _question(task: Task, wording: str) -> str:
    words = instruction_text(
        wording, title=task.title, kinds=[wanted.called for wanted in task.inputs], labels=_labels(task),
        definition=task.definition,
    )  # fmt: skip
    return f"{words}\n{MARKED}" if task.is_marked else words


def _labels(task: Task) -> Sequence[str]:
    return bin_names(_MEDIAN_BINS) if task.family == "regression" else task.label_names


def score_lines(task: Task) -> list[tuple[str, str, float, str]]:
    """System, metric, value and note of each published score; of the paper that of the task's row in Table 9."""
    rows: list[tuple[str, str, float, str]] = [
        (score.system, score.metric, score.value, "; ".join(part for part in (score.note, score.source) if part))
        for score in task.published
    ]
    if task.table9:
        paper = TABLE9[task.table9]
        note = f"row {task.table9!r} of Table 9, two or three sets not named"
        rows += [("LLaMA-Gene, paper", "accuracy", paper.llama_gene, note)]
        rows += [("best specialist, paper", "accuracy", paper.best, note)]
    return rows


def file_lines(task: Task, data: Path) -> list[tuple[str, str]]:
    """Every file the task reads, and whether it is there."""
    return [(str(path), "there" if path.exists() else "missing") for path in data_files(task, data)]


def example_of(task: Task, data: Path) -> Example | None:
    """The question about the first usable item; None where the files are not all there or hold none.

    Raises:
        DataError: a file is there but cannot be read.
    """
    if not all(path.exists() for path in data_files(task, data)):
        return None
    inspector = Inspector("skip")
    item = next(clean_items(task, read_items(task, data, inspector), inspector), None)
    if item is None:
        return None
    if item.words is not None:
        return Example(render([Message("user", user_content(item.words.instruction, item.words.input))]), item.target)
    asked, answer = _shown(task, item)
    message = Message("user", user_content(_question(task, task.questions[0]), asked))
    return Example(render([message]), answer)


def _shown(task: Task, item: Item) -> tuple[str, str]:
    """An input short enough to read, and the answer."""
    spelling = spellings_of(task.spelling)[0]
    if task.family == "structure":
        known = [place for place, state in enumerate(item.target) if state != UNKNOWN_STATE] or [0]
        place = known[min(task.left_letters, len(known) - 1)]
        letters, before = window_of(task, item.sequences[0], (place, place + 1))
        shown = marked_text(letters, (before, before + 1), spelling) if task.is_marked else spell(letters, spelling)
        return shown, majority(item.target[place], task.labels)
    sequences = cut_all(task, item.sequences, _SHOWN_LETTERS)
    asked = input_text(sequences, [wanted.called for wanted in task.inputs], spelling)
    if task.family == "regression":
        return asked, f"{item.value:g}, as the bin it falls in"
    return asked, task.labels[0].name if task.split_makes_decoys else item.target
