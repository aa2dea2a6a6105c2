"""Fitness landscapes of proteins: FLIP and ProteinGym.

Layouts:
- flip: TASK/splits/SPLIT.csv of `sequence,target,set,validation`, or SPLIT.fasta with titles
  `Sequence0 TARGET=1.0 SET=train VALIDATION=False`; per residue, sequences.fasta with SPLIT.fasta of states and
  mask.fasta; also as TASK.zip (github.com/J-SNACKKB/FLIP; data.bioembeddings.com/public/FLIP).
- proteingym: a CSV an assay of `mutant,mutated_sequence,DMS_score,DMS_score_bin`, and as a reference
  DMS_substitutions.csv with `DMS_id`, `DMS_filename`, `target_seq` (github.com/OATML-Markslab/ProteinGym, README).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_gene.config import Split
from llama_gene.sequences.files import Inspector, Item
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    Seen,
    as_published,
    as_table,
    describe_task,
    label,
    plain_labels,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    fasta_records,
    first_line,
    group_by_folder,
    items_below,
    look_through,
    need_columns,
    need_items,
    number_of,
    path_of,
    read_rows,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name

_FLIP = Origin("FLIP", "AFL-3.0", "Dallago et al. 2021, FLIP: benchmark tasks in fitness landscape inference, NeurIPS")
_GYM = Origin("ProteinGym, deep mutational scans", "MIT", "Notin et al. 2023, ProteinGym, NeurIPS")
_FLIP_MARKS = [
    {"column": "validation", "pattern": "^(?i:true)$", "split": "valid"},
    {"column": "set", "pattern": "^test$", "split": "test"},
    {"column": "set", "pattern": "^train$", "split": "train"},
]
_TITLE_MARKS = [
    {"pattern": r"\bVALIDATION=True\b", "split": "valid"},
    {"pattern": r"\bSET=test\b", "split": "test"},
    {"pattern": r"\bSET=train\b", "split": "train"},
]
_TARGET = re.compile(r"\bTARGET=(\S+)")
_CHANGE = re.compile(r"^([A-Z])(\d+)([A-Z])$")
_THREE_STATES = (("alpha helix", "H"), ("beta sheet", "E"), ("random coil", "C"))


def find_flip(request: Request) -> Iterator[Found]:
    """One task for each split: numbers, classes, or a state for each residue."""
    items = [item for item in items_below(request.path) if suffix_of(item) in (".csv", ".fasta")]
    need_items(items, request.path, "splits/*.csv of sequence, target, set, validation, or splits/*.fasta")
    for folder, members in group_by_folder(items, request.path).items():
        parts = [part for part in folder if part != "splits"] or [request.path.name.partition(".")[0]]
        named = {item.name: item for item in members}
        for item in members:
            name = task_name(request.prefix, [*parts, stem_of(item)])
            if suffix_of(item) == ".csv":
                yield _flip_table(request, name, parts[-1], item)
            elif "sequences.fasta" in named and stem_of(item) not in ("sequences", "mask"):
                yield _flip_states(request, name, parts[-1], item, named)
            elif f"{stem_of(item)}.csv" not in named and "TARGET=" in first_line(item):
                yield _flip_fasta(request, name, parts[-1], item)


def _flip_table(request: Request, name: str, landscape: str, item: Item) -> Found:
    need_columns(item, ("sequence", "target", "set", "validation"))
    seen = look_through([item], "target", request.inspector)
    reader: Definition = {"type": "table", "files": [{"path": path_of(item)}], "sequences": ["sequence"]}
    reader |= ({"value": "target"} if seen.are_numbers else {"label": "target"}) | {"marks": _FLIP_MARKS}
    return as_published(name, _define_flip(landscape, reader, seen))


def _define_flip(landscape: str, reader: Mapping[str, Any], seen: Seen) -> Definition:
    title = landscape.replace("_", " ")
    if "value" in reader:
        return describe_task(
            title=f"{title} fitness prediction", family="regression", inputs=["protein"], reader=reader, origin=_FLIP,
            question=f"How large is the value measured of this protein in the landscape '{title}'?", keep="start",
        )  # fmt: skip
    return describe_task(
        title=f"{title} prediction", family="classification", inputs=["protein"], reader=reader, origin=_FLIP,
        question=f"Which class of '{title}' does this protein belong to?", labels=plain_labels(seen), keep="ends",
    )  # fmt: skip


def _flip_fasta(request: Request, name: str, landscape: str, item: Item) -> Found:
    """Sequences with their target in the title: classes are read as they are, numbers go into a table."""
    seen = Seen()
    for title, _ in fasta_records(item):
        found = _TARGET.search(title)
        if found is None:
            request.inspector.refuse("title without TARGET", f"{item.label}: title {title!r} has no TARGET=. Mend it.")
        else:
            seen.add(found[1], None)
    if seen.are_numbers:
        reader = table_reader(name, value=True, split=True)
        return as_table(name, _define_flip(landscape, reader, seen), _numbered(item))
    reader = {
        "type": "fasta", "files": [{"path": path_of(item)}], "label_pattern": _TARGET.pattern, "marks": _TITLE_MARKS
    }  # fmt: skip
    return as_published(name, _define_flip(landscape, reader, seen))


def _numbered(item: Item) -> Iterator[Row]:
    for title, letters in fasta_records(item):
        found = _TARGET.search(title)
        if found is not None:
            yield Row((letters,), title.split(maxsplit=1)[0], value=number_of(found[1]), split=_split_of(title))


def _split_of(title: str) -> Split | None:
    split: Split
    for mark in _TITLE_MARKS:
        if re.search(mark["pattern"], title):
            split = mark["split"]  # type: ignore[assignment]
            return split
    return None


def _flip_states(request: Request, name: str, task: str, item: Item, named: Mapping[str, Item]) -> Found:
    """A state for each residue; the files are read as they are."""
    states: set[str] = set()
    lengths = {title.split(maxsplit=1)[0]: len(letters) for title, letters in fasta_records(named["sequences.fasta"])}
    for title, found in fasta_records(item):
        identifier = title.split(maxsplit=1)[0]
        states |= set(found)
        if lengths.get(identifier) != len(found):
            request.inspector.refuse(
                "states of another length than their chain",
                f"{item.label}: {identifier} has {len(found)} states for {lengths.get(identifier, 0)} residues.",
            )
    reader = {
        "type": "states", "sequences": path_of(named["sequences.fasta"]), "states": path_of(item),
        **({"mask": path_of(named["mask.fasta"])} if "mask.fasta" in named else {}), "marks": _TITLE_MARKS,
    }  # fmt: skip
    title = task.replace("_", " ")
    known = [label(word, state) for word, state in _THREE_STATES]
    labels = known if states <= {"H", "E", "C"} else [label(f"state {state}", state) for state in sorted(states)]
    made = describe_task(
        title=f"{title} prediction", family="structure", inputs=["protein"], reader=reader, origin=_FLIP, keep="end",
        question=f"Which state of '{title}' has the residue asked for of this protein?", labels=labels,
    )  # fmt: skip
    return as_published(name, made)


def find_proteingym(request: Request) -> Iterator[Found]:
    """Two tasks for each assay: its score, and whether the score is above the assay's cut-off."""
    items = [item for item in items_below(request.path) if suffix_of(item) == ".csv"]
    tables = [item for item in items if {"mutated_sequence", "DMS_score"} <= set(columns_of(item))]
    need_items(tables, request.path, "CSV files with mutated_sequence and DMS_score")
    assays = _assays([*items, *(item for path in request.references for item in items_below(path))], request.inspector)
    for item in tables:
        assay = assays.get(stem_of(item)) or assays.get(item.name) or {}
        wild = str(assay.get("target_seq") or "")
        for column, family in (("DMS_score", "regression"), ("DMS_score_bin", "classification")):
            if column not in columns_of(item):
                continue
            name = task_name(request.prefix, [stem_of(item), *(["bin"] if family == "classification" else [])])
            if wild:
                reader = table_reader(name, answer=family == "classification", value=family == "regression")
                rows = _checked(item, column, wild, request.inspector)
                yield as_table(name, _define_assay(item, column, assay, reader), rows)
            else:
                reader = {"type": "table", "files": [{"path": path_of(item)}], "sequences": ["mutated_sequence"]}
                reader |= {"value" if family == "regression" else "label": column}
                yield as_published(name, _define_assay(item, column, assay, reader))


