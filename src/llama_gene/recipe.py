"""Chain the stages of a recipe: each is skipped where its folder is up to date.

Order: demo data (synthetic recipes) → tasks split → specialists of the tasks that ask for one → corpus build →
tokenizer extend → corpus pack → model extend → pretrain → tasks build → finetune → evaluate. Stages meet only through
their folders under the run's folder.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llama_gene.artifacts import MANIFEST, Manifest, read_manifest
from llama_gene.config import Recipe, TaskChoice, resolve
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus
from llama_gene.demo.organism import write_demo
from llama_gene.errors import ConfigError
from llama_gene.evaluation.controls import EnglishSources
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.specialist import BESIDE
from llama_gene.evaluation.specialist_train import train_specialist
from llama_gene.model.extend import extend_model
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from llama_gene.tokenizer.extend import extend_from_corpus
from llama_gene.training.finetune import finetune
from llama_gene.training.pretrain import pretrain


@dataclass(frozen=True)
class Step:
    """One stage of a run: its name, its folder and how to make it."""

    name: str
    folder: Path
    make: Callable[[], Manifest]


@dataclass(frozen=True)
class Done:
    """A step that is finished, and whether it had to run."""

    name: str
    folder: Path
    manifest: Manifest
    ran: bool


def run(recipe: Recipe, output: Path, *, until: str | None = None) -> Iterator[Done]:
    """Make every stage in order, yielding each as it is finished.

    Args:
        recipe: The settings.
        output: Folder of the run; one subfolder per stage.
        until: Name of the last stage to make; None: all.

    Raises:
        ConfigError: there is no stage `until`.
        LlamaGeneError: whatever a stage finds wrong; the stages before it stay whole.
    """
    chain = steps(recipe, output)
    names = [step.name for step in chain]
    if until is not None and until not in names:
        raise ConfigError(f"until = {until!r}: no such stage. Expected one of {', '.join(names)}.")
    for step in chain[: names.index(until) + 1] if until else chain:
        before = read_manifest(step.folder).key if (step.folder / MANIFEST).is_file() else None
        manifest = step.make()
        yield Done(step.name, step.folder, manifest, ran=manifest.key != before)


def data_folder(recipe: Recipe, output: Path) -> Path:
    """Where relative paths of the recipe start: the demo's own data, or `data`."""
    return output / "data" if recipe.demo else Path(recipe.data).expanduser()


def steps(recipe: Recipe, output: Path) -> list[Step]:
    """The stages of a recipe, in order; nothing is run.

    Raises:
        ConfigError: the recipe has no sources, no tasks or no data folder.
    """
    data = data_folder(recipe, output)
    _check(recipe, data)
    chain = [*_vocabulary_steps(recipe, data, output), *_model_steps(recipe, data, output)]
    if recipe.demo is None:
        return chain
    demo = recipe.demo
    return [Step("demo data", data, lambda: write_demo(demo, seed=recipe.seed, output=data)), *chain]


def _vocabulary_steps(recipe: Recipe, data: Path, output: Path) -> list[Step]:
    """From files to token blocks."""
    seed = recipe.seed
    splits, corpus, vocabulary, blocks = (output / name for name in ("splits", "corpus", "tokenizer", "blocks"))
    word_base = None if recipe.tokenizer.base == "tiny" else resolve(recipe.tokenizer.base, data)
    return [
        Step("tasks split", splits, lambda: split_tasks(recipe.tasks, data=data, seed=seed, output=splits)),
        *_specialist_steps(recipe, splits, output),
        Step(
            "corpus build",
            corpus,
            lambda: build_corpus(
                recipe.corpus,
                data=data,
                exclude=splits,
                controls=recipe.evaluate.controls,
                seed=seed,
                output=corpus,
                engine=recipe.engine,
            ),
        ),
        Step(
            "tokenizer extend",
            vocabulary,
            lambda: extend_from_corpus(recipe.tokenizer, base=word_base, corpus=corpus, seed=seed, output=vocabulary),
        ),
        Step(
            "corpus pack",
            blocks,
            lambda: pack_corpus(
                recipe.pack, corpus=corpus, tokenizer=vocabulary, seed=seed, output=blocks, engine=recipe.engine
            ),
        ),
    ]


def _specialist_steps(recipe: Recipe, splits: Path, output: Path) -> list[Step]:
    """A specialist for each task that asks for one."""
    chain = []
    for choice in recipe.tasks.choices:
        model = choice.specialist or ("auto" if choice.answer == "tool" else None)
        if model is None:
            continue
        train = partial(
            train_specialist,
            recipe.specialist.model_copy(update={"model": model}),
            task=choice.name,
            splits=splits,
            seed=recipe.seed,
            output=_specialist_folder(choice, output),
        )
        chain.append(Step(f"specialist {choice.name}", _specialist_folder(choice, output), train))
    return chain


def _specialist_folder(choice: TaskChoice, output: Path) -> Path:
    return output / BESIDE / choice.name


def _model_steps(recipe: Recipe, data: Path, output: Path) -> list[Step]:
    """From a base model to a report."""
    seed = recipe.seed
    splits, corpus, vocabulary, blocks, extended, pretrained, instructions, tuned, report = (
        output / name
        for name in (
            "splits", "corpus", "tokenizer", "blocks", "model", "pretrained", "instructions", "finetuned", "evaluation"
        )
    )  # fmt: skip
    model_base = None if recipe.model.base == "tiny" else resolve(recipe.model.base, data)
    specialists = {
        choice.name: _specialist_folder(choice, output) for choice in recipe.tasks.choices if choice.answer == "tool"
    }
    # Random weights have no English to lose: where they are the base, what tuning took is told.
    english = EnglishSources(data=data, corpus=corpus, before=pretrained if model_base is None else extended)
    return [
        Step(
            "model extend",
            extended,
            lambda: extend_model(recipe.model, base=model_base, tokenizer=vocabulary, seed=seed, output=extended),
        ),
        Step(
            "pretrain",
            pretrained,
            lambda: pretrain(recipe.pretrain, model=extended, blocks=blocks, seed=seed, output=pretrained),
        ),
        Step(
            "tasks build",
            instructions,
            lambda: build_tasks(recipe.tasks, splits=splits, tokenizer=vocabulary, seed=seed, output=instructions),
        ),
        Step(
            "finetune",
            tuned,
            lambda: finetune(
                recipe.finetune,
                model=pretrained,
                instructions=instructions,
                seed=seed,
                output=tuned,
                synthetic=recipe.demo is not None,
            ),
        ),
        Step(
            "evaluate",
            report,
            lambda: evaluate(
                recipe.evaluate,
                model=tuned,
                instructions=instructions,
                training=(pretrained, tuned),
                specialists=specialists,
                english=english,
                seed=seed,
                output=report,
                title=recipe.name,
                synthetic=recipe.demo is not None,
            ),
        ),
    ]


def _check(recipe: Recipe, data: Path) -> None:
    if not recipe.corpus.sources:
        raise ConfigError(f"recipe {recipe.name!r}: no corpus.sources. Name at least one file of DNA, protein or text.")
    if not recipe.tasks.choices:
        raise ConfigError(f"recipe {recipe.name!r}: no tasks.choices. See `llama-gene tasks list`.")
    if recipe.demo is None and (not recipe.data or not data.is_dir()):
        raise ConfigError(
            f"recipe {recipe.name!r}: data = {recipe.data!r} is no folder. Name it with --set data=FOLDER."
        )
