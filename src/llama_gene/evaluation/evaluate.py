"""Stage "evaluate": answer the test instructions, compare with the baselines, write predictions and report."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import torch
from transformers import PreTrainedModel

from llama_gene.artifacts import MANIFEST, Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import EvaluateConfig, describe
from llama_gene.evaluation.answering import answer_items, has_room
from llama_gene.evaluation.baseline_answers import beside, find_baselines
from llama_gene.evaluation.controls import EnglishSources, begin_controls
from llama_gene.evaluation.evidence import add_evidence, describe_evidence
from llama_gene.evaluation.items import Item, read_splits, refuse_equal_splits
from llama_gene.evaluation.notes import TaskNote, read_notes
from llama_gene.evaluation.predictions import PREDICTIONS, name_runs, prediction_line, read_run
from llama_gene.evaluation.report import Report, TrainingCurve
from llama_gene.evaluation.report_pages import write_report
from llama_gene.evaluation.shots import add_shots
from llama_gene.evaluation.tasks import ModelAnswers, TaskReport, compare, with_values
from llama_gene.evaluation.tools import Tool, open_tools
from llama_gene.model.folders import load_answerer
from llama_gene.model.machine import reuse_memory
from llama_gene.retrieval.index import Index, open_index
from llama_gene.tokenizer.load import GeneTokenizer

CODE = 9
_SHOTS = "solved training items shown"


@dataclass(frozen=True)
class _Sources:
    """The folders that an evaluation reads, as `evaluate` describes them; `runs` holds those of other evaluations."""

    model: Path
    instructions: Path
    baselines: Path
    runs: Mapping[str, Path]
    english: EnglishSources
    training: Sequence[Path]
    specialists: Mapping[str, Path]
    index: Path | None

    def inputs(self, config: EvaluateConfig) -> dict[str, Path]:
        """All that the result depends on, by name; the baselines' answers are not: they are kept to save time."""
        return {
            "model": self.model,
            "instructions": self.instructions,
            **{f"training {place}": folder for place, folder in enumerate(self.training)},
            **{f"specialist {task}": folder for task, folder in self.specialists.items()},
            **({"index": self.index} if self.index else {}),
            **{f"against {name}": folder for name, folder in self.runs.items()},
            **self.english.inputs(config.controls),
        }


@dataclass(frozen=True)
class _Heading:
    """What stands over the report, in the words of whoever asked for it."""

    title: str
    synthetic: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Exam:
    """What is asked of the model, and what its answers are compared with."""

    config: EvaluateConfig
    splits: Mapping[str, Mapping[str, list[Item]]]
    seed: int
    baselines: Path
    runs: Mapping[str, Mapping[str, ModelAnswers]]
    notes: Mapping[str, TaskNote]
    tools: Mapping[str, Tool]
    index: Index | None


def evaluate(
    config: EvaluateConfig,
    *,
    model: Path,
    instructions: Path,
    seed: int,
    output: Path,
    baselines: Path | None = None,
    against: Sequence[Path] = (),
    english: EnglishSources | None = None,
    title: str = "",
    synthetic: bool = False,
    notes: Sequence[str] = (),
    training: Sequence[Path] = (),
    specialists: Mapping[str, Path] | None = None,
    index: Path | None = None,
) -> Manifest:
    """Stage "evaluate": `predictions.jsonl`, `report.json`, `report.md`, `report.html` and a page a task.

    Args:
        config: Settings.
        model: Folder of the tuned model, with its tokenizer.
        instructions: Folder of `tasks build`.
        seed: Seed of the intervals and of the sample answered by generation.
        output: Stage folder.
        baselines: Folder where the answers of the baselines are kept; None: `baselines` beside the instructions, where
            the next model finds them.
        against: Folders of other evaluations of the same items, to compare with item by item.
        english: The model before gene training, the corpus and the folder of data, for the English controls.
        title: Name of the run, for the report.
        synthetic: The data is made up, and every page says so.
        notes: Sentences for the report.
        training: Stage folders whose manifests hold training curves.
        specialists: Stage folders of `tasks specialist`, by task, for those that a tool answers.
        index: Folder of `index`, whose hits stand before the questions of function tasks; None: asked without.

    Raises:
        DataError: no items, items that are those of training, a label that training never showed, a tool without its
            specialist, too few training items to show, or another run answered other items.
        ModelError: the model cannot be read or does not fit its tokenizer.
    """
    sources = _Sources(
        model, instructions, baselines or beside(instructions), name_runs(against),
        english or EnglishSources(), training, specialists or {}, index,
    )  # fmt: skip
    heading = _Heading(title, synthetic, tuple(notes))
    return build_stage(
        "evaluate", output, partial(_build, config, sources, heading, seed), inputs=sources.inputs(config), seed=seed,
        config=describe(config) | {"title": title, "synthetic": synthetic, "notes": list(notes)}, code=CODE,
    )  # fmt: skip


