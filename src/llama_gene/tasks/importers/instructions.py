"""Instruction sets as they are: each record keeps its own instruction, input and output.

The sequences in the texts are found (see `spans`), so that records of one sequence stay in one split and the corpus can
leave out what is tested. Records of one set are parted by what they call their task, and by the kinds of the sequences
asked about.

Layouts:
- alpaca: JSON or JSONL of `instruction`, `input`, `output` (github.com/tatsu-lab/stanford_alpaca, "Data Release").
- sharegpt: `conversations` of `from` and `value`, or `messages` of `role` and `content` (LLaMA-Factory,
  data/README.md); the first question and its answer make a record, later turns are counted.
- mol-instructions: JSON of `instruction`, `input`, `output`, `metadata` with `task` and `split`
  (huggingface.co/datasets/zjunlp/Mol-Instructions).
- opi: TASK/train/*.json and TASK/test/*.jsonl; test records may hold their texts in `instances`
  (github.com/baaihealth/opi; huggingface.co/datasets/BAAI/OPI).
- biology-instructions: JSON, JSONL or CSV of `input`, `output`, `task`, sequences in <dna>, <rna>, <protein>
  (github.com/hhnqqq/Biology-Instructions).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from llama_gene.config import GeneKind, Split
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Inspector, Item
from llama_gene.tasks.importers.found import TABLES, Definition, Found, Origin, Request, Row, Seen
from llama_gene.tasks.importers.layout import (
    items_below,
    need_items,
    parts_of,
    read_rows,
    set_of,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import slug, task_name
from llama_gene.tasks.importers.spans import find_sequences
from llama_gene.tasks.importers.spool import Spool
from llama_gene.tasks.items import Words

_TEXT = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_MOST_LABELS = 30
_ITEMS_PER_LABEL = 10
_LONGEST_LABEL = 60
_ALPACA = Origin("an instruction set in Alpaca's form", "see the publisher", "see the publisher")
_SHAREGPT = Origin("an instruction set in ShareGPT's form", "see the publisher", "see the publisher")
_MOL = Origin("Mol-Instructions", "CC BY 4.0", "Fang et al. 2024, Mol-Instructions, ICLR")
_OPI = Origin(
    "OPI, Open Protein Instructions", "CC BY-NC 4.0: research only", "Xiao et al. 2024, OPI, NeurIPS workshop"
)
_BIOLOGY = Origin("Biology-Instructions", "see the publisher: none is stated", "He et al. 2024, arXiv:2412.19191")


class Record(NamedTuple):
    """One record: its texts, its task and where it belongs."""

    instruction: str
    input: str
    output: str
    task: str
    split: Split | None


Texts = Callable[[Mapping[str, Any], "Place"], Record | None]


class Place(NamedTuple):
    """What the path of a file says of its records."""

    task: str
    split: Split | None


def find_alpaca(request: Request) -> Iterator[Found]:
    """One task for each file (or field `task`) and kinds of sequences."""
    return _find(request, _ALPACA, _from_fields, lambda item, root: set_of(item))


def find_sharegpt(request: Request) -> Iterator[Found]:
    """One task for each file and kinds of sequences; of a conversation the first question and answer."""
    return _find(request, _SHAREGPT, _from_turns, lambda item, root: set_of(item))


def find_mol_instructions(request: Request) -> Iterator[Found]:
    """One task for each of the set's own, with the split it names."""
    return _find(request, _MOL, _from_metadata, lambda item, root: set_of(item))


def find_opi(request: Request) -> Iterator[Found]:
    """One task for each folder that holds train/ and test/."""
    return _find(request, _OPI, _from_fields, _folder_above_split)


def find_biology_instructions(request: Request) -> Iterator[Found]:
    """One task for each of the set's own."""
    return _find(request, _BIOLOGY, _from_fields, lambda item, root: set_of(item))


def _folder_above_split(item: Item, root: Path) -> str:
    parts = parts_of(item, root)
    return parts[-3] if len(parts) >= 3 and split_in([parts[-2]]) else set_of(item)


