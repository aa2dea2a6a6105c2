"""The table of tools on the page is that of the registry."""

from pathlib import Path

from llama_gene.tools import Tool, all_tools
from test_tools_calls import SmallIndex

PAGE = Path(__file__).parents[1] / "docs" / "tools.md"
START, END = "<!-- tools:start -->\n", "<!-- tools:end -->"


def row(tool: Tool) -> str:
    required = tool.schema.get("required", [])
    names = [f"`{name}`" if name in required else f"*{name}*" for name in tool.schema["properties"]]
    return f"| `{tool.name}` | {tool.description} | {', '.join(names)} |"


def table() -> str:
    rows = [row(tool) for tool in all_tools(SmallIndex()).values()]
    return "\n".join(["| tool | gives | arguments (*optional*) |", "|---|---|---|", *rows]) + "\n"


def test_the_table_of_the_page_is_the_registry():
    text = PAGE.read_text(encoding="utf-8")
    shown = text[text.index(START) + len(START) : text.index(END)]
    assert shown == table(), f"the table should read\n{table()}"
