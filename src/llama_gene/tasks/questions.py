"""Turn an item into questions: one, or about a chain of the structure family one for each asked part."""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from llama_gene.sequences.terms import join_terms, split_terms
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.fitting import Question, Setting
from llama_gene.tasks.shorten import coding_pair
from llama_gene.tasks.states import PartQuestion, ask_chain, letter_spans, token_spans
from llama_gene.tasks.steps import Reading

_CODON = 3


@dataclass(frozen=True)
class Draw:
    """What decides which letters of a chain are asked: a seed, and the most questions of the split."""

    seed: int
    limit: int | None


class Asked(NamedTuple):
    """A question, its name, and the part of a chain it asks about."""

    name: str
    question: Question
    part: PartQuestion | None = None


def ask_item(setting: Setting, row: Mapping[str, Any], draw: Draw, counts: Counter[str]) -> Iterator[Asked]:
    """Questions of an item in the first wording: one, or one about each asked part of a chain.

    Args:
        setting: Of the task.
        row: As `tasks split` wrote it.
        draw: Decides which letters of a chain are asked.
        counts: Receives what is not asked.
    """
    task, sequences, labels = setting.task, tuple(row["sequences"]), tuple(row["labels"] or ())
    if task.family == "structure":
        yield from _part_questions(setting, row, draw, counts)
        return
    question = Question(task.questions[0], sequences, _written(setting, row["target"], counts), labels)
    if task.steps:
        reading = Reading(**row["reading"]) if row["reading"] else None
        if not _steps_hold(task, sequences, reading, row["target"]):
            counts["refused: its steps contradict its answer"] += 1
            return
        question = replace(question, reading=reading)
    yield Asked(row["id"], question)


def _part_questions(setting: Setting, row: Mapping[str, Any], draw: Draw, counts: Counter[str]) -> Iterator[Asked]:
    """Questions about drawn letters of a chain; which ones depends on the chain alone, not on the vocabulary."""
    task, chain = setting.task, row["sequences"][0]
    by_letter = task.unit == "letter" or setting.spelling == "spaced"
    spans = letter_spans(chain) if by_letter else token_spans(chain, setting.tokenizer.offsets(chain))
    number = task.positions if draw.limit is None else min(task.positions or draw.limit, draw.limit)
    rng = np.random.default_rng([draw.seed, zlib.crc32(row["id"].encode())])
    asked = ask_chain(task, chain, row["target"], spans, number=number, rng=rng)
    if not asked:
        counts["no letter of known state"] += 1
    for part in asked:
        window = part.window
        question = Question(
            task.questions[0], (window.letters,), part.label, tuple(row["labels"]),
            part=(window.before, window.before + part.end - part.start) if task.is_marked else None,
        )  # fmt: skip
        yield Asked(f"{row['id']}@{part.end}", question, part)


def _written(setting: Setting, target: str, counts: Counter[str]) -> str:
    """The answer as it is written: of a list of terms the first ones, as many as the task says and the answer holds."""
    if setting.task.answer.terms is None:
        return target
    terms = split_terms(target)
    number = min(len(terms), setting.task.answer.terms)
    while number > 1 and len(setting.tokenizer.encode(join_terms(terms[:number]))) > setting.max_answer_tokens:
        number -= 1
    counts["true terms not written"] += len(terms) - number
    return join_terms(terms[:number])


def _steps_hold(task: Task, sequences: Sequence[str], reading: Reading | None, label: str) -> bool:
    """Whether the translation is the protein just where the answer says so."""
    if reading is None:
        return False
    dna, protein = coding_pair(task, sequences)
    residues = reading.residues[: len(protein)]
    return len(dna) == _CODON * len(protein) and (residues == protein) == (label == task.labels[0].name)
