"""What a task is: a TOML file, not code.

A definition says how a task is asked, what its inputs and answers are, which file holds the data and how a reader finds
its way in it, and how items are kept apart when they are split. The registered ones lie in `definitions/`; a recipe
adds folders of its own.
"""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError, model_validator

from llama_gene.config import AskedUnit, GeneKind, Section, SplitRule, TaskSpelling
from llama_gene.errors import ConfigError
from llama_gene.tasks.bins import NumberRule
from llama_gene.tasks.score_names import Metric, deciding_metrics
from llama_gene.tasks.sources import (
    UNKNOWN_STATE,
    CodingReader,
    FastaReader,
    InstructionsReader,
    PairsReader,
    Reader,
    RowFilter,
    SplitMark,
    TableReader,
    TaskFile,
)
from llama_gene.tasks.table9 import Row, row_name
from llama_gene.tasks.wordings import WORDINGS, Family, check_wording, paper_wording

Keep = Literal["start", "end", "centre", "ends", "whole"]
REGISTERED = Path(__file__).parent / "definitions"


class TaskInput(Section):
    """One sequence of the question."""

    kind: GeneKind = Field(description="What the letters are; U is read as T in dna.")
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
    terms: int | None = Field(
        None,
        ge=1,
        description="The answer is a list of terms or names parted by '; ': at most so many are written, all are true.",
    )


class ExampleRule(Section):
    """Solved training items that a question may show with the definition, as Natural Instructions (Mishra et al. 2022).

    They are drawn when instructions are built, from training items of other leakage groups, and never stored here.
    """

    positive: int = Field(2, ge=0, le=8, description="Items shown with their answer.")
    negative: int = Field(1, ge=0, le=8, description="Items shown with a wrong answer and, said so, the right one.")
    letters: int = Field(60, ge=4, description="Most letters of each sequence shown, cut as `keep` says.")


class Published(Section):
    """A score others reached, printed beside ours."""

    system: str = Field(min_length=1, description="Model or method.")
    metric: Metric
    value: float
    note: str = Field("", description="How its items differ from ours.")
    source: str = Field("", description="The paper or page it is read from; none: that of the system itself.")


