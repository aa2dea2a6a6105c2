"""The records that pass between reading, cleaning, grouping and writing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_gene.config import Split


@dataclass(frozen=True)
class RawItem:
    """An item as its file gives it; `where` names file and line for messages.

    `answer` is the value of the label, the text of the answer, or one state a letter; `split` is None where the
    data does not say; `about` is what else is known: the title or record id under None, columns and annotations under
    their names or numbers.
    """

    id: str
    where: str
    sequences: tuple[str, ...]
    answer: str
    value: float | None = None
    split: Split | None = None
    about: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
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
    origin: str = ""
