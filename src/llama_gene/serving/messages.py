"""From the turns of a request to the tokens of the prompt: the checkpoint's chat template, and nothing else.

All text from outside is defused. A user message may bring one input under the heading `### Input:`, as the template
writes it; every other heading, and every special token, is made harmless. A tool's result is read as training showed
it: "The tool NAME gives RESULT."
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llama_gene.errors import DataError
from llama_gene.prompts import INPUT_HEADING, Message, defuse, render, user_content
from llama_gene.serving.bodies import ChatMessage, ToolCall
from llama_gene.tasks.tool_calls import write_result
from llama_gene.tokenizer.load import GeneTokenizer


def prompt_of(tokenizer: GeneTokenizer, messages: Sequence[ChatMessage]) -> tuple[int, ...]:
    """The prompt after which the model answers.

    Args:
        tokenizer: Of the model.
        messages: See `turns_of`.

    Raises:
        DataError: as `turns_of`.
    """
    special = tokenizer.special_tokens
    turns = [
        Message(turn.role, (defused_question if turn.role == "user" else _defused)(turn.content, special))
        for turn in turns_of(messages, special)
    ]
    return tuple(tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos)))


def turns_of(messages: Sequence[ChatMessage], special: Sequence[str]) -> list[Message]:
    """Who said what in turn: a system prompt where there is one, then user and assistant, a user's last.

    The template knows turns alone, so messages of one side in a row are joined by an empty line. A tool's result counts
    to the user's side; it is made harmless here, everything else is as it was sent.

    Args:
        messages: Those of the system or developer first.
        special: Special tokens of the vocabulary.

    Raises:
        DataError: a message is empty, out of turn, or a tool's result nobody asked for.
    """
    names: dict[str, str] = {}
    turns: list[Message] = []
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        names |= {call.id: call.function.name for call in message.tool_calls or ()}
        said = _said(message, names, where, special)
        before = turns[-1] if turns else None
        if before is not None and before.role == said.role:
            turns[-1] = Message(said.role, f"{before.content}\n\n{said.content}")
        elif said.role == "system" and before is not None:
            raise DataError(f"{where}: a {message.role} message comes first. Join it with the first one.")
        elif said.role == "assistant" and (before is None or before.role == "system"):
            raise DataError(f"{where}: the assistant speaks before the user. Mend the order.")
        else:
            turns.append(said)
    if not turns or turns[-1].role != "user":
        raise DataError("messages: the last one is not the user's, so there is nothing to answer. Add the question.")
    return turns


def letters_of(messages: Sequence[ChatMessage]) -> int:
    """Letters of all messages together."""
    return sum(len(_content(message)) for message in messages)


def _said(message: ChatMessage, names: Mapping[str, str], where: str, special: Sequence[str]) -> Message:
    """One message as a turn of its side."""
    match message.role:
        case "tool":
            return Message("user", _tool_result(message, names, where, special))
        case "assistant" if message.tool_calls:
            return Message("assistant", _call_text(message.tool_calls, where))
        case "user" | "assistant" as role:
            return Message(role, _text(message, where))
        case _:
            return Message("system", _text(message, where))


def _content(message: ChatMessage) -> str:
    content = message.content
    return content if isinstance(content, str) else "".join(part.text for part in content or ())


def _text(message: ChatMessage, where: str) -> str:
    text = _content(message)
    if not text.strip():
        raise DataError(f"{where}: the message is empty. Say something.")
    return text


def _defused(text: str, special: Sequence[str]) -> str:
    return defuse(text, special).text


def defused_question(text: str, special: Sequence[str]) -> str:
    """A user's words and the input under its one heading."""
    instruction, heading, given = text.partition(f"\n\n{INPUT_HEADING}")
    words = _defused(instruction, special)
    return user_content(words, _defused(given, special)) if heading else words


def _call_text(calls: Sequence[ToolCall], where: str) -> str:
    """A call in the form that the model writes."""
    if len(calls) > 1:
        raise DataError(f"{where}.tool_calls: the model makes one call at a time. Leave one.")
    function = calls[0].function
    try:
        arguments = json.loads(function.arguments)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise DataError(f"{where}.tool_calls: arguments is no JSON object. Expected one, written as text.")
    return json.dumps({"tool": function.name, **arguments}, ensure_ascii=False)


def _tool_result(message: ChatMessage, names: Mapping[str, str], where: str, special: Sequence[str]) -> str:
    name = names.get(message.tool_call_id or "")
    if name is None:
        raise DataError(f"{where}: no call before it has the id {message.tool_call_id!r}. Give tool_call_id of a call.")
    return _defused(write_result(name, _text(message, where)), special)


def call_of(text: str, tools: Mapping[str, Mapping[str, Any]]) -> tuple[str, str] | None:
    """The tool and its arguments (JSON as text) where an answer is a call of a known tool, else None.

    Args:
        text: What the model wrote.
        tools: JSON schema of the arguments by name.

    >>> call_of('{"tool": "gc", "sequence": "@input"}', {"gc": {}})
    ('gc', '{"sequence": "@input"}')
    >>> call_of("promoter", {"gc": {}})
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name = found.pop("tool", None) if isinstance(found, dict) else None
    if not isinstance(name, str) or name not in tools:
        return None
    return name, json.dumps(found, ensure_ascii=False)


def call_schema(tools: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON schema of a call of one of the tools.

    Raises:
        DataError: arguments of a tool are no object, or one of them is called "tool".
    """
    return {"anyOf": [_one_call(name, schema) for name, schema in tools.items()]}


def _one_call(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        raise DataError(f"tools: parameters of {name!r} are no JSON schema of an object. Expected one.")
    if "tool" in properties:
        raise DataError(f"tools: {name!r} has an argument called 'tool', which names the tool itself. Rename it.")
    return {
        **schema,
        "type": "object",
        "properties": {"tool": {"const": name}, **properties},
        "required": ["tool", *required],
        "additionalProperties": False,
    }
