"""The verb that answers a task about a whole file: predict."""

from pathlib import Path
from typing import Annotated

import typer

from llama_gene.cli.options import Config, Json, Set, settings, show_json, show_table
from llama_gene.cli.registry import Definitions


def predict(
    model: Annotated[Path, typer.Argument(help="Tuned model folder.", show_default=False)],
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="FASTA, FASTQ, GenBank, CSV, TSV, or compressed.", show_default=False),
    ],
    task: Annotated[str, typer.Option("--task", help="Task to ask about every record.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .tsv or .jsonl.", show_default=False)],
    columns: Annotated[
        list[str],
        typer.Option("--column", help="Table: column of a sequence; one for each of the task's inputs."),
    ] = [],  # noqa: B006
    specialist: Annotated[
        Path | None, typer.Option("--specialist", help="Folder of `tasks specialist`, for a task a tool answers.")
    ] = None,
    definitions: Definitions = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Answer one task about every record of a file; the same command goes on after a kill.

    A line holds id, answer, the probability of every label, the number of a regression answer, and notices.
    On a Ray cluster: --set engine.name=ray.
    """
    from llama_gene.assistant.conversation import Assistant, find_task
    from llama_gene.assistant.predict import Job, record_of
    from llama_gene.assistant.predict_shards import predict_with

    recipe = settings(config, overrides)
    assistant = Assistant.open(model, recipe.chat, definitions)
    job = Job(assistant, find_task(assistant, task), source, recipe.predict, tuple(columns), specialist)
    found = predict_with(recipe.engine, job, output)
    if as_json:
        show_json(record_of(found))
        return
    rows = [("task", found.task), ("answered", found.answered), *found.counts.items()]
    show_table(f"predict · {found.seconds:.1f} s", ("what", "value"), rows)
    for note in found.notes:
        print(f"note: {note}")
    print(output)
