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
        messages: At most one system message first, then user (or tool) and assistant in turn, a user's last.

    Raises:
        DataError: a message is empty, out of turn, or a tool's result nobody asked for.
    """
    turns = _turns(messages, tokenizer.special_tokens)
    return tuple(tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos)))


def _turns(messages: Sequence[ChatMessage], special: Sequence[str]) -> list[Message]:
    names: dict[str, str] = {}
    turns: list[Message] = []
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if message.role in ("system", "developer"):
            if number:
                raise DataError(f"{where}: a {message.role} message comes first and alone. Join it with the first one.")
            turns.append(Message("system", defuse(_text(message, where), special).text))
            continue
        is_asking = message.role != "assistant"
        before = turns[-1].role if turns else "system"
        if is_asking == (before == "user"):
            raise DataError(
                f"{where}: user and assistant speak in turn, the user first. Mend the order or join messages."
            )
        if message.role == "tool":
            turns.append(Message("user", _tool_result(message, names, where, special)))
        elif is_asking:
            turns.append(Message("user", defused_question(_text(message, where), special)))
        else:
            names |= {call.id: call.function.name for call in message.tool_calls or ()}
            turns.append(Message("assistant", _reply(message, where, special)))
    if not turns or turns[-1].role != "user":
        raise DataError("messages: the last one is not the user's, so there is nothing to answer. Add the question.")
    return turns


def _text(message: ChatMessage, where: str) -> str:
    content = message.content
    text = content if isinstance(content, str) else "".join(part.text for part in content or ())
    if not text.strip():
        raise DataError(f"{where}: the message is empty. Say something.")
    return text


def defused_question(text: str, special: Sequence[str]) -> str:
    """A user's words and the input under its one heading."""
    instruction, heading, given = text.partition(f"\n\n{INPUT_HEADING}")
    words = defuse(instruction, special).text
    return user_content(words, defuse(given, special).text) if heading else words


def _reply(message: ChatMessage, where: str, special: Sequence[str]) -> str:
    if not message.tool_calls:
        return defuse(_text(message, where), special).text
    if len(message.tool_calls) > 1:
        raise DataError(f"{where}.tool_calls: the model makes one call at a time. Leave one.")
    return defuse(_call_text(message.tool_calls[0], where), special).text


def _call_text(call: ToolCall, where: str) -> str:
    try:
        arguments = json.loads(call.function.arguments)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise DataError(f"{where}.tool_calls: arguments is no JSON object. Expected one, written as text.")
    return json.dumps({"tool": call.function.name, **arguments}, ensure_ascii=False)


def _tool_result(message: ChatMessage, names: Mapping[str, str], where: str, special: Sequence[str]) -> str:
    name = names.get(message.tool_call_id or "")
    if name is None:
        raise DataError(f"{where}: no call before it has the id {message.tool_call_id!r}. Give tool_call_id of a call.")
    return defuse(write_result(name, _text(message, where)), special).text


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
