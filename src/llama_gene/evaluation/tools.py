"""Answer numbers by a tool: the model's call is read, the specialist computes, the answer is written with its number.

A call that is wrong in any way is a wrong answer: it is counted by reason, and its item gets the mean training value,
which knows nothing of the item. So a model that cannot call scores 0, whatever its specialist is worth.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llama_gene.errors import DataError
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.numbers import is_number, values_of
from llama_gene.evaluation.specialist import Specialist, load_specialist
from llama_gene.evaluation.tasks import VALID, ModelAnswers
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.split import CHOSEN
from llama_gene.tasks.tool_calls import format_number, read_call, tool_name, write_answer


@dataclass(frozen=True)
class Tool:
    """The tool of a task: its definition and the specialist that computes."""

    task: Task
    specialist: Specialist

    @property
    def name(self) -> str:
        """What calls name it."""
        return tool_name(self.task)


def open_tools(instructions: Path, firsts: Sequence[Item], specialists: Mapping[str, Path]) -> dict[str, Tool]:
    """The tools of the tasks whose answers are calls, by task.

    Args:
        instructions: Folder of `tasks build`, which keeps the definitions.
        firsts: One item of each task.
        specialists: Stage folders of `tasks specialist`, by task.

    Raises:
        DataError: a specialist is missing, or is one of another task.
    """
    asked = [item.task for item in firsts if is_number(item)]
    if not asked:
        return {}
    file = instructions / CHOSEN
    if not file.is_file():
        raise DataError(
            f"{file}: no such file, and task {asked[0]!r} needs its definition. Build the instructions again."
        )
    definitions = json.loads(file.read_text(encoding="utf-8"))
    return {name: Tool(Task.model_validate(definitions[name]), _open_specialist(name, specialists)) for name in asked}


def _open_specialist(task: str, specialists: Mapping[str, Path]) -> Specialist:
    if task not in specialists:
        raise DataError(
            f"task {task!r} is answered by a tool, and its specialist is not given. Train one with "
            f"`llama-gene tasks specialist {task}` and name its folder with --specialist."
        )
    found = load_specialist(specialists[task])
    if found.card.task != task or found.card.labels:
        gives = "labels" if found.card.labels else "a number"
        raise DataError(
            f"{specialists[task]}: a specialist of {found.card.task!r} that gives {gives}. "
            f"Expected one of {task!r} that gives a number; train it or name its folder."
        )
    return found


def answer_calls(items: Sequence[Item], written: Sequence[str], tool: Tool, *, train: Sequence[Item]) -> ModelAnswers:
    """The numbers that written calls lead to.

    Args:
        items: Questions whose answer is a number, of one task.
        written: What the model wrote for each.
        tool: Of the task.
        train: Training items: their mean value stands in where a call is wrong.
    """
    calls = [read_call(text, {tool.name}) for text in written]
    valid = [place for place, call in enumerate(calls) if call.problem is None]
    known = values_of(train)
    values = np.full(len(items), 0.0 if known is None else known.mean())
    values[valid] = tool.specialist.predict([items[place].sequences for place in valid])
    return ModelAnswers(
        texts=tuple(written),
        probabilities=None,
        per_token=(),
        generated={},
        values=tuple(values.tolist()),
        calls=tuple(call.problem or VALID for call in calls),
    )


def tool_prediction(item: Item, place: int, answers: ModelAnswers, tool: Tool) -> str:
    """The line of predictions.jsonl: `response` is the call as written, `final_answer` the sentence with its number.

    Where the call is wrong, `call` says why, there is no final answer, and `predicted_value` is the mean that counts
    instead.
    """
    called, value = answers.calls[place], (answers.values or ())[place]
    sentence = write_answer(tool.task.title, format_number(value), tool.task.numbers.unit)
    found = {
        "response": answers.texts[place],
        "scores": None,
        "correct": called == VALID,
        "call": called,
        "predicted_value": value,
        "final_answer": sentence if called == VALID else None,
    }
    return json.dumps({**item.record(), **found}, ensure_ascii=False) + "\n"
