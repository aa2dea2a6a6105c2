"""Questions that a tool answers, and the call that each of them wants: what a model is tuned on to call tools.

The wordings, the calls and the sentences that say a result lie in `tool_questions.toml`, for the tools of
`llama_gene.tools` by name. The sequences are pieces of those of the same split, so no held-out letter is ever trained
on; the wordings of test questions are in no training question. One item in five is a plain question of a task of the
run with its own answer: there, no tool is to be called. After a call nothing more is taught: its result is said by the
tool's own sentence, since a small model copies letters and numbers badly (`say_result`).
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, TypeAdapter

from llama_gene.config import GeneKind, Section, Split
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.tasks.fitting import MARK_TOKENS
from llama_gene.tasks.tool_calls import write_request
from llama_gene.tasks.wordings import input_text
from llama_gene.tokenizer.load import GeneTokenizer

TOOL_CALLS = "tool-calls"
FAMILY = "tools"
FILE = Path(__file__).with_name("tool_questions.toml")
_PLAIN_EVERY = 5
_FEWEST_LETTERS = 20
_MOST_OF_A_TASK = 200
_MOST_SEQUENCES = 20_000
_SAID_ITEMS = 5
_SAID_LETTERS = 300
_PLACE = re.compile(r"\{(\w+)\}")


class Form(Section):
    """One way to call a tool, and how people ask for it."""

    kinds: tuple[GeneKind, ...] = Field(min_length=1, max_length=8, description="Sequences of the question.")
    arguments: dict[str, Any] = Field(description="Of the call; @input and {place} are filled.")
    values: dict[str, dict[str, Any] | tuple[str, ...]] = Field({}, description="By place: what is said and called.")
    letters: int = Field(120, ge=_FEWEST_LETTERS, description="Most letters shown of each sequence.")
    questions: tuple[str, ...] = Field(min_length=3, description="For training and validation.")
    held_out: tuple[str, ...] = Field(min_length=1, description="For test.")


class ToolQuestions(Section):
    """How a tool is asked for, and how its result is said."""

    answer: str = Field(description="A sentence with fields of the result.")
    each: dict[str, str] = Field({}, description="How an item of a list in the result is said.")
    forms: tuple[Form, ...] = Field(min_length=1)


@dataclass
class Shown:
    """What the questions of a split are made of: sequences by kind with their leakage groups, and plain questions."""

    sequences: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    plain: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add_items(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep sequences of items of `tasks split`, the first of each batch: their order is random."""
        for row in rows[:_MOST_OF_A_TASK]:
            for letters, kind in zip(row["sequences"], row["kinds"], strict=True):
                kept = self.sequences.setdefault(kind, [])
                if len(kept) < _MOST_SEQUENCES and len(letters) >= _FEWEST_LETTERS:
                    kept.append((letters, row["group"]))

    def add_plain(self, record: Mapping[str, Any]) -> None:
        """Keep an instruction record that wants no call; the first ones of each task do."""
        kept = self.plain.setdefault(record["task"], [])
        if len(kept) < _MOST_OF_A_TASK:
            kept.append(record)


@cache
def tool_questions() -> Mapping[str, ToolQuestions]:
    """The questions of each tool, by its name.

    >>> tool_questions()["gc_content"].forms[0].questions[0]
    'What is the GC content?'
    """
    return TypeAdapter(dict[str, ToolQuestions]).validate_python(tomllib.loads(FILE.read_text(encoding="utf-8")))


def tool_wordings() -> tuple[tuple[str, tuple[GeneKind, ...]], ...]:
    """Every wording that training has, without the values it names, and the kinds of its sequences."""
    return tuple(
        (_PLACE.sub("", question), form.kinds)
        for asked in tool_questions().values()
        for form in asked.forms
        for question in form.questions
    )


class KnownCall(NamedTuple):
    """A question that the wordings hold, about sequences of these kinds, and the call that answers it.

    `named`: how many values it names.
    """

    question: str
    kinds: tuple[GeneKind, ...]
    call: str
    named: int


def calls_near(question: str) -> Iterator[KnownCall]:
    """Every wording that a question may be another form of, with the values that the question itself names.

    A wording with a place for a value is left out where the question names none that is known for it.

    >>> [known.call for known in calls_near("cut sites of EcoRI?") if "EcoRI" in known.question][0]
    '{"tool": "restriction_sites", "dna": "@input", "enzymes": ["EcoRI"]}'
    """
    for tool, asked in tool_questions().items():
        for form in asked.forms:
            named = {place: _named(question, values) for place, values in form.values.items()}
            values = {place: pair for place, pair in named.items() if pair is not None}
            if len(values) < len(named):
                continue
            said = {place: words for place, (words, _) in values.items()}
            call = write_request(tool, _fill(form.arguments, {place: value for place, (_, value) in values.items()}))
            for wording in (*form.questions, *form.held_out):
                yield KnownCall(_put(said, wording), form.kinds, call, len(said))


