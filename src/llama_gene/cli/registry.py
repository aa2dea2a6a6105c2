"""Verbs that list, show and add task definitions: tasks list|show|add."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from llama_gene.cli.importing import FORMATS_EPILOG, add_layout
from llama_gene.cli.options import Config, Json, Set, settings, show_json, show_table
from llama_gene.storage import to_path

if TYPE_CHECKING:
    from llama_gene.config import GeneKind
    from llama_gene.tasks.add import Trial
    from llama_gene.tasks.definitions import Task
    from llama_gene.tasks.drafts import Draft
    from llama_gene.tasks.infer import UndecidedError, Wishes

FamilyName = Literal["classification", "structure", "multi-sequence", "function", "regression"]
FormatName = Literal["auto", "csv", "tsv", "spaces", "jsonl", "fasta"]
PLAIN_FORMATS: tuple[FormatName, ...] = get_args(FormatName)
Definitions = Annotated[
    list[Path], typer.Option("--definitions", help="More folders of task definitions; may be repeated.")
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder relative paths start from.")]
Added = Annotated[
    list[Path],
    typer.Argument(
        help="A table (CSV, TSV, JSON lines), FASTA, or FASTA files, one for each class; with a published --format "
        "what was published.",
        show_default=False,
    ),
]
WrittenTo = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of definitions to write to [default: DATA/definitions].")
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        help="How the file is read: auto (by its first line), csv, tsv, spaces, jsonl, fasta; or one of the published "
        "formats below.",
    ),
]
References = Annotated[
    list[Path],
    typer.Option(help="Published formats: genome, FASTA or ontology that PATHS refers to; may be repeated."),
]


def add_registry_commands(tasks: typer.Typer) -> None:
    """Register the verbs."""
    tasks.command("list")(list_all)
    tasks.command("show")(show_one)
    tasks.command("add", epilog=FORMATS_EPILOG)(add)


def list_all(
    family: Annotated[FamilyName | None, typer.Option("--family", help="Only tasks of this family.")] = None,
    kind: Annotated[
        list[str], typer.Option("--kind", help="Only tasks that read dna or protein; repeat for tasks that read both.")
    ] = [],  # noqa: B006
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """List the registered tasks, and those of further folders."""
    from llama_gene.tasks.definitions import list_tasks

    settings(config, overrides)
    wanted = set(_gene_kinds(kind))
    rows = [
        (task.name, task.family, "+".join(part.kind for part in task.inputs), task.decided_by, _closed(task),
         task.table9 or "")
        for task in list_tasks(definitions)
        if family in (None, task.family) and {part.kind for part in task.inputs} >= wanted
    ]  # fmt: skip
    if as_json:
        names = ("name", "family", "kinds", "metric", "answers", "table9")
        show_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        show_table(f"{len(rows)} tasks", ("name", "family", "reads", "metric", "answers", "row of Table 9"), rows)


def _gene_kinds(names: list[str]) -> "tuple[GeneKind, ...]":
    from llama_gene.config import GENE_KINDS
    from llama_gene.errors import ConfigError

    wrong = [name for name in names if name not in GENE_KINDS]
    if wrong:
        raise ConfigError(f"--kind {wrong[0]}: expected one of {', '.join(GENE_KINDS)}.")
    return tuple(kind for name in names for kind in GENE_KINDS if kind == name)


def _closed(task: "Task") -> str:
    if task.family == "regression":
        return "number"
    return f"{len(task.labels)} labels" if task.labels else "text"


def show_one(
    name: Annotated[str, typer.Argument(help="Name of a registered task.")],
    data: Data = None,
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Show one task: wordings, labels, published scores, files, and with --data an example made of your own items."""
    from llama_gene.config import describe
    from llama_gene.tasks.card import example_of, file_lines, question_lines, score_lines, task_lines
    from llama_gene.tasks.definitions import load_task

    recipe = settings(config, overrides)
    task = load_task(name, definitions)
    files = file_lines(task, data or to_path(recipe.data))
    example = example_of(task, data) if data is not None else None
    if as_json:
        found = {"files": dict(files), "example": asdict(example) if example else None}
        show_json(describe(task) | {"questions": question_lines(task)} | (found if data is not None else {}))
        return
    show_table(name, ("what", "text"), list(task_lines(task)))
    show_table("asked as", ("wording", ""), [(line, "") for line in question_lines(task)])
    if scores := score_lines(task):
        show_table("published", ("system", "metric", "value", "note"), list(scores))
    show_table("files", ("path", "state"), list(files))
    if example is not None:
        print(f"\nexample from {data}\n\n{example.prompt}[{example.answer}]")
    elif data is not None:
        print(f"\nno example: not every file is there below {data}")


