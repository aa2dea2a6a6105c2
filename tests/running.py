"""Commands as a user gives them: how to run one, what a refusal looks like, a recipe small enough for a test."""

import re
from pathlib import Path

from llama_gene import cli

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "demo"
SMALL = (
    "demo.genes=40", "demo.task_items=60", "demo.pairs=40",
    "corpus.max_letters={dna = 50000, protein = 50000, text = 25000}", "tokenizer.dna_size=64",
    "tokenizer.protein_size=64", "model.hidden_size=32", "model.layers=2", "model.intermediate_size=48",
    "pretrain.max_steps=3", "finetune.epochs=0.2", "evaluate.bootstrap=100", "evaluate.generate_items=2",
    "evaluate.max_new_tokens=8", "tasks.tool_calls={train = 20, valid = 5, test = 10}",
)  # fmt: skip


def options(*settings: str) -> list[str]:
    """Settings as they stand on a command line."""
    return [part for setting in settings for part in ("--set", setting)]


def small(*settings: str) -> list[str]:
    """The options that make the demo small, then further settings."""
    return options(*SMALL, *settings)


def run_small(output: Path, *settings: str) -> int:
    """Run the small demo; its exit code."""
    return cli.run(["run", str(RECIPE), "--output", str(output), "--json", *small(*settings)])


def run(arguments):
    """Exit code of a command."""
    return cli.run([str(argument) for argument in arguments])


def refused(capsys, arguments, *words):
    """The command ends with 2 and one line on standard error that holds each pattern, and shows nothing else."""
    code = run(arguments)
    shown = capsys.readouterr()
    assert code == 2, shown.err
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 1, shown.err
    assert lines[0].startswith("llama-gene: ")
    for pattern in words:
        assert re.search(pattern, lines[0]), lines[0]


def corpus_command(data, sources, *more):
    """Arguments of `corpus build` on (path, kind) pairs."""
    tables = ", ".join(f'{{ path = "{path}", kind = "{kind}" }}' for path, kind in sources)
    settings = ["--set", f"corpus.sources=[{tables}]", "--set", "corpus.region_bp=1000"]
    return ["corpus", "build", "--data", data, "--output", data / "corpus", *settings, *more]


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
