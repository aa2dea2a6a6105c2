"""What a sequence is cut into, compared: one small model, the same letters and tasks, each unit in turn.

Arms: learnt tokens (`bpe`), the same with BPE-dropout in reading, the same with the tasks' sequences spaced letter by
letter, k-mers and single letters. Everything else is equal: corpus, splits, shape of the model, steps of the
optimizer over the letters. Reported are bits per base and residue on held-out sequences, accuracy and MCC on test
items, and the time: units of one letter make rows longer, and that is part of the price. Quick: the demo's synthetic
organism, few steps. Else LLAMA_GENE_DATA where that is set; it takes about an hour on two cores, and with `--folder`
goes on after the last finished arm when it is started again.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _harness import read_arguments, report
from llama_gene.config import Recipe
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus
from llama_gene.demo.organism import write_demo
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.model.extend import extend_model
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from llama_gene.tokenizer.extend import extend_from_corpus
from llama_gene.training.finetune import finetune
from llama_gene.training.pretrain import pretrain

ARMS: dict[str, dict[str, Any]] = {
    "bpe": {},
    "bpe, dropout 0.1": {"pack": {"bpe_dropout": 0.1}},
    "bpe, tasks spaced": {"spelling": "spaced"},
    "k-mers (6 bases, 2 residues)": {"tokenizer": {"dna_unit": "kmer", "protein_unit": "kmer"}},
    "letters": {"tokenizer": {"dna_unit": "letter", "protein_unit": "letter"}},
}
SEED = 1
_SHAPE = {
    "model": {"hidden_size": 64, "layers": 3, "heads": 4, "intermediate_size": 176, "max_positions": 1024},
    "pretrain": {"method": "full", "learning_rate": 2e-3, "rows_per_device": 4, "rows_per_step": 4},
    "finetune": {
        "method": "full", "learning_rate": 1e-3, "epochs": 3,
        "row_tokens": 512, "rows_per_device": 4, "rows_per_step": 8,
    },
    "evaluate": {"generate_items": 0},
}  # fmt: skip
SYNTHETIC: dict[str, Any] = {
    **_SHAPE,
    "name": "units",
    "demo": {"genes": 40, "task_items": 150, "pairs": 40},
    "corpus": {
        "sources": [
            {"path": "genomes/*.fa.gz", "kind": "dna"},
            {"path": "proteins/*.faa.gz", "kind": "protein"},
            {"path": "text/*.md", "kind": "text"},
        ],
        "region_bp": 10_000, "valid_share": 0.05,
        "max_letters": {"dna": 60_000, "protein": 60_000, "text": 30_000},
    },
    "tokenizer": {"dna_size": 100, "protein_size": 100},
    "tasks": {
        "definitions": ["tasks/definitions"],
        "choices": [{"name": "demo-promoter", "spelling": "joined"}, {"name": "demo-tata", "spelling": "joined"}],
    },
}  # fmt: skip
REAL: dict[str, Any] = {
    **_SHAPE,
    "name": "units",
    "corpus": {
        "sources": [
            {"path": "genomes/human/hg19_chr*.fa.gz", "kind": "dna"},
            {"path": "proteins/proteomes/*.faa.gz", "kind": "protein"},
            {"path": "text/openstax-biology.zip", "kind": "text", "format": "markdown"},
        ],
        "max_letters": {"dna": 1_800_000, "protein": 900_000, "text": 300_000},
    },
    "tokenizer": {"dna_size": 4000, "protein_size": 2000},
    "pack": {"weights": {}, "max_valid_tokens": 60_000},
    "tasks": {
        "choices": [
            {"name": "promoter-core", "train": 3000, "valid": 150, "test": 1000, "spelling": "joined"},
            {"name": "thermophile", "train": 1500, "valid": 150, "test": 500, "spelling": "joined"},
        ],
    },
}  # fmt: skip


def main() -> None:
    """Run, print, write."""
    kept = {"type": Path, "metavar": "FOLDER", "help": "keep all stages here, and go on from them"}
    arguments = read_arguments(__doc__, {"--folder": kept})
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    settings = REAL if named else SYNTHETIC
    arms = dict(list(ARMS.items())[:: 2 if arguments.quick else 1])
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.options.folder or Path(place)
        if not named and not (folder / "data").exists():
            write_demo(Recipe.model_validate(settings).demo, seed=SEED, output=folder / "data")
        data = Path(named) if named else folder / "data"
        found = {arm: measure_once(_recipe(settings, ARMS[arm]), data, folder, arm) for arm in arms}
    tasks = [choice["name"] for choice in settings["tasks"]["choices"]]
    heads = (f"{task}, accuracy (MCC)" for task in tasks)
    rows = [("unit", "letters/token", "bits/base", "bits/residue", *heads, "min", "ratio")]
    for arm, told in found.items():
        scores = (f"{told[f'{task} accuracy']:.3f} ({told[f'{task} mcc']:.3f})" for task in tasks)
        rows.append(
            (
                arm, f"{told['dna_letters_per_token']:.2f}, {told['protein_letters_per_token']:.2f}",
                f"{told['bits_per_base']:.3f}", f"{told['bits_per_residue']:.3f}", *scores,
                f"{told['seconds'] / 60:.1f}", f"{told['seconds'] / found['bpe']['seconds']:.2f}",
            )
        )  # fmt: skip
    report(
        arguments,
        work={"data": "real" if named else "synthetic", "settings": settings},
        ours={"bpe": found["bpe"]},
        peers={arm: told for arm, told in found.items() if arm != "bpe"},
        ratios={_name(arm): told["seconds"] / found["bpe"]["seconds"] for arm, told in found.items() if arm != "bpe"},
        table=rows,
    )


def _name(arm: str) -> str:
    return arm.replace(",", "").split(" (")[0].replace(" ", "_").replace("-", "")


def measure_once(recipe: Recipe, data: Path, folder: Path, arm: str) -> dict[str, float]:
    """The figures of an arm, from the folder where it is finished there."""
    figures = folder / f"{arm}.json"
    if not figures.exists():
        shutil.rmtree(folder / arm, ignore_errors=True)
        figures.write_text(json.dumps(measure(recipe, data, folder, arm), indent=1), encoding="utf-8")
    return dict(json.loads(figures.read_text(encoding="utf-8")))


def measure(recipe: Recipe, data: Path, folder: Path, arm: str) -> dict[str, float]:
    """One arm, from vocabulary to scores; corpus and splits are made once."""
    splits, corpus, place = folder / "splits", folder / "corpus", folder / arm
    words, blocks, model = place / "tokenizer", place / "blocks", place / "model"
    read, tuned, scored = place / "pretrained", place / "finetuned", place / "evaluation"
    instructions, synthetic = place / "instructions", recipe.demo is not None
    if not splits.exists():
        split_tasks(recipe.tasks, data=data, seed=SEED, output=splits)
    if not corpus.exists():
        build_corpus(recipe.corpus, data=data, exclude=splits, seed=SEED, output=corpus)
    started = time.perf_counter()
    extend_from_corpus(recipe.tokenizer, base=None, corpus=corpus, seed=SEED, output=words)
    packed = pack_corpus(recipe.pack, corpus=corpus, tokenizer=words, seed=SEED, output=blocks)
    extend_model(recipe.model, base=None, tokenizer=words, seed=SEED, output=model)
    reading = pretrain(recipe.pretrain, model=model, blocks=blocks, seed=SEED, output=read)
    build_tasks(recipe.tasks, splits=splits, tokenizer=words, seed=SEED, output=instructions)
    finetune(recipe.finetune, model=read, instructions=instructions, seed=SEED, output=tuned, synthetic=synthetic)
    evaluate(
        recipe.evaluate, model=tuned, instructions=instructions, training=(read, tuned), seed=SEED, output=scored,
        title="units", synthetic=synthetic,
    )  # fmt: skip
    figures = {"seconds": round(time.perf_counter() - started, 1), **reading.facts["validation"]}
    for kind in ("dna", "protein"):
        figures[f"{kind}_letters_per_token"] = packed.facts["valid"]["kinds"][kind]["letters_per_token"]
    for task in json.loads((scored / "report.json").read_text(encoding="utf-8"))["tasks"]:
        for comparison in task["comparisons"]:
            if comparison["ours"]:
                figures[f"{task['task']} {comparison['metric']}"] = comparison["ours"]["value"]
    return figures


def _recipe(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> Recipe:
    """The settings of an arm: each table of `changes` over that of `settings`; `spelling` is that of all tasks."""
    values = {**settings}
    for table, change in changes.items():
        if table == "spelling":
            choices = [{**choice, "spelling": change} for choice in settings["tasks"]["choices"]]
            values["tasks"] = {**settings["tasks"], "choices": choices}
        else:
            values[table] = {**settings.get(table, {}), **change}
    return Recipe.model_validate(values)


if __name__ == "__main__":
    main()
