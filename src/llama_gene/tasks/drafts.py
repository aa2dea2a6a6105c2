"""Put a definition together from what was inferred of a table or of FASTA files."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llama_gene.config import GeneKind
from llama_gene.errors import ConfigError, DataError
from llama_gene.tasks.definitions import Label, Task
from llama_gene.tasks.infer import (
    Answer,
    Inferred,
    Wishes,
    choose_answer,
    choose_id,
    choose_sequences,
    choose_split,
)
from llama_gene.tasks.profile import ColumnProfile, is_missing, profile_table
from llama_gene.tasks.score_names import deciding_metrics
from llama_gene.tasks.sources import UNKNOWN_STATE, TableFormat
from llama_gene.tasks.wordings import Family

_FEWEST_ITEMS = 3
_KNOWN_STATES = {
    frozenset("HEC"): {"H": "alpha helix", "E": "beta sheet", "C": "random coil"},
    frozenset("HEL"): {"H": "alpha helix", "E": "beta sheet", "L": "loop"},
    frozenset("()."): {"(": "paired with a later base", ")": "paired with an earlier base", ".": "unpaired"},
}
_YES_NO = {
    frozenset(("0", "1")): ("0", "1"), frozenset(("-1", "1")): ("-1", "1"), frozenset("+-"): ("-", "+"),
    frozenset(("0.0", "1.0")): ("0.0", "1.0"), frozenset(("False", "True")): ("False", "True"),
    frozenset(("FALSE", "TRUE")): ("FALSE", "TRUE"), frozenset(("false", "true")): ("false", "true"),
}  # fmt: skip
_SAYS_NOTHING = re.compile(r"label|class|target|y|output|answer|category|type|value|score|\d+|", re.IGNORECASE)
_KEEP: dict[GeneKind, str] = {"dna": "centre", "protein": "start"}


@dataclass(frozen=True)
class Draft:
    """A definition before it is written, why it is so, and the items of each class in the files."""

    task: Task
    inferred: tuple[Inferred, ...]
    classes: Mapping[str, int]
    rows: int


def draft_table(path: Path, form: TableFormat, wishes: Wishes, data: Path) -> Draft:
    """The definition of a table.

    Args:
        path: The table.
        form: How its columns are parted.
        wishes: What the user says.
        data: Folder that the definition's path starts from.

    Raises:
        UndecidedError: the table does not say something, and the user has not said it.
        ConfigError: the user names what is not there.
        DataError: the table cannot be read, or has fewer than two classes to tell apart.
    """
    place = path_inside(path, data)
    table = profile_table(place, data, form)
    sequences, notes = choose_sequences(table, wishes)
    marks, split_columns, split_notes = choose_split(table, wishes)
    columns = [name for name, _ in sequences]
    identifier, id_notes = choose_id(table, wishes, [*columns, *split_columns])
    taken = [*split_columns, *([identifier] if identifier is not None else [])]
    answer, family = choose_answer(table, wishes, columns, taken)
    column = table.columns[answer.column]
    labels, ignored, classes, label_notes = _labels(column, answer, wishes)
    reader = {
        "type": "table", "format": form, "header": table.has_header, "files": [{"path": place}],
        "sequences": columns, "value" if family == "regression" else "label": answer.column, "id": identifier,
        "marks": [mark.model_dump() for mark in marks],
    }  # fmt: skip
    topic = words_of(answer.column, path)
    kinds = [kind for _, kind in sequences]
    written_as_rna = [_is_rna(table.columns[name]) for name in columns]
    task = compose(wishes, path, topic, family, kinds, written_as_rna, labels, ignored, reader)
    if are_numbered(columns) and len(set(kinds)) == 1:
        task = task.model_copy(update={"swappable": True})
        notes.append(Inferred("order", "means nothing", "two of one kind, whose columns are numbered only"))
    named = "keys of the objects" if form == "jsonl" else "first line names the columns"
    header = Inferred("format", form, named if table.has_header else "no line names the columns")
    found = Inferred("answer", f"{answer.column} ({answer.reads_as})", answer.why)
    family_note = Inferred("family", family, f"{len(columns)} sequence(s), answered by {answer.reads_as}")
    return Draft(task, (header, *notes, found, *label_notes, family_note, *split_notes, *id_notes), classes, table.rows)


def compose(
    wishes: Wishes,
    path: Path,
    topic: str,
    family: Family,
    kinds: Sequence[GeneKind],
    written_as_rna: Sequence[bool],
    labels: Sequence[Label],
    ignored: Sequence[str],
    reader: Mapping[str, Any],
) -> Task:
    """The whole definition; what no file says has a plain default.

    Raises:
        ConfigError: the parts do not make a definition.
    """
    inputs = [
        {"kind": kind, "name": _input_name(place, kinds, is_rna)}
        for place, (kind, is_rna) in enumerate(zip(kinds, written_as_rna, strict=True))
    ]
    values = {
        "name": wishes.name or slug(path), "title": wishes.title or f"{topic} prediction", "family": family,
        "definition": wishes.definition or _definition(family, topic, [i["name"] or i["kind"] for i in inputs], labels),
        "inputs": inputs, "labels": [label.model_dump() for label in labels], "ignore_labels": list(ignored),
        "keep": "end" if family == "structure" else "start" if "protein" in kinds else _KEEP[kinds[0]],
        "metric": deciding_metrics(family, closed=bool(labels), terms=False)[0], "reader": dict(reader),
        "source": wishes.source or path.name, "licence": wishes.licence,
    }  # fmt: skip
    try:
        return Task.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "task"
        said = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"{path}: no definition can be made of it: {where}: {said}. Say it with the options."
        ) from None


def path_inside(path: Path, data: Path) -> str:
    """A path relative to `data` where it lies inside, else whole.

    Raises:
        ConfigError: the path holds `!`, which marks the member of an archive.
    """
    whole, folder = path.resolve(), data.resolve()
    if "!" in str(whole):
        raise ConfigError(f"{path}: a path of a definition cannot hold '!'. Move or rename the file.")
    return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else whole.as_posix()


def slug(path: Path) -> str:
    """A task's name from a file's.

    >>> slug(Path("data/My Binding_v2.csv.gz"))
    'my-binding_v2'
    """
    return re.sub(r"[^a-z0-9._-]+", "-", path.name.split(".")[0].lower()).strip("-._") or "mine"


def words_of(column: str | int, path: Path) -> str:
    """What the answer is called: its column's name, or the file's where that says nothing.

    >>> words_of("sub_cellular.location", Path("a.csv")), words_of("label", Path("heat-stable.csv"))
    ('sub cellular location', 'heat stable')
    """
    name = path.name.split(".")[0] if _SAYS_NOTHING.fullmatch(str(column)) else str(column)
    return _plain_words(name) or "answer"


def _plain_words(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", name).split())


def are_numbered(columns: Sequence[str | int]) -> bool:
    """Two columns whose names differ in a number or letter alone, so that neither sequence is the first by nature.

    >>> are_numbered(["protein_a", "protein_b"]), are_numbered(["seq1", "seq2"]), are_numbered(["forward", "reverse"])
    (True, True, False)
    """
    names = [str(column).casefold() for column in columns if isinstance(column, str)]
    stems = {re.sub(r"[ab12]$", "", name) for name in names}
    return len(names) == len(columns) == 2 and len(stems) == 1 and len(set(names)) == 2


def _is_rna(column: ColumnProfile) -> bool:
    letters = set("".join(column.cells[:100]).upper())
    return column.kind == "dna" and "U" in letters and "T" not in letters


def _input_name(place: int, kinds: Sequence[GeneKind], is_rna: bool) -> str:
    name = "rna" if is_rna else ""
    if len(kinds) == 1 or kinds.count(kinds[place]) == 1:
        return name
    ordinal = ("first", "second", "third", "fourth", "fifth", "sixth")[place] if place < 6 else f"{place + 1}th"
    return f"{ordinal} {name or kinds[place]}"


def _definition(family: Family, topic: str, names: Sequence[str], labels: Sequence[Label]) -> str:
    of = "these sequences" if len(names) > 1 else f"this {names[0]} sequence"
    if family == "regression":
        return f"How high is the {topic} of {of}?"
    if family == "structure":
        return f"What is the {topic} of the last token of {of}?"
    if len(labels) == 2:
        return f"Which holds for {of}: {labels[0].name} or {labels[1].name}?"
    return f"What is the {topic} of {of}?"


def _labels(
    column: ColumnProfile, answer: Answer, wishes: Wishes
) -> tuple[list[Label], list[str], dict[str, int], list[Inferred]]:
    if answer.reads_as == "states":
        return _states(column, wishes)
    if answer.reads_as != "label":
        return [], [], {}, []
    return closed_labels(column.values, [*column.missing_values], _plain_words(str(answer.column)), wishes)


def _states(column: ColumnProfile, wishes: Wishes) -> tuple[list[Label], list[str], dict[str, int], list[Inferred]]:
    """One label for each letter of the states but that of unknown ones."""
    counts = Counter(letter for states in column.cells for letter in states)
    unknown = counts.pop(UNKNOWN_STATE, 0)
    known = next((names for signs, names in _KNOWN_STATES.items() if set(counts) <= signs), {})
    names = {sign: known.get(sign, sign) for sign in sorted(counts, key=lambda sign: (list(known).index(sign) if sign in
             known else len(known), sign))} | _said_names(wishes, counts)  # fmt: skip
    labels = [Label(name=name, values=(sign,)) for sign, name in names.items()]
    notes = [Inferred("labels", " | ".join(names.values()), "the letters of the states; ties go to the earlier one")]
    if unknown:
        share = unknown / (unknown + counts.total())
        why = (
            f"stands for an unknown state: {share:.1%} of them are never asked. A state of its own needs another letter"
        )
        notes.append(Inferred("left out", repr(UNKNOWN_STATE), why))
    return labels, [], {names[sign]: counts[sign] for sign in names}, notes


def closed_labels(
    values: Mapping[str, int], missing: Sequence[str], topic: str, wishes: Wishes
) -> tuple[list[Label], list[str], dict[str, int], list[Inferred]]:
    """Labels with their names, values left out, items of each class, and why.

    Args:
        values: What stands in the files, with counts.
        missing: Values that mean "not known".
        topic: What the answer is called.
        wishes: Names the user gives to values.

    Raises:
        DataError: fewer than two classes have enough items.

    >>> wishes = Wishes(label_names=("1=bound",))
    >>> labels, left_out, classes, _ = closed_labels({"1": 30, "0": 20, "2": 1}, ["NA"], "binding", wishes)
    >>> [label.name for label in labels], left_out, classes
    (['not binding', 'bound'], ['2', 'NA'], {'not binding': 20, 'bound': 30})
    """
    rare = sorted(value for value, count in values.items() if count < _FEWEST_ITEMS)
    kept = {value: count for value, count in values.items() if count >= _FEWEST_ITEMS}
    if len(kept) < 2:
        listed = ", ".join(f"{value!r} {count:,}" for value, count in sorted(values.items())[:8])
        raise DataError(
            f"{len(kept)} class(es) with at least {_FEWEST_ITEMS} examples ({listed}). With fewer than two there is "
            "nothing to tell apart; add examples, or name another column with --label."
        )
    names, why = _names_of(kept, topic)
    names |= _said_names(wishes, kept)
    merged: dict[str, list[str]] = {}
    for value in sorted(kept, key=_order(kept)):
        known = next((name for name in merged if name.casefold() == names[value].casefold()), names[value])
        merged.setdefault(known, []).append(value)
    labels = [Label(name=name, values=() if written == [name] else tuple(written)) for name, written in merged.items()]
    notes = [Inferred("labels", " | ".join(merged), why)]
    if rare:
        notes.append(
            Inferred("left out", " | ".join(rare), f"fewer than {_FEWEST_ITEMS} examples: too few to be split")
        )
    if missing:
        notes.append(Inferred("left out", ", ".join(map(repr, missing)), "means that the label is not known"))
    classes = {name: sum(kept[value] for value in written) for name, written in merged.items()}
    return labels, [*rare, *missing], classes, notes


def _order(kept: Mapping[str, int]) -> Any:
    """Yes and no with no first; other classes from the most frequent."""
    pair = _YES_NO.get(frozenset(kept))
    return pair.index if pair else lambda value: (-kept[value], value)


def _names_of(kept: Mapping[str, int], topic: str) -> tuple[dict[str, str], str]:
    pair = _YES_NO.get(frozenset(kept))
    if pair is None:
        return {value: " ".join(value.replace(", ", "; ").split()) for value in kept}, "as they stand in the file"
    if _SAYS_NOTHING.fullmatch(topic):
        return dict(zip(pair, ("negative", "positive"), strict=True)), "yes and no of a column that names nothing"
    return dict(zip(pair, (f"not {topic}", topic), strict=True)), "yes and no of the column"


def _said_names(wishes: Wishes, values: Mapping[str, int]) -> dict[str, str]:
    said: dict[str, str] = {}
    for entry in wishes.label_names:
        value, equals, name = entry.partition("=")
        if not equals or not name.strip() or value not in values:
            known = ", ".join(value for value in values if not is_missing(value))
            raise ConfigError(f"--label-name {entry!r}: expected VALUE=NAME with a value of the file: {known}.")
        said[value] = name.strip()
    return said
