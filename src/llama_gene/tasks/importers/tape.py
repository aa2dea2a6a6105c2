"""Benchmarks of protein representations: TAPE and PEER.

Layouts:
- tape: TASK/TASK_SPLIT.json, a list of objects with `primary` and the target (github.com/songlab-cal/tape, "Raw Data"),
  or TASK/TASK_SPLIT.lmdb of the same objects ("LMDB data"), which needs the package lmdb.
- peer: the same with the fields of torchdrug.datasets (github.com/DeepGraphLearning/PEER_Benchmark), or CSV with
  columns of those names.

Targets: ss3 and ss8 (the states of NetSurfP-2.0 in its order: H E C, G H I B E S T C; places where `valid_mask` is not
set are never asked), fold_label, log_fluorescence, stability_score, scaled_effect1, solubility, localization,
interaction (of primary_1 and primary_2). Contacts, domains and ligands are no task of ours.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from llama_gene.config import GeneKind, Split
from llama_gene.sequences.files import Inspector, Item
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    Seen,
    describe_task,
    label,
    plain_labels,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    items_below,
    need_items,
    number_of,
    parts_of,
    read_rows,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.lmdb import read_lmdb
from llama_gene.tasks.importers.names import task_name
from llama_gene.tasks.sources import UNKNOWN_STATE
from llama_gene.tasks.wordings import Family

_TAPE = Origin("TAPE", "BSD-3-Clause (code); see the data's own sources", "Rao et al. 2019, TAPE, NeurIPS")
_PEER = Origin("PEER", "Apache-2.0 (code); see the data's own sources", "Xu et al. 2022, PEER, NeurIPS")
_TEXT = (".json", ".jsonl", ".csv", ".tsv")
# The held-out sets that are not called test.
_TEST_SETS = ("casp12", "ts115", "cb513", "holdout")
_LOOKED_AT = 50


class Target(NamedTuple):
    """How one field is asked: family, words, and for states their letters, for classes their names."""

    family: Family
    title: str
    question: str
    classes: tuple[str, ...] = ()


_TARGETS: Mapping[str, Target] = {
    "ss3": Target("structure", "secondary structure prediction",
                  "Which secondary structure has the residue asked for of this protein?", tuple("HEC")),
    "ss8": Target("structure", "secondary structure prediction, eight states",
                  "Which of eight secondary structures has the residue asked for of this protein?", tuple("GHIBESTC")),
    "fold_label": Target("classification", "fold recognition", "Which fold has this protein domain?"),
    "log_fluorescence": Target("regression", "fluorescence prediction", "How bright is this variant of GFP?"),
    "stability_score": Target("regression", "stability prediction",
                              "Up to what concentration of protease does this small protein stay folded?"),
    "scaled_effect1": Target("regression", "beta-lactamase activity prediction",
                             "How active is this variant of TEM-1 beta-lactamase?"),
    "solubility": Target("classification", "solubility prediction", "Is this protein soluble?",
                         ("insoluble", "soluble")),
    "localization": Target("classification", "subcellular localisation prediction",
                           "In which part of the cell does this protein work?",
                           ("class 0", "class 1")),  # no and yes of nothing, where PEER has but two places
    "interaction": Target("multi-sequence", "protein-protein interaction prediction", "Do these two proteins interact?",
                          ("no interaction", "interaction")),
}  # fmt: skip
_STATE_NAMES = {
    "H": "alpha helix", "E": "beta strand", "C": "coil", "G": "3-10 helix", "I": "pi helix", "B": "beta bridge",
    "S": "bend", "T": "turn",
}  # fmt: skip


def find_tape(request: Request) -> Iterator[Found]:
    """One task for each target of each set of files."""
    return _find(request, _TAPE)


def find_peer(request: Request) -> Iterator[Found]:
    """One task for each target of each set of files."""
    return _find(request, _PEER)


def _find(request: Request, origin: Origin) -> Iterator[Found]:
    items = _databases(items_below(request.path))
    need_items(items, request.path, "TASK_SPLIT.json, .lmdb or .csv with a field primary")
    sets: dict[str, list[Item]] = {}
    for item in items:
        sets.setdefault(_set_name(item), []).append(item)
    for name, members in sorted(sets.items()):
        fields = _fields(members[0])
        sequences = [field for field in ("primary", "primary_1", "primary_2", "sequence") if field in fields]
        targets = [field for field in fields if field in _TARGETS]
        if not sequences or not targets:
            request.inspector.note(f"{name}: no target of ours among {', '.join(fields)}")
            continue
        if "interaction" in targets and _are_affinities(members[0]):
            request.inspector.note(f"{name}: numbers for pairs, which no family asks for")
            continue
        for target in targets:
            found = task_name(request.prefix, [name, *([target] if len(targets) > 1 else [])])
            yield _found(request, found, members, sequences, target, origin)


def _are_affinities(item: Item) -> bool:
    """Whether pairs of proteins come with how strongly they bind, and not with whether."""
    first = islice(_records(item, Inspector("skip")), _LOOKED_AT)
    numbers = [number_of(record.get("interaction")) for _, record in first]
    return any(math.isfinite(number) and not number.is_integer() for number in numbers)


def _databases(items: Sequence[Item]) -> list[Item]:
    """Text files and LMDB folders: of a folder its data file stands for it."""
    return [
        item
        for item in items
        if suffix_of(item) in _TEXT
        or (item.path.name == "data.mdb" and item.path.parent.suffix == ".lmdb")
        or (suffix_of(item) == ".lmdb" and not item.member)
    ]


def _stem(item: Item) -> str:
    return item.path.parent.stem if item.path.name == "data.mdb" else stem_of(item)


def _split_of(stem: str) -> Split | None:
    words = stem.lower().split("_")
    return "test" if any(name in words for name in _TEST_SETS) else split_in([stem])


def _set_name(item: Item) -> str:
    """The name of a file up to the word of its split."""
    words = _stem(item).split("_")
    last = next((n for n, word in enumerate(words) if split_in([word]) or word.lower() in _TEST_SETS), len(words))
    return "_".join(words[:last]) or parts_of(item, item.path.parent.parent)[0]


def _records(item: Item, inspector: Inspector) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if item.path.name == "data.mdb":
        return read_lmdb(item.path.parent)
    return read_lmdb(item.path) if suffix_of(item) == ".lmdb" else read_rows(item, inspector)


def _fields(item: Item) -> list[str]:
    if suffix_of(item) in _TEXT:
        return columns_of(item)
    first = next(_records(item, Inspector()), None)
    return list(first[1]) if first is not None else []


def _found(
    request: Request, name: str, members: Sequence[Item], sequences: Sequence[str], field: str, origin: Origin
) -> Found:
    target = _TARGETS[field]
    asks_number = target.family == "regression"
    reader = table_reader(name, len(sequences), answer=not asks_number, value=asks_number, split=True)
    rows = _rows(request, members, sequences, field)
    return Found(name, partial(_define, target, field, len(sequences), reader, origin), rows)


def _define(target: Target, field: str, inputs: int, reader: Definition, origin: Origin, seen: Seen) -> Definition:
    numbers = {str(number) for number in range(len(target.classes))}
    if target.family == "structure":
        labels = [label(_STATE_NAMES[state], state) for state in target.classes]
    elif set(seen.answers) == numbers:
        labels = [label(name, str(number)) for number, name in enumerate(target.classes)]
    else:
        labels = [] if target.family == "regression" else plain_labels(seen)
    kinds: list[GeneKind | tuple[GeneKind, str]] = (
        ["protein"] if inputs == 1 else [("protein", "first protein"), ("protein", "second protein")]
    )
    return describe_task(
        title=target.title, family=target.family, question=target.question, inputs=kinds, reader=reader, origin=origin,
        labels=labels, keep="end" if target.family == "structure" else "ends" if field == "localization" else "start",
        **({"swappable": True} if inputs == 2 else {}),
    )  # fmt: skip


def _rows(request: Request, members: Sequence[Item], sequences: Sequence[str], field: str) -> Iterator[Row]:
    target = _TARGETS[field]
    for item in members:
        split = _split_of(_stem(item))
        for number, (where, record) in enumerate(_records(item, request.inspector), start=1):
            letters = tuple(_letters(record.get(name)) for name in sequences)
            if not all(letters) or record.get(field) is None:
                request.inspector.refuse(
                    "record without a field", f"{where}: no {field} or no sequence. Mend the file."
                )
                continue
            name = f"{_stem(item)}-{number}"
            if target.family == "regression":
                yield Row(letters, name, value=number_of(record[field]), split=split)
                continue
            answer = _answer(record, field, target)
            if target.family == "structure" and len(answer) != len(letters[0]):
                request.inspector.refuse(
                    "states of another length than their chain",
                    f"{where}: {len(answer)} states for {len(letters[0])} residues. Mend the file.",
                )
                continue
            yield Row(letters, name, answer, split=split)


def _letters(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")


def _answer(record: Mapping[str, Any], field: str, target: Target) -> str:
    """The class, or one state a residue, unknown where the mask is not set."""
    value = record[field]
    if target.family != "structure":
        number = number_of(value)
        return str(int(number)) if number.is_integer() else str(value)
    if isinstance(value, str):  # a CSV spells the states
        return value
    states = [int(state) for state in value]
    mask = record.get("valid_mask")
    known = [bool(entry) for entry in mask] if mask is not None and len(mask) == len(states) else [True] * len(states)
    return "".join(
        target.classes[state] if valid and 0 <= state < len(target.classes) else UNKNOWN_STATE
        for state, valid in zip(states, known, strict=True)
    )
