"""Check items: letters of the alphabet, labels the task knows, one item for equal sequences.

What cannot be used is refused through one door (`Inspector`): an error that names the place, or a count by reason.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_gene.config import OnConflict, OnRareClass, Split
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import DNA, PROTEIN, clean_letters
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.by_column import origin_of
from llama_gene.tasks.copies import count_copies, known_by
from llama_gene.tasks.definitions import AnswerRule, Task
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.items import Item, RawItem
from llama_gene.tasks.sources import UNKNOWN_STATE

_ALPHABETS = {"dna": DNA, "protein": PROTEIN}
# What tables write where a value is missing, in lower case.
MISSING = frozenset(("", "nan", "na", "n/a", "none", "null"))
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")


def clean_items(task: Task, raw: Iterable[RawItem], inspector: Inspector) -> Iterator[Item]:
    """The items of a task that can be used, with checked letters and targets.

    Args:
        task: The definition.
        raw: Items as the reader gives them.
        inspector: Raises for a bad item, or counts it.

    Raises:
        DataError: a bad item, where bad items are not to be skipped.
    """
    names = {value: label.name for label in task.labels for value in label.written}
    for item in raw:
        if item.answer in task.ignore_labels:
            inspector.note("label left out by the definition")
            continue
        sequences = _clean_sequences(task, item, inspector)
        target = _target(task, item, names, inspector) if sequences is not None else None
        origin = origin_of(task.split, item, inspector) if target is not None else None
        if sequences is not None and target is not None and origin is not None:
            yield Item(
                item.id,
                sequences,
                target,
                item.value,
                item.split,
                words=item.words,
                reading=item.reading,
                origin=origin,
            )


def _clean_sequences(task: Task, item: RawItem, inspector: Inspector) -> tuple[str, ...] | None:
    """Letters in upper case, or None where one sequence is wrong."""
    cleaned = []
    for letters, wanted in zip(item.sequences, task.inputs, strict=True):
        found = clean_letters(letters, _ALPHABETS[wanted.kind])
        if not letters:
            inspector.refuse("empty sequence", f"{item.where}: no sequence. Mend the file or set on_invalid = 'skip'.")
            return None
        if found.problem:
            inspector.refuse(
                f"not {wanted.kind} letters",
                f"{item.where}: {found.problem}. Mend the file or set on_invalid = 'skip'.",
            )
            return None
        inspector.note("U read as T", int(found.uracil))
        cleaned.append(found.letters)
    return tuple(cleaned)


def _target(task: Task, item: RawItem, names: Mapping[str, str], inspector: Inspector) -> str | None:
    """The label's name, the text, the states; "" where the target is made later; None where it cannot be used."""
    if task.split_makes_decoys:
        return ""
    if task.family == "regression":
        return _value(item, inspector)
    if task.family == "structure":
        return _states(item, names, inspector)
    if names:
        return _label(item, names, inspector)
    return item.answer if task.brings_questions else _text(task.answer, item.answer, inspector)


def _value(item: RawItem, inspector: Inspector) -> str | None:
    if item.value is not None and math.isfinite(item.value):
        return ""
    inspector.refuse(
        "value is not a number",
        f"{item.where}: the value is not a finite number. Mend the file or set on_invalid = 'skip'.",
    )
    return None


def _label(item: RawItem, names: Mapping[str, str], inspector: Inspector) -> str | None:
    if item.answer not in names and item.answer.casefold() in MISSING:
        inspector.refuse(
            "no label", f"{item.where}: no label ({item.answer!r}). Mend the file or set on_invalid = 'skip'."
        )
    elif item.answer not in names:
        inspector.refuse(
            "label never seen",
            f"{item.where}: label {item.answer!r} is not one of {', '.join(names)}. Add it to the task's definition, "
            "mend the file or set on_invalid = 'skip'.",
        )
    return names.get(item.answer)


def _states(item: RawItem, names: Mapping[str, str], inspector: Inspector) -> str | None:
    if len(item.answer) != len(item.sequences[0]):
        inspector.refuse(
            "states do not fit the chain",
            f"{item.where}: {len(item.answer)} states for {len(item.sequences[0])} letters. Expected one a letter; "
            "mend the file or set on_invalid = 'skip'.",
        )
        return None
    unknown = sorted(set(item.answer) - set(names) - {UNKNOWN_STATE})
    if unknown:
        inspector.refuse(
            "state never seen",
            f"{item.where}: state {unknown[0]!r} is not one of {', '.join(names)}. Add it to the task's definition, "
            "mend the file or set on_invalid = 'skip'.",
        )
        return None
    return item.answer


def _text(rule: AnswerRule, text: str, inspector: Inspector) -> str | None:
    """The answer's text by the rule of the task, on one line; None where there is none."""
    answer = " ".join(text.split())
    if rule.pattern is not None:
        found = re.search(rule.pattern, answer)
        answer = found[1] if found else ""
    if rule.sentences is not None:
        answer = " ".join(_SENTENCE_END.split(answer)[: rule.sentences])
    if not answer:
        inspector.note("no answer of the wanted form")
        return None
    if rule.exclude is not None and re.search(rule.exclude, answer, re.IGNORECASE):
        inspector.note("answer left out by the definition")
        return None
    return answer


