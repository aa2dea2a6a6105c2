"""How people ask for a tool in plain words, which calls answer them, and how a result is said in words.

The wordings, the calls and the sentences lie in `tool_questions.toml`, by the tool that answers: those of
`llama_gene.tools`, of an index and of a model. `tool_records` makes instructions of them, and the assistant takes a
question for the wording that it resembles most.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter, model_validator

from llama_gene.config import GeneKind, Section
from llama_gene.tasks.tool_calls import write_request

TOOL_CALLS = "tool-calls"
FAMILY = "tools"
FILE = Path(__file__).with_name("tool_questions.toml")
FEWEST_LETTERS = 20
_SAID_ITEMS = 5
_SAID_LETTERS = 300
# Of the tasks about the same sequences, the second and each third after it are named in test alone.
_HELD_TASKS = slice(1, None, 3)
_PLACE = re.compile(r"\{(\w+)\}")
_CHANGE = re.compile(r"(?<!\w)([A-Za-z])(\d{1,9})([A-Za-z])(?!\w)")
_NO_TASKS: Mapping[str, tuple[GeneKind, ...]] = MappingProxyType({})

Values = dict[str, Any] | tuple[str, ...]


class EarlierCall(Section):
    """A call that has to be made before that of the form."""

    tool: str = Field(description="Its name.")
    arguments: dict[str, Any] = Field(description="As those of the form.")


class Form(Section):
    """One way to call a tool, and how people ask for it."""

    kinds: tuple[GeneKind, ...] = Field(max_length=8, description="Sequences of the question, or none.")
    before: tuple[EarlierCall, ...] = Field((), max_length=5, description="Calls whose results the last one uses.")
    arguments: dict[str, Any] = Field(description="Of the call; @input … and {place} are filled.")
    values: dict[str, Values | Literal["tasks"]] = Field({}, description="By place: what is said and called.")
    held_values: dict[str, Values] = Field({}, description="The same for test; without them no test asks so.")
    letters: int = Field(120, ge=FEWEST_LETTERS, description="Most letters shown of each sequence.")
    questions: tuple[str, ...] = Field(min_length=3, description="For training and validation.")
    held_out: tuple[str, ...] = Field(min_length=1, description="For test.")

    @model_validator(mode="after")
    def _check(self) -> "Form":
        if unknown := set(self.held_values) - set(self.values):
            raise ValueError(f"held_values: values has no place {', '.join(sorted(unknown))}")
        if self.names_change and not self.kinds:
            raise ValueError("kinds: a change of a letter wants a sequence")
        return self

    @property
    def names_change(self) -> bool:
        """True where the question names a change of a letter of its first sequence."""
        return "{reference}" in self.arguments.values()


class ToolQuestions(Section):
    """How a tool is asked for, and how its result is said."""

    answer: str = Field(description="A sentence with fields of the result.")
    each: dict[str, str] = Field({}, description="How an item of a list in the result is said.")
    forms: tuple[Form, ...] = Field(min_length=1)


@cache
def tool_questions() -> Mapping[str, ToolQuestions]:
    """The questions of each tool, by its name.

    >>> tool_questions()["gc_content"].forms[0].questions[0]
    'What is the GC content?'
    """
    return TypeAdapter(dict[str, ToolQuestions]).validate_python(tomllib.loads(FILE.read_text(encoding="utf-8")))


def known_forms(tasks: Mapping[str, tuple[GeneKind, ...]] = _NO_TASKS) -> list[tuple[str, Form]]:
    """Every form with its tool; where it names a task, with those about such sequences, or left out without one.

    Args:
        tasks: Names of tasks that the model learns, and the kinds of their sequences.

    >>> forms = dict(known_forms({"promoters": ("dna",), "splicing": ("dna",)}))
    >>> forms["ask_task"].values, forms["ask_task"].held_values
    ({'task': ('promoters',)}, {'task': ('splicing',)})
    """
    found = []
    for tool, asked in tool_questions().items():
        for form in asked.forms:
            if "tasks" not in form.values.values():
                found.append((tool, form))
            elif names := sorted(name for name, kinds in tasks.items() if kinds == form.kinds):
                found.append((tool, _with_tasks(form, names)))
    return found


def _with_tasks(form: Form, names: Sequence[str]) -> Form:
    held = tuple(names[_HELD_TASKS])
    taught = tuple(name for name in names if name not in held)
    places = [place for place, values in form.values.items() if values == "tasks"]
    return form.model_copy(
        update={
            "values": form.values | dict.fromkeys(places, taught),
            "held_values": form.held_values | (dict.fromkeys(places, held) if held else {}),
        }
    )


def calls_of(tool: str, form: Form, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The calls of a form, in order, with its places filled.

    Args:
        tool: The one that answers.
        form: Of this tool.
        values: What is called in each place.
    """
    calls = [*((call.tool, call.arguments) for call in form.before), (tool, form.arguments)]
    return tuple(write_request(name, _fill(arguments, values)) for name, arguments in calls)


