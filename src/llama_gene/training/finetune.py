"""Instruction tuning with the same causal head (paper, section 2.3.3): on the answers, or on the whole text."""

import json
import shutil
from pathlib import Path

from datasets import Dataset

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import FinetuneConfig, describe
from llama_gene.model.adapters import count_parameters
from llama_gene.model.folders import write_card
from llama_gene.tasks.split import CHOSEN
from llama_gene.tasks.tool_questions import TOOL_CALLS
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.training.instructions import instruction_rows
from llama_gene.training.loop import clear_checkpoints, train, uses_bf16
from llama_gene.training.measure import nats_per_target
from llama_gene.training.pretrain import load_trainable, save_trained

CODE = 1
_VALID_ITEMS = 2000


def finetune(
    config: FinetuneConfig, *, model: Path, instructions: Path, seed: int, output: Path, synthetic: bool = False
) -> Manifest:
    """Stage "finetune": a plain Hugging Face folder that answers.

    Args:
        config: Settings.
        model: Folder of the pre-trained model, with its tokenizer.
        instructions: Folder of `tasks build`.
        seed: Order of the rows and dropout.
        output: Stage folder.
        synthetic: The data is made up; whoever shows this model's answers must say so.

    Raises:
        DataError: no instructions, or one longer than a row.
    """

    def build(work: Path, ledger: Ledger) -> None:
        tokenizer = load_tokenizer(model)
        rows = instruction_rows(instructions / "train.jsonl", tokenizer, config, work)
        valid = instruction_rows(instructions / "valid.jsonl", tokenizer, config, work, at_most=_VALID_ITEMS)
        settings = config
        if config.candidates:
            settings, trials = _choose_method(config, model, instructions, valid, seed, work)
            ledger.facts["candidates_nats_per_answer_token"] = trials
        network = load_trainable(model, settings, seed=seed)
        share = count_parameters(network)
        ledger.facts["history"] = train(
            network, rows, settings, epochs=config.epochs, max_steps=None, seed=seed, work=work, title="tuning"
        )
        network = save_trained(network, model, work)
        ledger.facts["method"] = settings.method
        ledger.facts["validation"] = {
            "nats_per_answer_token": round(nats_per_target(network, valid, bf16=uses_bf16(config)), 4)
        }
        ledger.facts["trainable_parameters"], ledger.facts["parameters"] = share
        ledger.counts["rows"] = len(rows)
        ledger.counts["instructions"] = sum(len(lengths) for lengths in rows["lengths"])
        ledger.counts["tokens"] = sum(sum(lengths) for lengths in rows["lengths"])
        _describe(instructions, work, synthetic=synthetic)
        shutil.rmtree(work / "cache", ignore_errors=True)

    inputs = {"model": model, "instructions": instructions}
    settings = describe(config) | {"synthetic": synthetic}
    return build_stage("finetune", output, build, config=settings, inputs=inputs, seed=seed, code=CODE)


def _choose_method(
    config: FinetuneConfig, model: Path, instructions: Path, valid: Dataset, seed: int, work: Path
) -> tuple[FinetuneConfig, dict[str, float]]:
    """Train each candidate for one epoch on a sample; the lowest validation loss wins, the first at a tie."""
    note = work / "candidates.json"
    sample = instruction_rows(
        instructions / "train.jsonl", load_tokenizer(model), config, work, at_most=config.candidate_items
    )
    trials: dict[str, float] = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    for method in config.candidates:
        if method in trials:
            continue
        settings = config.model_copy(update={"method": method})
        network = load_trainable(model, settings, seed=seed)
        place = work / f"trial-{method}"
        train(network, sample, settings, epochs=1, max_steps=None, seed=seed, work=place, title=f"trying {method}")
        trials[method] = round(nats_per_target(network, valid, bf16=uses_bf16(config)), 4)
        clear_checkpoints(place)
        shutil.rmtree(place, ignore_errors=True)
        note.write_text(json.dumps(trials), encoding="utf-8")
    note.unlink()
    return config.model_copy(update={"method": min(trials, key=trials.__getitem__)}), trials


def _describe(instructions: Path, work: Path, *, synthetic: bool) -> None:
    """Carry along what a chat needs to ask as the model was taught: definitions, spellings, labels, lengths."""
    built = read_manifest(instructions)
    labels: dict[str, list[str] | None] = {}
    with (instructions / "train.jsonl").open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            labels.setdefault(record["task"], record["labels"])
    tasks = {
        name: {"definition": definition, "spelling": built.facts[name]["spelling"], "labels": labels[name]}
        for name, definition in json.loads((instructions / CHOSEN).read_text(encoding="utf-8")).items()
        if name in labels
    }
    card = {"synthetic": synthetic, "max_tokens": built.config["max_tokens"], "tasks": tasks}
    write_card(work, card | {"calls_tools": TOOL_CALLS in labels})
