"""What a conversation may call: the tools, their bounds, and who plans the calls."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from llama_gene.assistant.agent import Finished, Planner, Step, run_agent
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.local_planner import LocalPlanner
from llama_gene.config import AgentConfig
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task
from llama_gene.tools import Tool


@dataclass(frozen=True)
class Toolbox:
    """Tools of a conversation; `planner` None: the tuned model itself plans, in the words of the chosen task."""

    tools: Mapping[str, Tool]
    config: AgentConfig = field(default_factory=AgentConfig)
    planner: Planner | None = None


def work_on(
    toolbox: Toolbox, assistant: Assistant, question: str, sequences: Sequence[Record], task: Task | None = None
) -> Generator[Step | Finished]:
    """Every tool call as it is made, and at last the answer; errors as `run_agent`.

    Args:
        toolbox: What may be called, and who plans.
        assistant: The model.
        question: In the user's words.
        sequences: Checked records, which calls name by `@input`.
        task: Asked in its words where the tuned model plans.
    """
    planner = toolbox.planner or LocalPlanner(assistant, task, toolbox.config)
    return run_agent(planner, question, sequences, toolbox.tools, toolbox.config)
