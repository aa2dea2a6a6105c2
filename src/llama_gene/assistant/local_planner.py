"""The tuned model as its own planner: it writes calls in the format it learnt, where words alone do not tell the tool.

After a call the model reads the result as a user turn, and goes on with another call or ends. What the last call gave
is said by the tool's own sentence (`tasks.tool_questions`), and of a task that was tuned for a tool by the task's, with
the tool's number, as evaluation does (`tasks.tool_calls`): a small model may call well and still copy a number badly.
Where nobody wrote a sentence, or the call failed, the model's own words stand. Models that learnt no calls answer at
once.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from llama_gene.assistant.agent import Deciding, Decision, Step, tell_result
from llama_gene.assistant.asking import Question, answer, ask_freely, ask_task, remember
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.guess_tool import Guess, find_calls
from llama_gene.assistant.workplace import Finish
from llama_gene.config import AgentConfig
from llama_gene.errors import DataError
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import Request, format_number, is_called, read_request, tool_name, write_answer
from llama_gene.tasks.tool_questions import say_result
from llama_gene.tools import Tool

# A result cut shorter than this says nothing.
_FEWEST_LETTERS = 40


@dataclass(frozen=True)
class LocalPlanner:
    """Asks the model; with a task, in the task's words. `first`: the question as it is asked, if it is made already."""

    assistant: Assistant
    task: Task | None = None
    config: AgentConfig = field(default_factory=AgentConfig)
    first: Question | None = None

    def __call__(
        self, question: str, sequences: Sequence[Record], steps: Sequence[Step], tools: Mapping[str, Tool]
    ) -> Deciding:
        """What the model writes after the steps so far: one call, or its answer; without tools nothing is a call."""
        sentence = _say_step(self.task, steps[-1]) if steps else ""
        if sentence and self.task is not None:
            return Decision(text=sentence)
        guess = find_calls(self.assistant, question, sequences, tools) if self.task is None else None
        if guess is not None and (decision := _follow(guess, steps, sentence)):
            return decision
        asked = self.first or self._ask(question, sequences)
        notices = list(asked.notices)
        for step in steps:
            asked = _read_step(self.assistant, asked, step, self.config.max_result_letters)
            notices += asked.notices
        # What a tool gave is said in its own words, so nothing that the model writes now is shown before it is whole.
        write = _write_call if sentence else _write
        written, finish = yield from write(self.assistant, asked)
        written = written.strip()
        request = read_request(written) if tools else None
        if request is not None and not (sentence and _is_made(request, steps)):
            return Decision(requests=(request,), notices=tuple(notices))
        if sentence:
            return Decision(text=sentence, notices=tuple(notices))
        if tools and self.task is None and written.startswith("{"):
            notices.append("The model began a call of a tool and wrote none that can be read.")
        if self.task is not None and is_called(self.task) and not steps:
            notices.append(
                f"The model was tuned to call {tool_name(self.task)} here, and wrote no call that can be read."
            )
        return Decision(text=written, notices=tuple(notices), is_cut=finish == "length")

    def _ask(self, question: str, sequences: Sequence[Record]) -> Question:
        if self.task is not None:
            return ask_task(self.assistant, self.task, [record.text for record in sequences])
        return ask_freely(self.assistant, question, sequences)


def _follow(guess: Guess, steps: Sequence[Step], sentence: str) -> Decision | None:
    """The next of the calls, or what the last of them gave; None where the steps are others, or one failed."""
    if [step.written for step in steps] != [request.written for request in guess.requests[: len(steps)]]:
        return None
    if steps and steps[-1].error:
        return None
    if len(steps) < len(guess.requests):
        return Decision(requests=(guess.requests[len(steps)],), notices=(guess.notice,))
    return Decision(text=sentence) if sentence else None


def _read_step(assistant: Assistant, asked: Question, step: Step, most_letters: int) -> Question:
    """The turn after a step, whose result is cut to what the model can read.

    Raises:
        DataError: it cannot read even a short one.
    """
    history = remember(assistant, asked, step.written)
    while True:
        try:
            return ask_freely(assistant, tell_result(step, most_letters), history=history)
        except DataError:
            most_letters //= 2
            if most_letters < _FEWEST_LETTERS:
                raise


def _is_made(request: Request, steps: Sequence[Step]) -> bool:
    """True for a call that was made already: once more it would give nothing new."""
    return any(step.tool == request.tool and step.arguments == request.arguments for step in steps)


def _write_call(assistant: Assistant, asked: Question) -> Generator[str, None, tuple[str, Finish]]:
    """The call that the model goes on with, in one piece; "" as soon as what it writes begins as none."""
    yield from ()
    written = ""
    with closing(answer(assistant, asked)) as pieces:
        for piece in pieces:
            written += piece
            if written.strip() and not written.lstrip().startswith("{"):
                return "", "stop"
    return written, "stop"


def _write(assistant: Assistant, asked: Question) -> Generator[str, None, tuple[str, Finish]]:
    """What the model writes and how that ended; its pieces come as they are written unless it begins as a call does."""
    written, is_held = "", True
    with closing(answer(assistant, asked)) as pieces:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return written, end.value
            written += piece
            if not is_held:
                yield piece
            elif written.strip() and not written.lstrip().startswith("{"):
                is_held = False
                yield written


def _say_step(task: Task | None, step: Step) -> str:
    """The answer that a step leads to; "" where it failed, or where nobody wrote how its result is said."""
    if step.error:
        return ""
    value = step.result.get("value") if isinstance(step.result, dict) else None
    if task is not None and is_called(task) and step.tool == tool_name(task) and isinstance(value, int | float):
        return write_answer(task.title, format_number(value), task.numbers.unit)
    return say_result(step.tool, step.result)
