"""Fixtures shared by all tests."""

import fcntl
import os
import signal
from pathlib import Path

import pytest

from browsing import browsing
from running import RECIPE, run_small

# A process started in the background ignores Ctrl-C, and so would what the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Tiny models on two workers: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
            (folder / "recipes").symlink_to(RECIPE.parent)
        assert run_small(folder / "runs" / "demo") == 0
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser of the module's own; its tests are skipped where none is installed."""
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser
