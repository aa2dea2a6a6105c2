"""Published layouts as tests write them, and what an importer makes of them, read as `tasks split` reads it."""

from collections import Counter
from pathlib import Path
from typing import Any

from llama_gene.artifacts import Manifest
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.definitions import Task, read_task
from llama_gene.tasks.importers.add import add_published
from llama_gene.tasks.items import RawItem
from llama_gene.tasks.readers import read_items


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write texts below a folder; give the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class Added:
    """The folder an importer wrote."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest, self.folder = manifest, folder
        self.counts = Counter(manifest.counts)
        self.tasks: dict[str, Task] = {path.stem: read_task(path) for path in sorted(folder.glob("*.toml"))}

    def items(self, name: str, on_invalid: Any = "error") -> list[RawItem]:
        """Every item of a task, through the reader of its definition."""
        return list(read_items(self.tasks[name], Path("/nowhere"), Inspector(on_invalid)))

    def answers(self, name: str) -> list[tuple[str, ...]]:
        """Sequences, answer and split of every item, as plain strings."""
        return [(*item.sequences, item.answer, item.split or "") for item in self.items(name)]


def add(path: Path, layout: str, **more: Any) -> Added:
    """Import a path; the result lies beside it."""
    output = path.with_name(f"added-{layout}")
    return Added(add_published(path, format=layout, output=output, **more), output)
