"""Every benchmark runs with `--quick` and writes the JSON document that scripts read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RATIOS = {
    "corpus_build": {"pipeline"},
    "task_baselines": {"taken_over"},
    "retrieval": {"exhaustive"},
    "serve": {"one_by_one", "transformers_continuous_batching"} | ({"vllm"} if shutil.which("vllm") else set()),
    "serve_gpu": {"one_by_one", "transformers_continuous_batching"},
    "splits": {"exhaustive"},
    "tasks_build": {"datasets_map", "datasets_map_with_split"},
    "tokenizer_encode": {"tokenizers", "tiktoken", "sentencepiece"},
    "tokenizer_extend": {"dna_sentencepiece", "protein_sentencepiece", "dna_tiktoken", "protein_tiktoken"},
    "tokenizer_learn": {"sentencepiece", "tokenizers"},
    "tokenizer_units": {"bpe_tasks_spaced", "letters"},
    "evaluate": {"generate_one_by_one"},
    "task_spelling": {"demo_promoter", "demo_structure"},
    "train_cpu": {"pretrain", "finetune"},
    "train_gpu": {"pretrain"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RATIOS))
def test_a_benchmark_writes_its_figures_under_the_fixed_names(name, tmp_path):
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick", "--json", file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert list(figures) == ["work", "machine", "ours", "peers", "ratios"]
    assert set(figures["ratios"]) == RATIOS[name]
    assert all(isinstance(ratio, float) and ratio > 0 for ratio in figures["ratios"].values())
    assert figures["ours"]
    assert figures["peers"]
    assert figures["machine"]["cores"] >= 1
    assert "ratio" in done.stdout


def test_every_benchmark_file_is_tested_here():
    files = {file.stem for file in (ROOT / "benchmarks").glob("*.py") if not file.name.startswith("_")}
    assert files == set(RATIOS)
