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
from llama_gene.tasks.shorten import coding_pair, cut_all, longest, try_sizes
from llama_gene.tasks.steps import Reading, dogma_steps, with_answer
from llama_gene.tasks.wordings import MARKED, input_text, instruction_text, marked_text
from llama_gene.tokenizer.load import GeneTokenizer

_MOST_LETTERS_PER_TOKEN = 64
# Begin and end token, and the word-begin mark that some vocabularies put before the first letter.
MARK_TOKENS = 3
_MOST_FRAMES = 4096
_INPUT, _ANSWER = "\x00", "\x01"


@dataclass(frozen=True)
class Question:
    """One question before its sequences are shortened; one with `examples` must fit whole.

    `part` is what is asked about and marked in its one sequence; `reading` turns the answer into steps and an answer.
    """

    wording: str
    sequences: tuple[str, ...]
    target: str
    labels: tuple[str, ...] = ()
    examples: str = ""
    part: tuple[int, int] | None = None
    reading: Reading | None = None


@dataclass(frozen=True)
class Instruction:
    """The three Alpaca texts, and the sequences that the input spells; `answer` is the end of an output with steps."""

    instruction: str
    input: str
    output: str
    sequences: tuple[str, ...]
    answer: str | None = None


@dataclass
class Setting:
    """What the questions of one task share."""

    task: Task
    spelling: Spelling
    tokenizer: GeneTokenizer
    max_tokens: int
    max_answer_tokens: int
    _frames: dict[str, tuple[str, str]] = field(default_factory=dict)
    _asked: dict[tuple[str, tuple[str, ...], str, bool], Defused] = field(default_factory=dict)

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
        key = (question.wording, question.labels, question.examples, question.part is not None)
        if key not in self._asked:
            if len(self._asked) >= _MOST_FRAMES:  # questions with examples are all different
                self._asked.clear()
            words = instruction_text(
                question.wording, title=self.task.title, kinds=[wanted.called for wanted in self.task.inputs],
                labels=question.labels, definition=self.task.definition, examples=question.examples,
            )  # fmt: skip
            self._asked[key] = defuse(f"{words}\n{MARKED}" if question.part else words, self.tokenizer.special_tokens)
        return self._asked[key]

    def frame(self, instruction: str) -> tuple[str, str]:
        """The rendered prompt before an input, and between it and the answer."""
        if instruction not in self._frames:
            if len(self._frames) >= _MOST_FRAMES:  # questions with examples are all different
                self._frames.clear()
            turns = [Message("user", user_content(instruction, _INPUT)), Message("assistant", _ANSWER)]
            before, _, rest = render(turns).partition(_INPUT)
            between, _, _ = rest.partition(_ANSWER)
            self._frames[instruction] = (before, between)
        return self._frames[instruction]


@dataclass
class _Job:
    """A question whose size is looked for; `spare`: tokens by which another answer may be longer than its own."""

    place: int
    question: Question
    instruction: str
    answer: str
    search: Generator[int, int, int | None]
    size: int
    spare: int


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
        if setting.ruler.at_most(_prompt(setting, job)) + MARK_TOKENS + job.spare <= setting.max_tokens:
            results[job.place] = _finish(setting, job, job.size, counts)
        else:
            jobs.append(job)
    while jobs:
        waiting = []
        lengths = setting.ruler.lengths([_prompt(setting, job) for job in jobs])
        for job, length in zip(jobs, lengths, strict=True):
            try:
                job.size = job.search.send(length + MARK_TOKENS + job.spare)
                waiting.append(job)
            except StopIteration as end:
                results[job.place] = _finish(setting, job, end.value, counts)
        jobs = waiting
    return results


def _prompt(setting: Setting, job: _Job) -> Prompt:
    """The prompt of a job at its size."""
    before, between = setting.frame(job.instruction)
    made = _written(setting, job, job.size)
    return Prompt(before, made.input, between, made.output)


def _begin(setting: Setting, questions: Sequence[Question], counts: Counter[str]) -> list[_Job]:
    """One search per question whose answer is short enough."""
    task, special = setting.task, setting.tokenizer.special_tokens
    answers = [defuse(question.target, special) for question in questions]
    labels = {label: defuse(label, special).text for question in questions for label in question.labels}
    texts = sorted({answer.text for answer in answers} | set(labels.values()))
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
        fixed = _is_fixed(task) or question.examples
        search = try_sizes(most, setting.max_tokens, most if fixed else min(most, task.min_letters))
        # All answers get the same room: else the length of a shortened sequence would tell which answer is right.
        room = max((lengths[labels[label]] for label in question.labels), default=setting.max_answer_tokens)
        spare = 0 if fixed else max(0, room - lengths[answer.text])
        jobs.append(_Job(place, question, asked.text, answer.text, search, next(search), spare))
    return jobs


def _is_fixed(task: Task) -> bool:
    """True where a shorter sequence would have another answer; a structure question is short to begin with."""
    return task.family == "structure" or task.keep == "whole"


def _finish(setting: Setting, job: _Job, size: int | None, counts: Counter[str]) -> Instruction | None:
    task, whole = setting.task, longest(setting.task, job.question.sequences)
    if size is None or (size < whole and _is_fixed(task)):
        counts["refused: too long, and its answer would not hold if shortened"] += 1
        return None
    counts["shortened"] += int(size < whole)
    return _written(setting, job, size)


def _written(setting: Setting, job: _Job, size: int) -> Instruction:
    """The question with its sequences at a size, and the answer that goes with them."""
    question, spelling = job.question, setting.spelling
    kept = cut_all(setting.task, question.sequences, size)
    if question.part:
        return Instruction(job.instruction, marked_text(kept[0], question.part, spelling), job.answer, kept)
    asked = input_text(kept, setting.names, spelling)
    if question.reading is None:
        return Instruction(job.instruction, asked, job.answer, kept)
    steps = dogma_steps(question.reading, *coding_pair(setting.task, kept))
    return Instruction(job.instruction, asked, with_answer(steps, job.answer), kept, job.answer)
