"""What hits of an index add to the answers of tuned models to questions of function, near copies left out.

`--run NAME=FOLDER` names what `llama-gene run` or `demo` left. The index holds the training items of its function
tasks, each under its right answer, and no other item. The test items are asked without it, and with it below each
identity (`llama-gene evaluate --index --against`): scores have 95 % bootstrap intervals, differences are paired item by
item. The peer is the answer of the training item that aligns best, without any model. Without a run, or quick: made-up
proteins and a model of random weights, which shows that it runs and nothing else. The ratio is the processor time of
the run without an index, which makes the peer's answers too, by that of one with it.
"""

import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _data import make_model, make_tokenizer
from _harness import DEMO_ROWS, DEMO_SHAPE, read_arguments, report, rewrite_page
from _retrieval_child import cpu_seconds
from _retrieval_planted import mutate, random_letters
from llama_gene.config import ControlsConfig, EvaluateConfig, IndexConfig
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.evidence import FAMILY
from llama_gene.model.folders import save_model
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.hits import NO_HIT
from llama_gene.tasks.score_names import METRIC_NAMES

SEED = 1
SPLITS = ("train", "valid", "test")
LEVELS, QUICK_LEVELS = (0.9, 0.5), (0.9,)
CONFIG = EvaluateConfig(baselines=("neighbour",), generate_items=0, controls=ControlsConfig(text_bytes=0, questions=0))
_WITH = "with_hits_below"
Instructions = dict[str, list[dict[str, Any]]]


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(
        __doc__,
        {
            "--run": {"action": "append", "default": [], "metavar": "NAME=FOLDER", "help": "what to ask; repeatable"},
            "--items": {"type": int, "metavar": "N", "help": "ask so many test items of a task, drawn at random"},
            "--hits": {"type": int, "default": CONFIG.neighbours, "metavar": "N", "help": "hits shown at most"},
            "--docs": {"type": Path, "metavar": "FILE", "help": "page whose table is rewritten"},
        },
    )
    runs = [] if arguments.quick else [name.partition("=")[::2] for name in arguments.options.run]
    levels = LEVELS if runs else QUICK_LEVELS
    configs = [
        CONFIG.model_copy(update={"neighbours_below": level, "neighbours": arguments.options.hits}) for level in levels
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = {name: Path(run) / "finetuned" for name, run in runs} or {"random": make_random(folder / "random")}
        most = arguments.options.items
        asked = {name: read_run(Path(run), most) for name, run in runs} or {"random": make_items()}
        found = {name: measure(models[name], asked[name], folder / name, configs) for name in models}
    tasks = [(name, task, one) for name, tasks in found.items() for task, one in tasks["tasks"].items()]
    if arguments.options.docs:
        rewrite_page(arguments.options.docs, "retrieval adds", page_lines(tasks))
    without, with_hits = (sum(one["cpu_s"][side] for one in found.values()) for side in ("without", "with"))
    ratio = without / with_hits
    report(
        arguments,
        work={
            "levels": levels,
            "most_items": arguments.options.items,
            "hits": arguments.options.hits,
            "bootstrap": CONFIG.bootstrap,
            "seed": SEED,
        },
        ours=found,
        peers={"neighbour": {f"{name} {task}": one["neighbour"] for name, task, one in tasks}},
        ratios={"without_an_index": ratio},
        table=[
            ("run", "task", "items", "neighbours", "with a hit", "score", "less without", "p", "ratio"),
            *(row for name, task, one in tasks for row in rows(name, task, one, ratio)),
        ],
    )


def read_run(folder: Path, most: int | None) -> Instructions:
    """The records of a run's function tasks, by split; of the test items of a task so many at most."""
    records: Instructions = {}
    for split in SPLITS:
        lines = (folder / "instructions" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        records[split] = [one for one in map(json.loads, lines) if one["family"] == FAMILY]
    return records if most is None else records | {"test": draw(records["test"], most)}


def draw(records: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """So many records of each task at most, drawn at random, in their order."""
    rng, left_out = random.Random(SEED), set[int]()
    for task in dict.fromkeys(one["task"] for one in records):
        places = [place for place, one in enumerate(records) if one["task"] == task]
        left_out.update(rng.sample(places, max(0, len(places) - most)))
    return [one for place, one in enumerate(records) if place not in left_out]


def make_random(folder: Path) -> Path:
    """A model that knows nothing."""
    folder.mkdir()
    tokenizer = make_tokenizer(folder)
    save_model(make_model(DEMO_SHAPE, DEMO_ROWS, tokenizer), tokenizer.folder, folder / "finetuned")
    return folder / "finetuned"


def make_items() -> Instructions:
    """Proteins of three made-up families, each a mutated copy of its ancestor."""
    rng = random.Random(SEED)
    families = {name: random_letters("protein", 80, rng) for name in ("kinase", "protease", "transporter")}
    made: Instructions = {}
    for split, items in zip(SPLITS, (30, 12, 24), strict=True):
        made[split] = []
        for number in range(items):
            output = rng.choice(sorted(families))
            letters = mutate(families[output], "protein", 0.6, rng)
            made[split].append({
                "id": f"{split}-{number}", "instruction": "What does it do?", "input": letters, "output": output,
                "task": "made-up", "family": FAMILY, "split": split, "labels": sorted(families), "group": str(number),
                "sequences": [letters], "kinds": ["protein"], "value": None, "nearest": None, "pair_class": None,
            })  # fmt: skip
    return made


def measure(model: Path, records: Instructions, folder: Path, configs: Sequence[EvaluateConfig]) -> dict[str, Any]:
    """Ask without the index and with it; the processor seconds of one run of both kinds."""
    folder.mkdir(exist_ok=True)
    instructions = folder / "instructions"
    instructions.mkdir()
    for split in SPLITS:
        lines = (json.dumps(one) + "\n" for one in records[split])
        (instructions / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    index = index_training(records["train"], folder)
    started = cpu_seconds()
    evaluate(CONFIG, model=model, instructions=instructions, seed=SEED, output=folder / "without")
    between = cpu_seconds()
    for config in configs:
        output = folder / f"{config.neighbours_below:g}"
        evaluate(
            config, model=model, instructions=instructions, seed=SEED, output=output, index=index,
            against=[folder / "without"],
        )  # fmt: skip
    seconds = {"without": round(between - started, 1), "with": round((cpu_seconds() - between) / len(configs), 1)}
    alone = {one["task"]: one for one in read_tasks(folder / "without")}
    levels = [config.neighbours_below for config in configs]
    return {"cpu_s": seconds, "tasks": {task: describe(task, one, folder, levels) for task, one in alone.items()}}


def index_training(records: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """An index of the training sequences, each named by its task and described by its answer."""
    files = []
    for task in dict.fromkeys(one["task"] for one in records):
        # An item can stand there several times, spelled in two ways or asked again with hits.
        answers = {one["sequences"][0]: one["output"] for one in records if one["task"] == task}
        files.append(folder / f"{task}.fasta")
        entries = (f">{task}-{number} {text}\n{letters}\n" for number, (letters, text) in enumerate(answers.items()))
        files[-1].write_text("".join(entries), encoding="utf-8")
    build_index(IndexConfig(), files=files, seed=SEED, output=folder / "index")
    return folder / "index"


def read_tasks(folder: Path) -> list[dict[str, Any]]:
    """The tasks of an evaluation's report."""
    return list(json.loads((folder / "report.json").read_text(encoding="utf-8"))["tasks"])


def describe(task: str, alone: Mapping[str, Any], folder: Path, levels: Sequence[float]) -> dict[str, Any]:
    """The score that decides: of the model alone, of the nearest training item, and of the model with hits."""
    metric = alone["headline"]
    scores = next(one for one in alone["comparisons"] if one["metric"] == metric)
    return {
        "metric": metric,
        "items": alone["n"],
        "without": rounded(scores["ours"]),
        "neighbour": rounded(scores["neighbour"]),
        _WITH: {f"{level:g}": describe_level(task, metric, folder / f"{level:g}") for level in levels},
    }


def describe_level(task: str, metric: str, folder: Path) -> dict[str, Any]:
    """The same score with hits, its difference to the model alone, and how many items had a hit."""
    (found,) = (one for one in read_tasks(folder) if one["task"] == task)
    (rival,) = found["rivals"]
    ours = next(one["ours"] for one in found["comparisons"] if one["metric"] == metric)
    asked = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    shown = [NO_HIT not in one["instruction"] for one in asked if one["task"] == task]
    return {
        "with_a_hit": round(sum(shown) / len(shown), 3),
        "score": rounded(ours),
        "difference": rounded(rival["differences"][metric]),
    }


def rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """A score or difference with its interval, four decimals."""
    return {name: None if value is None else round(value, 4) for name, value in values.items() if name != "n"}


def rows(run: str, task: str, one: Mapping[str, Any], ratio: float) -> list[tuple[str, ...]]:
    """Of each task the model alone, the nearest training item, and each level."""
    first = [(run, task, str(one["items"]), "none", "", cell(one["without"]), "", "", f"{ratio:.2f}")]
    first.append(("", "", "", "their answer alone", "", cell(one["neighbour"]), "", "", ""))
    levels = [
        ("", "", "", f"below {name}", f"{found['with_a_hit']:g}", cell(found["score"]),
         cell(found["difference"]), f"{found['difference']['p']}", "")
        for name, found in one[_WITH].items()
    ]  # fmt: skip
    return first + levels


def page_lines(tasks: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Iterator[str]:
    """A row for each task: the model alone, the nearest training item alone, and the model with hits of each level."""
    levels = [f"with hits below {float(level):.0%} identity" for level in tasks[0][2][_WITH]]
    yield f"| run, task | items | score | model alone | nearest training item alone | {' | '.join(levels)} |"
    yield "|---|--:|---|---|---|" + "---|" * len(levels)
    for run, task, one in tasks:
        with_hits = (f"{cell(found['score'])}, {told(found['difference'])}" for found in one[_WITH].values())
        shown = (cell(one["without"]), cell(one["neighbour"]), *with_hits)
        yield f"| {run}, {task} | {one['items']} | {METRIC_NAMES[one['metric']]} | {' | '.join(shown)} |"


def told(difference: Mapping[str, float | None]) -> str:
    """Which side of zero the interval of a difference lies on."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return "undefined"
    return "**more**" if low > 0 else "**less**" if high < 0 else "not told apart"


def cell(score: Mapping[str, float | None]) -> str:
    """A value with its interval; a dash where it is undefined."""
    if score["value"] is None:
        return "–"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


if __name__ == "__main__":
    main()
