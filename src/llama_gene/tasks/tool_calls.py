"""A number by a tool: the model writes which tool to call, a specialist computes, and the answer holds its number.

The paper, section 2.2.2.5, leaves numbers to "smaller, specialized models" by way of a function call. The call is one
JSON object, `{"tool": "predict_expression", "sequence": "@input"}`; `@input` stands for the sequences of the question,
so that no letter has to be copied. A call is read by `json` and compared with names that are known; nothing of it is
evaluated, and none of its words chooses a file. Calls of other tools have the same form with their own arguments:
`{"tool": "translate", "dna": "@input", "frame": 2}` (`read_request`).

A conversation of four turns: question, call, result of the tool, answer. Training shows all four
(`with_result`); held-out questions end before the call.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from llama_gene.config import GeneKind, TaskChoice
from llama_gene.errors import ConfigError
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.tasks.definitions import Task
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tools.references import INPUT

TOOL_WORDING = "Determine the {title} of following {kind} sequence, The result will be a number computed by a tool."
RESULT = "The tool {tool} gives {number}."
ANSWER = "The {title} gives {number}."
# As long as a number gets, when room is kept for one that is not yet known.
_LONGEST_NUMBER = "-1.234e+05"
_FIELDS = ("tool", "sequence")
_PICTURE = "_svg"

CallProblem = Literal["no JSON object", "fields other than tool and sequence", "unknown tool", "sequence not @input"]


class Call(NamedTuple):
    """A call as it was read: the tool, or what is wrong with it (then `tool` is "")."""

    tool: str
    problem: CallProblem | None = None


def tool_name(task: Task) -> str:
    """What the tool of a task is called.

    >>> from llama_gene.tasks.definitions import load_task
    >>> tool_name(load_task("promoter-strength-yeast"))
    'predict_expression'
    """
    return task.numbers.tool or "predict_" + re.sub(r"[^a-z0-9]+", "_", task.name)


def write_call(tool: str) -> str:
    """The call of a task's tool on the sequences of the question.

    >>> write_call("predict_expression")
    '{"tool": "predict_expression", "sequence": "@input"}'
    """
    return write_request(tool, {"sequence": INPUT})


def write_request(tool: str, arguments: Mapping[str, Any]) -> str:
    """The call of any tool, as `read_request` reads it.

    >>> write_request("translate", {"dna": INPUT, "frame": 2})
    '{"tool": "translate", "dna": "@input", "frame": 2}'
    """
    return json.dumps({"tool": tool, **arguments})


def read_call(text: str, tools: Collection[str]) -> Call:
    """A call that a model wrote, strictly: one JSON object of exactly two fields, a known tool, `@input`.

    Args:
        text: What the model wrote; white space around it does not count.
        tools: Names that may be called.

    >>> read_call(write_call("predict_expression"), {"predict_expression"})
    Call(tool='predict_expression', problem=None)
    >>> read_call("high", {"predict_expression"}).problem
    'no JSON object'
    """
    try:
        # Pairs rather than a dict: of a field given twice, neither is believed.
        pairs = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return Call("", "no JSON object")
    if not isinstance(pairs, tuple):
        return Call("", "no JSON object")
    if sorted(name for name, _ in pairs) != sorted(_FIELDS):
        return Call("", "fields other than tool and sequence")
    fields = dict(pairs)
    if not isinstance(fields["tool"], str) or fields["tool"] not in tools:
        return Call("", "unknown tool")
    if fields["sequence"] != INPUT:
        return Call("", "sequence not @input")
    return Call(fields["tool"])


class Request(NamedTuple):
    """A call of any tool as it was read: its arguments are not yet checked; `problem` says why it is none."""

    tool: str
    arguments: Mapping[str, Any]
    written: str
    problem: str = ""


def read_request(text: str) -> Request | None:
    """A call with any arguments, or None where the text is no call but words.

    Args:
        text: What a model wrote; white space around it does not count.

    >>> read_request('{"tool": "translate", "dna": "@input", "frame": 2}').arguments
    {'dna': '@input', 'frame': 2}
    >>> read_request("It is a promoter.") is None
    True
    """
    written = text.strip()
    try:
        fields = _read_object(written)
    except _UnclearError as error:
        return Request("", {}, written, str(error))
    if fields is None or "tool" not in fields:
        return None
    tool = fields.pop("tool")
    if not isinstance(tool, str):
        return Request("", {}, written, "the name of the tool is no text")
    return Request(tool, fields, written)


def read_arguments(tool: str, text: str) -> Request:
    """A call whose tool is named apart from its arguments, as model servers give it.

    >>> read_arguments("translate", '{"dna": "@input"}').arguments
    {'dna': '@input'}
    >>> read_arguments("translate", "@input").problem
    'the arguments are no JSON object'
    """
    try:
        fields = _read_object(text.strip() or "{}")
    except _UnclearError as error:
        return Request(tool, {}, text, str(error))
    if fields is None:
        return Request(tool, {}, text, "the arguments are no JSON object")
    return Request(tool, fields, text)


def _read_object(text: str) -> dict[str, Any] | None:
    """The fields of one JSON object; None where the text is none."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _UnclearError(Exception):
    """JSON of which no one reading can be believed."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _UnclearError("a field is given twice")
    return found


def _refuse_constant(name: str) -> None:
    raise _UnclearError(f"{name} is no JSON number")


def format_number(value: float) -> str:
    """A number as results and answers write it: four digits that count.

    >>> format_number(11.41682), format_number(-0.00042)
    ('11.42', '-0.00042')
    """
    return f"{value:.4g}"


def write_result(tool: str, number: str) -> str:
    """The turn that brings the result of a tool.

    >>> write_result("predict_expression", "11.42")
    'The tool predict_expression gives 11.42.'
    """
    return RESULT.format(tool=tool, number=number)


def tell(tool: str, result: Any, most_letters: int) -> str:
    """The result of any tool as the turn that the model reads; pictures are left out, long results are cut.

    Args:
        tool: Its name.
        result: JSON value.
        most_letters: Longest result, > 0.

    >>> tell("predict_expression", {"value": 11.4168}, 100)
    'The tool predict_expression gives 11.42.'
    """
    if isinstance(result, dict):
        result = {name: value for name, value in result.items() if not name.endswith(_PICTURE)}
        if isinstance(value := result.get("value"), int | float):
            return write_result(tool, format_number(value))
    return write_result(tool, cut_text(json.dumps(result, ensure_ascii=False), most_letters))


def cut_text(text: str, most: int) -> str:
    """A text of at most so many characters, and how many there are more.

    >>> cut_text("abcdef", 4)
    'abcd… (2 characters more)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} characters more)"


