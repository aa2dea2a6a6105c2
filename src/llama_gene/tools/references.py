"""What an argument may name instead of spelling it out: of the question a sequence or its words, or what a call gave.

`@input` is the one sequence of the question; of several, `@input2` is the second. `@result.dna` is the field `dna` of
what the last call gave, `@result1.dna` that of the first call's; `@result.frames.0.protein` goes down a list;
`@question` is what was asked, in the user's words. So no model has to copy. What is put in is a value and is not looked
at again.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llama_gene.errors import DataError

INPUT = "@input"
QUESTION = "@question"
_INPUT = re.compile(rf"{INPUT}(\d{{0,4}})")
_RESULT = re.compile(r"@result(\d{0,4})((?:\.\w+)+)")


def fill_references(
    arguments: Mapping[str, Any],
    letters: Sequence[str],
    results: Sequence[Any],
    schema: Mapping[str, Any],
    question: str = "",
) -> dict[str, Any]:
    """The arguments with letters of sequences, values of results and the words of the question for their names.

    Where a list is wanted, `@input` is all sequences of the question.

    Args:
        arguments: JSON values.
        letters: The sequences of the question.
        results: What each call so far gave, JSON values; None where it failed.
        schema: JSON schema of the arguments.
        question: In the user's words.

    Raises:
        DataError: there is no such sequence, call or field, `@input` could be any of several, or nothing was asked.

    >>> fill_references({"dna": "@input", "k": 3}, ["ACGT"], [], {"properties": {}})
    {'dna': 'ACGT', 'k': 3}
    >>> fill_references({"dna": "@result.dna"}, [], [{"dna": "GGCA"}], {"properties": {}})
    {'dna': 'GGCA'}
    """
    filled = {}
    for name, value in arguments.items():
        if value == INPUT and schema["properties"].get(name, {}).get("type") == "array" and letters:
            filled[name] = list(letters)
        else:
            filled[name] = _fill(value, letters, results, question)
    return filled


def _fill(value: Any, letters: Sequence[str], results: Sequence[Any], question: str) -> Any:
    if isinstance(value, list):
        return [_fill(part, letters, results, question) for part in value]
    if isinstance(value, dict):
        return {name: _fill(part, letters, results, question) for name, part in value.items()}
    return _named(value, letters, results, question) if isinstance(value, str) else value


def _named(value: str, letters: Sequence[str], results: Sequence[Any], question: str) -> Any:
    """What a text names, else the text."""
    if value == QUESTION:
        return _words(question)
    if match := _INPUT.fullmatch(value):
        return _sequence(value, match[1], letters)
    if match := _RESULT.fullmatch(value):
        return _field(value, int(match[1] or len(results)), match[2].split(".")[1:], results)
    return value


def _words(question: str) -> str:
    if not question.strip():
        raise DataError(f"{QUESTION}: nothing was asked in words. Write what to look for in its place.")
    return question.strip()


def _sequence(value: str, number: str, letters: Sequence[str]) -> str:
    if not 1 <= int(number or 1) <= len(letters):
        raise DataError(f"{value}: the question has {len(letters)} sequence(s). Give the sequence with the question.")
    if not number and len(letters) > 1:
        raise DataError(f"{value}: the question has {len(letters)} sequences. Expected @input1 … @input{len(letters)}.")
    return letters[int(number or 1) - 1]


def _field(value: str, call: int, path: Sequence[str], results: Sequence[Any]) -> Any:
    if not 1 <= call <= len(results):
        raise DataError(f"{value}: there were {len(results)} call(s) before. Name one of them, or call it first.")
    found = results[call - 1]
    if found is None:
        raise DataError(f"{value}: call {call} failed and gave nothing. Call that tool again with other arguments.")
    for name in path:
        known = _parts(found)
        if name not in known:
            there = f"Expected one of {', '.join(known)}" if known else "It has none"
            raise DataError(f"{value}: the result of call {call} has no {name!r} there. {there}; correct the name.")
        found = known[name]
    return found


def _parts(value: Any) -> dict[str, Any]:
    """The parts of a value by name, those of a list by place."""
    if isinstance(value, Mapping):
        return dict(value)
    return {str(place): part for place, part in enumerate(value)} if isinstance(value, list) else {}
