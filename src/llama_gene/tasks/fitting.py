"""Word questions and shorten their sequences until prompt, answer and end token fit; the answer never gives way.

Many questions are fitted together: every round measures one prompt of each as one batch. Most fit whole, and that can
be told from the number of their letters.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from llama_gene.config import Spelling
from llama_gene.prompts import Defused, Message, defuse, render, user_content
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.lengths import Prompt, Ruler
from llama_gene.tasks.shorten import cut_all, longest, try_sizes
from llama_gene.tasks.wordings import input_text, instruction_text
from llama_gene.tokenizer.load import GeneTokenizer

_MOST_LETTERS_PER_TOKEN = 64
# Begin and end token, and the word-begin mark that some vocabularies put before the first letter.
_MARK_TOKENS = 3
_INPUT, _ANSWER = "\x00", "\x01"


@dataclass(frozen=True)
class Question:
    """One question before its sequences are shortened."""

    wording: str
    sequences: tuple[str, ...]
    target: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Instruction:
    """The three Alpaca texts, and the sequences that the input spells."""

    instruction: str
    input: str
    output: str
    sequences: tuple[str, ...]


@dataclass
class Setting:
    """What the questions of one task share."""

    task: Task
    spelling: Spelling
    tokenizer: GeneTokenizer
    max_tokens: int
    max_answer_tokens: int
    _frames: dict[str, tuple[str, str]] = field(default_factory=dict)
    _asked: dict[tuple[str, tuple[str, ...]], Defused] = field(default_factory=dict)

    @cached_property
    def ruler(self) -> Ruler:
        """Measures prompts."""
        return Ruler(self.tokenizer)

    @cached_property
    def names(self) -> list[str]:
        """What the inputs are called, safe in a prompt."""
        return [defuse(wanted.called, self.tokenizer.special_tokens).text for wanted in self.task.inputs]

    def ask(self, question: "Question") -> Defused:
        """The wording of a question with its places filled, safe in a prompt; few differ within a task."""
        key = (question.wording, question.labels)
        if key not in self._asked:
            names = [wanted.called for wanted in self.task.inputs]
            words = instruction_text(question.wording, title=self.task.title, kinds=names, labels=question.labels)
            self._asked[key] = defuse(words, self.tokenizer.special_tokens)
        return self._asked[key]

    def frame(self, instruction: str) -> tuple[str, str]:
        """The rendered prompt before an input, and between it and the answer."""
        if instruction not in self._frames:
            turns = [Message("user", user_content(instruction, _INPUT)), Message("assistant", _ANSWER)]
            before, _, rest = render(turns).partition(_INPUT)
            between, _, _ = rest.partition(_ANSWER)
            self._frames[instruction] = (before, between)
        return self._frames[instruction]


@dataclass
class _Job:
    place: int
    instruction: str
    answer: str
    sequences: tuple[str, ...]
    search: Generator[int, int, int | None]
    size: int


def fit(setting: Setting, questions: Sequence[Question], counts: Counter[str]) -> list[Instruction | None]:
    """Instructions with sequences shortened as the task says; None where a question is refused.

    Args:
        setting: Task, spelling, tokenizer and limits.
        questions: With whole sequences, in order of the task's inputs.
        counts: Receives what was shortened, defused or refused.
    """
    results: list[Instruction | None] = [None] * len(questions)
    jobs = []
    for job in _begin(setting, questions, counts):
        if setting.ruler.at_most(_prompt(setting, job)) + _MARK_TOKENS <= setting.max_tokens:
            results[job.place] = _finish(setting, job, job.size, counts)
        else:
            jobs.append(job)
    while jobs:
        waiting = []
        lengths = setting.ruler.lengths([_prompt(setting, job) for job in jobs])
        for job, length in zip(jobs, lengths, strict=True):
            try:
                job.size = job.search.send(length + _MARK_TOKENS)
                waiting.append(job)
            except StopIteration as end:
                results[job.place] = _finish(setting, job, end.value, counts)
        jobs = waiting
    return results


def _prompt(setting: Setting, job: _Job) -> Prompt:
    """The prompt of a job at its size."""
    before, between = setting.frame(job.instruction)
    asked = input_text(cut_all(setting.task, job.sequences, job.size), setting.names, setting.spelling)
    return Prompt(before, asked, between, job.answer)


def _begin(setting: Setting, questions: Sequence[Question], counts: Counter[str]) -> list[_Job]:
    """One search per question whose answer is short enough."""
    task, special = setting.task, setting.tokenizer.special_tokens
    answers = [defuse(question.target, special) for question in questions]
    texts = sorted({answer.text for answer in answers})
    lengths = dict(zip(texts, map(len, setting.tokenizer.encode_arrays(texts)), strict=True))
    jobs = []
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if lengths[answer.text] > setting.max_answer_tokens:
            counts[f"refused: answer over {setting.max_answer_tokens} tokens"] += 1
            continue
        asked = setting.ask(question)
        counts["defused"] += asked.changes + answer.changes
        whole = longest(task, question.sequences)
        # No token spells more letters than this, so what lies beyond can never fit: spend no time on encoding it.
        most = min(whole, setting.max_tokens * _MOST_LETTERS_PER_TOKEN)
        search = try_sizes(most, setting.max_tokens, most if _is_fixed(task) else min(most, task.min_letters))
        jobs.append(_Job(place, asked.text, answer.text, question.sequences, search, next(search)))
    return jobs


def _is_fixed(task: Task) -> bool:
    """True where a shorter sequence would have another answer; a structure question is short to begin with."""
    return task.family == "structure" or task.keep == "whole"


def _finish(setting: Setting, job: _Job, size: int | None, counts: Counter[str]) -> Instruction | None:
    task, whole = setting.task, longest(setting.task, job.sequences)
    if size is None or (size < whole and _is_fixed(task)):
        counts["refused: too long, and its answer would not hold if shortened"] += 1
        return None
    counts["shortened"] += int(size < whole)
    kept = cut_all(task, job.sequences, size)
    return Instruction(job.instruction, input_text(kept, setting.names, setting.spelling), job.answer, kept)