def add(
    paths: Added,
    output: WrittenTo = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder that the definition's paths start from [default: that of the file]."),
    ] = None,
    form: Form = "auto",
    reference: References = [],  # noqa: B006
    name: Annotated[str, typer.Option(help="Name of the task, or how the names of several begin.")] = "",
    title: Annotated[str, typer.Option(help="What is predicted, as the question calls it.")] = "",
    definition: Annotated[str, typer.Option(help="The question in one sentence.")] = "",
    family: Annotated[FamilyName | None, typer.Option(help="Kind of task [default: by the answers].")] = None,
    sequence: Annotated[list[str], typer.Option(help="Column of a sequence; repeat for pairs.")] = [],  # noqa: B006
    kind: Annotated[list[str], typer.Option(help="dna or protein; once, or for each sequence.")] = [],  # noqa: B006
    label: Annotated[str, typer.Option(help="Column of the label, the text or the states.")] = "",
    value: Annotated[str, typer.Option(help="Column of the number.")] = "",
    label_pattern: Annotated[str, typer.Option(help="FASTA: expression whose first group is the label.")] = "",
    label_name: Annotated[list[str], typer.Option(help="VALUE=NAME of a label; may be repeated.")] = [],  # noqa: B006
    split: Annotated[str, typer.Option(help="Column that says train, valid or test; 'none': draw splits.")] = "",
    identifier: Annotated[str, typer.Option("--id", help="Column that names the items.")] = "",
    source: Annotated[str, typer.Option(help="Where the data come from.")] = "",
    licence: Annotated[str, typer.Option(help="On what terms.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Show what would be written, and stop.")] = False,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Make a task of your own data: columns, kinds, labels and splits are inferred, shown and written down.

    On a terminal what cannot be inferred is asked for; elsewhere, and with --json, the error names the option to give.

    With a published --format every task of the layout is found: OUTPUT becomes a folder of definitions, and of tables
    where no reader of ours reads the files as they are.
    """
    from llama_gene.errors import ConfigError
    from llama_gene.tasks.infer import Wishes

    recipe = settings(config, overrides)
    plain = next((known for known in PLAIN_FORMATS if known == form), None)
    if plain is None:
        unused = {
            "--title": title, "--definition": definition, "--family": family, "--sequence": sequence, "--kind": kind,
            "--label": label, "--value": value, "--label-pattern": label_pattern, "--label-name": label_name,
            "--split": split, "--id": identifier, "--source": source, "--licence": licence, "--check": check,
        }  # fmt: skip
        add_layout(
            paths, form, recipe, output=output, references=reference, name=name, data=data, unused=unused,
            as_json=as_json,
        )  # fmt: skip
        return
    if reference:
        raise ConfigError("--reference: only used with a published --format, such as bed. Leave it out.")
    wishes = Wishes(
        name, title, definition, family, tuple(sequence), _gene_kinds(kind), label, value, label_pattern,
        tuple(label_name), split, identifier, source, licence,
    )  # fmt: skip
    place = data or (paths[0] if paths[0].is_dir() else paths[0].parent)
    folder = output or place / "definitions"
    _add_plain(paths, wishes, place, folder, plain, seed=recipe.seed, check=check, as_json=as_json)


def _add_plain(
    paths: list[Path],
    wishes: "Wishes",
    place: Path,
    folder: Path,
    form: FormatName,
    *,
    seed: int,
    check: bool,
    as_json: bool,
) -> None:
    """Infer, try, show and write a task of one's own table or FASTA."""
    from llama_gene.tasks.add import save_task, try_task

    asks = sys.stdin.isatty() and not as_json
    draft, trial = try_task(_draft(paths, wishes, place, folder, form, asks=asks), place, seed)
    if not as_json:
        _show_draft(draft, trial)
    if check or (asks and not typer.confirm("Write it?", default=True, err=True)):
        written = None
    else:
        written = save_task(draft, folder)
    commands = _next_commands(draft.task.name, place, folder)
    if as_json:
        show_json(_document(draft, trial, written) | {"next": commands if written else []})
    elif written is not None:
        print(f"\nwritten: {written}\nnext:", *commands, sep="\n  ")


