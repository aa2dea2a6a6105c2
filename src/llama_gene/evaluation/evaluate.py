"""Stage "evaluate": answer the test instructions, compare with the baselines, write predictions and report."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from transformers import PreTrainedModel

from llama_gene.artifacts import MANIFEST, Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import EvaluateConfig, describe
from llama_gene.errors import DataError
from llama_gene.evaluation.answers import is_exact
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.numbers import expected_values
from llama_gene.evaluation.report import Report, TrainingCurve, write_report
from llama_gene.evaluation.tasks import ModelAnswers, TaskReport, check_labels, compare
from llama_gene.evaluation.tools import Tool, answer_by_tool, open_tools, tool_prediction
from llama_gene.model.folders import load_pair
from llama_gene.model.machine import reuse_memory
from llama_gene.prompts import Message, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer

CODE = 2


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
    specialists: Mapping[str, Path] | None = None,
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
        specialists: Stage folders of `tasks specialist`, by task, for those that a tool answers.

    Raises:
        DataError: no items, a label that training never showed, or a tool without its specialist.
        ModelError: the model cannot be read or does not fit its tokenizer.
    """

    def build(work: Path, ledger: Ledger) -> None:
        reuse_memory()
        splits = _read_splits(instructions, config.split)
        tools = open_tools(instructions, [items[0] for items in splits[config.split].values()], specialists or {})
        network, tokenizer = _load(model)
        with (work / "predictions.jsonl").open("w", encoding="utf-8") as predictions:
            reports = [
                _answer_and_compare(config, network, tokenizer, splits, task, seed, predictions, tools.get(task))
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
    inputs |= {f"specialist {task}": folder for task, folder in (specialists or {}).items()}
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
    tool: Tool | None,
) -> TaskReport:
    """Answer a task's items, write the answers down and set their scores beside the baselines'."""
    items, train = splits[config.split][task], splits["train"].get(task, [])
    if tool is None:
        answers = answer_items(config, network, tokenizer, items, seed=seed)
        answers = replace(answers, values=expected_values(answers.probabilities, train, items, config.bin_centre))
        predictions.writelines(_prediction(item, place, answers) for place, item in enumerate(items))
    else:
        answers = answer_by_tool(config, network, tokenizer, items, tool, train=train)
        predictions.writelines(tool_prediction(item, place, answers, tool) for place, item in enumerate(items))
    valid = splits["valid"].get(task, []) if config.split == "test" else []
    return compare(config, answers, train=train, valid=valid, test=items, seed=seed)


def _read_splits(instructions: Path, asked: str) -> dict[str, dict[str, list[Item]]]:
    """The items of each split by task; what is asked must hold some, with labels that training showed."""
    splits = {name: _by_task(instructions / f"{name}.jsonl") for name in ("train", "valid", "test")}
    if not splits[asked]:
        raise DataError(f"{instructions / asked}.jsonl: holds no instructions. Build more test items.")
    for task, items in splits[asked].items():
        check_labels(splits["train"].get(task, []), items)
    return splits


def answer_items(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item], *, seed: int
) -> ModelAnswers:
    """The model's answers to the items of one task: by likelihood where the labels are closed, else written freely.

    Args:
        config: Batch size, longest answer, and how many closed items are also answered freely.
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        items: All of one task.
        seed: Chooses the closed items that are also answered freely.
    """
    prompts = [prompt_ids(item, tokenizer) for item in items]
    task, labels = items[0].task, items[0].labels

    def write(places: Sequence[int]) -> list[str]:
        return generate_answers(
            model, tokenizer, [prompts[place] for place in places], max_new_tokens=config.max_new_tokens,
            batch_items=config.batch_items, title=f"{task}: answering",
        )  # fmt: skip

    if labels is None:
        return ModelAnswers(tuple(write(range(len(items)))), None, (), {})
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in labels)
    questions = [Question(tuple(prompt), options) for prompt in prompts]
    scores = score_answers(model, questions, batch_items=config.batch_items, title=f"{task}: weighing labels")
    probabilities = np.array([score.probability for score in scores])
    size = min(config.generate_items, len(items))
    sample = np.sort(np.random.default_rng(seed).choice(len(items), size=size, replace=False)).tolist()
    return ModelAnswers(
        texts=tuple(labels[best] for best in probabilities.argmax(axis=1)),
        probabilities=probabilities,
        per_token=tuple(labels[int(score.per_token.argmax())] for score in scores),
        generated=dict(zip(sample, write(sample), strict=True)),
    )


def prompt_ids(item: Item, tokenizer: GeneTokenizer) -> list[int]:
    """Token ids of an item's question, up to the response heading: the same text as in training."""
    question = Message("user", user_content(item.instruction, item.input))
    return tokenizer.encode_prompt(render([question], bos=tokenizer.bos, eos=tokenizer.eos))


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


def _load(folder: Path) -> tuple[PreTrainedModel, GeneTokenizer]:
    """float32 on a processor; on an accelerator the weights keep their stored type."""
    cuda = torch.cuda.is_available()
    model, tokenizer = load_pair(folder, dtype=None if cuda else torch.float32)
    return model.to("cuda" if cuda else "cpu").eval(), tokenizer


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
    if answers.values is not None:
        found = {**found, "predicted_value": answers.values[place]}
    if place in answers.generated:
        found = {**found, "generated": answers.generated[place]}
    return json.dumps({**item.record(), **found}, ensure_ascii=False) + "\n"


def _enter(ledger: Ledger, report: Report) -> None:
    ledger.facts["families_above_majority"] = list(report.families_above_majority)
    ledger.facts["headline"] = {task.task: _headline(task) for task in report.tasks}
    for task in report.tasks:
        ledger.counts["items"] += task.n
        ledger.counts[f"items of {task.task}"] = task.n
        for reason, count in task.calls.items():
            ledger.counts[f"calls of {task.task}: {reason}"] = count
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