def _build(config: EvaluateConfig, sources: _Sources, heading: _Heading, seed: int, work: Path, ledger: Ledger) -> None:
    """Examine the model task by task, then its English, and report."""
    reuse_memory()
    exam = _open_exam(config, sources, seed)
    controls = begin_controls(config, sources.english)
    network, tokenizer = load_answerer(sources.model)
    with (work / PREDICTIONS).open("w", encoding="utf-8") as predictions:
        reports = [
            _score_task(exam, task, network, tokenizer, predictions, ledger) for task in exam.splits[config.split]
        ]
    report = Report(
        title=heading.title or sources.model.name,
        synthetic=heading.synthetic,
        notes=(
            *heading.notes,
            *([describe_evidence(config, sources.index)] if sources.index else ()),
            *([_describe_shots(config, ledger)] if config.shots else ()),
        ),
        split=config.split,
        seed=seed,
        tasks=tuple(reports),
        curves=tuple(curve for folder in sources.training if (curve := read_curve(folder))),
        model=_describe_model(network, tokenizer),
        config=describe(config),
        hardware=describe_hardware(),
        controls=controls.report(network, tokenizer, name=sources.model.name, seed=seed),
    )
    _enter(ledger, report)
    write_report(report, work)


def _open_exam(config: EvaluateConfig, sources: _Sources, seed: int) -> _Exam:
    """Read all that does not need the model, so that what is missing is said before it is loaded."""
    splits = read_splits(sources.instructions, config.split)
    if not config.allow_leaks:
        refuse_equal_splits(splits, config.split, sources.instructions)
    asked = splits[config.split]
    return _Exam(
        config,
        splits,
        seed,
        baselines=sources.baselines,
        runs={name: read_run(folder, asked) for name, folder in sources.runs.items()},
        notes=read_notes(sources.instructions),
        tools=open_tools(sources.instructions, [items[0] for items in asked.values()], sources.specialists),
        index=open_index(sources.index) if sources.index else None,
    )


def _score_task(
    exam: _Exam, task: str, network: PreTrainedModel, tokenizer: GeneTokenizer, predictions: TextIO, ledger: Ledger
) -> TaskReport:
    """Answer the items of one task, write the predictions, and compare them with all others."""
    config, items, tool = exam.config, exam.splits[exam.config.split][task], exam.tools.get(task)
    context = network.config.max_position_embeddings
    note = exam.notes.get(task, TaskNote())
    train = exam.splits["train"].get(task, [])
    valid = exam.splits["valid"].get(task, []) if config.split == "test" else []
    if exam.index is not None:
        # Validation items calibrate, so they are asked as the test items are.
        items, valid = (add_evidence(config, some, exam.index, tokenizer, context=context) for some in (items, valid))
    if config.shots:
        fits = has_room(config, tokenizer, train, context=context)
        items, valid = (add_shots(some, train, config.shots, seed=exam.seed, fits=fits) for some in (items, valid))
        ledger.counts[_SHOTS] += sum(len(item.shots) for item in items)
    answers = answer_items(config, network, tokenizer, items, train=train, valid=valid, seed=exam.seed, tool=tool)
    predictions.writelines(prediction_line(item, place, answers, tool) for place, item in enumerate(items))
    return compare(
        config,
        answers,
        find_baselines(config, exam.splits, task, seed=exam.seed, kept=exam.baselines, metric=note.metric),
        train=train,
        test=items,
        seed=exam.seed,
        others={name: with_values(config, run[task], train, items) for name, run in exam.runs.items()},
        note=note,
    )


def _describe_shots(config: EvaluateConfig, ledger: Ledger) -> str:
    """What the report says of the examples in the prompts."""
    return (
        f"Questions were asked with {config.shots} solved training items before them, fewer where the model had no "
        f"room for them and none in structure tasks and questions for any tool: {ledger.counts[_SHOTS]:,} in all."
    )


def read_curve(folder: Path) -> TrainingCurve | None:
    """The training curve in a stage's manifest; None where it has none."""
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder)
    history = [point for point in manifest.facts.get("history", []) if "step" in point and "loss" in point]
    validation = manifest.facts.get("validation", {})
    if not history and not validation:
        return None
    return TrainingCurve(
        stage=manifest.stage,
        steps=tuple(int(point["step"]) for point in history),
        losses=tuple(float(point["loss"]) for point in history),
        validation={name: float(value) for name, value in validation.items()},
        before={name: float(value) for name, value in manifest.facts.get("validation_before", {}).items()},
        seconds=manifest.seconds,
    )


def describe_hardware() -> dict[str, Any]:
    """What the numbers were measured on."""
    cuda = torch.cuda.is_available()
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if cuda else "none",
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _enter(ledger: Ledger, report: Report) -> None:
    ledger.facts["families_above_majority"] = list(report.families_above_majority)
    ledger.facts["headline"] = {task.task: _headline(task) for task in report.tasks}
    ledger.facts["english"] = report.controls.headline if report.controls else {}
    for task in report.tasks:
        ledger.counts["items"] += task.n
        ledger.counts[f"items of {task.task}"] = task.n
        for reason, count in task.calls.items():
            ledger.counts[f"calls of {task.task}: {reason}"] = count
        if task.generation:
            ledger.counts["generated answers that name no label"] += task.generation.unread


def _headline(report: TaskReport) -> dict[str, Any]:
    best = report.headline
    return {
        "metric": best.metric, "ours": best.ours.value, "low": best.ours.low, "high": best.ours.high,
        **{name: found.value for name, found in best.baselines.items()}, "best_baseline": report.best_baseline,
        "difference": best.difference.value, "p": best.difference.p, "verdict": best.verdict, "n": best.ours.n,
    }  # fmt: skip


def _describe_model(model: PreTrainedModel, tokenizer: GeneTokenizer) -> dict[str, Any]:
    return {
        "type": model.config.model_type,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "hidden_size": model.config.hidden_size,
        "layers": model.config.num_hidden_layers,
        "vocabulary": tokenizer.size,
        "context": model.config.max_position_embeddings,
        "precision": str(model.dtype).removeprefix("torch."),
    }
