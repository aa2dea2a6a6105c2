"""Instruction tuning with the same causal head (paper, section 2.3.3): on the answers, or on the whole text."""

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value
from datasets.exceptions import DatasetGenerationError

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import FinetuneConfig, describe
from llama_gene.corpus.best_fit import best_fit
from llama_gene.errors import DataError
from llama_gene.model.adapters import count_parameters
from llama_gene.model.folders import write_card
from llama_gene.prompts import Message, render, user_content
from llama_gene.tasks.split import CHOSEN
from llama_gene.tasks.tool_questions import TOOL_CALLS
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.training.loop import clear_checkpoints, train, uses_bf16
from llama_gene.training.measure import nats_per_target
from llama_gene.training.pretrain import load_trainable, save_trained

CODE = 1
_PACKED_TOGETHER = 4096
_VALID_ITEMS = 2000
_FIELDS = ("id", "instruction", "input", "output")
_FEATURES = Features(
    {"input_ids": List(Value("int32")), "lengths": List(Value("int32")), "targets": List(Value("int8"))}
)


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


def instruction_rows(
    file: Path, tokenizer: GeneTokenizer, config: FinetuneConfig, work: Path, *, at_most: int | None = None
) -> Dataset:
    """Whole instructions packed into rows of `row_tokens`, on disk, memory-mapped.

    Args:
        file: Instruction records, one JSON object a line.
        tokenizer: Of the model.
        config: Row length, and what is learnt.
        work: Stage folder; the rows live under `cache/`.
        at_most: Only so many records, evenly from the whole file.

    Raises:
        DataError: the file is missing or empty, or a record does not fit a row.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such instructions. Run `llama-gene tasks build` first.")
    with file.open("rb") as lines:
        if not any(line.strip() for line in lines):
            raise DataError(f"{file}: holds no instructions. See the counts of `tasks build` for the reasons.")
    try:
        return Dataset.from_generator(
            _pack_file,
            gen_kwargs={"file": file, "tokenizer_folder": tokenizer.folder, "config": config, "at_most": at_most},
            features=_FEATURES,
            cache_dir=str(work / "cache"),
            fingerprint=f"{file.stem}-{at_most}-{config.row_tokens}-{config.loss_on}",
        )
    except DatasetGenerationError as error:
        raise error.__cause__ or error from None


def encode_instruction(
    record: dict[str, Any], tokenizer: GeneTokenizer, *, whole_text: bool
) -> tuple[list[int], list[int]]:
    """Token ids of prompt, answer and end token, and of each 1 where it is a target, else 0.

    Args:
        record: An instruction record; with a `history` every answer of it is a target as well.
        tokenizer: Of the model.
        whole_text: Every token but the first is a target, as in the paper; else those of the answers.
    """
    turns: list[Message] = []
    ids: list[int] = []
    targets: list[int] = []
    last = (user_content(record["instruction"], record["input"]), record["output"])
    for asked, answered in (*record.get("history", ()), last):
        seen = len(_encode_turns(turns, tokenizer)) if turns else 0
        turns.append(Message("user", asked))
        prompt = _encode_turns(turns, tokenizer)[seen:]
        answer = [*tokenizer.encode_answer(answered), tokenizer.eos_id]
        turns.append(Message("assistant", answered))
        ids += [*prompt, *answer]
        targets += [*[0] * len(prompt), *[1] * len(answer)]
    return ids, [0, *[1] * (len(ids) - 1)] if whole_text else targets


def _encode_turns(turns: Sequence[Message], tokenizer: GeneTokenizer) -> list[int]:
    return tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos))


def _pack_file(file: Path, tokenizer_folder: Path, config: FinetuneConfig, at_most: int | None) -> Iterator[Any]:
    tokenizer = load_tokenizer(tokenizer_folder)
    with file.open("rb") as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        chosen = islice(numbered, 0, None, 1 if at_most is None else _stride(file, at_most))
        while group := list(islice(chosen, _PACKED_TOGETHER)):
            records = [_read_record(line, f"{file}:{number}") for number, line in group]
            yield from _pack_group(file, records, tokenizer, config)


def _read_record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}). Build the instructions again.") from None
    if not isinstance(record, dict) or any(not isinstance(record.get(name), str) for name in _FIELDS):
        raise DataError(f"{where}: expected an object with {', '.join(_FIELDS)}. Build the instructions again.")
    if not _is_history(record.get("history", [])):
        raise DataError(f"{where}: history is no list of [question, answer]. Build the instructions again.")
    return record


def _is_history(turns: Any) -> bool:
    return isinstance(turns, list) and all(
        isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn) for turn in turns
    )


def _stride(file: Path, at_most: int) -> int:
    """Every so manieth line gives at most so many, from all tasks alike."""
    with file.open("rb") as lines:
        return max(1, -(-sum(1 for line in lines if line.strip()) // at_most))


def _pack_group(
    file: Path, records: Sequence[dict[str, Any]], tokenizer: GeneTokenizer, config: FinetuneConfig
) -> Iterator[dict[str, list[int]]]:
    encoded = [encode_instruction(record, tokenizer, whole_text=config.loss_on == "text") for record in records]
    for record, (ids, _) in zip(records, encoded, strict=True):
        if len(ids) > config.row_tokens:
            raise DataError(
                f"{file}: instruction {record['id']!r} has {len(ids)} tokens, a row holds {config.row_tokens}. "
                "Raise finetune.row_tokens or lower tasks.max_tokens."
            )
    for members in best_fit([len(ids) for ids, _ in encoded], config.row_tokens).split():
        chosen = [encoded[member] for member in members]
        yield {
            "input_ids": [token for ids, _ in chosen for token in ids],
            "lengths": [len(ids) for ids, _ in chosen],
            "targets": [target for _, targets in chosen for target in targets],
        }


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
