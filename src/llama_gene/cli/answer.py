"""Verbs that ask and score: tasks split|build|specialist, evaluate, score, chat."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llama_gene.cli.options import Config, Json, Output, Set, chosen_planner, settings, show, show_table
from llama_gene.cli.predicting import predict
from llama_gene.cli.registry import Definitions, add_registry_commands
from llama_gene.cli.scoring import score
from llama_gene.storage import to_path

if TYPE_CHECKING:
    from llama_gene.config import Recipe

SpecialistModel = Literal["kmer", "cnn", "auto"]
Tasks = Annotated[
    list[str], typer.Option("--task", help="A task to take, instead of those of the recipe; may be repeated.")
]


def add_answer_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    tasks = typer.Typer(no_args_is_help=True, help="Gene tasks as definitions, and the instructions made of them.")
    add_registry_commands(tasks)
    tasks.command("split")(split)
    tasks.command("build")(build)
    tasks.command("specialist")(specialist)
    app.add_typer(tasks, name="tasks", rich_help_panel="4 · Tasks")
    app.command("evaluate", rich_help_panel="5 · Answers")(evaluate_model)
    app.command("score", rich_help_panel="5 · Answers")(score)
    app.command("chat", rich_help_panel="5 · Answers")(chat_with)
    app.command("predict", rich_help_panel="5 · Answers")(predict)


def split(
    output: Output,
    data: Annotated[Path | None, typer.Option("--data", help="Folder relative paths start from.")] = None,
    tasks: Tasks = [],  # noqa: B006
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Read the tasks of the recipe, or those named, and split their items without leakage."""
    from llama_gene.tasks.split import split_tasks

    recipe = settings(config, [*overrides, *_chosen(tasks, definitions)])
    made = split_tasks(recipe.tasks, data=data or to_path(recipe.data), seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def build(
    output: Output,
    splits: Annotated[Path, typer.Option("--splits", help="Folder of `tasks split`.")],
    tokenizer: Annotated[Path, typer.Option("--tokenizer", help="Tokenizer folder.")],
    tasks: Tasks = [],  # noqa: B006
    harness: Annotated[
        Path | None, typer.Option("--harness", help="Also export the test items here, for the LM Evaluation Harness.")
    ] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Turn split items into Alpaca instructions."""
    from llama_gene.evaluation.harness import export_harness
    from llama_gene.tasks.build import build_tasks

    recipe = settings(config, [*overrides, *_chosen(tasks)])
    made = build_tasks(recipe.tasks, splits=splits, tokenizer=tokenizer, seed=recipe.seed, output=output)
    if harness is not None:
        export_harness(output, tokenizer=tokenizer, output=harness, shots=recipe.evaluate.shots, seed=recipe.seed)
    show(made, output, as_json=as_json)


def _chosen(tasks: list[str], definitions: Sequence[Path] = ()) -> list[str]:
    """Settings that take the named tasks, and folders wherever they lie, instead of the recipe's."""
    found = []
    if tasks:
        choices = ", ".join(f"{{ name = {json.dumps(name, ensure_ascii=False)} }}" for name in tasks)
        found.append(f"tasks.choices=[{choices}]")
    if definitions:
        folders = [str(folder.absolute()) for folder in definitions]
        found.append(f"tasks.definitions={json.dumps(folders, ensure_ascii=False)}")
    return found


def specialist(
    task: Annotated[str, typer.Argument(help="Name of a task of the splits.", show_default=False)],
    output: Output,
    splits: Annotated[Path, typer.Option("--splits", help="Folder of `tasks split`.")],
    model: Annotated[
        SpecialistModel | None, typer.Option(help="Kind of model [default: specialist.model of the recipe, auto].")
    ] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Train a small model that computes the numbers (or labels) of one task, in minutes on a processor.

    kmer: a linear model of k-mers; cnn: a small network; auto: the better on validation. It answers the calls of a
    model tuned with answer = "tool", and Python code: evaluation.specialist.load_specialist(FOLDER).predict(sequences).
    """
    from llama_gene.evaluation.specialist_train import train_specialist

    recipe = settings(config, [*overrides, *([f"specialist.model={model}"] if model else [])])
    made = train_specialist(recipe.specialist, task=task, splits=splits, seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def evaluate_model(
    output: Output,
    instructions: Annotated[Path, typer.Option("--instructions", help="Folder of `tasks build`.")],
    model: Annotated[Path | None, typer.Argument(help="Tuned model folder.", show_default=False)] = None,
    against: Annotated[
        list[Path], typer.Option("--against", help="Folder of another evaluation of the same items; may be repeated.")
    ] = [],  # noqa: B006
    baselines: Annotated[
        Path | None, typer.Option("--baselines", help="Where they are kept [default: beside the instructions].")
    ] = None,
    baselines_only: Annotated[
        bool, typer.Option("--baselines-only", help="No model: scores of simple methods alone.")
    ] = False,
    training: Annotated[
        list[Path], typer.Option("--training", help="Stage folders whose training curves the report shows.")
    ] = [],  # noqa: B006
    specialist: Annotated[
        list[Path], typer.Option("--specialist", help="Folder of `tasks specialist`, for a task a tool answers.")
    ] = [],  # noqa: B006
    index: Annotated[
        Path | None,
        typer.Option("--index", help="Folder of `index`: its hits stand before the questions of function tasks."),
    ] = None,
    before: Annotated[
        Path | None, typer.Option("--before", help="Model before gene training: tells what English was lost.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", help="Folder of `corpus build`: its validation texts are the English read."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder that paths of evaluate.controls start from.")
    ] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Answer the held-out instructions; write report.json, report.md and report.html."""
    from llama_gene.errors import ConfigError
    from llama_gene.evaluation.controls import EnglishSources
    from llama_gene.evaluation.evaluate import evaluate
    from llama_gene.evaluation.specialist import task_folders

    recipe = settings(config, overrides)
    if baselines_only:
        _show_baselines(recipe, instructions, baselines, output, as_json=as_json)
        return
    if model is None:
        raise ConfigError("evaluate: no model. Name its folder, or give --baselines-only to see what must be beaten.")
    made = evaluate(
        recipe.evaluate, model=model, instructions=instructions, baselines=baselines, against=against,
        training=training, seed=recipe.seed, output=output, title=recipe.name, synthetic=recipe.demo is not None,
        specialists=task_folders(specialist), index=index,
        english=EnglishSources(data or to_path(recipe.data), corpus, before),
    )  # fmt: skip
    show(made, output, as_json=as_json)


def _show_baselines(recipe: "Recipe", instructions: Path, kept: Path | None, output: Path, *, as_json: bool) -> None:
    from llama_gene.evaluation.baseline_stage import run_baselines, scores_table

    made = run_baselines(recipe.evaluate, instructions=instructions, seed=recipe.seed, output=output, kept=kept)
    if not as_json:
        show_table("baselines, with 95 % intervals; * is best on validation", *scores_table(output))
    show(made, output, as_json=as_json)


def chat_with(
    model: Annotated[Path, typer.Argument(help="Tuned model folder.", show_default=False)],
    task: Annotated[str | None, typer.Option("--task", help="Use this task's wording and labels.")] = None,
    tools: Annotated[
        bool, typer.Option("--tools", help="Let it call tools even if it was not tuned to (chat.tools = 'on').")
    ] = False,
    specialist: Annotated[
        list[Path],
        typer.Option("--specialist", help="Folder of `tasks specialist`, a tool of its own; may be repeated."),
    ] = [],  # noqa: B006
    index: Annotated[
        list[Path],
        typer.Option(
            "--index", help="Folder of `index`: what it holds is shown with each answer; several are asked as one."
        ),
    ] = [],  # noqa: B006
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
) -> None:
    """Talk to a model: paste a sequence, or name a file with @file.fasta.

    Sampling is set with --set chat.temperature=0.7 and the like; the default is the likeliest answer.
    """
    from llama_gene.assistant.conversation import Assistant
    from llama_gene.assistant.terminal import chat
    from llama_gene.assistant.toolbox import make_toolbox, uses_tools
    from llama_gene.model.encoder import load_encoder
    from llama_gene.retrieval.several import open_indexes

    recipe = settings(config, overrides)
    searched = open_indexes(index, recipe.index, load_encoder)
    assistant = Assistant.open(model, recipe.chat, definitions, index=searched)
    wanted = tools or specialist or uses_tools(assistant)
    toolbox = make_toolbox(assistant, specialist, recipe.agent, chosen_planner(recipe.agent)) if wanted else None
    chat(assistant, task=task, toolbox=toolbox)
