"""What a task is: a TOML file, not code.

A definition says how a task is asked, what its inputs and answers are, which file holds the data and how a reader finds
its way in it, and how items are kept apart when they are split. The registered ones lie in `definitions/`; a recipe
adds folders of its own.
"""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from llama_gene.config import Section, SourceFormat, Spelling, Split, SplitRule
from llama_gene.errors import ConfigError
from llama_gene.tasks.wordings import Family, check_wording

Keep = Literal["start", "end", "centre", "ends", "whole"]
Metric = Literal["mcc", "accuracy", "macro_f1", "spearman", "token_f1"]
Column = str | int
REGISTERED = Path(__file__).parent / "definitions"


class TaskFile(Section):
    """One file of a task."""

    path: str = Field(description="Relative to `data`; `archive.zip!member` reads one member.")
    split: Split | None = Field(None, description="Every item of the file belongs here; none: by the split rule.")
    label: str | None = Field(None, description="Label of every item of the file.")
    mate: str | None = Field(None, description="FASTA whose record i pairs with record i of `path`.")


class SplitMark(Section):
    """How the data itself says where an item belongs; the first mark that is found decides."""

    column: Column | None = Field(None, description="Column to look into; none: the FASTA title.")
    pattern: str = Field(description="Regular expression to find there.")
    split: Split


