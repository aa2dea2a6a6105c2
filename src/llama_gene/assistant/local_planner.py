"""The tuned model as its own planner: it writes calls in the format it learnt, and reads results as user turns.

A task that was tuned for a tool is asked in its words, and its answer is written with the tool's number, as evaluation
does (`tasks.tool_calls`): a small model may call well and still copy a number badly. Other questions are asked in the
user's own words. Models that learnt no calls answer at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llama_gene.assistant.agent import Decision, Step, tell_result
from llama_gene.assistant.conversation import Assistant, answer, ask_freely, ask_task, remember
from llama_gene.config import AgentConfig
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import format_number, is_called, read_request, tool_name, write_answer
from llama_gene.tools import Tool


@dataclass(frozen=True)
class LocalPlanner:
    """Asks the model; with a task, in the task's words."""

    assistant: Assistant
    task: Task | None = None
    config: AgentConfig = field(default_factory=AgentConfig)

    def __call__(
        self, question: str, sequences: Sequence[Record], steps: Sequence[Step], tools: Mapping[str, Tool]
    ) -> Decision:
        """What the model writes after the steps so far: one call, or its answer."""
        if self.task is not None and steps and (sentence := _answer_with_number(self.task, steps[-1])):
            return Decision(text=sentence)
        if self.task is not None:
            asked = ask_task(self.assistant, self.task, [record.text for record in sequences])
        else:
            asked = ask_freely(self.assistant, question, sequences)
        notices = list(asked.notices)
        for step in steps:
            history = remember(self.assistant, asked, step.written)
            asked = ask_freely(self.assistant, tell_result(step, self.config.max_result_letters), history=history)
            notices += asked.notices
        written = "".join(answer(self.assistant, asked)).strip()
        request = read_request(written)
        if request is None:
            if self.task is not None and is_called(self.task) and not steps:
                notices.append(
                    f"The model was tuned to call {tool_name(self.task)} here, and wrote no call that can be read."
                )
            return Decision(text=written, notices=tuple(notices))
        return Decision(requests=(request,), notices=tuple(notices))


def _answer_with_number(task: Task, step: Step) -> str:
    """The answer that the task's own tool leads to; "" where the step was another one or failed."""
    value = step.result.get("value") if isinstance(step.result, dict) else None
    if not is_called(task) or step.tool != tool_name(task) or not isinstance(value, int | float):
        return ""
    return write_answer(task.title, format_number(value), task.numbers.unit)
