"""One measured step of `tasks_build.py` or `evaluate.py` in a process of its own; the last line is JSON.

python _tasks_child.py split|build|peer FOLDER TOKENIZER   (FOLDER holds items.csv and definitions/promoters.toml)
python _tasks_child.py weigh ITEMS TOKENIZER
"""

import csv
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _memory import peak_mebibytes

TASK = "promoters"
LABELS = ("Non-promoter", "promoter")
_QUESTION = "Determine promoters of following dna sequence, The result will be one of the following: {labels}."


def settings(folder: Path) -> Any:
    """One task, all its items, asked in the paper's words."""
    from llama_gene.config import TasksConfig

    choice = {"name": TASK, "spelling": "joined"}
    return TasksConfig.model_validate({"choices": [choice], "definitions": [str(folder / "definitions")]})


def split(folder: Path, tokenizer: Path) -> int:
    """Our first step: read, check, remove copies, split, look for near items."""
    from llama_gene.tasks.split import split_tasks

    made = split_tasks(settings(folder), data=folder, seed=1, output=folder / "splits")
    return sum(made.facts[TASK]["items"].values())


def build(folder: Path, tokenizer: Path) -> int:
    """Our second step: word, fit to the context, write."""
    from llama_gene.tasks.build import build_tasks

    made = build_tasks(
        settings(folder), splits=folder / "splits", tokenizer=tokenizer, seed=1, output=folder / "instructions"
    )
    return sum(made.facts[TASK]["items"].values())


def peer(folder: Path, tokenizer: Path) -> int:
    """What one writes with `datasets` and `tokenizers`: map to records, measure the prompt, drop what is too long."""
    from datasets import load_dataset
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    table = load_dataset("csv", data_files=str(folder / "items.csv"), split="train", cache_dir=str(folder / "cache"))
    asked = _QUESTION.format(labels=", ".join(LABELS))

    def to_records(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        outputs = [LABELS[int(label)] for label in rows["label"]]
        prompts = [f"{asked}\n\n### Input:\n{letters}\n\n### Response:\n" for letters in rows["sequence"]]
        answered = [prompt + output for prompt, output in zip(prompts, outputs, strict=True)]
        return {
            "instruction": [asked] * len(prompts),
            "input": rows["sequence"],
            "output": outputs,
            "tokens": [len(one.ids) for one in words.encode_batch(answered)],
        }

    records = table.map(to_records, batched=True, remove_columns=table.column_names)
    parts = records.filter(lambda row: row["tokens"] <= 1024).train_test_split(test_size=0.2, seed=1)
    for name, part in parts.items():
        part.to_json(str(folder / f"peer-{name}.jsonl"))
    return len(records)


def weigh(items: int, tokenizer: Path) -> int:
    """Answers of a closed task by likelihood, with the demo's shape of model; questions are made as they are read."""
    from _data import make_model
    from _harness import DEMO_ROWS, DEMO_SHAPE
    from llama_gene.evaluation.likelihood import Question, score_answers
    from llama_gene.tokenizer.load import load_tokenizer

    words = load_tokenizer(tokenizer)
    model = make_model(DEMO_SHAPE, DEMO_ROWS, words).eval()
    options = tuple((*words.encode_answer(label), words.eos_id) for label in LABELS)
    asked = _QUESTION.format(labels=", ".join(LABELS))

    def questions() -> Iterator[Question]:
        rng = random.Random(1)
        for _ in range(items):
            letters = "".join(rng.choices("ACGT", k=70))
            yield Question(tuple(words.encode_prompt(f"{asked}\n\n### Input:\n{letters}\n\n### Response:\n")), options)

    return len(score_answers(model, questions(), batch_items=32, total=items))


def measure(step: str, what: object, tokenizer: Path) -> dict[str, float]:
    """Run a step in a process of its own, and read what it prints."""
    command = [sys.executable, __file__, step, str(what), str(tokenizer)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_items(folder: Path, items: int, length_bp: int) -> None:
    """Made-up stretches of DNA, half of them promoters, and the definition that asks about them."""
    rng = random.Random(1)
    (folder / "definitions").mkdir(parents=True)
    labels = ", ".join(f'{{ name = "{name}", values = ["{place}"] }}' for place, name in enumerate(LABELS))
    (folder / "definitions" / f"{TASK}.toml").write_text(
        f'name = "{TASK}"\nfamily = "classification"\ntitle = "promoters"\ndefinition = "Is it a promoter?"\n'
        f'inputs = [{{ kind = "dna" }}]\nlabels = [{labels}]\n'
        'reader = { type = "table", files = [{ path = "items.csv" }], sequences = ["sequence"], label = "label" }\n',
        encoding="utf-8",
    )
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("sequence", "label"))
        rows.writerows(("".join(rng.choices("ACGT", k=length_bp)), rng.randrange(2)) for _ in range(items))


def main() -> None:
    """Run the step; say items, seconds and the most memory held."""
    step, what, tokenizer = sys.argv[1:]
    steps: dict[str, Callable[[Any, Path], int]] = {"split": split, "build": build, "peer": peer, "weigh": weigh}
    started = time.perf_counter()
    number = steps[step](int(what) if step == "weigh" else Path(what), Path(tokenizer))
    seconds = time.perf_counter() - started
    print(json.dumps({"items": number, "seconds": round(seconds, 2), "peak_MiB": round(peak_mebibytes())}))


if __name__ == "__main__":
    main()