class TableReader(Section):
    """Rows of CSV, TSV or space-separated text, or JSON objects one a line."""

    type: Literal["table"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    format: Literal["csv", "tsv", "spaces", "jsonl"] = Field("csv", description="How columns are parted.")
    header: bool = Field(True, description="The first line names the columns; else columns are 0-based numbers.")
    sequences: tuple[Column, ...] = Field(min_length=1, description="Columns of the sequences, in order of inputs.")
    label: Column | None = Field(None, description="Column of the label, of the answer's text or of the states.")
    value: Column | None = Field(None, description="Column of the number (regression).")
    id: Column | None = Field(None, description="Column of the identifier; none: the line number.")
    marks: tuple[SplitMark, ...] = ()


class FastaReader(Section):
    """FASTA records; the label is the file's own or part of the title."""

    type: Literal["fasta"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    label_pattern: str | None = Field(None, description="Regular expression; its first group is the label or text.")
    marks: tuple[SplitMark, ...] = ()


class StatesReader(Section):
    """Chains in one FASTA file, the state of each of their letters in another, matched by identifier."""

    type: Literal["states"]
    sequences: str = Field(description="FASTA of the chains.")
    states: str = Field(description="FASTA of the states, as long as the chains.")
    mask: str | None = Field(None, description="FASTA of 1 (known) and 0 (unknown: never asked).")
    marks: tuple[SplitMark, ...] = ()


class PairsReader(Section):
    """A list of identifiers with a label, and one file per input where their sequences are."""

    type: Literal["pairs"]
    files: tuple[TaskFile, ...] = Field(min_length=1, description="Space-separated lines.")
    ids: tuple[int, ...] = Field((0, 1), description="0-based columns of the identifiers, in order of inputs.")
    label: int = Field(2, description="0-based column of the label.")
    lookups: tuple[str, ...] = Field(min_length=1, description="Per input: FASTA, or lines of identifier and sequence.")


class CodingReader(Section):
    """Coding sequences of GenBank files: pairs with their own protein, or their product's name."""

    type: Literal["coding"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    answer: Literal["protein", "product"] = Field(
        description="protein: true pairs, decoys are made; product: its name."
    )


class AnnotationReader(Section):
    """Records of UniProt flat files and their annotation."""

    type: Literal["annotation"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    format: SourceFormat = Field("uniprot", description="Format of the files.")
    field: Literal["function", "go", "ec", "product", "organism"] = Field(description="The annotation to answer with.")


Reader = Annotated[
    TableReader | FastaReader | StatesReader | PairsReader | CodingReader | AnnotationReader,
    Field(discriminator="type"),
]


class TaskInput(Section):
    """One sequence of the question."""

    kind: Literal["dna", "protein"] = Field(description="What the letters are; U is read as T in dna.")
    name: str = Field("", description="What the question calls it; default: the kind.")

    @property
    def called(self) -> str:
        """The name in the question."""
        return self.name or self.kind


class Label(Section):
    """One answer of a closed set."""

    name: str = Field(min_length=1, description="The answer in words.")
    values: tuple[str, ...] = Field((), description="What stands in the file; none: the name.")

    @property
    def written(self) -> tuple[str, ...]:
        """The values in the file that mean this label."""
        return self.values or (self.name,)


class AnswerRule(Section):
    """How the text of an answer is taken from an annotation."""

    pattern: str | None = Field(None, description="Regular expression; its first group is the answer.")
    exclude: str | None = Field(None, description="Regular expression; an answer that holds it is left out, counted.")
    sentences: int | None = Field(None, ge=1, description="Only the first sentences.")


class Published(Section):
    """A score others reached."""

    system: str
    metric: Metric
    value: float
    note: str = ""


class Task(Section):
    """A gene task asked in words."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = Field(min_length=1, description="The paper's {task_name}.")
    family: Family
    definition: str = Field(min_length=1, description="One sentence.")
    inputs: tuple[TaskInput, ...] = Field(min_length=1, max_length=2)
    labels: tuple[Label, ...] = Field((), description="Ordered; ties of states go to the earlier one.")
    ignore_labels: tuple[str, ...] = Field((), description="Values of the file left out on purpose, counted.")
    wordings: tuple[str, ...] = Field((), description="Questions; none: the paper's wording of the family.")
    answer: AnswerRule = AnswerRule()
    spelling: Spelling = "joined"
    keep: Keep = Field("centre", description="What stays of a sequence too long; whole: refuse the item instead.")
    in_register: bool = Field(False, description="DNA and protein are cut together, three bases to a residue.")
    swappable: bool = Field(False, description="The order of two inputs means nothing.")
    min_letters: int = Field(10, ge=1, description="Fewer letters left after shortening: refused.")
    positions: int = Field(8, ge=1, description="Structure: questions asked of one chain.")
    context_letters: int = Field(30, ge=0, description="Structure: letters before the token (paper: 30).")
    metric: Metric = "mcc"
    reader: Reader
    split: SplitRule = SplitRule()
    source: str = ""
    licence: str = ""
    citation: str = ""
    published: tuple[Published, ...] = ()

    @property
    def split_makes_decoys(self) -> bool:
        """True where the files hold true pairs only and false ones are made when they are split."""
        return isinstance(self.reader, CodingReader) and self.reader.answer == "protein"

    @property
    def label_names(self) -> tuple[str, ...]:
        """The closed answers in order; empty where the answer is free text or a number."""
        return tuple(label.name for label in self.labels)

    @model_validator(mode="after")
    def _check(self) -> "Task":
        _check_inputs(self)
        _check_labels(self)
        for wording in self.wordings:
            check_wording(wording, self.family)
        return self


def _check_inputs(task: Task) -> None:
    wanted = 2 if task.family == "multi-sequence" else 1
    if len(task.inputs) != wanted:
        raise ValueError(f"{task.family} takes {wanted} input(s), not {len(task.inputs)}")
    if task.in_register and sorted(item.kind for item in task.inputs) != ["dna", "protein"]:
        raise ValueError("in_register needs one dna and one protein input")


def _check_labels(task: Task) -> None:
    names = [label.name.strip().casefold() for label in task.labels]
    written = [value for label in task.labels for value in label.written]
    if (
        len(set(names)) < len(names)
        or len(set(written)) < len(written)
        or any(mark in name for name in names for mark in (", ", "\n"))
    ):
        raise ValueError("label names and values must differ, in more than case, and hold no ', ' and no line feed")
    if task.family == "regression" and names:
        raise ValueError("a regression task has no labels: its bins are named by rank")
    if task.family in ("classification", "structure", "multi-sequence") and len(names) < 2:
        raise ValueError(f"a {task.family} task needs at least two labels; with one class there is nothing to answer")
    if any(len(value) != 1 for value in written) and task.family == "structure":
        raise ValueError("the states of a structure task are single letters")


def read_task(path: Path) -> Task:
    """The definition in one TOML file.

    Raises:
        ConfigError: no such file, bad TOML, unknown key or bad value.
    """
    try:
        return Task.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such task definition. Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error}). Mend the line it names.") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "task"
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_keys())
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else "see the definitions that come with the package."
        return f"{where}: unknown setting; {advice}"
    if problem["type"] == "missing":
        return f"{where}: missing. Every task needs it."
    return f"{where}: {problem['msg']}. Change this value."


def _known_keys() -> set[str]:
    readers: tuple[type[Section], ...] = get_args(get_args(Reader)[0])
    sections: tuple[type[Section], ...] = (
        Task, TaskInput, Label, AnswerRule, SplitRule, Published, TaskFile, SplitMark, *readers
    )  # fmt: skip
    return {key for section in sections for key in section.model_fields}


def task_files(extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Name of every registered task and the file that defines it, by name.

    Args:
        extra: Folders of further definitions, each searched for *.toml.

    Raises:
        ConfigError: no such folder, a bad definition, or a name used twice.

    >>> "promoter-core" in task_files()
    True
    """
    return {name: path for name, (path, _) in _read_all(extra).items()}


def _read_all(extra: Sequence[Path]) -> dict[str, tuple[Path, Task]]:
    found: dict[str, tuple[Path, Task]] = {}
    for folder in (REGISTERED, *extra):
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of task definitions. Check `tasks.definitions`.")
        for path in sorted(folder.glob("*.toml")):
            task = read_task(path)
            if task.name in found:
                raise ConfigError(f"{path}: task {task.name!r} is already defined in {found[task.name][0]}. Rename it.")
            found[task.name] = (path, task)
    return dict(sorted(found.items()))


def list_tasks(extra: Sequence[Path] = ()) -> list[Task]:
    """Every registered task, by name.

    >>> [task.family for task in list_tasks() if task.name == "promoter-core"]
    ['classification']
    """
    return [task for _, task in _read_all(extra).values()]


def load_task(name: str, extra: Sequence[Path] = ()) -> Task:
    """One registered task.

    Raises:
        ConfigError: no task has this name.

    >>> load_task("promoter-core").label_names
    ('Non-promoter', 'promoter')
    """
    tasks = _read_all(extra)
    if name in tasks:
        return tasks[name][1]
    near = difflib.get_close_matches(name, tasks, n=1)
    advice = f"did you mean {near[0]!r}?" if near else "`llama-gene tasks list` shows them all."
    raise ConfigError(f"{name!r}: no such task; {advice}")
