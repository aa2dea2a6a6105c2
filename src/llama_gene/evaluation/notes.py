"""What the definitions of the tasks say for the report: title, source, published scores, row of Table 9."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_gene.errors import DataError
from llama_gene.evaluation.items import read_definitions
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.split import CHOSEN
from llama_gene.tasks.table9 import row_name


@dataclass(frozen=True)
class PublishedScore:
    """A score that others reached, on their own split unless the note says otherwise."""

    system: str
    metric: str
    value: float
    note: str


@dataclass(frozen=True)
class TaskNote:
    """What a definition says of its task; empty where it says nothing. `metric`: the score that decides."""

    title: str = ""
    definition: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    table9: str = ""
    metric: str = ""
    published: tuple[PublishedScore, ...] = ()


def read_notes(instructions: Path) -> dict[str, TaskNote]:
    """The notes of each task in a folder of `tasks build`, by name; none where the folder carries no definitions.

    Raises:
        DataError: a definition of an earlier version names a score that cannot decide.
    """
    definitions = read_definitions(instructions)
    for name, values in definitions.items():
        _check_metric(f"{instructions / CHOSEN}: task {name!r}", values)
    return {name: _note(values) for name, values in definitions.items()}


def _check_metric(where: str, values: Mapping[str, Any]) -> None:
    if not values.get("metric"):
        return
    task = Task.model_validate(values)
    if task.metric not in task.may_decide:
        raise DataError(
            f"{where}: {task.metric} cannot decide. Expected {' or '.join(task.may_decide)}; split and build the tasks "
            "again from their definitions."
        )


def _note(values: Mapping[str, Any]) -> TaskNote:
    words = {name: str(values.get(name) or "") for name in TaskNote.__dataclass_fields__ if name != "published"}
    if "table9" not in values and values.get("inputs"):
        words["table9"] = row_name(str(values["family"]), [str(one["kind"]) for one in values["inputs"]])
    published = tuple(
        PublishedScore(str(one["system"]), str(one["metric"]), float(one["value"]), str(one.get("note") or ""))
        for one in values.get("published") or ()
    )
    return TaskNote(**words, published=published)