def write_answer(title: str, number: str, unit: str = "") -> str:
    """The final answer, with the number.

    >>> write_answer("gene expression level prediction", "11.42")
    'The gene expression level prediction gives 11.42.'
    """
    return ANSWER.format(title=title, number=f"{number} {unit}".rstrip())


def as_asked(task: Task, choice: TaskChoice) -> Task:
    """The definition as a run asks it: with `answer = "tool"`, the question is for a number.

    Raises:
        ConfigError: a tool is asked for where the answer is no number.
    """
    if choice.answer == "bins":
        return task
    if task.family != "regression":
        raise ConfigError(
            f"tasks.choices: {task.name!r} is a {task.family} task; answer = 'tool' is for regression. Leave it out."
        )
    return task.model_copy(update={"wordings": (TOOL_WORDING,)})


def is_called(task: Task) -> bool:
    """True for a definition of `as_asked` that a tool answers."""
    return task.wordings == (TOOL_WORDING,)


def can_be_asked(task: Task) -> bool:
    """True for a task that has a question of its own and an answer in words or labels, so that a tool can ask it."""
    return not task.brings_questions and not is_called(task)


def kinds_of(task: Task) -> tuple[GeneKind, ...]:
    """The kinds of its sequences."""
    return tuple(wanted.kind for wanted in task.inputs)


def call_row(task: Task, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item of `tasks split` as it is asked: where a tool answers, the target is its call and there are no labels."""
    return {**row, "target": write_call(tool_name(task)), "labels": None} if is_called(task) else row


def with_result(task: Task, record: Mapping[str, Any], tokenizer: GeneTokenizer) -> dict[str, Any]:
    """A training record of a call, gone on with its result and the answer.

    The question and the call become the `history`, as in Alpaca records of several turns; a model is trained on every
    answer, so on the call too. The result is the item's own number.

    Args:
        task: The task.
        record: Instruction record whose output is a call.
        tokenizer: Its special tokens are made harmless.
    """
    number, tool = format_number(record["value"]), tool_name(task)
    answer = write_answer(task.title, number, task.numbers.unit)
    return {
        **record,
        "instruction": write_result(tool, number),
        "input": "",
        "output": defuse(answer, tokenizer.special_tokens).text,
        "history": [[user_content(record["instruction"], record["input"]), record["output"]]],
    }


def result_tokens(task: Task, tokenizer: GeneTokenizer) -> int:
    """Tokens that the result and the answer add to a question and its call, at most."""
    call = [Message("user", "?"), Message("assistant", write_call(tool_name(task)))]
    more = [
        Message("user", write_result(tool_name(task), _LONGEST_NUMBER)),
        Message("assistant", write_answer(task.title, _LONGEST_NUMBER, task.numbers.unit)),
    ]
    whole, part = (
        len(tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos)))
        for turns in ([*call, *more], call)
    )
    return whole - part
