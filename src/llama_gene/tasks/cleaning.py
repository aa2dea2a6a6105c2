"""Check items: letters of the alphabet, labels the task knows, one item for equal sequences.

What cannot be used is refused through one door (`Inspector`): an error that names the place, or a count by reason.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from llama_gene.sequences.alphabets import DNA, PROTEIN, clean_letters
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.definitions import AnswerRule, Task
from llama_gene.tasks.items import Item, RawItem
from llama_gene.tasks.readers import UNKNOWN_STATE

_ALPHABETS = {"dna": DNA, "protein": PROTEIN}
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
        if sequences is not None and target is not None:
            yield Item(item.id, sequences, target, item.value, item.split, words=item.words, reading=item.reading)


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
    if item.answer not in names:
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


def drop_duplicates(task: Task, items: Iterable[Item], counts: Counter[str]) -> list[Item]:
    """One item for equal sequences; none where equal sequences have different closed labels, states or numbers.

    A held-out copy (one that a file gives to test, else to valid) is the one that stays.

    >>> from llama_gene.tasks.definitions import load_task
    >>> items = [Item("a", ("AC",), "promoter"), Item("b", ("AC",), "Non-promoter"), Item("c", ("GG",), "promoter")]
    >>> [item.id for item in drop_duplicates(load_task("promoter-core"), items, Counter())]
    ['c']
    """
    alike: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        own = () if item.words is None else (item.words.instruction, item.words.input, item.target)
        alike[(*(sorted(item.sequences) if task.swappable else item.sequences), *own)].append(item)
    free_text = task.family == "function" and not task.labels
    kept = []
    for copies in alike.values():
        if len({(item.target, item.value) for item in copies}) > 1 and not free_text:
            counts["equal sequences with different answers"] += len(copies)
            continue
        counts["duplicate"] += len(copies) - 1
        kept.append(min(copies, key=lambda item: ("test", "valid", "train", None).index(item.split)))
    return kept
