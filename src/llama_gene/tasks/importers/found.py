"""What importers take and give: a request, rows, and tasks found in a published layout.

A task is found in one of two ways. Where a reader of ours reads the files as they are, it is a definition alone. Else
its rows are written to a table (`tables/NAME.jsonl`) first, and the definition is made of what was seen in them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llama_gene.config import GeneKind, Split
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.items import Words
from llama_gene.tasks.score_names import deciding_metrics
from llama_gene.tasks.wordings import Family

Definition = dict[str, Any]
# More labels than this are not listed in the question: the list would leave no room for the sequence.
_MOST_LISTED = 30
_UNLISTED = (
    "Determine {title} of following {kind} sequence.",
    "Determine the {title} of following {kind1} sequence and {kind2} sequence.",
)
MOST_LABELS = 1000
"""More distinct answers than this are free text, and not counted one by one."""
TABLES = "./tables/"
"""Where a path of a definition lies in the folder that is being written."""


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    `references` are files that the layout refers to but does not hold (a genome, a FASTA of identifiers, an
    ontology); `prefix` begins the name of every task; `scratch` is an empty folder that is removed at the end.
    """

    path: Path
    references: tuple[Path, ...]
    prefix: str
    scratch: Path
    inspector: Inspector


@dataclass(frozen=True)
class Origin:
    """Where data were published: the same words in every definition made of them."""

    source: str
    licence: str
    citation: str


@dataclass(frozen=True)
class Row:
    """One line of a table: `answer` is a label, a text or one state a letter; `value` is a number to predict.

    `words` are the question of an instruction set.
    """

    sequences: tuple[str, ...]
    id: str = ""
    answer: str = ""
    value: float | None = None
    split: Split | None = None
    words: Words | None = None


@dataclass
class Seen:
    """What was seen in the rows of a task: their number, answers and splits."""

    rows: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    longest_answer: int = 0

    def add(self, answer: str, split: Split | None) -> None:
        """Count a row."""
        self.rows += 1
        self.longest_answer = max(self.longest_answer, len(answer))
        if answer in self.answers or len(self.answers) <= MOST_LABELS:
            self.answers[answer] += 1
        if split is not None:
            self.splits[split] += 1

    @property
    def are_numbers(self) -> bool:
        """Whether every answer is a number, and one at least no whole one."""
        values = [_as_number(answer) for answer in self.answers]
        return bool(values) and None not in values and any(value != round(value or 0) for value in values)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Found:
    """A task found in a layout.

    `rows` go into a table of their own; none: the definition reads the published files. `define` makes the definition
    of what was seen in the rows.
    """

    name: str
    define: Callable[[Seen], Definition]
    rows: Iterable[Row] | None = None


def as_published(name: str, definition: Definition) -> Found:
    """A task whose definition reads the published files as they are."""
    return Found(name, lambda _: definition)


def as_table(name: str, definition: Definition, rows: Iterable[Row]) -> Found:
    """A task whose rows go into a table, and whose definition does not depend on them."""
    return Found(name, lambda _: definition, rows)


def describe_task(
    *,
    title: str,
    family: Family,
    question: str,
    inputs: Sequence[GeneKind | tuple[GeneKind, str]],
    reader: Mapping[str, Any],
    origin: Origin,
    labels: Sequence[Mapping[str, Any]] = (),
    keep: str = "centre",
    **more: Any,
) -> Definition:
    """The definition of a task, all but its name.

    Args:
        title: Name of the task in words.
        family: One of the five.
        question: The task in one sentence.
        inputs: Kind of each sequence, or kind and what the question calls it.
        reader: Type, files and columns.
        origin: Source, licence, citation.
        labels: Closed answers in order, from `label`; where they are many, the question does not list them.
        keep: What stays of a sequence too long.
        more: Further settings of a definition.

    >>> origin = Origin("an assay", "CC0", "nobody")
    >>> made = describe_task(title="binding prediction", family="classification", question="Is it bound?",
    ...                      inputs=["dna"], reader={}, origin=origin, labels=[label("no", "0"), label("yes", "1")])
    >>> made["metric"], made["inputs"]
    ('mcc', [{'kind': 'dna'}])
    """
    named = [(part, "") if isinstance(part, str) else part for part in inputs]
    if len(labels) > _MOST_LISTED:
        more.setdefault("wordings", [_UNLISTED[len(named) > 1]])
    return {
        "title": title,
        "family": family,
        "definition": question,
        "inputs": [{"kind": kind, "name": name} if name else {"kind": kind} for kind, name in named],
        **({"labels": list(labels)} if labels else {}),
        "keep": keep,
        "metric": deciding_metrics(family, closed=bool(labels), terms="terms" in more.get("answer", {}))[0],
        "source": origin.source,
        "licence": origin.licence,
        "citation": origin.citation,
        **more,
        "reader": dict(reader),
    }


def label(name: str, *values: str) -> dict[str, Any]:
    """One closed answer and what stands for it in the files.

    >>> label("bound", "1"), label("nucleus")
    ({'name': 'bound', 'values': ['1']}, {'name': 'nucleus'})
    """
    return {"name": name, "values": list(values)} if values else {"name": name}


def plain_labels(seen: Seen) -> list[dict[str, Any]]:
    """Labels for answers that nobody named: words as they are, 0 and 1 as no and yes, other numbers as classes.

    >>> seen = Seen()
    >>> for answer in ("10", "2", "2"):
    ...     seen.add(answer, None)
    >>> [made["name"] for made in plain_labels(seen)]
    ['class 2', 'class 10']
    """
    answers = sorted(seen.answers, key=lambda answer: (len(answer), answer) if answer.isdecimal() else (99, answer))
    if answers == ["0", "1"]:
        return [label("no", "0"), label("yes", "1")]
    values: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for answer in answers:
        # A label's name holds no ", ", and two names differ in more than case.
        name = f"class {answer}" if answer.isdecimal() else " ".join(answer.split()).replace(", ", "; ")
        values.setdefault(names.setdefault(name.casefold(), name), []).append(answer)
    return [label(name) if held == [name] else label(name, *held) for name, held in values.items()]


def table_reader(
    name: str, inputs: int = 1, *, answer: bool = False, value: bool = False, split: bool = False
) -> Definition:
    """The reader of a table of ours.

    Args:
        name: Of the task.
        inputs: Sequences in a row.
        answer: Rows have a label, a text or states.
        value: Rows have a number.
        split: Rows may say where they belong.
    """
    columns = sequence_columns(inputs)
    marks = [{"column": "split", "pattern": f"^{name}$", "split": name} for name in ("train", "valid", "test")]
    return {
        "type": "table",
        "format": "jsonl",
        "files": [{"path": f"{TABLES}{name}.jsonl"}],
        "sequences": columns,
        **({"label": "answer"} if answer else {}),
        **({"value": "value"} if value else {}),
        "id": "id",
        **({"marks": marks} if split else {}),
    }


def sequence_columns(inputs: int) -> list[str]:
    """Columns of the sequences in a table of ours.

    >>> sequence_columns(1), sequence_columns(2)
    (['sequence'], ['sequence1', 'sequence2'])
    """
    return ["sequence"] if inputs == 1 else [f"sequence{number}" for number in range(1, inputs + 1)]
