"""Write a definition as TOML, in the order and form of those that come with the package."""

import json
from collections.abc import Mapping
from typing import Any

_ONE_A_LINE = ("labels", "files", "marks", "published")


def as_toml(definition: Mapping[str, Any]) -> str:
    """The text of a definition: values first, then its tables; labels and files one a line.

    >>> print(as_toml({"name": "mine", "labels": [{"name": "no"}, {"name": "yes"}], "reader": {"type": "table"}}))
    name = "mine"
    labels = [
        { name = "no" },
        { name = "yes" },
    ]
    <BLANKLINE>
    [reader]
    type = "table"
    <BLANKLINE>
    """
    lines = [_line(key, value) for key, value in definition.items() if not isinstance(value, Mapping)]
    for key, table in definition.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{key}]", *(_line(name, value) for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    if key in _ONE_A_LINE and value:
        return "\n".join([f"{key} = [", *(f"    {_value(part)}," for part in value), "]"])
    return f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # A JSON string is a TOML string but for one control character; numbers and booleans are written alike.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
