"""Instruction records as packed rows of token ids: whole instructions back to back, on disk, memory-mapped.

Nothing here loads torch, so that the processes that encode start at once.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value
from datasets.exceptions import DatasetGenerationError

from llama_gene.config import FinetuneConfig
from llama_gene.corpus.best_fit import best_fit
from llama_gene.corpus.engine import Work, count_workers, map_in_order
from llama_gene.errors import DataError
from llama_gene.prompts import Message, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

_Row = dict[str, list[int]]
_PACKED_TOGETHER = 4096
_FIELDS = ("id", "instruction", "input", "output")
_FEATURES = Features(
    {"input_ids": List(Value("int32")), "lengths": List(Value("int32")), "targets": List(Value("int8"))}
)


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
            gen_kwargs={"file": file, "tokenizer": tokenizer.folder, "config": config, "at_most": at_most},
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


@dataclass(frozen=True)
class _Group:
    """Numbered lines of a file that are packed together, apart from all others."""

    file: Path
    lines: list[tuple[int, bytes]]
    tokenizer: Path
    config: FinetuneConfig


def _pack_file(file: Path, tokenizer: Path, config: FinetuneConfig, at_most: int | None) -> Iterator[_Row]:
    """Rows in the order of the file, whatever the number of processes; a large file is encoded on every core."""
    lines = _count_lines(file)
    stride = 1 if at_most is None else max(1, -(-lines // at_most))
    groups = -(-lines // (stride * _PACKED_TOGETHER))
    workers = count_workers(Work(file.parent, file.stat().st_size), groups)
    for rows in map_in_order(_pack_group, _groups(file, stride, tokenizer, config), workers):
        yield from rows


def _groups(file: Path, stride: int, tokenizer: Path, config: FinetuneConfig) -> Iterator[_Group]:
    """Every so manieth line, from all tasks alike."""
    with file.open("rb") as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        chosen = islice(numbered, 0, None, stride)
        while group := list(islice(chosen, _PACKED_TOGETHER)):
            yield _Group(file, group, tokenizer, config)


def _count_lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


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


def _pack_group(group: _Group) -> list[_Row]:
    tokenizer, row_tokens = load_tokenizer(group.tokenizer), group.config.row_tokens
    encoded = []
    for number, line in group.lines:
        record = _read_record(line, f"{group.file}:{number}")
        ids, targets = encode_instruction(record, tokenizer, whole_text=group.config.loss_on == "text")
        if len(ids) > row_tokens:
            raise DataError(
                f"{group.file}: instruction {record['id']!r} has {len(ids)} tokens, a row holds {row_tokens}. "
                "Raise finetune.row_tokens or lower tasks.max_tokens."
            )
        encoded.append((ids, targets))
    return [
        {
            "input_ids": [token for member in members for token in encoded[member][0]],
            "lengths": [len(encoded[member][0]) for member in members],
            "targets": [target for member in members for target in encoded[member][1]],
        }
        for members in best_fit([len(ids) for ids, _ in encoded], row_tokens).split()
    ]
