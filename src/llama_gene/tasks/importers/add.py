"""Stage "tasks-add": definitions, and tables where they are needed, of what was found in a published layout."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import OnInvalid
from llama_gene.errors import DataError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.definitions import Task, task_files
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.importers.catalogue import find_importer
from llama_gene.tasks.importers.formats import FORMATS
from llama_gene.tasks.importers.found import TABLES, Definition, Found, Request, Row, Seen, sequence_columns
from llama_gene.tasks.importers.names import slug
from llama_gene.tasks.write import write_definition

STAGE = "tasks-add"
_CODE = 2


@dataclass(frozen=True)
class _Target:
    """Where definitions go: the folder that is filled, its final name, the recipe's `data`, and the layout."""

    work: Path
    output: Path
    data: Path | None
    layout: str


def add_published(
    path: Path,
    *,
    format: str,  # noqa: A002 - the name of the option
    output: Path,
    references: Sequence[Path] = (),
    name: str = "",
    data: Path | None = None,
    on_invalid: OnInvalid = "skip",
) -> Manifest:
    """Find the tasks of a published layout and write their definitions and tables.

    Args:
        path: File or folder as it was published.
        format: Name of the layout, as `formats.FORMATS` lists them.
        output: Stage folder; its definitions are `*.toml`, its tables lie under `tables/`.
        references: Files that the layout refers to but does not hold.
        name: Beginning of every task's name; default: the format.
        data: Paths in this folder are written relative to it, all others whole.
        on_invalid: error: stop at a bad record; skip: count it.

    Raises:
        ConfigError: no such format, or a name that cannot be one.
        DataError: a file is missing, or not of this format.
    """
    find = find_importer(format)
    inputs = {"path": path} | {f"reference {number}": file for number, file in enumerate(references, start=1)}
    missing = [file for file in inputs.values() if not file.exists()]
    if missing:
        raise DataError(f"{missing[0]}: no such file or folder. Check the path.")
    settings = {
        "format": format, "name": name, "on_invalid": on_invalid, "data": str(data or ""), "path": str(path.absolute()),
        "output": str(output.absolute()),
    }  # fmt: skip

    def build(work: Path, ledger: Ledger) -> None:
        target = _Target(work, output.absolute(), data and data.absolute(), format)
        with TemporaryDirectory(dir=work, prefix=".scratch-") as scratch:
            inspector = Inspector(on_invalid, ledger.counts)
            request = Request(path, tuple(references), slug(name or format), Path(scratch), inspector)
            for found in find(request):
                _write_task(_renamed(found, ledger), target, ledger)
        if not ledger.facts:
            reasons = "; ".join(f"{reason}: {count}" for reason, count in ledger.counts.most_common(3)) or "none seen"
            raise DataError(
                f"{path}: no task was found ({reasons}). Expected {FORMATS[format]}; check the path and --format."
            )

    return build_stage(STAGE, output, build, config=settings, inputs=inputs, seed=0, code=_CODE)


def _renamed(found: Found, ledger: Ledger) -> Found:
    """A registered task keeps its name: what has the same one is marked as imported; a name given twice is numbered."""
    wanted = f"{found.name}-imported" if found.name in task_files() else found.name
    name, number = wanted, 2
    while name in ledger.facts:
        name, number = f"{wanted}-{number}", number + 1
    return found if name == found.name else Found(name, found.define, found.rows)


def _write_task(found: Found, target: _Target, ledger: Ledger) -> None:
    """Write the table, if there is one, and the definition; what makes no task is counted and leaves nothing."""
    seen = Seen()
    table = target.work / "tables" / f"{found.name}.jsonl"
    if found.rows is not None:
        table.parent.mkdir(exist_ok=True)
        with table.open("w", encoding="utf-8") as lines:
            for row in show_progress(found.rows, f"Importing {found.name}"):
                lines.write(_line(row, seen))
        if not seen.rows:
            table.unlink()
            ledger.counts[f"{found.name}: no usable row, so no task"] += 1
            return
    try:
        task = Task.model_validate({"name": found.name} | _with_paths(found.define(seen), target, found.name))
    except ValidationError as error:
        table.unlink(missing_ok=True)
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "task"
        said = problem["msg"].removeprefix("Value error, ")
        ledger.counts[f"{found.name}: no task, {where}: {said}"] += 1
        return
    write_definition(task, target.work, [f"Made by `llama-gene tasks add --format {target.layout}`."])
    ledger.facts[found.name] = _facts(task, seen, found)


def _facts(task: Task, seen: Seen, found: Found) -> dict[str, Any]:
    """What the list of found tasks shows."""
    facts: dict[str, Any] = {"family": task.family, "inputs": "+".join(wanted.called for wanted in task.inputs)}
    if found.rows is None:
        return facts | {"rows": "as published"}
    return facts | {"rows": seen.rows} | {split: seen.splits[split] for split in SPLITS if seen.splits[split]}


def _line(row: Row, seen: Seen) -> str:
    """A row as one line of JSON; what is in it is counted."""
    seen.add(row.answer, row.split)
    cells: dict[str, Any] = {"id": row.id or str(seen.rows)}
    if row.words is not None:
        cells |= {"instruction": row.words.instruction, "input": row.words.input, "output": row.answer}
        cells |= {"sequences": row.sequences, "linked": row.words.linked}
    else:
        cells |= dict(zip(sequence_columns(len(row.sequences)), row.sequences, strict=True))
        cells |= {"answer": row.answer} if row.value is None else {"value": row.value}
    cells["split"] = row.split or ""
    return json.dumps(cells, ensure_ascii=False) + "\n"


def _with_paths(definition: Definition, target: _Target, name: str) -> Definition:
    """The definition with every path of its reader where it will lie."""
    reader = dict(definition["reader"])
    if reader["type"] == "states":
        reader |= {key: _placed(reader[key], target, name) for key in ("sequences", "states", "mask") if key in reader}
    if "files" in reader:
        reader["files"] = [file | {"path": _placed(file["path"], target, name)} for file in reader["files"]]
    if "lookups" in reader:
        reader["lookups"] = [_placed(path, target, name) for path in reader["lookups"]]
    return definition | {"reader": reader}


def _placed(path: str, target: _Target, name: str) -> str:
    """A path relative to `data` where it lies there, else whole; a table lies in the finished folder."""
    file = target.output / "tables" / f"{name}.jsonl" if path.startswith(TABLES) else Path(path)
    if target.data is not None and file.is_relative_to(target.data):
        return file.relative_to(target.data).as_posix()
    return file.as_posix()
