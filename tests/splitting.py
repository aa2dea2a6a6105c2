"""Made-up sequences and folders for the tests of splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from llama_gene.artifacts import Manifest
from llama_gene.config import TasksConfig, ToolCallsConfig
from llama_gene.tasks.groups import SPLITS
from llama_gene.tasks.split import split_tasks

LETTERS = {"dna": "ACGT", "protein": "ACDEFGHIKLMNPQRSTVWY"}
HEAD = 'title = "a test"\ndefinition = "Is it?"\n'
LABELS = 'labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]\n'
TABLE = (
    f'name = "table"\nfamily = "classification"\ninputs = [{{ kind = "dna" }}]\n{LABELS}'
    'reader = { type = "table", files = [{ path = "table.csv" }], sequences = ["sequence"], label = "label" }\n'
)
TWO_FILES = TABLE.replace(
    '[{ path = "table.csv" }]', '[{ path = "train.csv", split = "train" }, { path = "test.csv", split = "test" }]'
)

# For runs whose every record is counted.
NO_CALLS = ToolCallsConfig(train=0)


def random_letters(rng: np.random.Generator, length: int, kind: str = "dna") -> str:
    return "".join(rng.choice(list(LETTERS[kind]), length))


def changed(letters: str, share: float, rng: np.random.Generator, kind: str = "dna") -> str:
    """The letters with this share of them replaced by others."""
    found = list(letters)
    for place in rng.choice(len(found), round(share * len(found)), replace=False):
        found[place] = str(rng.choice([letter for letter in LETTERS[kind] if letter != found[place]]))
    return "".join(found)


def write_task(folder: Path, definition: str, files: dict[str, str]) -> Path:
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "t.toml").write_text(HEAD + definition, encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def csv(rows: list[tuple[object, ...]], head: str = "sequence,label") -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"


def run(folder: Path, name: str, *, settings: dict[str, Any] | None = None, **choice: Any) -> Manifest:
    config = {"choices": [{"name": name, **choice}], "definitions": ["tasks"], **(settings or {})}
    return split_tasks(TasksConfig.model_validate(config), data=folder, seed=1, output=folder / "out")


def rows_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {split: pq.read_table(folder / "out" / f"{split}.parquet").to_pylist() for split in SPLITS}
