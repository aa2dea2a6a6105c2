"""Instruction records of questions that a tool answers: what a model is tuned on to call tools, and judged by.

The sequences are pieces of those of the same split, so no held-out letter is ever trained on; neither are the wordings
and the values (an enzyme, a frame, the place of a change) of test questions. One item in five is a plain question of a
task of the run with its own answer: there, no tool is to be called.

Behind a call stand the result that the real tool gives and either the next call or, after the last one, the sentence
that says the result, as turns of a conversation (`history`): so a model learns when to go on and when to stop. Where
the result depends on a model or an index, or does not fit, the record ends with the call.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from llama_gene.config import AgentConfig, GeneKind, Split, TasksConfig, ToolCallsConfig
from llama_gene.errors import DataError
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.sequences.alphabets import DNA, PROTEIN
from llama_gene.tasks.fitting import MARK_TOKENS
from llama_gene.tasks.tool_calls import read_request, tell
from llama_gene.tasks.tool_questions import (
    FAMILY,
    FEWEST_LETTERS,
    TOOL_CALLS,
    Form,
    calls_of,
    change_values,
    known_forms,
    pairs_of,
    put_values,
    say_result,
)
from llama_gene.tasks.wordings import input_text
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tools import Tool, all_tools
from llama_gene.tools.references import fill_references
from llama_gene.tools.search import SEARCH_TOOLS

_PLAIN_EVERY = 5
_MOST_OF_A_TASK = 200
_MOST_SEQUENCES = 20_000
# Of these the call alone is taught: hits depend on the index, and pyhmmer, which aligns many, need not be installed.
_CALL_ONLY = ("align_many", *SEARCH_TOOLS)
# Changes at every third place are asked in test alone.
_HELD_PLACES = 3
_TRIES = 20
_LETTERS: dict[GeneKind, str] = {"dna": DNA.letters, "protein": PROTEIN.letters}


@dataclass
class Shown:
    """What the questions of a split are made of.

    Attributes:
        tasks: Names of tasks that can be asked, and the kinds of their sequences.
        sequences: By kind, with their leakage groups.
        plain: Records that want no call, by task.
    """

    tasks: Mapping[str, tuple[GeneKind, ...]] = field(default_factory=dict)
    sequences: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    plain: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add_items(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep sequences of items of `tasks split`, the first of each batch: their order is random."""
        for row in rows[:_MOST_OF_A_TASK]:
            for letters, kind in zip(row["sequences"], row["kinds"], strict=True):
                kept = self.sequences.setdefault(kind, [])
                if len(kept) < _MOST_SEQUENCES and len(letters) >= FEWEST_LETTERS:
                    kept.append((letters, row["group"]))

    def add_plain(self, record: Mapping[str, Any]) -> None:
        """Keep an instruction record that wants no call; the first ones of each task do."""
        kept = self.plain.setdefault(record["task"], [])
        if len(kept) < _MOST_OF_A_TASK:
            kept.append(record)


class Asked(NamedTuple):
    """A question, the answers it wants turn by turn, and what tools give between them."""

    instruction: str
    input: str
    answers: tuple[str, ...]
    results: tuple[str, ...]
    group: str