def refuse_equal_sets(task: Task, items: Sequence[Item]) -> None:
    """Refuse a held-out set that the files give and that stands in training for more than half.

    Raises:
        DataError: as said, unless the split rule allows leaks.
    """
    if task.split.allow_leaks:
        return
    keys: dict[Split | None, list[int]] = defaultdict(list)
    kinds = [wanted.kind for wanted in task.inputs]
    for item in items:
        if item.split is not None:
            words = (item.words.instruction, item.words.input) if item.words else ()
            keys[item.split].append(known_by(item.sequences, kinds, words, swappable=task.swappable))
    for split in ("test", "valid"):
        if copies := count_copies(keys[split], keys["train"]):
            raise DataError(
                f"task {task.name!r}: {copies:,} of {len(keys[split]):,} {split} items stand in training, too. Name "
                "other files, deal all items anew ([split] source = 'ignore'; `tasks add`: --split none) or keep the "
                "leaks ([split] allow_leaks = true)."
            )


def drop_duplicates(task: Task, items: Iterable[Item], on_conflict: OnConflict, counts: Counter[str]) -> list[Item]:
    """One item for equal sequences; none where equal sequences have different closed labels, states or numbers.

    A held-out copy (one that a file gives to test, else to valid) is the one that stays; where the split rule allows
    leaks, one copy in each split.

    Args:
        task: The definition.
        items: Checked items.
        on_conflict: keep: of items with equal sequences one of each answer stays.
        counts: Receives the copies and the conflicts.

    >>> from llama_gene.tasks.definitions import load_task
    >>> items = [Item("a", ("AC",), "promoter"), Item("b", ("AC",), "Non-promoter"), Item("c", ("GG",), "promoter")]
    >>> [item.id for item in drop_duplicates(load_task("promoter-core"), items, "drop", Counter())]
    ['c']
    """
    alike: dict[tuple[Split | None, tuple[str, ...]], list[Item]] = defaultdict(list)
    for item in items:
        own = () if item.words is None else (item.words.instruction, item.words.input, item.target)
        letters = (*(sorted(item.sequences) if task.swappable else item.sequences), *own)
        alike[item.split if task.split.allow_leaks else None, letters].append(item)
    free_text = task.family == "function" and not task.labels
    kept: list[Item] = []
    for copies in alike.values():
        answers: dict[Any, list[Item]] = defaultdict(list)
        for item in copies:
            answers[None if free_text else (item.target, item.value)].append(item)
        if len(answers) > 1:
            counts["equal sequences with different answers"] += len(copies)
            if on_conflict == "drop":
                continue
        for same in answers.values():
            counts["duplicate"] += len(same) - 1
            kept.append(min(same, key=lambda item: ("test", "valid", "train", None).index(item.split)))
    return kept


def name_apart(items: Sequence[Item]) -> list[Item]:
    """The items of a split, each with an id of its own: several files may number their records alike.

    >>> [item.id for item in name_apart([Item("7", ("AC",), "a"), Item("8", ("GG",), "a"), Item("7", ("TT",), "b")])]
    ['7', '8', '7 (2)']
    """
    seen: Counter[str] = Counter()
    named = []
    for item in items:
        seen[item.id] += 1
        named.append(item if seen[item.id] == 1 else replace(item, id=f"{item.id} ({seen[item.id]})"))
    return named


def drop_rare_classes(
    task: Task, items: Sequence[Item], on_rare_class: OnRareClass, counts: Counter[str]
) -> list[Item]:
    """The items whose class has two examples at least: one to learn from and one to be asked.

    Raises:
        DataError: a class has one example, and such are not to be dropped.
    """
    if not task.labels or task.family == "structure" or task.split_makes_decoys:
        return list(items)
    sizes = Counter(item.target for item in items)
    rare = sorted(label for label, size in sizes.items() if size == 1)
    if rare and on_rare_class == "error":
        raise DataError(
            f"task {task.name!r}: class {rare[0]!r} has 1 example. A class needs one to learn from and one to be "
            "asked; add items or set tasks.on_rare_class = 'drop'."
        )
    counts["class with one example"] += len(rare)
    return [item for item in items if item.target not in rare]


def check_training(
    task: Task,
    labels: Sequence[str],
    kept: dict[Split, list[Item]],
    on_rare_class: OnRareClass,
    counts: Counter[str],
) -> dict[Split, list[Item]]:
    """The items of each split that training can teach: at least two classes, and none that only others have.

    Args:
        task: The definition.
        labels: Closed answers; with none there is nothing to check.
        kept: Items of each split.
        on_rare_class: drop: held-out items of a class without training item go, counted.
        counts: Receives their number.

    Raises:
        DataError: training has one class only, or lacks one that is asked.
    """
    if not labels:
        return kept
    if task.family == "structure":
        shown = set("".join(item.target for item in kept["train"])) - {UNKNOWN_STATE}
    else:
        shown = {item.target for item in kept["train"]}
    if len(shown) < 2:
        raise DataError(
            f"task {task.name!r}: its {len(kept['train'])} training items have one class only "
            f"({', '.join(sorted(shown))}). A task needs at least two; check the label column and the limits."
        )
    if task.family == "structure":
        return kept
    strange = [item for split in SPLITS for item in kept[split] if item.target not in shown]
    if strange and on_rare_class == "error":
        label = strange[0].target
        size = sum(item.target == label for item in strange)
        raise DataError(
            f"task {task.name!r}: class {label!r} has {size} held-out examples and none in training. Add items, raise "
            "`train`, or set tasks.on_rare_class = 'drop'."
        )
    counts["held out, of a class that training lacks"] += len(strange)
    return {split: [item for item in kept[split] if item.target in shown] for split in SPLITS}