def _assays(items: Sequence[Item], inspector: Inspector) -> dict[str, Mapping[str, Any]]:
    """What reference tables say of each assay, by its identifier and by its file name."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in items:
        if {"DMS_id", "target_seq"} <= set(columns_of(item)):
            for _, row in read_rows(item, inspector):
                found[str(row["DMS_id"])] = found[str(row.get("DMS_filename") or row["DMS_id"])] = row
    return found


def _define_assay(item: Item, column: str, assay: Mapping[str, Any], reader: Definition) -> Definition:
    molecule = str(assay.get("molecule_name") or assay.get("UniProt_ID") or stem_of(item)).strip()
    kind = str(assay.get("coarse_selection_type") or assay.get("selection_type") or "fitness").strip().lower()
    citation = " ".join(str(assay[key]) for key in ("first_author", "year", "title") if assay.get(key))
    origin = Origin(_GYM.source, _GYM.licence, citation or _GYM.citation)
    if column == "DMS_score":
        return describe_task(
            title=f"{kind} prediction of {molecule}", family="regression", inputs=["protein"], reader=reader,
            origin=origin,
            question=f"How large is the {kind} of this variant of {molecule}, as a deep mutational scan measured it?",
        )  # fmt: skip
    return describe_task(
        title=f"{kind} prediction of {molecule}", family="classification", inputs=["protein"], reader=reader,
        origin=origin, labels=[label("below the cut-off", "0", "0.0"), label("above the cut-off", "1", "1.0")],
        question=f"Is the {kind} of this variant of {molecule} above the cut-off of its deep mutational scan?",
    )  # fmt: skip


def _checked(item: Item, column: str, wild: str, inspector: Inspector) -> Iterator[Row]:
    """Rows whose sequence is the target with the changes that `mutant` names."""
    for where, row in read_rows(item, inspector):
        mutant = str(row.get("mutant") or "")
        problem = misfit(mutant, str(row["mutated_sequence"]), wild)
        if problem:
            inspector.refuse(
                "mutant that does not fit its sequence", f"{where}: {problem}. Give the assay's own reference."
            )
            continue
        cell = str(row[column])
        if column == "DMS_score":
            yield Row((str(row["mutated_sequence"]),), mutant, value=number_of(cell))
        else:
            yield Row((str(row["mutated_sequence"]),), mutant, cell)


def misfit(mutant: str, letters: str, wild: str) -> str:
    """How a variant differs from what its name says; "" where it does not, or where it has no name.

    Args:
        mutant: Changes such as A2V, joined by ':'; 1-based on the target.
        letters: The whole variant.
        wild: The target.

    >>> misfit("K2V", "MVT", "MKT"), misfit("K2V:T3S", "MVT", "MKT"), misfit("A2V", "MVT", "MKT")
    ('', 'K2V:T3S makes MVS of the target, not this sequence', 'A2V: the target has K at 2')
    """
    if mutant == letters:  # insertions and deletions are named by the whole sequence
        return ""
    made = list(wild)
    for change in filter(None, mutant.split(":")):
        match = _CHANGE.match(change)
        if match is None or not 1 <= int(match[2]) <= len(wild):
            return f"{change!r} is no change of this target"
        place = int(match[2]) - 1
        if wild[place] != match[1]:
            return f"{change}: the target has {wild[place]} at {match[2]}"
        made[place] = match[3]
    if mutant and "".join(made) != letters:
        return f"{mutant} makes {_short(''.join(made))} of the target, not this sequence"
    return ""


def _short(letters: str) -> str:
    return letters if len(letters) <= 20 else f"{letters[:20]}…"