class Task(Section):
    """A gene task asked in words."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = Field(min_length=1, description="The paper's {task_name}.")
    family: Family
    definition: str = Field(min_length=1, description="One sentence.")
    table9: Row | None = Field(None, description="Row of the paper's Table 9 that the task counts in; none: no row.")
    inputs: tuple[TaskInput, ...] = Field(
        (), description="One; multi-sequence: two or more; instruction sets: as many as were found."
    )
    labels: tuple[Label, ...] = Field((), description="Ordered; ties of states go to the earlier one.")
    ignore_labels: tuple[str, ...] = Field((), description="Values of the file left out on purpose, counted.")
    wordings: tuple[str, ...] = Field((), description="Questions, the one that scores use first; none: the family's.")
    examples: ExampleRule = ExampleRule()
    answer: AnswerRule = AnswerRule()
    numbers: NumberRule = NumberRule()
    spelling: TaskSpelling = Field("joined", description="How sequences are written; both: each item twice.")
    keep: Keep = Field("centre", description="What stays of a sequence too long; whole: refuse the item instead.")
    in_register: bool = Field(False, description="DNA and protein are cut together, three bases to a residue.")
    swappable: bool = Field(False, description="The order of the inputs means nothing.")
    min_letters: int = Field(10, ge=1, description="Fewer letters left after shortening: refused.")
    unit: AskedUnit = Field("token", description="Structure: what is asked about, a token (paper) or a letter.")
    positions: int = Field(8, ge=0, description="Structure: letters of one chain that are asked about; 0: all.")
    left_letters: int = Field(30, ge=0, description="Structure: letters shown before the asked part (paper: 30).")
    right_letters: int | None = Field(
        None, ge=0, description="Structure: letters shown behind it; none: 0 for tokens (paper), as left for letters."
    )
    steps: bool = Field(False, description="Central dogma: the answer spells frame, codons and translation first.")
    metric: Metric | None = Field(None, description="Score that decides; none: the usual one of such tasks.")
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
    def brings_questions(self) -> bool:
        """True where every item brings its own question: an instruction set."""
        return isinstance(self.reader, InstructionsReader)

    @property
    def may_decide(self) -> tuple[Metric, ...]:
        """The scores that `metric` may name, the usual one first."""
        # The items of an instruction set are texts or labels, whatever they are about.
        family = "function" if self.brings_questions else self.family
        return deciding_metrics(family, closed=bool(self.labels), terms=self.answer.terms is not None)

    @property
    def decided_by(self) -> Metric:
        """The score that decides."""
        return self.metric or self.may_decide[0]

    @property
    def questions(self) -> tuple[str, ...]:
        """Every wording: the task's own, or else those of its family; models are judged with the first."""
        return self.wordings or (paper_wording(self.family, len(self.inputs)), *WORDINGS[self.family][1:])

    @property
    def letters_after(self) -> int:
        """Structure: letters shown behind the asked part."""
        if self.right_letters is not None:
            return self.right_letters
        return self.left_letters if self.unit == "letter" else 0

    @property
    def is_marked(self) -> bool:
        """Structure: True where the asked part is marked, since it is not the last token that is read."""
        return self.family == "structure" and (self.unit == "letter" or self.letters_after > 0)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The closed answers in order; empty where the answer is free text or a number."""
        return tuple(label.name for label in self.labels)

    @model_validator(mode="after")
    def _check(self) -> "Task":
        _check_inputs(self)
        _check_labels(self)
        for wording in self.wordings:
            check_wording(wording, self.family, len(self.inputs))
        if self.table9 is not None and self.table9 != row_name(self.family, [item.kind for item in self.inputs]):
            raise ValueError(f"table9 names {self.table9!r}, a row for tasks of another family or other inputs")
        return self


def _check_inputs(task: Task) -> None:
    if task.brings_questions:
        return
    if task.family == "multi-sequence" and len(task.inputs) < 2:
        raise ValueError(f"multi-sequence takes two inputs or more, not {len(task.inputs)}")
    if task.family != "multi-sequence" and len(task.inputs) != 1:
        raise ValueError(f"{task.family} takes 1 input, not {len(task.inputs)}")
    if task.in_register and sorted(item.kind for item in task.inputs) != ["dna", "protein"]:
        raise ValueError("in_register needs one dna and one protein input")
    if task.swappable and len({item.kind for item in task.inputs}) > 1:
        raise ValueError("swappable needs inputs of one kind")
    if task.unit == "letter" and task.family != "structure":
        raise ValueError(f"unit is for structure tasks, not for {task.family}")
    if task.steps and not (task.split_makes_decoys and task.in_register):
        raise ValueError("steps needs coding DNA in register with its protein: reader coding, answer protein")
    if (given := _sequences_read(task.reader)) != len(task.inputs):
        raise ValueError(f"the reader gives {given} sequence(s) of an item, inputs name {len(task.inputs)}")


def _sequences_read(reader: Reader) -> int:
    """Sequences of one item."""
    if isinstance(reader, TableReader):
        return len(reader.sequences)
    if isinstance(reader, PairsReader):
        return len(reader.ids) if len(reader.ids) == len(reader.lookups) else 0
    if isinstance(reader, FastaReader):
        return 2 if any(file.mate for file in reader.files) else 1
    return 2 if isinstance(reader, CodingReader) and reader.answer == "protein" else 1


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
        raise ValueError("a regression task has no labels: name its bins with numbers.names")
    if task.family != "regression" and task.numbers != NumberRule():
        raise ValueError(f"numbers is for regression tasks, not for {task.family}")
    if task.family in ("classification", "structure", "multi-sequence") and len(names) < 2:
        raise ValueError(f"a {task.family} task needs at least two labels; with one class there is nothing to answer")
    if any(len(value) != 1 for value in written) and task.family == "structure":
        raise ValueError("the states of a structure task are single letters")
    if task.family == "structure" and UNKNOWN_STATE in written:
        raise ValueError(f"{UNKNOWN_STATE!r} stands for an unknown state: write another letter for it in the file")


def read_task(path: Path) -> Task:
    """The definition in one TOML file.

    Raises:
        ConfigError: no such file, bad TOML, unknown key or bad value.
    """
    try:
        task = Task.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such task definition. Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error}). Mend the line it names.") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from None
    if task.decided_by not in task.may_decide:
        raise ConfigError(
            f"{path}: metric: {task.metric} cannot decide for this {task.family} task. Expected "
            f"{' or '.join(task.may_decide)}; the others stand beside it. Change this value."
        )
    return task


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
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}. Change this value."


def _known_keys() -> set[str]:
    readers: tuple[type[Section], ...] = get_args(get_args(Reader)[0])
    sections: tuple[type[Section], ...] = (
        Task, TaskInput, Label, AnswerRule, NumberRule, ExampleRule, SplitRule, Published, TaskFile, SplitMark,
        RowFilter, *readers
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
