"""What simple methods reach on every registered task: the table that a model has to beat.

Each task is split as its definition says, sub-sampled, asked, and answered by the baselines of `llama-gene evaluate
--baselines-only`, with 95 % bootstrap intervals; published scores stand beside. The ratio is what keeping the answers
saves: the time to make the first task's baselines, divided by the time a second model needs to get them for its items.
Quick: the demo's synthetic organism. Else every registered task whose files are in LLAMA_GENE_DATA; with `--folder` a
second call goes on where the first one stopped (`--minutes` stops in good order), `--docs FILE` rewrites the table of a
page between its markers.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _data import make_tokenizer
from _harness import read_arguments, report, rewrite_page
from llama_gene.config import EvaluateConfig, Recipe, TaskChoice, TasksConfig
from llama_gene.demo.organism import write_demo
from llama_gene.errors import LlamaGeneError
from llama_gene.evaluation.baseline_stage import SCORES, run_baselines
from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.progress import show_progress
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.definitions import Task, list_tasks
from llama_gene.tasks.score_names import METRIC_NAMES
from llama_gene.tasks.split import CHOSEN, split_tasks

SEED = 1
LIMITS = {"train": 2000, "valid": 300, "test": 1000}
QUICK_LIMITS = {"train": 100, "valid": 30, "test": 60}
MOST_TOKENS = 4096
CONFIG = EvaluateConfig(cnn_letters=2_000_000)
QUICK_CONFIG = EvaluateConfig(bootstrap=200, cnn_letters=30_000)
# A little is asked of the closed tasks alone; of free text both readings.
_SHOWN = (
    "spearman", "per_residue_mcc", "per_residue_accuracy", "mcc", "accuracy", "fmax", "first_term", "token_f1", "exact"
)  # fmt: skip


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(
        __doc__,
        {
            "--folder": {"type": Path, "metavar": "FOLDER", "help": "keep all stages here, and go on from them"},
            "--minutes": {"type": float, "default": float("inf"), "help": "start no further task after so long"},
            "--docs": {"type": Path, "metavar": "FILE", "help": "page whose table is rewritten"},
        },
    )
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    limits, config = (LIMITS, CONFIG) if named else (QUICK_LIMITS, QUICK_CONFIG)
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.options.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        data, definitions = (Path(named), ()) if named else (make_organism(folder / "data"), ("tasks/definitions",))
        tasks = list_tasks() if named else [task for task in list_tasks([data / definitions[0]]) if _is_demo(task)]
        make_tokenizer(folder) if not (folder / "tokenizer").exists() else None
        found = run_all(tasks, folder, data, definitions, limits, config, arguments.options.minutes)
        first = next((name for name, one in found.items() if "scores" in one), None)
        ratio = measure_reuse(first, found[first], folder, config) if first else 1.0
    report(
        arguments,
        work={
            "data": "real" if named else "synthetic", "limits": limits, "max_tokens": MOST_TOKENS, "seed": SEED,
            "bootstrap": config.bootstrap, "kmer_max": config.kmer_max, "cnn_letters": config.cnn_letters,
            "neighbour_candidates": config.neighbour_candidates,
        },
        ours=found,
        peers={name: published for name, one in found.items() if (published := one["published"])} or {"published": {}},
        ratios={"taken_over": ratio},
        table=[("task", "train", "test", "score", *BASELINE_NAMES, "ratio"), *screen_rows(found, ratio)],
    )  # fmt: skip
    if arguments.options.docs:
        rewrite_page(arguments.options.docs, "baselines", page_lines(found))


def make_organism(folder: Path) -> Path:
    """The demo's synthetic data, small."""
    if not folder.exists():
        recipe = Recipe.model_validate({"name": "b", "demo": {"genes": 60, "task_items": 200, "pairs": 100}})
        write_demo(recipe.demo, seed=SEED, output=folder)
    return folder


def _is_demo(task: Task) -> bool:
    return task.name.startswith("demo-")


def run_all(
    tasks: Sequence[Task],
    folder: Path,
    data: Path,
    definitions: tuple[str, ...],
    limits: Mapping[str, int],
    config: EvaluateConfig,
    minutes: float,
) -> dict[str, dict[str, Any]]:
    """What is known of each task: its scores, or why it has none."""
    found, started = {}, time.monotonic()
    for task in show_progress(tasks, "Tasks"):
        done = (folder / task.name / "scores" / "manifest.json").exists()
        if not done and time.monotonic() - started > 60 * minutes:
            found[task.name] = describe_task(task) | {"not_run": "out of time"}
            continue
        try:
            found[task.name] = describe_task(task) | run_one(task, folder, data, definitions, limits, config)
        except LlamaGeneError as error:
            found[task.name] = describe_task(task) | {"not_run": str(error).replace(str(data), "DATA")}
    return found