def _find(request: Request, origin: Origin, texts: Texts, name_of: Callable[[Item, Path], str]) -> Iterator[Found]:
    """Tasks by name and kinds of sequences; one pass over the files parts them on disk."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _TEXT]
    need_items(items, request.path, "JSON, JSONL, CSV or Parquet files of instructions")
    spool: Spool[tuple[str, tuple[GeneKind, ...]]] = Spool(request.scratch)
    for item in items:
        parts = parts_of(item, request.path)
        place = Place(name_of(item, request.path), split_in([stem_of(item), *reversed(parts[:-1])]))
        for task, kinds, row in show_progress(_rows(item, place, texts, request.inspector), f"Reading {item.name}"):
            spool.add((task, kinds), row)
    groups = spool.keys()
    several = {name for name, count in Counter(name for name, _ in groups).items() if count > 1}
    for task, kinds in sorted(groups):
        parts = (task, *(["-".join(kinds) or "text"] if task in several else []))
        name = task_name(request.prefix, parts if len(groups) > 1 else [])
        yield Found(name, partial(_define, name, task, kinds, origin), spool.rows((task, kinds)))


def _rows(
    item: Item, place: Place, texts: Texts, inspector: Inspector
) -> Iterator[tuple[str, tuple[GeneKind, ...], Row]]:
    """Every usable record as a row, with its task and the kinds of its sequences."""
    stem = stem_of(item)
    for number, (where, fields) in enumerate(read_rows(item, inspector), start=1):
        record = texts(fields, place)
        if record is None or not record.instruction.strip() or not record.output.strip():
            inspector.refuse(
                "record without a question or an answer", f"{where}: no instruction or no output. Check --format."
            )
            continue
        if later := _later_turns(fields):
            inspector.note("later turns of conversations, left out", later)
        spans = find_sequences(record.input) or find_sequences(record.instruction)
        linked = tuple((span.kind, span.letters) for span in find_sequences(record.output))
        row = Row(
            tuple(span.letters for span in spans), f"{stem}-{number}", record.output, split=record.split,
            words=Words(record.instruction, record.input, linked),
        )  # fmt: skip
        yield slug(record.task), tuple(span.kind for span in spans), row


def _define(name: str, task: str, kinds: Sequence[GeneKind], origin: Origin, seen: Seen) -> Definition:
    title = task.replace("-", " ").replace("_", " ")
    closed = _closed_answers(seen) if kinds else []
    family = "function" if not closed else "classification" if len(kinds) <= 1 else "multi-sequence"
    return {
        "title": title,
        "family": family,
        "definition": f"Questions of '{title}', in the words of their instruction set.",
        "inputs": [{"kind": kind} for kind in kinds],
        **({"labels": [{"name": answer} for answer in closed]} if closed else {}),
        "keep": "whole",
        "metric": "mcc" if closed else "token_f1",
        "source": origin.source,
        "licence": origin.licence,
        "citation": origin.citation,
        "reader": {"type": "instructions", "files": [{"path": f"{TABLES}{name}.jsonl"}]},
        "split": {"by": "sequence"},
    }


def _closed_answers(seen: Seen) -> list[str]:
    """The answers, where they are few, short and often repeated; else none, and the answer is free text."""
    few = 2 <= len(seen.answers) <= min(_MOST_LABELS, seen.rows // _ITEMS_PER_LABEL)
    if not few or seen.longest_answer > _LONGEST_LABEL:
        return []
    folded = {answer.strip().casefold() for answer in seen.answers}
    if len(folded) < len(seen.answers) or any(mark in answer for answer in seen.answers for mark in (", ", "\n")):
        return []
    return sorted(seen.answers)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _from_fields(fields: Mapping[str, Any], place: Place) -> Record | None:
    """Alpaca's fields; OPI's test records hold input and output in `instances`, others only an input."""
    instances = fields.get("instances")
    inner = instances[0] if isinstance(instances, list) and instances and isinstance(instances[0], dict) else fields
    instruction, given, output = _text(fields.get("instruction")), _text(inner.get("input")), _text(inner.get("output"))
    if not instruction.strip():
        instruction, given = given, ""
    given = "" if given.strip() in ("<noinput>", "nan") else given
    return Record(instruction, given, output, _text(fields.get("task")) or place.task, place.split)


def _from_metadata(fields: Mapping[str, Any], place: Place) -> Record | None:
    """Mol-Instructions' fields: the metadata name task and split."""
    said = _as_object(fields.get("metadata"))
    record = _from_fields(fields, place)
    split = split_in([_text(said.get("split"))]) or place.split
    return record and record._replace(task=_text(said.get("task")) or place.task, split=split)


def _as_object(value: Any) -> Mapping[str, Any]:
    """An object, given as it is or as JSON text, as copies on Hugging Face have it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _turns(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    turns = fields.get("conversations") or fields.get("messages") or []
    return [
        (_text(turn.get("from") or turn.get("role")), _text(turn.get("value") or turn.get("content")))
        for turn in turns
        if isinstance(turn, dict)
    ]


def _from_turns(fields: Mapping[str, Any], place: Place) -> Record | None:
    """The first question of a conversation and the answer to it; a system message stands before the question."""
    system = " ".join(said for who, said in _turns(fields) if who == "system") or _text(fields.get("system"))
    talk = [(who, said) for who, said in _turns(fields) if who != "system"]
    if len(talk) < 2 or talk[0][0] not in ("human", "user") or talk[1][0] not in ("gpt", "assistant", "bot", "chatgpt"):
        return None
    question = f"{system}\n\n{talk[0][1]}" if system.strip() else talk[0][1]
    return Record(question, "", talk[1][1], _text(fields.get("task")) or place.task, place.split)


def _later_turns(fields: Mapping[str, Any]) -> int:
    return max(0, len([who for who, _ in _turns(fields) if who != "system"]) - 2)