def tool_wordings() -> tuple[tuple[str, tuple[GeneKind, ...]], ...]:
    """Every wording about sequences that training has and that names no task, without its values, and their kinds."""
    return tuple(
        (_PLACE.sub("", question), form.kinds) for _, form in known_forms() if form.kinds for question in form.questions
    )


class KnownCalls(NamedTuple):
    """A question that the wordings hold, about sequences of these kinds, and the calls that answer it in order.

    `named`: how many values it names.
    """

    question: str
    kinds: tuple[GeneKind, ...]
    calls: tuple[str, ...]
    named: int


def calls_near(question: str, tasks: Mapping[str, tuple[GeneKind, ...]] = _NO_TASKS) -> Iterator[KnownCalls]:
    """Every wording that a question may be another form of, with the values that the question itself names.

    A wording with a place for a value is left out where the question names none that is known for it.

    Args:
        question: In anybody's words.
        tasks: Names of tasks that can be asked, and the kinds of their sequences.

    >>> [known.calls for known in calls_near("cut sites of EcoRI?") if "EcoRI" in known.question][0]
    ('{"tool": "restriction_sites", "dna": "@input", "enzymes": ["EcoRI"]}',)
    """
    for tool, form in known_forms(tasks):
        named = _named_values(question, form)
        if named is None:
            continue
        said = {place: words for place, (words, _) in named.items()}
        calls = calls_of(tool, form, {place: value for place, (_, value) in named.items()})
        for wording in (*form.questions, *form.held_out):
            yield KnownCalls(put_values(said, wording), form.kinds, calls, len(said))


def _named_values(question: str, form: Form) -> dict[str, tuple[str, Any]] | None:
    """What the question says, and what is called, in each place of the form; None where it names too little."""
    found: dict[str, tuple[str, Any]] = {}
    if form.names_change:
        match = _CHANGE.search(question)
        if match is None:
            return None
        found = change_values(match[1].upper(), int(match[2]), match[3].upper())
    for place, values in form.values.items():
        pairs = [*pairs_of(values), *pairs_of(form.held_values.get(place, ()))]
        named = [pair for pair in pairs if _names(question, pair[0])]
        if not named:
            return None
        found[place] = max(named, key=lambda pair: len(pair[0]))
    return found


def _names(question: str, said: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(said)}(?!\w)", question, re.IGNORECASE) is not None


def change_values(reference: str, start: int, alternative: str) -> dict[str, tuple[str, Any]]:
    """What is said and called in the places of a change: `G7A` writes A for G at 7, 0-based.

    >>> change_values("G", 7, "A")["start"]
    ('7', 7)
    """
    return {
        "reference": (reference, reference), "start": (str(start), start), "alternative": (alternative, alternative),
    }  # fmt: skip


def pairs_of(values: Values | str) -> list[tuple[str, Any]]:
    """What is said for each value, and what is called."""
    return list(values.items()) if isinstance(values, dict) else [(value, value) for value in values]


def put_values(values: Mapping[str, str], sentence: str) -> str:
    """A sentence with its places filled; what is put in is not looked at again."""
    return _PLACE.sub(lambda match: values[match[1]], sentence)


def _fill(value: Any, called: Mapping[str, Any]) -> Any:
    """The arguments with `{place}` replaced by its value, of whatever type it is."""
    if isinstance(value, dict):
        return {name: _fill(part, called) for name, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, called) for part in value]
    if isinstance(value, str) and (match := _PLACE.fullmatch(value)):
        return called[match[1]]
    return value


def say_result(tool: str, result: Any) -> str:
    """The result of a tool as a sentence; "" where nobody wrote one for this tool.

    >>> say_result("gc_content", {"gc_share": 0.5, "length_bp": 4, "counts": {}})
    'The share of G and C is 0.5, of 4 bases.'
    """
    asked = tool_questions().get(tool)
    if asked is None:
        return ""
    fields = result if isinstance(result, Mapping) else {"hits": result, "total": len(result)}
    values = {name: _say(value, asked.each.get(name)) for name, value in fields.items()}
    return put_values(values, asked.answer).strip()


def _say(value: Any, each: str | None) -> str:
    if each is not None:
        said = [put_values({name: _say(part, None) for name, part in one.items()}, each) for one in value[:_SAID_ITEMS]]
        more = len(value) - len(said)
        return " ".join([*said, *([f"And {more:,} more."] if more else [])])
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SAID_LETTERS else f"{text[:_SAID_LETTERS]}… ({len(text) - _SAID_LETTERS:,} more)"
