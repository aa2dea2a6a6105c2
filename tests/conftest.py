"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; the test is skipped where none is named."""
    folder = os.environ.get("LLAMA_GENE_DATA", "")
    if not folder:
        pytest.skip("LLAMA_GENE_DATA is not set: no real data to read")
    return Path(folder)
