"""A tool: a typed function, its JSON schema, and a call that checks the arguments first.

Name, description and schema come from the function itself: its name, the first paragraph of its docstring, and its
annotations, whose limits and help pydantic reads. Arguments are JSON values and nothing else: they are compared with
the schema, never evaluated, and no tool takes the name of a file.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from llama_gene.errors import DataError

T = TypeVar("T")
_SHOWN_LETTERS = 40


@dataclass(frozen=True)
class Tool:
    """A function that can be called by name.

    Attributes:
        name: What calls name it.
        description: What it gives, for people and for models.
        schema: JSON schema of the arguments, an object.
        result_schema: JSON schema of what `call` gives.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    result_schema: Mapping[str, Any]
    _function: Callable[..., Any] = field(repr=False)
    _arguments: type[BaseModel] = field(repr=False)
    _result: TypeAdapter[Any] = field(repr=False)
    _make: Callable[[Any], Callable[..., Any]] | None = field(default=None, repr=False)

    def asking(self, whom: Any) -> "Tool":
        """The same tool, which asks another one; a tool that asks nobody (`make_tool`) stays as it is."""
        return self if self._make is None else replace(self, _function=self._make(whom))

    def call(self, arguments: Mapping[str, Any]) -> Any:
        """Check the arguments, then run the function.

        Args:
            arguments: JSON values by argument name.

        Returns:
            Plain JSON values.

        Raises:
            DataError: an argument is missing, unknown, of the wrong type or beyond its limits, or does not fit others.

        >>> from llama_gene.tools import all_tools
        >>> all_tools()["reverse_complement"].call({"dna": "aacgt"})
        {'dna': 'ACGTT', 'length_bp': 5}
        """
        checked = self._check(arguments)
        found = self._function(**{name: getattr(checked, name) for name in type(checked).model_fields})
        return self._result.dump_python(found, mode="json")

    def _check(self, arguments: Mapping[str, Any]) -> BaseModel:
        try:
            # By way of JSON: what is no JSON value has no business here, and a list may stand for a tuple.
            text = json.dumps(dict(arguments), allow_nan=False)
            return self._arguments.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise DataError(f"tool {self.name}: {self._explain(error)}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"tool {self.name}: the arguments are no JSON object ({error}). Give values by name: {self._names()}."
            ) from None

    def _explain(self, error: ValidationError) -> str:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "arguments"
        wanted = self.schema["properties"].get(str(problem["loc"][0]) if problem["loc"] else "", {})
        if problem["type"] == "extra_forbidden":
            return f"{where}: no such argument. Expected {self._names()}; leave it out or correct the name."
        if problem["type"] == "missing":
            return f"{where}: missing. Expected: {wanted.get('description', 'a value')} Give it."
        if problem["type"] == "value_error":
            return f"{where}: {problem['ctx']['error']}"
        shown = json.dumps(problem["input"])
        if len(shown) > _SHOWN_LETTERS:
            shown = f"{shown[:_SHOWN_LETTERS]}… ({len(shown):,} characters)"
        return f"{where} = {shown}: {problem['msg']}. Expected: {wanted.get('description', 'a value')} Change it."

    def _names(self) -> str:
        return ", ".join(self.schema["properties"]) or "no argument"


def make_tool(function: Callable[..., Any], *, name: str = "", description: str = "") -> Tool:
    """The tool of a function.

    Args:
        function: Annotated throughout, with a docstring; it returns what pydantic can write as JSON: plain values,
            dataclasses, named tuples' elements or lists of these.
        name: Another name than the function's.
        description: Another description than the first paragraph of the docstring.

    >>> def double(number: int) -> int:
    ...     \"\"\"Twice a number.\"\"\"
    ...     return 2 * number
    >>> tool = make_tool(double)
    >>> tool.description, tool.schema["required"], tool.call({"number": 4})
    ('Twice a number.', ['number'], 8)
    """
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    }
    arguments = create_model(name or function.__name__, __config__=ConfigDict(extra="forbid", frozen=True), **fields)
    result = TypeAdapter(hints["return"])
    first_paragraph = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return Tool(
        name or function.__name__, description or first_paragraph, _plain(arguments.model_json_schema()),
        _plain(result.json_schema(mode="serialization")), function, arguments, result,
    )  # fmt: skip


def make_asking_tool(make: Callable[[T], Callable[..., Any]], whom: T, *, description: str = "") -> Tool:
    """The tool of a function that asks somebody, such as a model.

    Args:
        make: Gives the function for whoever is asked; its name, arguments and result stay the same.
        whom: Who is asked, until `Tool.asking` names another one.
        description: As in `make_tool`.

    >>> def adding(base: int):
    ...     def add(number: int) -> int:
    ...         \"\"\"A sum.\"\"\"
    ...         return base + number
    ...     return add
    >>> tool = make_asking_tool(adding, 10)
    >>> tool.call({"number": 4}), tool.asking(20).call({"number": 4})
    (14, 24)
    """
    return replace(make_tool(make(whom), description=description), _make=make)


def _plain(schema: Any) -> Any:
    """The schema without the titles that pydantic makes of names, and that say nothing."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(part) for key, part in schema.items() if not (key == "title" and isinstance(part, str))}
