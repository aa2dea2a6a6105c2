"""The records that pass between reading, cleaning, grouping and writing; slots, since millions are held at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_gene.config import Split
from llama_gene.tasks.steps import Reading


@dataclass(frozen=True)
class Words:
    """The question that an item of an instruction set brings along; `linked`: kind and letters found in its answer."""

    instruction: str
    input: str
    linked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RawItem:
    """An item as its file gives it; `where` names file and line for messages.

    `answer` is the value of the label, the text of the answer, or one state a letter; `split` is None where the
    data does not say. `reading` says of coding DNA how it is translated; `about` is what else is known: the title or
    record id under None, columns and annotations under their names or numbers.
    """

    id: str
    where: str
    sequences: tuple[str, ...]
    answer: str
    value: float | None = None
    split: Split | None = None
    words: Words | None = None
    reading: Reading | None = None
    about: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """A checked item: upper-case letters of the alphabet, and a target that the task knows.

    `group` names what must stay together; `origin` is the value that a split by column goes by (a species, a
    chromosome, a protein family).
    """

    id: str
    sequences: tuple[str, ...]
    target: str
    value: float | None = None
    split: Split | None = None
    group: str = ""
    words: Words | None = None
    reading: Reading | None = None
    origin: str = ""