def run_one(
    task: Task,
    folder: Path,
    data: Path,
    definitions: tuple[str, ...],
    limits: Mapping[str, int],
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Split, ask and answer one task; a finished stage is taken as it is."""
    place = folder / task.name
    choices = TasksConfig(
        choices=(TaskChoice(name=task.name, **limits),), definitions=definitions, max_tokens=MOST_TOKENS,
        on_invalid="skip",
    )  # fmt: skip
    splits = split_tasks(choices, data=data, seed=SEED, output=place / "splits")
    built = build_tasks(
        choices, splits=place / "splits", tokenizer=folder / "tokenizer", seed=SEED, output=place / "instructions"
    )
    run_baselines(
        config, instructions=place / "instructions", seed=SEED, output=place / "scores", kept=folder / "baselines"
    )
    scores = json.loads((place / "scores" / SCORES).read_text(encoding="utf-8"))[task.name]
    return {
        "items": built.facts[task.name]["items"],
        "left_out": {reason: count for reason, count in splits.counts.items() if not reason.endswith("over the limit")},
        **scores,
        "scores": {metric: _short(each) for metric, each in scores["scores"].items()},
        "seconds": {"split": splits.seconds, "build": built.seconds, **scores["seconds"]},
    }


def _short(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Four decimals; the number of items stands with the task."""
    return {
        method: {name: None if one[name] is None else round(one[name], 4) for name in ("value", "low", "high")}
        for method, one in scores.items()
    }


def describe_task(task: Task) -> dict[str, Any]:
    """What the definition says: family, inputs, how it is split, published scores."""
    return {
        "family": task.family,
        "kinds": [one.kind for one in task.inputs],
        "split": describe_split(task),
        "labels": len(task.labels),
        "published": [one.model_dump() for one in task.published],
    }


def describe_split(task: Task) -> str:
    """The split in few words."""
    files = getattr(task.reader, "files", ())
    own = any(getattr(file, "split", None) for file in files) or bool(getattr(task.reader, "marks", ()))
    rule = task.split.model_dump(exclude_defaults=True, exclude={"shares"})
    words = [f"{name} {value}" for name, value in rule.items()]
    return ", ".join(["the source's own" if own else "ours, at random", *words])


def measure_reuse(task: str, found: Mapping[str, Any], folder: Path, config: EvaluateConfig) -> float:
    """How many times faster a second model gets a task's baselines: the items are the same, the wordings are not."""
    with tempfile.TemporaryDirectory() as elsewhere:
        other = Path(elsewhere) / "instructions"
        other.mkdir()
        shutil.copy(folder / task / "instructions" / CHOSEN, other)
        for split in ("train", "valid", "test"):
            lines = (folder / task / "instructions" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
            records = ({**json.loads(line), "instruction": "Say it in other words."} for line in lines)
            (other / f"{split}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        # Questions without a sequence differ by their words alone, which are all the same now.
        config = config.model_copy(update={"allow_leaks": True})
        started = time.perf_counter()
        run_baselines(
            config, instructions=other, seed=SEED, output=Path(elsewhere) / "scores", kept=folder / "baselines"
        )
        again = time.perf_counter() - started
    return (sum(found["seconds"][name] for name in config.baselines if name in found["seconds"]) + again) / again


def rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]]:
    """Task, what is known of it, score and its values: the score that decides, and accuracy with MCC, per residue of
    structure."""
    for name, one in found.items():
        for metric in _SHOWN:
            if metric in one.get("scores", {}) and f"per_residue_{metric}" not in one["scores"]:
                yield name, one, metric, one["scores"][metric]


def screen_rows(found: Mapping[str, Mapping[str, Any]], ratio: float) -> list[tuple[str, ...]]:
    """Rows for the terminal; the ratio stands in the first."""
    shown, last = [], ""
    for name, one, metric, values in rows(found):
        start = (name, f"{one['items']['train']:,}", f"{one['n']:,}") if name != last else ("", "", "")
        cells = tuple(cell(values.get(method), starred=method == one["best"]) for method in BASELINE_NAMES)
        shown.append((*start, METRIC_NAMES[metric], *cells, "" if shown else f"{ratio:.1f}"))
        last = name
    shown += [
        (name, "", "", f"not run: {one['not_run']}"[:60], *[""] * 5) for name, one in found.items() if "not_run" in one
    ]
    return shown


def cell(value: Mapping[str, Any] | None, *, starred: bool) -> str:
    """A score with its interval."""
    if value is None:
        return "–"
    if value["value"] is None:
        return "undefined"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]{' †' if starred else ''}"


def page_lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One table a family, and the tasks that were not run."""
    answered = {name for one in found.values() for name in one.get("methods", ())}
    methods = {name: title for name, title in BASELINE_NAMES.items() if name in answered}
    for family in dict.fromkeys(one["family"] for one in found.values()):
        members = {name: one for name, one in found.items() if one["family"] == family}
        yield f"\n### {family}\n"
        yield f"| task | split | train | test | score | {' | '.join(methods.values())} | published |"
        yield "|---|---|--:|--:|---|" + "---|" * len(methods) + "---|"
        last = ""
        for name, one, metric, values in rows(members):
            start = ("", "", "", "")
            if name != last:
                start = (name, one["split"], f"{one['items']['train']:,}", f"{one['n']:,}")
            cells = (cell(values.get(method), starred=method == one["best"]) for method in methods)
            others = "; ".join(
                f"{other['system']} {other['value']:.3f}" for other in one["published"] if other["metric"] == metric
            )
            yield f"| {' | '.join([*start, METRIC_NAMES[metric], *cells, others])} |"
            last = name
        for name, one in members.items():
            if "not_run" in one:
                yield f"| {name} | not run: {one['not_run']} |" + " |" * (4 + len(methods))


if __name__ == "__main__":
    main()
