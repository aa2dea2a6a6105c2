"""Verbs that ask and score: tasks list|show|split|build, evaluate, score, chat."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llama_gene.cli.options import Config, Json, Output, Set, settings, show, show_json, show_table

if TYPE_CHECKING:
    from llama_gene.config import Recipe

ScoringRule = Literal["strict", "paper"]
Definitions = Annotated[
    list[Path], typer.Option("--definitions", help="More folders of task definitions; may be repeated.")
]


def add_answer_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    tasks = typer.Typer(no_args_is_help=True, help="Gene tasks as definitions, and the instructions made of them.")
    tasks.command("list")(list_all)
    tasks.command("show")(show_one)
    tasks.command("split")(split)
    tasks.command("build")(build)
    app.add_typer(tasks, name="tasks", rich_help_panel="4 · Tasks")
    app.command("evaluate", rich_help_panel="5 · Answers")(evaluate_model)
    app.command("score", rich_help_panel="5 · Answers")(score)
    app.command("chat", rich_help_panel="5 · Answers")(chat_with)


def list_all(
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """List the registered tasks."""
    from llama_gene.tasks.definitions import list_tasks

    settings(config, overrides)
    tasks = list_tasks(definitions)
    rows = [(task.name, task.family, "+".join(part.kind for part in task.inputs), task.metric) for task in tasks]
    if as_json:
        show_json([dict(zip(("name", "family", "kinds", "metric"), row, strict=True)) for row in rows])
    else:
        show_table("tasks", ("name", "family", "reads", "metric"), rows)


def show_one(
    name: Annotated[str, typer.Argument(help="Name of a registered task.")],
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Show one task: wordings, labels, source, licence, published scores."""
    from llama_gene.config import describe
    from llama_gene.tasks.definitions import load_task

    settings(config, overrides)
    task = describe(load_task(name, definitions))
    if as_json:
        show_json(task)
    else:
        show_table(name, ("what", "value"), [(key, value) for key, value in task.items() if value])


def split(
    output: Output,
    data: Annotated[Path | None, typer.Option("--data", help="Folder relative paths start from.")] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Read the recipe's tasks and split their items without leakage."""
    from llama_gene.tasks.split import split_tasks

    recipe = settings(config, overrides)
    made = split_tasks(recipe.tasks, data=data or Path(recipe.data), seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def build(
    output: Output,
    splits: Annotated[Path, typer.Option("--splits", help="Folder of `tasks split`.")],
    tokenizer: Annotated[Path, typer.Option("--tokenizer", help="Tokenizer folder.")],
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

    recipe = settings(config, overrides)
    made = build_tasks(recipe.tasks, splits=splits, tokenizer=tokenizer, seed=recipe.seed, output=output)
    if harness is not None:
        export_harness(output, tokenizer=tokenizer, output=harness)
    show(made, output, as_json=as_json)


def evaluate_model(
    output: Output,
    instructions: Annotated[Path, typer.Option("--instructions", help="Folder of `tasks build`.")],
    model: Annotated[Path | None, typer.Argument(help="Tuned model folder.", show_default=False)] = None,
    against: Annotated[
        list[Path], typer.Option("--against", help="Folder of another evaluation of the same items; may be repeated.")
    ] = [],  # noqa: B006
    baselines: Annotated[
        Path | None, typer.Option("--baselines", help="Their folder [default: baselines, beside the instructions].")
    ] = None,
    baselines_only: Annotated[
        bool, typer.Option("--baselines-only", help="No model: answer by simple methods alone, into --output.")
    ] = False,
    training: Annotated[
        list[Path], typer.Option("--training", help="Stage folders whose training curves the report shows.")
    ] = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Answer the held-out instructions; write report.json, report.md and report.html."""
    from llama_gene.errors import ConfigError
    from llama_gene.evaluation.evaluate import evaluate

    recipe = settings(config, overrides)
    if baselines_only:
        _show_baselines(recipe, instructions, output, as_json=as_json)
        return
    if model is None:
        raise ConfigError("evaluate: no model. Name its folder, or give --baselines-only to see what must be beaten.")
    made = evaluate(
        recipe.evaluate, model=model, instructions=instructions, baselines=baselines, against=against,
        training=training, seed=recipe.seed, output=output, title=recipe.name, synthetic=recipe.demo is not None,
    )  # fmt: skip
    show(made, output, as_json=as_json)


def _show_baselines(recipe: "Recipe", instructions: Path, output: Path, *, as_json: bool) -> None:
    from llama_gene.evaluation.baseline_stage import run_baselines, scores_table

    made = run_baselines(recipe.evaluate, instructions=instructions, seed=recipe.seed, output=output)
    if not as_json:
        show_table("baselines, with 95 % intervals; * is best on validation", *scores_table(output))
    show(made, output, as_json=as_json)


def score(
    file: Annotated[Path, typer.Argument(help="Predictions: .json, .jsonl or .csv.", show_default=False)],
    rule: Annotated[ScoringRule, typer.Option(help="strict: the documented reading; paper: its author's.")] = "strict",
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Score a file of answers; no model needed."""
    from dataclasses import asdict

    from llama_gene.evaluation.score import score_file

    settings(config, overrides)
    found = asdict(score_file(file, rule=rule))
    if as_json:
        show_json(found)
    else:
        show_table(str(file), ("what", "value"), list(found.items()))


def chat_with(
    model: Annotated[Path, typer.Argument(help="Tuned model folder.", show_default=False)],
    task: Annotated[str | None, typer.Option("--task", help="Use this task's wording and labels.")] = None,
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
) -> None:
    """Talk to a model: paste a sequence, or name a file with @file.fasta.

    Sampling is set with --set chat.temperature=0.7 and the like; the default is the likeliest answer.
    """
    from llama_gene.assistant.conversation import Assistant
    from llama_gene.assistant.terminal import chat

    recipe = settings(config, overrides)
    chat(Assistant.open(model, recipe.chat, definitions), task=task)
