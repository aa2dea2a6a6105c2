"""Every tool an MCP client gets: what is computed, what is found in an index, and what the model says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_gene.assistant.model_tools import model_tools as tools_of_assistant
from llama_gene.serving.answering import Service
from llama_gene.serving.tools import ModelTool, Tool, model_tools
from llama_gene.tools import all_tools


def offered_tools(service: Service, specialists: Sequence[Path] = ()) -> Mapping[str, Tool]:
    """The tools by name; those that ask the model wait their turn in its engine.

    Args:
        service: The served model; its index is searched, where it has one.
        specialists: Folders of `llama-gene tasks specialist`; each is a tool.

    Raises:
        ArtifactError: a folder holds no specialist.
    """
    computed = all_tools(service.assistant.index)
    asked = {tool.name: _in_turn(service, tool) for tool in tools_of_assistant(service.assistant, specialists)}
    return {**computed, **asked, **model_tools(service)}


def _in_turn(service: Service, tool: Tool) -> ModelTool:
    def call(arguments: Mapping[str, Any]) -> Any:
        return service.engine.call(lambda: tool.call(arguments)).result()

    return ModelTool(tool.name, tool.description, tool.schema, call)
