"""What a conversation may call: the tools, their bounds, and who plans the calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llama_gene.assistant.agent import Planner
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.model_tools import model_tools
from llama_gene.config import AgentConfig, ToolUse
from llama_gene.errors import DataError
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import tool_name
from llama_gene.tools import Tool, all_tools


@dataclass(frozen=True)
class Toolbox:
    """Tools of a conversation; `planner` None: the tuned model itself plans the calls of free questions."""

    tools: Mapping[str, Tool]
    config: AgentConfig = field(default_factory=AgentConfig)
    planner: Planner | None = None

    def asking(self, assistant: Assistant) -> "Toolbox":
        """The same, whose tools ask the model by another view of it (`Assistant.working_at`)."""
        return replace(self, tools={name: tool.asking(assistant) for name, tool in self.tools.items()})


def make_toolbox(
    assistant: Assistant,
    specialists: Sequence[Path] = (),
    config: AgentConfig | None = None,
    planner: Planner | None = None,
) -> Toolbox:
    """The general tools, those that search its index, and those of the model with the specialists beside it.

    Args:
        assistant: The model.
        specialists: Folders of further ones.
        config: Bounds; None: the defaults.
        planner: Who plans the calls; None: the model itself.

    Raises:
        ArtifactError: a folder holds no specialist.
    """
    tools = all_tools(assistant.index, model_tools(assistant, specialists))
    return Toolbox(tools, config or AgentConfig(), planner)


def uses_tools(assistant: Assistant, wish: ToolUse = "auto") -> bool:
    """Whether free questions may call tools: as wished, else as `chat.tools` says, else if the model learnt to call."""
    use = assistant.config.tools if wish == "auto" else wish
    return assistant.calls_tools if use == "auto" else use == "on"


def check_specialist(toolbox: Toolbox, task: Task) -> None:
    """Refuse a task that is answered by a tool which is not at hand.

    Raises:
        DataError: its specialist is missing.
    """
    if tool_name(task) not in toolbox.tools:
        raise DataError(
            f"task {task.name!r} is answered with the number of the tool {tool_name(task)}, and its specialist is not "
            f"at hand. Train it with `llama-gene tasks specialist {task.name}` on the splits of the run, into the "
            f"folder specialists/{task.name} beside the model's, or name its folder with --specialist."
        )
