"""Fixtures shared by all tests."""

import fcntl
import os
from pathlib import Path

import pytest

from llama_gene import cli

# Tiny models on two workers: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
SMALL = (
    "demo.genes=40", "demo.task_items=60", "demo.pairs=40", "corpus.max_letters=120000", "tokenizer.dna_size=64",
    "tokenizer.protein_size=64", "model.hidden_size=32", "model.layers=2", "model.intermediate_size=48",
    "pretrain.max_steps=3", "finetune.epochs=0.2", "evaluate.bootstrap=100", "evaluate.generate_items=2",
    "evaluate.max_new_tokens=8",
)  # fmt: skip


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; the test is skipped where none is named."""
    folder = os.environ.get("LLAMA_GENE_DATA", "")
    if not folder:
        pytest.skip("LLAMA_GENE_DATA is not set: no real data to read")
    return Path(folder)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A folder with `recipes/` and a small synthetic run under `runs/demo`, shared by all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small-run"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "recipes").exists():
            (folder / "recipes").symlink_to(ROOT / "recipes")
        overrides = [part for setting in SMALL for part in ("--set", setting)]
        assert cli.run(["run", str(ROOT / "recipes" / "demo"), "--output", str(folder / "runs/demo"), *overrides]) == 0
    return folder
