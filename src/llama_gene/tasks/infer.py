"""Guess a definition from a table: which columns are read, what is answered, and why it looks so.

What is said outright is taken; what cannot be guessed is asked for by name (`UndecidedError`), never assumed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from llama_gene.config import GENE_KINDS, GeneKind, Split
from llama_gene.errors import ConfigError
from llama_gene.tasks.profile import ColumnProfile, TableProfile
from llama_gene.tasks.sources import Column, SplitMark
from llama_gene.tasks.wordings import Family

_SEQUENCE_NAME = re.compile(r"seq|dna|rna|protein|peptide|chain|cds|orf|promoter|enhancer", re.IGNORECASE)
_ID_NAME = re.compile(
    r"^(.*_)?(id|ids|name|identifier|accession|entry|uniprot|locus|locus_tag|gene|key|index)$", re.IGNORECASE
)
_SPLIT_NAME = re.compile(r"^(split|set|partition|subset|stage|fold|dataset|is_?(train|valid|val|test)|train|valid|"
                         r"validation|val|test)$", re.IGNORECASE)  # fmt: skip
_ANSWER_WORDS = (
    "label labels class classes target targets y category type localisation localization location family phenotype "
    "structure state states ss3 ss8 q3 q8 dssp value score fitness expression activity affinity stability solubility "
    "intensity strength enrichment function product answer output description annotation bound binding interaction "
    "interacts log log2 log10 mean level of the name"
)
_WORD = re.compile(r"[a-z0-9]+")
_PREDICTED = re.compile(r"predict|residual|baseline", re.IGNORECASE)
_SPLIT_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development", "eval"), "valid"),
    **dict.fromkeys(("test", "testing", "holdout", "held-out", "heldout"), "test"),
}  # fmt: skip
_TRUE = ("true", "1", "yes", "1.0")
_FALSE = ("false", "0", "no", "0.0")
_MOST_CLASSES = 60
_FEW_WHOLE_NUMBERS = 20
_ROWS_PER_CLASS = 3
_MOST_STATES = 20
_FEWEST_RESIDUES = 10
# Numbers and a state for each letter are no accident: where most cells are so, the trial counts the others.
_MOST = 0.8
# 35%, 12,5, >100 or 5.2 nM; no EC number.
_DRESSED_NUMBER = re.compile(r"[<>~≤≥=]*\s*[-+]?\d+([.,]\d+)?\s*(%|[A-Za-zµμ°/]*)")


class UndecidedError(ConfigError):
    """Something that the file does not say: which option answers it, and between what."""

    def __init__(self, problem: str, *, option: str, choices: Sequence[str] = ()) -> None:
        given = f": one of {', '.join(choices)}" if choices else ""
        super().__init__(f"{problem} Give --{option.replace('_', '-')}{given}.")
        self.problem, self.option, self.choices = problem, option, tuple(choices)


class Inferred(NamedTuple):
    """One thing that was decided, and what it was read from."""

    what: str
    value: str
    why: str


@dataclass(frozen=True)
class Wishes:
    """What the user says of the task; empty: to be inferred."""

    name: str = ""
    title: str = ""
    definition: str = ""
    family: Family | None = None
    sequence: tuple[str, ...] = ()
    kind: tuple[GeneKind, ...] = ()
    label: str = ""
    value: str = ""
    label_pattern: str = ""
    label_names: tuple[str, ...] = ()
    split: str = ""
    id: str = ""
    source: str = ""
    licence: str = ""


def find_column(table: TableProfile, name: str, option: str) -> Column:
    """The column a user names; a table without a header numbers them from 0.

    Raises:
        ConfigError: there is none.
    """
    for column in table.columns:
        if str(column) == name:
            return column
    known = ", ".join(str(column) for column in table.columns)
    raise ConfigError(f"--{option} {name}: no such column. The table has {known}.")


def choose_sequences(table: TableProfile, wishes: Wishes) -> tuple[list[tuple[Column, GeneKind]], list[Inferred]]:
    """The columns of the sequences with their kinds, in order.

    Raises:
        UndecidedError: no column reads as sequences, or too many do.
        ConfigError: a column that is not there, or kinds that do not fit their number.
    """
    why = "named by --sequence"
    columns = [find_column(table, name, "sequence") for name in wishes.sequence]
    if not columns:
        columns = [name for name, column in table.columns.items() if _is_sequence(column)]
        why = "its cells are letters of a sequence"
        if not columns:
            raise UndecidedError(
                "No column reads as DNA or protein.", option="sequence", choices=[str(name) for name in table.columns]
            )
        if len(columns) > 1 and wishes.family not in (None, "multi-sequence"):
            raise UndecidedError(
                f"A {wishes.family} task reads one sequence, and several columns hold one.",
                option="sequence",
                choices=[str(name) for name in columns],
            )
    if len(wishes.kind) not in (0, 1, len(columns)):
        raise ConfigError(f"--kind is given {len(wishes.kind)} times for {len(columns)} sequences. Give one for each.")
    kinds = wishes.kind * len(columns) if len(wishes.kind) == 1 else wishes.kind
    chosen: list[tuple[Column, GeneKind]] = []
    for place, name in enumerate(columns):
        kind = kinds[place] if kinds else table.columns[name].kind
        if kind is None:
            raise UndecidedError(f"Column {name!r}: it is not clear what its letters are.", option="kind",
                                 choices=GENE_KINDS)  # fmt: skip
        chosen.append((name, kind))
    notes = []
    for name, kind in chosen:
        shortest, middle, longest = table.columns[name].lengths
        how = f"{why}; {shortest}-{longest} letters, half of them up to {middle}"
        notes.append(Inferred("sequence", f"{name} ({kind})", how))
    return chosen, notes


def _is_sequence(column: ColumnProfile) -> bool:
    if column.kind == "protein" and len(set("".join(column.cells).upper())) < _FEWEST_RESIDUES:
        return False  # states, such as H, E and C
    return column.kind is not None or _is_short_sequence(column)


def _is_short_sequence(column: ColumnProfile) -> bool:
    """A column named as a sequence whose cells are upper-case words of one length: too short to tell the kind by."""
    cells = [cell for cell in column.cells if cell]
    return bool(
        cells
        and _SEQUENCE_NAME.search(str(column.name))
        and all(cell.isalpha() and cell.isupper() and len(cell) >= 3 for cell in cells)
    )


def choose_split(table: TableProfile, wishes: Wishes) -> tuple[list[SplitMark], list[Column], list[Inferred]]:
    """Marks of the columns that say where an item belongs, those columns, and why."""
    if wishes.split == "none":
        return [], [], [Inferred("split", "drawn", "said by --split none")]
    named = [find_column(table, wishes.split, "split")] if wishes.split else []
    columns = named or [name for name in table.columns if isinstance(name, str) and _SPLIT_NAME.match(name)]
    # A column of true and false says less than one of names, and so is looked into first (as FLIP's `validation`).
    found = sorted((_marks_of(table.columns[name]) for name in columns), key=lambda marks: len(marks) != 1)
    marks = [mark for group in found for mark in group]
    if named and not marks:
        raise ConfigError(
            f"--split {wishes.split}: its values are not train, valid and test. It holds "
            f"{', '.join(list(table.columns[named[0]].values)[:6])}; rename them, or give --split none."
        )
    used = [name for name in columns if _marks_of(table.columns[name])]
    if not used:
        return [], [], [Inferred("split", "drawn by similarity groups", "no column says train, valid or test")]
    notes = [Inferred("split", str(name), _shares(table.columns[name])) for name in used]
    return marks, used, notes


def _marks_of(column: ColumnProfile) -> list[SplitMark]:
    values = list(column.values)
    words = {value: _SPLIT_WORDS.get(value.casefold()) for value in values}
    if values and all(words.values()) and not column.is_open:
        by_split: dict[Split, list[str]] = {}
        for value, split in words.items():
            if split:
                by_split.setdefault(split, []).append(re.escape(value))
        return [SplitMark(column=column.name, pattern=f"^({'|'.join(sorted(found))})$", split=split)
                for split, found in sorted(by_split.items())]  # fmt: skip
    name = re.sub(r"^is_?", "", str(column.name).casefold())
    true = [value for value in values if value.casefold() in _TRUE]
    if name in _SPLIT_WORDS and true and all(value.casefold() in (*_TRUE, *_FALSE) for value in values):
        pattern = f"^({'|'.join(map(re.escape, true))})$"
        return [SplitMark(column=column.name, pattern=pattern, split=_SPLIT_WORDS[name])]
    return []


def _shares(column: ColumnProfile) -> str:
    return "its values: " + ", ".join(f"{value} {count:,}" for value, count in column.values.most_common(6))


def choose_id(table: TableProfile, wishes: Wishes, taken: Sequence[Column]) -> tuple[Column | None, list[Inferred]]:
    """The column that names items: named so, filled and different in every row."""
    if wishes.id:
        return find_column(table, wishes.id, "id"), []
    for name, column in table.columns.items():
        all_differ = column.is_open or len(column.values) == column.filled
        if name not in taken and _ID_NAME.match(str(name)) and not column.missing and all_differ:
            return name, [Inferred("id", str(name), "named so, and different in every row")]
    return None, [Inferred("id", "line number", "no column names the items")]


class Answer(NamedTuple):
    """The column of the answer and how it reads: label, value, states or text."""

    column: Column
    reads_as: str
    why: str


def choose_answer(
    table: TableProfile, wishes: Wishes, sequences: Sequence[Column], taken: Sequence[Column]
) -> tuple[Answer, Family]:
    """The column of the answer and the family it makes.

    Args:
        table: The profile.
        wishes: What is said outright.
        sequences: Columns of the sequences.
        taken: Columns that are something else already.

    Raises:
        UndecidedError: no column looks like an answer, several do, or it is not clear how to read it.
    """
    if wishes.label or wishes.value:
        option = "value" if wishes.value else "label"
        name = find_column(table, wishes.value or wishes.label, option)
        reads_as = "value" if wishes.value else _reading(table, name, sequences)
        answer = Answer(name, reads_as, f"named by --{option}")
    else:
        answer = _guess_answer(table, wishes, sequences, [*sequences, *taken])
    return _with_family(answer, wishes, table.columns[answer.column], len(sequences))


def _guess_answer(table: TableProfile, wishes: Wishes, sequences: Sequence[Column], taken: Sequence[Column]) -> Answer:
    readings = {
        name: reading
        for name in table.columns
        if name not in taken
        and not _PREDICTED.search(str(name))
        and (reading := _reading(table, name, sequences))
        and _suits(reading, wishes.family)
    }
    named = [name for name in readings if _is_answer_name(str(name))]
    for candidates, why in ((list(readings), "the only column left"), (named, "named as an answer")):
        if len(candidates) == 1:
            column = table.columns[candidates[0]]
            return Answer(candidates[0], readings[candidates[0]], f"{why}; {_values_in_words(column)}")
    if not readings:
        raise UndecidedError(
            "No column looks like an answer.", option="label", choices=[str(n) for n in table.columns if n not in taken]
        )
    raise UndecidedError(
        "Several columns could be the answer: "
        + "; ".join(f"{name} ({readings[name].replace('|', ' or ')})" for name in named or readings)
        + ".",
        option="label" if any(readings[name] != "value" for name in named or readings) else "value",
        choices=[str(name) for name in named or readings],
    )


def _is_answer_name(name: str) -> bool:
    words = set(_WORD.findall(name.casefold()))
    return bool(words) and words <= set(_ANSWER_WORDS.split())


def _reading(table: TableProfile, name: Column, sequences: Sequence[Column]) -> str:
    """label, value, text, states, `label|value` where both make sense, or "" where there is nothing to answer."""
    column = table.columns[name]
    different = len(column.values)
    if different < 2:
        return ""
    if len(sequences) == 1 and _are_states(column, table.columns[sequences[0]]):
        return "states"
    if column.is_numeric:
        if different == 2:
            return "label"
        is_short_scale = column.whole_numbers == column.numbers and different <= _FEW_WHOLE_NUMBERS
        return "label|value" if is_short_scale else "value"
    is_closed = not column.is_open and different <= _MOST_CLASSES and different * _ROWS_PER_CLASS <= column.filled
    return "label" if is_closed else "value" if column.numbers >= _MOST * column.filled else "text"


def _are_states(column: ColumnProfile, chains: ColumnProfile) -> bool:
    pairs = [(states, chain) for states, chain in zip(column.cells, chains.cells, strict=True) if chain]
    equal = sum(len(states) == len(chain) for states, chain in pairs)
    letters = {letter for states, _ in pairs for letter in states}
    return bool(pairs) and not _is_sequence(column) and len(letters) <= _MOST_STATES and equal >= _MOST * len(pairs)


_READ_BY_FAMILY: dict[Family, tuple[str, ...]] = {
    "classification": ("label",), "multi-sequence": ("label",), "regression": ("value",), "structure": ("states",),
    "function": ("text", "label"),
}  # fmt: skip


def _dressed_numbers(column: ColumnProfile) -> str:
    """A number with a unit, a sign or a comma, where most values are numbers of some form; else ""."""
    dressed = [value for value in column.values if _DRESSED_NUMBER.fullmatch(value)]
    return dressed[0] if len(dressed) >= _MOST * len(column.values) else ""


def _suits(reading: str, family: Family | None) -> bool:
    return family is None or any(part in _READ_BY_FAMILY[family] for part in reading.split("|"))


def _with_family(answer: Answer, wishes: Wishes, column: ColumnProfile, inputs: int) -> tuple[Answer, Family]:
    if wishes.family is not None:
        suiting = [part for part in answer.reads_as.split("|") if part in _READ_BY_FAMILY[wishes.family]]
        if suiting:
            return answer._replace(reads_as=suiting[0]), wishes.family
        wanted = " or ".join(_READ_BY_FAMILY[wishes.family])
        raise ConfigError(
            f"--family {wishes.family}: column {answer.column!r} reads as {answer.reads_as or 'one value only'}, "
            f"expected {wanted}. Name another column or family."
        )
    if not answer.reads_as:
        raise ConfigError(
            f"column {answer.column!r} holds {len(column.values)} different value(s): with one class there is nothing "
            "to answer. Name another column with --label or --value."
        )
    if "|" in answer.reads_as:
        raise UndecidedError(
            f"Column {answer.column!r} holds {len(column.values)} whole numbers: classes or a scale?",
            option="family",
            choices=("multi-sequence" if inputs > 1 else "classification", "regression"),
        )
    if answer.reads_as == "text" and (shown := _dressed_numbers(column)):
        raise ConfigError(
            f"column {answer.column!r} holds numbers in another form, such as {shown!r}. Write plain numbers with a "
            "point, or give --family function if they are text."
        )
    by_reading: dict[str, Family] = {"value": "regression", "states": "structure", "text": "function"}
    family = by_reading.get(answer.reads_as, "multi-sequence" if inputs > 1 else "classification")
    if inputs > 1 and family != "multi-sequence":
        raise UndecidedError(
            f"Column {answer.column!r} makes a {family} task, which reads one sequence.", option="sequence"
        )
    return answer, family


def _values_in_words(column: ColumnProfile) -> str:
    if column.is_open or len(column.values) > 12:
        more = "more than " if column.is_open else ""
        return f"{more}{len(column.values):,} different values in {column.filled:,} rows"
    return ", ".join(f"{value} {count:,}" for value, count in column.values.most_common())


FAMILIES: tuple[Family, ...] = get_args(Family)
