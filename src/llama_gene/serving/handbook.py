"""The page at /docs: every address and what it takes, as plain HTML made from the OpenAPI document. It asks for nothing
from elsewhere and runs no script.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def handbook(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(document['info']['title'])}</title>",
        f"<h1>{escape(document['info']['title'])}</h1><p>{escape(document['info'].get('description', ''))}</p>",
        "<p>The same for machines: <a href='/openapi.json'>/openapi.json</a></p>",
    ]
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            parts += [f"<h2>{method.upper()} {escape(path)}</h2>", f"<p>{escape(said.get('description', ''))}</p>"]
            parts += [f"<p>Body: <a href='#{name}'>{name}</a></p>" for name in _names(said.get("requestBody", {}))]
    parts.append("<h1>Bodies</h1>")
    parts += [_schema(name, schema) for name, schema in sorted(schemas.items()) if "properties" in schema]
    return "\n".join(parts)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{'required' if field in required else ''}</td>"
        f"<td>{escape(_kind(facts))}</td><td>{escape(facts.get('description', ''))}</td></tr>"
        for field, facts in schema["properties"].items()
    )
    return f"<h2 id='{name}'>{name}</h2><p>{escape(schema.get('description', ''))}</p><table>{rows}</table>"


def _kind(facts: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    if "anyOf" in facts:
        return " or ".join(_kind(part) for part in facts["anyOf"])
    if "enum" in facts or "const" in facts:
        return " | ".join(str(value) for value in facts.get("enum", [facts.get("const")]))
    if "$ref" in facts:
        return str(facts["$ref"]).rpartition("/")[2]
    if facts.get("type") == "array":
        return f"list of {_kind(facts.get('items', {}))}"
    return str(facts.get("type", "any"))


def _names(value: Any) -> Iterator[str]:
    """Names of the schemas that some part of the document points to."""
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield str(value["$ref"]).rpartition("/")[2]
        for part in value.values():
            yield from _names(part)
