"""The tuned model as its own planner: it writes calls in the format it learnt, and reads results as user turns.

A task that was tuned for a tool is asked in its words (`tasks.tool_calls`); other questions in the user's own. Models
that learnt no calls answer at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llama_gene.assistant.agent import Decision, Step, tell_result
from llama_gene.assistant.conversation import Assistant, answer, ask_freely, ask_task, remember
from llama_gene.config import AgentConfig
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import read_request
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
            return Decision(text=written, notices=tuple(notices))
        return Decision(requests=(request,), notices=tuple(notices))
