"""Every tool an MCP client gets: what is computed, what is found in an index, and what the model says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_gene.assistant.model_tools import model_tools as tools_of_assistant
from llama_gene.config import IndexConfig
from llama_gene.model.encoder import load_encoder
from llama_gene.retrieval.index import open_index
from llama_gene.serving.answering import Service
from llama_gene.serving.tools import ModelTool, Tool, model_tools
from llama_gene.tools import all_tools


def offered_tools(
    service: Service, *, index: Path | None = None, search: IndexConfig | None = None, specialists: Sequence[Path] = ()
) -> Mapping[str, Tool]:
    """The tools by name; those that ask the model wait their turn in its engine.

    Args:
        service: The served model.
        index: Folder of `llama-gene index`; none: nothing is searched.
        search: How the index is asked.
        specialists: Folders of `llama-gene tasks specialist`; each is a tool.

    Raises:
        ArtifactError: a folder holds no index, or no specialist.
    """
    computed = all_tools(open_index(index, search, load_encoder) if index else None)
    asked = {tool.name: _in_turn(service, tool) for tool in tools_of_assistant(service.assistant, specialists)}
    return {**computed, **asked, **model_tools(service)}


def _in_turn(service: Service, tool: Tool) -> ModelTool:
    def call(arguments: Mapping[str, Any]) -> Any:
        return service.engine.call(lambda: tool.call(arguments)).result()

    return ModelTool(tool.name, tool.description, tool.schema, call)
