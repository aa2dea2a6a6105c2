"""Gene tools: typed functions that anybody may call by name with arguments in JSON, each checked before it runs."""

from llama_gene.tools.registry import all_tools
from llama_gene.tools.tool import Tool, make_asking_tool, make_tool

__all__ = ["Tool", "all_tools", "make_asking_tool", "make_tool"]
