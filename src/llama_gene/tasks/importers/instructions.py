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

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from llama_gene.config import GeneKind, Split
from llama_gene.sequences.files import Inspector, Item
from llama_gene.tasks.importers.found import TABLES, Definition, Found, Origin, Request, Row, Seen
from llama_gene.tasks.importers.layout import items_below, need_items, parts_of, read_rows, split_in, stem_of, suffix_of
from llama_gene.tasks.importers.names import slug, task_name
from llama_gene.tasks.importers.spans import find_sequences
from llama_gene.tasks.items import Words

_TEXT = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_MOST_LABELS = 30
# The second pass over a file counts nothing: the first has done so.
_COUNTED = Inspector("skip")
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
    return _find(request, _ALPACA, _from_fields, lambda item, root: stem_of(item))


def find_sharegpt(request: Request) -> Iterator[Found]:
    """One task for each file and kinds of sequences; of a conversation the first question and answer."""
    return _find(request, _SHAREGPT, _from_turns, lambda item, root: stem_of(item))


def find_mol_instructions(request: Request) -> Iterator[Found]:
    """One task for each of the set's own, with the split it names."""
    return _find(request, _MOL, _from_metadata, lambda item, root: stem_of(item))


def find_opi(request: Request) -> Iterator[Found]:
    """One task for each folder that holds train/ and test/."""
    return _find(request, _OPI, _from_fields, _folder_above_split)


def find_biology_instructions(request: Request) -> Iterator[Found]:
    """One task for each of the set's own."""
    return _find(request, _BIOLOGY, _from_fields, lambda item, root: stem_of(item))


def _folder_above_split(item: Item, root: Path) -> str:
    parts = parts_of(item, root)
    return parts[-3] if len(parts) >= 3 and split_in([parts[-2]]) else stem_of(item)


def _find(request: Request, origin: Origin, texts: Texts, name_of: Callable[[Item, Path], str]) -> Iterator[Found]:
    """Tasks by name and kinds: one pass to find which there are, then one for each."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _TEXT]
    need_items(items, request.path, "JSON, JSONL, CSV or Parquet files of instructions")
    groups: dict[tuple[str, tuple[GeneKind, ...]], list[Item]] = {}
    for item in items:
        for key in {key for key, _ in _grouped(request, item, texts, name_of, request.inspector)}:
            groups.setdefault(key, []).append(item)
    several = {name for name, _ in groups if sum(name == other for other, _ in groups) > 1}
    for (task, kinds), members in sorted(groups.items()):
        parts = [task, *(["-".join(kinds) or "text"] if task in several else [])]
        name = task_name(request.prefix, parts if len(groups) > 1 else [])
        rows = _rows(request, members, texts, name_of, (task, kinds))
        yield Found(name, partial(_define, name, task, kinds, origin), rows)


def _grouped(
    request: Request, item: Item, texts: Texts, name_of: Callable[[Item, Path], str], inspector: Inspector
) -> Iterator[tuple[tuple[str, tuple[GeneKind, ...]], tuple[Record, tuple[str, ...]]]]:
    """Every usable record with its task and the kinds of its sequences."""
    parts = parts_of(item, request.path)
    place = Place(name_of(item, request.path), split_in([stem_of(item), *reversed(parts[:-1])]))
    for where, fields in read_rows(item, inspector):
        record = texts(fields, place)
        if record is None or not record.instruction.strip() or not record.output.strip():
            inspector.refuse(
                "record without a question or an answer", f"{where}: no instruction or no output. Check --format."
            )
            continue
        inspector.note("later turns of conversations, left out", _later_turns(fields))
        spans = find_sequences(record.input) or find_sequences(record.instruction)
        kinds = tuple(span.kind for span in spans)
        yield (slug(record.task), kinds), (record, tuple(span.letters for span in spans))


def _rows(
    request: Request,
    members: Sequence[Item],
    texts: Texts,
    name_of: Callable[[Item, Path], str],
    wanted: tuple[str, tuple[GeneKind, ...]],
) -> Iterator[Row]:
    for item in members:
        for number, (key, (record, letters)) in enumerate(_grouped(request, item, texts, name_of, _COUNTED), start=1):
            if key != wanted:
                continue
            linked = tuple((span.kind, span.letters) for span in find_sequences(record.output))
            yield Row(
                letters, f"{stem_of(item)}-{number}", record.output, split=record.split,
                words=Words(record.instruction, record.input, linked),
            )  # fmt: skip


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
        "metric": ("mcc" if len(closed) == 2 else "macro_f1") if closed else "token_f1",
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
    metadata = fields.get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    record = _from_fields(fields, place)
    split = split_in([_text(said.get("split"))]) or place.split
    return record and record._replace(task=_text(said.get("task")) or place.task, split=split)


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
