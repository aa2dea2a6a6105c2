"""Tools that a model answers: its tasks, the specialists of its numbers, variant effects and mutation maps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from llama_gene.assistant.asking import answer, ask_task
from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import Assistant, find_task, labels_of
from llama_gene.assistant.inputs import checked_record
from llama_gene.assistant.mutation_map import draw_mutations, list_changes
from llama_gene.assistant.variants import VariantEffect, mutate_window, variant_effect
from llama_gene.errors import DataError
from llama_gene.evaluation.specialist import Specialist, load_specialist, task_folders
from llama_gene.sequences.alphabets import DNA, PROTEIN, clean_letters
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import can_be_asked, tool_name
from llama_gene.tools import Tool, make_asking_tool, make_tool
from llama_gene.tools.letters import Letters, SequenceKind, checked_sequence

_STRONGEST = 10
_MOST_VARIANT = 1_000

Sequences = Annotated[
    tuple[Letters, ...], Field(min_length=1, max_length=16, description="One sequence for each input of the task.")
]
Place = Annotated[int, Field(ge=0, le=1_000_000_000, description="Place of a letter, 0-based.")]
End = Annotated[int, Field(ge=1, le=1_000_000_000, description="One behind the last letter, 0-based.")]
Piece = Annotated[str, Field(max_length=_MOST_VARIANT, description="Letters; empty for an insertion or a deletion.")]
StrandCount = Annotated[
    Literal[1, 2], Field(description="1: the strand given; 2: the mean with the reverse complement (DNA).")
]


@dataclass(frozen=True)
class TaskAnswer:
    """What the model says to a task.

    `probabilities` of the labels sum to 1 and are the model's own view; None where the answer is free text. `states`
    has a sign for each letter of a chain, "" elsewhere.
    """

    task: str
    answer: str
    probabilities: dict[str, float] | None
    states: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Predicted:
    """A specialist's number, in the task's unit, or the likeliest label and the probability of each."""

    task: str
    value: float | None
    unit: str
    label: str
    probabilities: dict[str, float] | None


@dataclass(frozen=True)
class Change:
    """A single change (`G7A` writes A for G at 7, 0-based) and its effect."""

    change: str
    effect_nats: float


@dataclass(frozen=True)
class Mutations:
    """Every single change of a window: the strongest each way, all of them by place and letter, and a picture."""

    start: int
    letters: str
    strands: int
    least_likely: tuple[Change, ...]
    likeliest: tuple[Change, ...]
    alternatives: str
    effects_nats: tuple[tuple[float, ...], ...]
    picture_svg: str


def model_tools(assistant: Assistant, specialists: Sequence[Path] = ()) -> tuple[Tool, ...]:
    """The tools of a model, for `all_tools(more=…)`; those that ask it can be led elsewhere (`Tool.asking`).

    Args:
        assistant: The model; the tasks it learnt become what `ask_task` can ask.
        specialists: Folders of `llama-gene tasks specialist`, besides those that the run left beside the model; each
            is a tool under the name that tuned calls use.

    Raises:
        ArtifactError: a folder holds no specialist.
        DataError: two specialists of one task.
    """
    tasks = [find_task(assistant, name) for name in sorted(assistant.learnt)]
    asked = [task for task in tasks if can_be_asked(task) and (labels_of(assistant, task) or task.family == "function")]
    given = {name: load_specialist(folder) for name, folder in task_folders(specialists).items()}
    numbers = [
        _specialist_tool(find_task(assistant, name), specialist)
        for name, specialist in {**assistant.specialists, **given}.items()
    ]
    own = [make_asking_tool(make, assistant) for make in (_effect_of, _mutations_of)]
    return (*([_task_tool(assistant, asked)] if asked else []), *numbers, *own)


def _task_tool(assistant: Assistant, tasks: Sequence[Task]) -> Tool:
    known = {task.name: task for task in tasks}
    listed = "; ".join(
        f"{name}: {task.title} ({', '.join(i.kind for i in task.inputs)})" for name, task in known.items()
    )

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(
                f"{name[:40]!r}: the model did not learn it. Expected one of {', '.join(known)}; choose one."
            )
        return name

    name_of_task = Annotated[
        str, Field(description="Name of a task.", json_schema_extra={"enum": list(known)}), AfterValidator(check)
    ]

    def make(asked: Assistant) -> Callable[..., TaskAnswer]:
        def ask_task(task: name_of_task, sequences: Sequences) -> TaskAnswer:
            """What the model says to a task that it learnt, with the probability of each label."""
            return _ask(asked, known[task], sequences)

        return ask_task

    told = f"What the model says to a task that it learnt. Tasks: {listed}."
    return make_asking_tool(make, assistant, description=told)


def _ask(assistant: Assistant, task: Task, sequences: Sequence[str]) -> TaskAnswer:
    letters = _checked(task, sequences)
    if labels_of(assistant, task):
        _, found = classify(assistant, task, letters)
        return TaskAnswer(task.name, found.label, dict(found.probabilities), found.states, tuple(found.notices))
    asked = ask_task(assistant, task, letters)
    return TaskAnswer(task.name, "".join(answer(assistant, asked)).strip(), None, "", asked.notices)


def _checked(task: Task, sequences: Sequence[str]) -> list[str]:
    if len(sequences) != len(task.inputs):
        raise DataError(
            f"task {task.name!r} asks about {len(task.inputs)} sequence(s), not {len(sequences)}. "
            f"Give {' and '.join(wanted.kind for wanted in task.inputs)}."
        )
    return [
        checked_record(given, wanted.kind, f"sequence {number}")[0].text
        for number, (given, wanted) in enumerate(zip(sequences, task.inputs, strict=True), start=1)
    ]


def _specialist_tool(task: Task, specialist: Specialist) -> Tool:
    """Named and called as tuned calls do: `sequence` is @input, of several inputs all of them."""

    def predict(letters: Sequence[str]) -> Predicted:
        found = specialist.predict([_checked(task, letters)])[0]
        if not specialist.card.labels:
            return Predicted(task.name, float(found), task.numbers.unit, "", None)
        shares = dict(zip(specialist.card.labels, found.tolist(), strict=True))
        return Predicted(task.name, None, "", max(shares, key=shares.__getitem__), shares)

    def of_one(sequence: Letters) -> Predicted:
        return predict([sequence])

    def of_several(sequence: Sequences) -> Predicted:
        return predict(sequence)

    chosen: Callable[..., Any] = of_one if len(task.inputs) == 1 else of_several
    kinds = " and ".join(wanted.kind for wanted in task.inputs)
    told = f"{task.title} of {kinds}, computed by a specialist: a small model trained on this task alone."
    return make_tool(chosen, name=tool_name(task), description=told[0].upper() + told[1:])


def _effect_of(assistant: Assistant) -> Callable[..., VariantEffect]:
    def effect_of_variant(
        sequence: Letters,
        kind: SequenceKind,
        start: Place,
        reference: Piece,
        alternative: Piece,
        strands: StrandCount = 1,
    ) -> VariantEffect:
        """The effect of a variant by the model: log-likelihood of the changed sequence less the given one, in nats.

        Below 0: the model finds the change unlikely. `reference` must stand at `start`.
        """
        letters = checked_sequence(sequence, kind, "effect_of_variant: sequence")
        before, after = (_checked_piece(piece, kind) for piece in (reference, alternative))
        return variant_effect(
            assistant, letters, kind, start=start, reference=before, alternative=after, strands=strands
        )

    return effect_of_variant


def _checked_piece(letters: str, kind: Literal["dna", "protein"]) -> str:
    cleaned = clean_letters(letters, DNA if kind == "dna" else PROTEIN)
    if cleaned.problem:
        raise DataError(f"effect_of_variant: {letters[:20]!r}: {cleaned.problem}. Mend the letters of the variant.")
    return cleaned.letters


def _mutations_of(assistant: Assistant) -> Callable[..., Mutations]:
    def map_mutations(
        sequence: Letters, kind: SequenceKind, start: Place, end: End, strands: StrandCount = 1
    ) -> Mutations:
        """The effect of every single change in a window of a sequence by the model, in nats, with a heat map.

        At most 2,000 changes: 666 letters of DNA, 105 of protein.
        """
        letters = checked_sequence(sequence, kind, "map_mutations: sequence")
        found = mutate_window(assistant, letters, kind, start=start, end=end, strands=strands)
        changes = [Change(name, effect) for name, effect in list_changes(found)]
        return Mutations(
            found.start, found.letters, found.strands, tuple(changes[:_STRONGEST]),
            tuple(changes[: -_STRONGEST - 1 : -1]), found.alternatives, found.effects_nats, draw_mutations(found),
        )  # fmt: skip

    return map_mutations
