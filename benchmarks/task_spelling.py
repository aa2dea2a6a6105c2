"""Joined or spaced: how each task's sequences should be spelled, by the validation score of one small model.

A small LLaMA reads DNA, proteins and English once, in gene tokens. Then, for each task, it is tuned on the same items,
once with the sequences joined (gene tokens) and once spaced (letter by letter). The default is the spelling with the
higher validation score; where the two are within `TIE` of each other it is joined, which fills less of the context.
Test items are scored as well, to see whether the choice holds; they choose nothing. Structure is scored per residue, on
the same residues, and is also asked letter by letter with the letters on both sides (`unit = "letter"`). A model this
small, with so few items, compares ways of asking; it does not say how well a task can be answered.

Quick: the demo's synthetic organism, few steps. Else LLAMA_GENE_DATA where that is set: about half an hour on one
core; with `--folder` it goes on after the last finished arm when it is started again.
"""

import json
import os
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
from llama_gene.tasks.split import read_chosen, split_tasks
from llama_gene.tokenizer.extend import extend_from_corpus
from llama_gene.training.finetune import finetune
from llama_gene.training.pretrain import pretrain

SEED = 1
TIE = 0.01
SPELLINGS = ("joined", "spaced")
ARMS: Mapping[str, Mapping[str, str]] = {
    "joined": {"spelling": "joined", "unit": "token"},
    "spaced": {"spelling": "spaced", "unit": "token"},
    "both sides": {"spelling": "joined", "unit": "letter"},
}
_SHAPE: dict[str, Any] = {
    "name": "spelling",
    "model": {"hidden_size": 64, "layers": 3, "heads": 4, "intermediate_size": 176, "max_positions": 512},
    "pack": {"weights": {}, "block_tokens": 256, "max_valid_tokens": 20_000},
    "pretrain": {"method": "full", "learning_rate": 2e-3, "rows_per_device": 4, "rows_per_step": 4},
    "finetune": {
        "method": "full", "learning_rate": 2e-3, "epochs": 10,
        "row_tokens": 256, "rows_per_device": 8, "rows_per_step": 8,
    },
    "evaluate": {"generate_items": 0, "kmer_max": 4, "baselines": ["kmer"]},
}  # fmt: skip
SYNTHETIC: dict[str, Any] = {
    **_SHAPE,
    "finetune": {**_SHAPE["finetune"], "epochs": 1},
    "demo": {"genes": 40, "task_items": 150, "pairs": 40},
    "corpus": {
        "sources": [{"path": "genomes/*.fa.gz", "kind": "dna"}, {"path": "proteins/*.faa.gz", "kind": "protein"}],
        "region_bp": 10_000, "valid_share": 0.05,
        "max_letters": {"dna": 60_000, "protein": 60_000},
    },
    "tokenizer": {"dna_size": 100, "protein_size": 100},
    "tasks": {
        "definitions": ["tasks/definitions"],
        "choices": [{"name": name} for name in ("demo-promoter", "demo-structure")],
        "wording": {"others": 0, "defined": 0},
        "tool_calls": {"train": 0},
        "max_tokens": 224,
    },
}  # fmt: skip
REAL_TASKS = (
    "promoter-core", "splice-donor-arabidopsis", "thermophile", "secondary-structure", "rna-structure",
    "promoter-strength-yeast",
)  # fmt: skip
REAL: dict[str, Any] = {
    **_SHAPE,
    "corpus": {
        "sources": [
            {"path": "genomes/human/hg19_chr*.fa.gz", "kind": "dna"},
            {"path": "proteins/proteomes/*.faa.gz", "kind": "protein"},
            {"path": "text/openstax-biology.zip", "kind": "text", "format": "markdown"},
        ],
        "max_letters": {"dna": 1_500_000, "protein": 700_000, "text": 100_000},
    },
    "tokenizer": {"dna_size": 2000, "protein_size": 2000},
    "tasks": {
        "choices": [{"name": name, "train": 1200, "valid": 600, "test": 600} for name in REAL_TASKS],
        "wording": {"others": 0, "defined": 0},
        "tool_calls": {"train": 0},
        "max_tokens": 224,
    },
}


