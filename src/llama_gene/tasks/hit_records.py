"""Function questions asked once more with hits before them, as `evaluate --index` and the assistant ask them.

A model that never saw hits in tuning answers worse with them. Here they are training items of the same task that align
with the item, each with its answer: never the item itself, nor one that is too alike, whose answer would be given away.
"""

import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from llama_gene.config import GeneKind, HitsConfig, TasksConfig
from llama_gene.progress import show_progress
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.retrieval.hits import SequenceHit, quote_sequences
from llama_gene.retrieval.index import Index
from llama_gene.retrieval.passing import index_records
from llama_gene.retrieval.transfer import hits_to_show
from llama_gene.sequences.records import Record
from llama_gene.tasks.fitting import MARK_TOKENS
from llama_gene.tokenizer.load import GeneTokenizer

FAMILY = "function"
# What the identifiers of these questions end in.
MARK = "~hits"
WITH_HITS, WITHOUT = "asked again with hits", "asked again, told that there is no hit"
_SPELLING = re.compile(r"~(joined|spaced)$")
# Questions about items that another question is about, too.
_TWICE = (MARK, "~spaced")
_TOGETHER = 256


def known_items(instructions: Path, task: str) -> Iterator[Record]:
    """The training items of a task as what is searched: the first sequence of each, described by its answer.

    Args:
        instructions: train.jsonl of `tasks build`.
        task: Its name.
    """
    with instructions.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            if record["task"] == task and record["sequences"] and not record["id"].endswith(_TWICE):
                answer = " ".join(record["output"].split())
                yield Record(_item_name(record), _kind_of(record), record["sequences"][0], instructions.name, answer)


def hit_records(
    config: TasksConfig,
    records: Iterable[Mapping[str, Any]],
    known: Iterable[Record],
    tokenizer: GeneTokenizer,
    *,
    seed: int,
    total: int,
    counts: Counter[str],
) -> Iterator[dict[str, Any]]:
    """Some questions of one task with hits behind their words, as many hits as there is room for.

    Args:
        config: `with_hits` says how many questions and hits; the limits of a question hold as without hits.
        records: Questions as they were written, of one task.
        known: What is searched, from `known_items`.
        tokenizer: Counts the tokens.
        seed: Decides, with its identifier alone, whether a question is asked again.
        total: How many `records` there are, for the progress bar.
        counts: Receives how many have hits and how many none, and what there is no room for.
    """
    share = config.with_hits.share
    shown = show_progress(records, "Looking up hits", total)
    drawn = (record for record in shown if record["sequences"] and _draw(seed, record["id"]) < share)
    with index_records(known) as index, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        look_up = partial(_hits_of, config.with_hits, index)
        # Few at a time, so that memory stays small.
        while batch := list(islice(drawn, _TOGETHER)):
            for record, hits in zip(batch, pool.map(look_up, batch), strict=True):
                again = _with_hits(record, hits, config, tokenizer, counts)
                if again is not None:
                    yield again


def _draw(seed: int, name: str) -> float:
    """A number from 0 up to 1 that depends on nothing else."""
    return zlib.crc32(f"{seed} {name}".encode()) / 2**32


def _kind_of(record: Mapping[str, Any]) -> GeneKind:
    return "dna" if record["kinds"][0] == "dna" else "protein"


def _item_name(record: Mapping[str, Any]) -> str:
    """The item's own name, without its task and the spelling of the question."""
    return _SPELLING.sub("", record["id"]).removeprefix(f"{record['task']}:")


def _hits_of(config: HitsConfig, index: Index, record: Mapping[str, Any]) -> list[SequenceHit]:
    """The hits of a question's first sequence, without the item itself: unknown letters make it unlike itself."""
    below, most = config.neighbours_below, config.neighbours + 1  # the item itself may be among them
    found = hits_to_show(index, record["sequences"][0], record["kinds"][0], identity_below=below, most=most)
    own = _item_name(record)
    return [hit for hit in found if hit.id != own][: config.neighbours]


def _with_hits(
    record: Mapping[str, Any],
    hits: Sequence[SequenceHit],
    config: TasksConfig,
    tokenizer: GeneTokenizer,
    counts: Counter[str],
) -> dict[str, Any] | None:
    """The question with as many hits as fit, or with the word that there is none; None where it does not fit."""
    for shown in range(len(hits), 0 if hits else -1, -1):
        quoted = defuse(quote_sequences(hits[:shown]), tokenizer.special_tokens).text
        instruction = f"{record['instruction']}\n\n{quoted}"
        if _fits(record, instruction, config, tokenizer):
            counts[WITH_HITS if shown else WITHOUT] += 1
            counts["hits left out: no room"] += len(hits) - shown
            return {**record, "id": f"{record['id']}{MARK}", "instruction": instruction}
    counts["not asked again: no room for a hit"] += 1
    return None


def _fits(record: Mapping[str, Any], instruction: str, config: TasksConfig, tokenizer: GeneTokenizer) -> bool:
    """Whether there is room for any answer: else the number of hits would tell which one is right."""
    prompt = render([Message("user", user_content(instruction, record["input"]))])
    asked, *answers = map(len, tokenizer.encode_arrays([prompt, *(record["labels"] or ())]))
    return asked + max(answers, default=config.max_answer_tokens) + MARK_TOKENS <= config.max_tokens
