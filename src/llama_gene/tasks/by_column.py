"""Split by a column: whole species, chromosomes or protein families go to one split."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llama_gene.config import Split, SplitRule
from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.assign import deal
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.items import Item, RawItem

_SHOWN = 8


def origin_of(rule: SplitRule, item: RawItem, inspector: Inspector) -> str | None:
    """The value of an item that the split goes by; "" where it goes by none, None where the item has none.

    Raises:
        DataError: the data has no such column, or the item no value and bad items are not to be skipped.

    >>> rule = SplitRule(by="column", column="place", pattern=r"^(chr\\w+):")
    >>> origin_of(rule, RawItem("1", "a.csv:2", ("ACGT",), "1", about={"place": "chr8:100-200"}), Inspector())
    'chr8'
    """
    if rule.by != "column":
        return ""
    if rule.column not in item.about:
        known = ", ".join(repr(name) for name in item.about if name is not None) or "no named columns"
        raise DataError(f"{item.where}: [split] column {rule.column!r} is not there. It has {known}; name one of them.")
    found = item.about[rule.column]
    # JSON may hold null, and annotations are lists, of which the first counts.
    text = str(found if isinstance(found, str | int | float) else next(iter(found or ()), "")).strip()
    if rule.pattern is not None:
        match = re.search(rule.pattern, text)
        text = match[match.re.groups and 1] or "" if match else ""
    if not text:
        inspector.refuse(
            "no value to split by",
            f"{item.where}: nothing in [split] column {rule.column!r} fits {rule.pattern or 'a value'!r}. "
            "Mend the pattern or set on_invalid = 'skip'.",
        )
    return text or None


def deal_values(task: Task, items: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    """The items with `split` set, all items of one value together.

    Listed values go where they are listed. A split without a list gets whole values of what is left, by the shares.

    Raises:
        DataError: a listed value that no item has, or too few values to fill a split.
    """
    rule = task.split
    sizes = Counter(item.origin for item in items)
    listed: dict[str, Split] = dict.fromkeys(rule.test_values, "test")
    listed |= dict.fromkeys(rule.valid_values, "valid")
    if unknown := [value for value in listed if value not in sizes]:
        shown = ", ".join(value for value, _ in sizes.most_common(_SHOWN))
        raise DataError(
            f"task {task.name!r}: [split] lists {unknown[0]!r}, which no item has. "
            f"The most frequent of {len(sizes)} values are {shown}."
        )
    wanted = [split for split in SPLITS if split not in listed.values()]
    free = {value: size for value, size in sizes.items() if value not in listed}
    if len(free) < len(wanted):
        raise DataError(
            f"task {task.name!r}: column {rule.column!r} has {len(sizes)} values, too few to fill "
            f"{' and '.join(wanted)}. Split by another column, or let `pattern` tell more of them apart."
        )
    placed = listed | deal(free, wanted, rule.shares, rng)
    return [replace(item, split=placed[item.origin]) for item in items]