def main() -> None:
    """Run, print, write."""
    kept = {"type": Path, "metavar": "FOLDER", "help": "keep all stages here, and go on from them"}
    arguments = read_arguments(__doc__, {"--folder": kept})
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    recipe = Recipe.model_validate(REAL if named else SYNTHETIC)
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.options.folder or Path(place)
        if recipe.demo is not None and not (folder / "data").exists():
            write_demo(recipe.demo, seed=SEED, output=folder / "data")
        data = Path(named) if named else folder / "data"
        read = _read_once(recipe, data, folder)
        families = {name: task.family for name, task in read_chosen(folder / "splits").items()}
        found = {
            task: {
                arm: _measured(recipe, folder, task, arm) for arm in ARMS if arm in SPELLINGS or family == "structure"
            }
            for task, family in families.items()
        }
    chosen = {task: choose(arms) for task, arms in found.items()}
    rows = [("task", "family", "score", "asked", "valid", "test", "k-mers, test", "time, ratio")]
    for task, arms in found.items():
        for arm, told in arms.items():
            scores = (
                f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]" for one in (told["valid"], told["test"])
            )
            mark = " (default)" if arm == chosen[task] else ""
            ratio = told["seconds"] / arms["joined"]["seconds"]
            kmers = f"{told['test']['kmer']:.3f}"
            rows.append((task, families[task], told["metric"], f"{arm}{mark}", *scores, kmers, f"{ratio:.2f}"))
    report(
        arguments,
        work={
            "data": "real" if named else "synthetic",
            "settings": REAL if named else SYNTHETIC,
            "read": read,
            "chosen": chosen,
        },
        ours={task: arms[chosen[task]] for task, arms in found.items()},
        peers={f"{task}, {arm}": told for task, arms in found.items() for arm, told in arms.items()},
        ratios={
            task.replace("-", "_"): arms["spaced"]["seconds"] / arms["joined"]["seconds"]
            for task, arms in found.items()
        },
        table=rows,
    )


def choose(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """The spelling with the higher validation score; joined where they are as good as equal."""
    gain = arms["spaced"]["valid"]["value"] - arms["joined"]["valid"]["value"]
    return "spaced" if gain > TIE else "joined"


def _read_once(recipe: Recipe, data: Path, folder: Path) -> Mapping[str, float]:
    """What all arms share: splits, vocabulary, and the model after reading; its validation figures."""
    words, corpus, model, splits = folder / "tokenizer", folder / "corpus", folder / "model", folder / "splits"
    split_tasks(recipe.tasks, data=data, seed=SEED, output=splits)
    build_corpus(recipe.corpus, data=data, exclude=splits, seed=SEED, output=corpus)
    extend_from_corpus(recipe.tokenizer, base=None, corpus=corpus, seed=SEED, output=words)
    pack_corpus(recipe.pack, corpus=corpus, tokenizer=words, seed=SEED, output=folder / "blocks")
    extend_model(recipe.model, base=None, tokenizer=words, seed=SEED, output=model)
    read = pretrain(recipe.pretrain, model=model, blocks=folder / "blocks", seed=SEED, output=folder / "pretrained")
    return dict(read.facts["validation"])


def _measured(recipe: Recipe, folder: Path, task: str, arm: str) -> dict[str, Any]:
    """The figures of an arm, from the folder where it is finished there."""
    figures = folder / task / f"{arm}.json"
    if not figures.exists():
        found = measure(recipe, folder, task, arm)
        figures.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return dict(json.loads(figures.read_text(encoding="utf-8")))


def measure(recipe: Recipe, folder: Path, task: str, arm: str) -> dict[str, Any]:
    """One task asked in one way, from the model that has read to scores."""
    place, splits = folder / task / arm, folder / "splits"
    choice = next(choice for choice in recipe.tasks.choices if choice.name == task)
    tasks = recipe.tasks.model_copy(update={"choices": (choice.model_copy(update=ARMS[arm]),)})
    build_tasks(tasks, splits=splits, tokenizer=folder / "tokenizer", seed=SEED, output=place / "instructions")
    started = time.perf_counter()
    tuned = finetune(
        recipe.finetune, model=folder / "pretrained", instructions=place / "instructions", seed=SEED,
        output=place / "tuned", synthetic=recipe.demo is not None,
    )  # fmt: skip
    figures: dict[str, Any] = {
        "family": read_chosen(splits)[task].family,
        "seconds": round(time.perf_counter() - started, 1),
        "tokens": tuned.counts["tokens"],
    }
    for split in ("valid", "test"):
        evaluate(
            recipe.evaluate.model_copy(update={"split": split}), model=place / "tuned",
            instructions=place / "instructions", seed=SEED, output=place / split, title=f"{task}, {arm}",
            synthetic=recipe.demo is not None,
        )  # fmt: skip
        (found,) = json.loads((place / split / "report.json").read_text(encoding="utf-8"))["tasks"]
        figures["metric"], score = found["headline"], found["comparisons"][0]
        figures[split] = {**score["ours"], "kmer": score["kmer"]["value"]}
    return figures


if __name__ == "__main__":
    main()