def _draft(paths: list[Path], wishes: "Wishes", data: Path, folder: Path, form: FormatName, *, asks: bool) -> "Draft":
    """Infer; on a terminal ask for what is missing and infer again."""
    from llama_gene.tasks.add import draft_task
    from llama_gene.tasks.infer import UndecidedError

    while True:
        try:
            draft = draft_task(paths, wishes, data=data, folder=folder, form=None if form == "auto" else form)
        except UndecidedError as error:
            if not asks:
                raise
            wishes = _answered(wishes, error)
            continue
        fuller = _named(wishes, draft) if asks else wishes
        if fuller == wishes:
            return draft
        wishes = fuller


def _answered(wishes: "Wishes", error: "UndecidedError") -> "Wishes":
    shown = f" ({', '.join(error.choices)})" if error.choices else ""
    said = ""
    while not said or (error.choices and said not in error.choices):
        said = typer.prompt(f"{error.problem} {error.option.replace('_', ' ')}{shown}", err=True)
    before = getattr(wishes, error.option)
    answer: dict[str, Any] = {error.option: (*before, said) if isinstance(before, tuple) else said}
    return replace(wishes, **answer)


def _named(wishes: "Wishes", draft: "Draft") -> "Wishes":
    """Words that no file holds: asked once, with what was made up as the default."""
    if not wishes.label_names and [label.name for label in draft.task.labels] == ["negative", "positive"]:
        names = [
            f"{value}={typer.prompt(f'name of {value}', default=label.name, err=True)}"
            for label in draft.task.labels
            for value in label.written
        ]
        return replace(wishes, label_names=tuple(names))  # the words below are made of them
    asked: dict[str, Any] = {
        field: typer.prompt(field, default=getattr(draft.task, field), err=True)
        for field in ("title", "definition")
        if not getattr(wishes, field)
    }
    return replace(wishes, **asked)


def _show_draft(draft: "Draft", trial: "Trial") -> None:
    show_table(f"{draft.task.name}: inferred", ("what", "value", "why"), [tuple(note) for note in draft.inferred])
    if draft.classes:
        total = sum(draft.classes.values())
        shares = [f"{name} {count / total:.1%} ({count:,})" for name, count in draft.classes.items()]
        print("class balance:", ", ".join(shares))
    rows = [(split, sum(classes.values()), ", ".join(f"{name} {n:,}" for name, n in sorted(classes.items())))
            for split, classes in trial.classes.items()]  # fmt: skip
    show_table(f"tried on {trial.items:,} of {draft.rows:,} items", ("split", "items", "of them"), rows)
    if trial.counts:
        show_table("counted", ("what", "items"), list(trial.counts.items()))


def _document(draft: "Draft", trial: "Trial", written: Path | None) -> dict[str, Any]:
    return {
        "name": draft.task.name,
        "written": None if written is None else str(written),
        "definition": draft.task.model_dump(mode="json", exclude_defaults=True),
        "inferred": [note._asdict() for note in draft.inferred],
        "rows": draft.rows,
        "classes": dict(draft.classes),
        "tried": asdict(trial),
    }


def _next_commands(name: str, data: Path, folder: Path) -> list[str]:
    import shlex

    place, kept, made = shlex.quote(str(data)), shlex.quote(str(folder)), shlex.quote(str(Path("runs") / name))
    splits, instructions = f"{made}/splits", f"{made}/instructions"
    return [
        f"llama-gene tasks split --data {place} --definitions {kept} --task {name} --output {splits}",
        f"llama-gene tasks build --splits {splits} --task {name} --tokenizer TOKENIZER --output {instructions}",
    ]
