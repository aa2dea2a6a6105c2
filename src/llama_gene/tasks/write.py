"""Write a definition as TOML that people can read and change: only what differs from the defaults, in one order."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_gene.artifacts import write_text
from llama_gene.errors import ConfigError
from llama_gene.tasks.definitions import Task

_TABLES = ("answer", "examples", "reader", "split")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_TO_ESCAPE = re.compile(r'[\x00-\x1f\x7f\\"]')
_LITERAL = re.compile(r"[^\x00-\x1f\x7f']*\\[^\x00-\x1f\x7f']*")


def definition_text(task: Task, notes: Sequence[str] = ()) -> str:
    """The definition as TOML, which reads back as the same task.

    Args:
        task: The definition.
        notes: Lines of comment to begin with.

    >>> from llama_gene.tasks.definitions import load_task
    >>> print(definition_text(load_task("thermophile")).splitlines()[0])
    name = "thermophile"
    """
    values = task.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    tables = {key: values.pop(key) for key in _TABLES if key in values}
    lines = [f"# {line}".rstrip() for note in notes for line in note.splitlines()]
    lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
    for key, table in tables.items():
        lines += ["", f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def write_definition(task: Task, folder: Path, notes: Sequence[str] = ()) -> Path:
    """Write `folder/NAME.toml`, whole or not at all.

    Returns:
        The file.

    Raises:
        ConfigError: it is there already: no definition is ever overwritten.
    """
    path = folder / f"{task.name}.toml"
    if path.exists():
        raise ConfigError(f"{path}: there already, and not overwritten. Remove it, or give the task another name.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, definition_text(task, notes))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        parts = [_toml(part) for part in value]
        if len(parts) > 1 and any(isinstance(part, Mapping) for part in value):
            return "[\n" + "".join(f"    {part},\n" for part in parts) + "]"
        return f"[{', '.join(parts)}]"
    return repr(value)


def _quoted(text: str) -> str:
    """Patterns, which hold backslashes, as they are where TOML allows it."""
    if _LITERAL.fullmatch(text):
        return f"'{text}'"
    return '"' + _TO_ESCAPE.sub(lambda match: _ESCAPES.get(match[0], f"\\u{ord(match[0]):04x}"), text) + '"'
