"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

# Tiny models on two workers: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; the test is skipped where none is named."""
    folder = os.environ.get("LLAMA_GENE_DATA", "")
    if not folder:
        pytest.skip("LLAMA_GENE_DATA is not set: no real data to read")
    return Path(folder)
