"""Tools by hand: `/tools` lists them, `/tool NAME {arguments}` calls one, for terminals and scripts."""

from collections.abc import Mapping, Sequence

from llama_gene.assistant.agent import show_step, take_step
from llama_gene.config import AgentConfig
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_calls import read_arguments
from llama_gene.tools import Tool

_SHOWN_LETTERS = 4_000


def list_tools(tools: Mapping[str, Tool]) -> str:
    """One line a tool: its name, its arguments (optional ones in brackets) and its description.

    >>> from llama_gene.tools import all_tools
    >>> print(list_tools(all_tools()).splitlines()[1])
      translate(dna, [genetic_code], [frame], [reading])  The protein that DNA codes for, by any genetic code ...
    """
    lines = []
    for tool in tools.values():
        needed = tool.schema.get("required", ())
        names = [name if name in needed else f"[{name}]" for name in tool.schema["properties"]]
        lines.append(f"  {tool.name}({', '.join(names)})  {tool.description}")
    return "\n".join(lines)


def run_tool(
    tools: Mapping[str, Tool], command: str, sequences: Sequence[Record] = (), config: AgentConfig | None = None
) -> str:
    """The call of a command and its result, or its error, in two lines.

    Args:
        tools: What may be called.
        command: `NAME {arguments}`; the arguments are a JSON object, and may be left out.
        sequences: What `@input` stands for in them.
        config: Bounds.

    >>> from llama_gene.tools import all_tools
    >>> print(run_tool(all_tools(), 'gc_content {"dna": "ggca"}').partition(" (")[0])
    gc_content {"dna": "ggca"}
      The tool gc_content gives {"gc_share": 0.75, "length_bp": 4, "counts": {"A": 1, "C": 1, "G": 2}}.
    """
    name, _, arguments = command.strip().partition(" ")
    timeout_s = (config or AgentConfig()).timeout_s
    step = take_step(read_arguments(name, arguments), sequences, tools, timeout_s=timeout_s)
    return show_step(step, _SHOWN_LETTERS)