def call_records(
    config: TasksConfig, split: Split, shown: Shown, tokenizer: GeneTokenizer, rng: np.random.Generator,
    counts: Counter[str],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Instruction records of a split: questions with their calls, and among them plain ones with their answers.

    Args:
        config: How many records, and how long one may be.
        split: Test questions have wordings and values of their own.
        shown: What they are made of.
        tokenizer: Of the model.
        rng: Draws wordings, values and sequences.
        counts: Receives what was refused.
    """
    for place, draws in enumerate(_drawn(split, config.tool_calls, shown, rng)):
        made = ((asked, _fit(asked, config, tokenizer)) for asked in draws if asked is not None)
        asked, record = next(((asked, record) for asked, record in made if record is not None), (None, None))
        if asked is None or record is None:
            counts[f"refused: no draw gives every call a result within {config.max_tokens} tokens"] += 1
            continue
        yield {
            "id": f"{TOOL_CALLS}-{split}-{place}", **record, "task": TOOL_CALLS, "family": FAMILY, "split": split,
            "labels": None, "group": asked.group, "sequences": [], "kinds": [], "value": None,
        }  # fmt: skip


def _fit(asked: Asked, config: TasksConfig, tokenizer: GeneTokenizer) -> dict[str, Any] | None:
    """The texts of a record, made harmless; without the sentence at its end where that is too long. None: no room."""

    def safe(text: str) -> str:
        return defuse(text, tokenizer.special_tokens).text

    instruction, letters = safe(asked.instruction), safe(asked.input)
    said = [user_content(instruction, letters), *map(safe, asked.results)]
    turns = list(zip(said, map(safe, asked.answers), strict=False))
    last = turns[-1][1]
    ends_in_words = len(turns) > 1 and read_request(last) is None
    if ends_in_words and (
        len(tokenizer.encode(last)) > config.max_answer_tokens or _length(turns, tokenizer) > config.max_tokens
    ):
        turns.pop()
    if _length(turns, tokenizer) > config.max_tokens:
        return None
    *history, (question, answer) = turns
    if not history:
        return {"instruction": instruction, "input": letters, "output": answer}
    return {"instruction": question, "input": "", "output": answer, "history": [list(turn) for turn in history]}


def _length(turns: Sequence[tuple[str, str]], tokenizer: GeneTokenizer) -> int:
    """Tokens of a conversation, at most."""
    messages = [
        message for asked, answer in turns for message in (Message("user", asked), Message("assistant", answer))
    ]
    return len(tokenizer.encode(render(messages))) + MARK_TOKENS * len(turns)


def _drawn(
    split: Split, config: ToolCallsConfig, shown: Shown, rng: np.random.Generator
) -> Iterator[Iterator[Asked | None]]:
    """For each record some draws, of which the first that fits is taken; None where a call gave nothing to the next.

    All forms come in turn, in an order drawn anew for each round; every fifth record is a plain question.
    """
    forms = [
        (tool, form)
        for tool, form in known_forms(shown.tasks)
        if len(form.before) < config.most_calls
        and all(shown.sequences.get(kind) for kind in form.kinds)
        and (split != "test" or set(form.held_values) == set(form.values))
    ]
    tasks = list(shown.plain.values())
    # Questions about words alone teach nothing of calls on sequences.
    if not any(form.kinds for _, form in forms):
        return
    turn = _in_rounds(forms, rng)
    for place in range(getattr(config, split)):
        if tasks and place % _PLAIN_EVERY == _PLAIN_EVERY - 1:
            yield _plain(tasks[place // _PLAIN_EVERY % len(tasks)], rng)
        else:
            # A form that does not fit gives way to the next one.
            chosen = islice(turn, len(forms))
            yield (_ask(tool, form, split, shown, rng) for tool, form in chosen for _ in range(_TRIES))


def _in_rounds(forms: Sequence[tuple[str, Form]], rng: np.random.Generator) -> Iterator[tuple[str, Form]]:
    while True:
        yield from (forms[place] for place in rng.permutation(len(forms)).tolist())


def _plain(records: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> Iterator[Asked]:
    for _ in range(_TRIES):
        record = records[int(rng.integers(len(records)))]
        yield Asked(record["instruction"], record["input"], (record["output"],), (), record["group"])


def _ask(tool: str, form: Form, split: Split, shown: Shown, rng: np.random.Generator) -> Asked | None:
    """One question with its answers; None where a call that another needs gives nothing for these sequences."""
    drawn = [shown.sequences[kind][int(rng.integers(len(shown.sequences[kind])))] for kind in form.kinds]
    pieces = [letters[: int(rng.integers(FEWEST_LETTERS, form.letters + 1))] for letters, _ in drawn]
    values = _draw_values(form, split, pieces, rng)
    wordings = form.held_out if split == "test" else form.questions
    calls = calls_of(tool, form, {place: called for place, (_, called) in values.items()})
    said = {place: words for place, (words, _) in values.items()}
    question = put_values(said, wordings[int(rng.integers(len(wordings)))])
    try:
        answers, results = _run(calls, pieces, question)
    except DataError:
        return None
    # Questions of equal words are alike where no sequence is.
    group = drawn[0][1] if drawn else question
    return Asked(question, input_text(pieces, form.kinds, "joined"), answers, results, group)


def _draw_values(
    form: Form, split: Split, letters: Sequence[str], rng: np.random.Generator
) -> dict[str, tuple[str, Any]]:
    """What the question says in each place, and what the call has there."""
    drawn = _draw_change(letters[0], form.kinds[0], split, rng) if form.names_change else {}
    for place, values in (form.held_values if split == "test" else form.values).items():
        pairs = pairs_of(values)
        drawn[place] = pairs[int(rng.integers(len(pairs)))]
    return drawn


def _draw_change(letters: str, kind: GeneKind, split: Split, rng: np.random.Generator) -> dict[str, tuple[str, Any]]:
    places = [place for place in range(len(letters)) if (place % _HELD_PLACES == 0) == (split == "test")]
    place = places[int(rng.integers(len(places)))]
    others = [letter for letter in _LETTERS[kind] if letter != letters[place]]
    return change_values(letters[place], place, others[int(rng.integers(len(others)))])


def _run(calls: Sequence[str], letters: Sequence[str], question: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the model says turn by turn, and what the tools say in between.

    Raises:
        DataError: a call gives nothing that the next could use, or cannot use what the one before gave.
    """
    tools, answers, told = _tools(), list(calls), list[str]()
    results: list[Any] = []
    for request in filter(None, map(read_request, calls)):
        if request.tool not in tools:
            break
        tool = tools[request.tool]
        try:
            results.append(tool.call(fill_references(request.arguments, letters, results, tool.schema, question)))
        except DataError:
            if len(calls) > 1:
                raise
            break
        if request.tool in _CALL_ONLY:
            break
        told.append(tell(request.tool, results[-1], AgentConfig().max_result_letters))
        if len(results) == len(calls):
            answers.append(say_result(request.tool, results[-1]))
    return tuple(answers), tuple(told)


@cache
def _tools() -> Mapping[str, Tool]:
    return all_tools(_NoIndex())


class _NoIndex:
    """Stands for the index of whoever asks, so that calls of its tools are checked; what it holds is not known."""

    def find_sequences(self, letters: str, kind: GeneKind, most: int = 10) -> Sequence[Any]:
        return ()

    def find_passages(self, question: str, most: int = 5) -> Sequence[Any]:
        return ()