def _named(question: str, values: Mapping[str, Any] | Sequence[str]) -> tuple[str, Any] | None:
    """The longest of the values that a question names, as it is said and as it is called."""
    found = [
        pair for pair in _pairs(values) if re.search(rf"(?<![\w-]){re.escape(pair[0])}(?!\w)", question, re.IGNORECASE)
    ]
    return max(found, key=lambda pair: len(pair[0]), default=None)


def _pairs(values: Mapping[str, Any] | Sequence[str]) -> list[tuple[str, Any]]:
    """What is said for each value, and what is called."""
    return list(values.items()) if isinstance(values, Mapping) else [(value, value) for value in values]


def call_records(
    split: Split,
    number: int,
    shown: Shown,
    *,
    tokenizer: GeneTokenizer,
    max_tokens: int,
    rng: np.random.Generator,
    counts: Counter[str],
) -> Iterator[dict[str, Any]]:
    """Instruction records of a split: questions with their calls, and among them plain ones with their answers.

    Args:
        split: Test questions have the wordings held out for them.
        number: How many, less those that are refused.
        shown: What they are made of.
        tokenizer: Of the model.
        max_tokens: Longest question with its answer.
        rng: Draws wordings, values and sequences.
        counts: Receives what was refused.
    """
    for place, record in enumerate(_drawn(split, number, shown, rng)):
        safe = {
            part: defuse(record[part], tokenizer.special_tokens).text for part in ("instruction", "input", "output")
        }
        turns = [
            Message("user", user_content(safe["instruction"], safe["input"])),
            Message("assistant", safe["output"]),
        ]
        if len(tokenizer.encode(render(turns))) + MARK_TOKENS > max_tokens:
            counts[f"refused: over {max_tokens} tokens"] += 1
            continue
        yield {
            "id": f"{TOOL_CALLS}-{split}-{place}", **safe, "task": TOOL_CALLS, "family": FAMILY, "split": split,
            "labels": None, "group": record["group"], "sequences": [], "kinds": [], "value": None,
        }  # fmt: skip


def _drawn(split: Split, number: int, shown: Shown, rng: np.random.Generator) -> Iterator[Mapping[str, Any]]:
    """All forms in turn, in an order drawn anew for each round; every fifth record is a plain question."""
    forms = [
        (tool, form)
        for tool, asked in tool_questions().items()
        for form in asked.forms
        if all(shown.sequences.get(kind) for kind in form.kinds)
    ]
    tasks = list(shown.plain.values())
    if not forms:
        return
    order: list[int] = []
    for place in range(number):
        if tasks and place % _PLAIN_EVERY == _PLAIN_EVERY - 1:
            records = tasks[place // _PLAIN_EVERY % len(tasks)]
            yield records[int(rng.integers(len(records)))]
            continue
        order = order or rng.permutation(len(forms)).tolist()
        yield _ask(*forms[order.pop()], split, shown, rng)


def _ask(tool: str, form: Form, split: Split, shown: Shown, rng: np.random.Generator) -> dict[str, Any]:
    """One question with its call."""
    drawn = [shown.sequences[kind][int(rng.integers(len(shown.sequences[kind])))] for kind in form.kinds]
    pieces = [letters[: int(rng.integers(_FEWEST_LETTERS, form.letters + 1))] for letters, _ in drawn]
    said, called = _draw_values(form, rng)
    wordings = form.held_out if split == "test" else form.questions
    wording = wordings[int(rng.integers(len(wordings)))]
    return {
        "instruction": _put(said, wording),
        "input": input_text(pieces, form.kinds, "joined"),
        "output": write_request(tool, _fill(form.arguments, called)),
        "group": drawn[0][1],
    }


def _draw_values(form: Form, rng: np.random.Generator) -> tuple[dict[str, str], dict[str, Any]]:
    """What the question says in each place, and what the call has there."""
    said: dict[str, str] = {}
    called: dict[str, Any] = {}
    for place, values in form.values.items():
        pairs = _pairs(values)
        said[place], called[place] = pairs[int(rng.integers(len(pairs)))]
    return said, called


def _put(values: Mapping[str, str], sentence: str) -> str:
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
    return _put(values, asked.answer).strip()


def _say(value: Any, each: str | None) -> str:
    if each is not None:
        said = [_put({name: _say(part, None) for name, part in one.items()}, each) for one in value[:_SAID_ITEMS]]
        more = len(value) - len(said)
        return " ".join([*said, *([f"And {more:,} more."] if more else [])])
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SAID_LETTERS else f"{text[:_SAID_LETTERS]}… ({len(text) - _SAID_LETTERS:,} more)"
