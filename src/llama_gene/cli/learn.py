"""Verbs that make and train models: model extend|merge, pretrain, finetune."""

from pathlib import Path
from typing import Annotated

import typer

from llama_gene.cli.options import Config, Json, Output, Set, settings, show

Model = Annotated[Path, typer.Argument(help="Model folder with its tokenizer.", show_default=False)]


def add_learn_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    model = typer.Typer(no_args_is_help=True, help="Make, extend and merge model folders.")
    model.command("extend")(extend)
    model.command("merge")(merge)
    app.add_typer(model, name="model", rich_help_panel="3 · Model")
    app.command("pretrain", rich_help_panel="3 · Model")(pretrain_model)
    app.command("finetune", rich_help_panel="4 · Tasks")(finetune_model)


def extend(
    output: Output,
    tokenizer: Annotated[Path, typer.Option("--tokenizer", help="Folder of the extended tokenizer.")],
    base: Annotated[Path | None, typer.Option("--base", help="LLaMA folder; default: the recipe's model.base.")] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Grow embedding and output rows for the new tokens; old rows stay bit-identical."""
    from llama_gene.config import resolve
    from llama_gene.model.extend import extend_model

    recipe = settings(config, overrides)
    if base is None and recipe.model.base != "tiny":
        base = resolve(recipe.model.base, Path(recipe.data))
    made = extend_model(recipe.model, base=base, tokenizer=tokenizer, seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def merge(
    model: Model,
    output: Output,
    adapter: Annotated[Path, typer.Option("--adapter", help="Folder of a LoRA adapter.")],
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Merge a LoRA adapter into plain weights."""
    from llama_gene.training.pretrain import merge_adapter_folder

    settings(config, overrides)
    show(merge_adapter_folder(model, adapter, output), output, as_json=as_json)


def pretrain_model(
    model: Model,
    output: Output,
    blocks: Annotated[Path, typer.Option("--blocks", help="Folder of `corpus pack`.")],
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Continue pre-training on token blocks; a killed run goes on where it stopped."""
    from llama_gene.training.pretrain import pretrain

    recipe = settings(config, overrides)
    made = pretrain(recipe.pretrain, model=model, blocks=blocks, seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def finetune_model(
    model: Model,
    output: Output,
    instructions: Annotated[Path, typer.Option("--instructions", help="Folder of `tasks build`.")],
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Tune on instructions, on the answers only or on the whole text."""
    from llama_gene.training.finetune import finetune

    recipe = settings(config, overrides)
    made = finetune(
        recipe.finetune,
        model=model,
        instructions=instructions,
        seed=recipe.seed,
        output=output,
        synthetic=recipe.demo is not None,
    )
    show(made, output, as_json=as_json)
