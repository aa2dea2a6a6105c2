"""Stage "evaluate": answer the test instructions, compare with the baselines, write predictions and report."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from transformers import PreTrainedModel

from llama_gene.artifacts import MANIFEST, Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import EvaluateConfig, describe
from llama_gene.errors import DataError
from llama_gene.evaluation.answering import answer_items, load_answerer
from llama_gene.evaluation.answers import is_exact
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.report import Report, TrainingCurve, write_report
from llama_gene.evaluation.tasks import ModelAnswers, TaskReport, check_labels, compare
from llama_gene.model.machine import reuse_memory
from llama_gene.tokenizer.load import GeneTokenizer

CODE = 1


def evaluate(
    config: EvaluateConfig,
    *,
    model: Path,
    instructions: Path,
    seed: int,
    output: Path,
    title: str = "",
    synthetic: bool = False,
    notes: Sequence[str] = (),
    training: Sequence[Path] = (),
) -> Manifest:
    """Stage "evaluate": `predictions.jsonl`, `report.json`, `report.md` and `report.html`.

    Args:
        config: Settings.
        model: Folder of the tuned model, with its tokenizer.
        instructions: Folder of `tasks build`.
        seed: Seed of the intervals and of the sample answered by generation.
        output: Stage folder.
        title: Name of the run, for the report.
        synthetic: The data is made up, and every page says so.
        notes: Sentences for the report.
        training: Stage folders whose manifests hold training curves.

    Raises:
        DataError: no items, or a label that training never showed.
        ModelError: the model cannot be read or does not fit its tokenizer.
    """

    def build(work: Path, ledger: Ledger) -> None:
        reuse_memory()
        splits = _read_splits(instructions, config.split)
        network, tokenizer = load_answerer(model)
        with (work / "predictions.jsonl").open("w", encoding="utf-8") as predictions:
            reports = [
                _answer_and_compare(config, network, tokenizer, splits, task, seed, predictions)
                for task in splits[config.split]
            ]
        report = Report(
            title=title or model.name,
            synthetic=synthetic,
            notes=tuple(notes),
            split=config.split,
            seed=seed,
            tasks=tuple(reports),
            curves=tuple(curve for folder in training if (curve := read_curve(folder))),
            model=_describe_model(network, tokenizer),
            config=describe(config),
            hardware=describe_hardware(),
        )
        _enter(ledger, report)
        write_report(report, work)

    inputs = {"model": model, "instructions": instructions} | {
        f"training {place}": folder for place, folder in enumerate(training)
    }
    settings = describe(config) | {"title": title, "synthetic": synthetic, "notes": list(notes)}
    return build_stage("evaluate", output, build, config=settings, inputs=inputs, seed=seed, code=CODE)


def _answer_and_compare(
    config: EvaluateConfig,
    network: PreTrainedModel,
    tokenizer: GeneTokenizer,
    splits: Mapping[str, Mapping[str, list[Item]]],
    task: str,
    seed: int,
    predictions: TextIO,
) -> TaskReport:
    """Answer a task's items, write the answers down and set their scores beside the baselines'."""
    items = splits[config.split][task]
    answers = answer_items(config, network, tokenizer, items, seed=seed)
    predictions.writelines(_prediction(item, place, answers) for place, item in enumerate(items))
    valid = splits["valid"].get(task, []) if config.split == "test" else []
    return compare(config, answers, train=splits["train"].get(task, []), valid=valid, test=items, seed=seed)


def _read_splits(instructions: Path, asked: str) -> dict[str, dict[str, list[Item]]]:
    """The items of each split by task; what is asked must hold some, with labels that training showed."""
    splits = {name: _by_task(instructions / f"{name}.jsonl") for name in ("train", "valid", "test")}
    if not splits[asked]:
        raise DataError(f"{instructions / asked}.jsonl: holds no instructions. Build more test items.")
    for task, items in splits[asked].items():
        check_labels(splits["train"].get(task, []), items)
    return splits


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


def _by_task(file: Path) -> dict[str, list[Item]]:
    """Items per task, tasks in order of first appearance; nothing where the file is absent."""
    found: dict[str, list[Item]] = {}
    for item in read_items(file) if file.is_file() else ():
        found.setdefault(item.task, []).append(item)
    return found


def _prediction(item: Item, place: int, answers: ModelAnswers) -> str:
    response = answers.texts[place]
    closed = item.labels is not None and answers.probabilities is not None
    found: Mapping[str, Any] = {
        "response": response,
        "scores": dict(zip(item.labels, answers.probabilities[place].tolist(), strict=True))
        if item.labels is not None and answers.probabilities is not None
        else None,
        "correct": response == item.output if closed else is_exact(response, item.output),
    }
    if place in answers.generated:
        found = {**found, "generated": answers.generated[place]}
    return json.dumps({**item.record(), **found}, ensure_ascii=False) + "\n"


def _enter(ledger: Ledger, report: Report) -> None:
    ledger.facts["families_above_majority"] = list(report.families_above_majority)
    ledger.facts["headline"] = {task.task: _headline(task) for task in report.tasks}
    for task in report.tasks:
        ledger.counts["items"] += task.n
        ledger.counts[f"items of {task.task}"] = task.n
        if task.generation:
            ledger.counts["generated answers that name no label"] += task.generation.unread


def _headline(report: TaskReport) -> dict[str, Any]:
    best = report.headline
    kmer = best.kmer.value if best.kmer else None
    return {
        "metric": best.metric, "ours": best.ours.value, "low": best.ours.low, "high": best.ours.high,
        "majority": best.majority.value, "kmer": kmer, "verdict": best.verdict, "n": report.n,
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
