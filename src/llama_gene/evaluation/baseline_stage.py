"""Stage "baselines": the answers of the simple methods to the held-out instructions, made once for all models.

`answers.jsonl` holds a line a task: what each method answers, which one is best on validation, and how alike each item
is to its nearest training item. `scores.json` holds their scores. A task whose items and settings are unchanged is
taken over from the folder as it was, whatever else in the instructions changed.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import Ledger, Manifest, build_stage, stage_key, write_json
from llama_gene.config import EvaluateConfig
from llama_gene.errors import ArtifactError
from llama_gene.evaluation.baselines import BASELINE_NAMES, Answers, answer_by_majority, is_number
from llama_gene.evaluation.cnn import answer_by_cnn
from llama_gene.evaluation.items import Item, read_splits
from llama_gene.evaluation.linear import answer_by_kmers
from llama_gene.evaluation.metrics import Estimate, draw_scores, estimate, unit_of_items
from llama_gene.evaluation.neighbours import Neighbours, answer_by_neighbour, find_neighbours
from llama_gene.evaluation.scorer import measure_answers
from llama_gene.progress import show_progress

CODE = 1
ANSWERS, SCORES = "answers.jsonl", "scores.json"
_DECIDING = {"split", "baselines", "kmer_max", "neighbour_candidates", "cnn_letters"}
_MOST_VALID = 1000
_HELD_OUT = 5


@dataclass(frozen=True)
class TaskBaselines:
    """The answers of all methods to the items of one task, by the names in `BASELINE_NAMES`.

    `valid`: each method's headline score on validation items, None where it is undefined; `best`: the method that is
    best there. `nearest`: equal letters of each item and its nearest training item, 0 to 1; None where not searched.
    """

    task: str
    key: str
    answers: Mapping[str, Answers]
    valid: Mapping[str, float | None]
    best: str
    nearest: tuple[float, ...] | None


def run_baselines(config: EvaluateConfig, *, instructions: Path, seed: int, output: Path) -> Manifest:
    """Stage "baselines" over the instructions of `config.split`.

    Args:
        config: Which methods, and their settings.
        instructions: Folder of `tasks build`.
        seed: Of intervals, networks and samples of validation items.
        output: Stage folder.

    Raises:
        DataError: no items, or a label that training never showed.
    """

    def build(work: Path, ledger: Ledger) -> None:
        splits = read_splits(instructions, config.split)
        known = {one.key: one for folder in (output, work) for one in _read_lines(folder / ANSWERS)}
        scores: dict[str, Any] = {}
        seconds: dict[str, float] = {}
        with (work / ANSWERS).open("w", encoding="utf-8") as lines:
            for task, asked in show_progress(list(splits[config.split].items()), "Baselines"):
                valid = splits["valid"].get(task, []) if config.split == "test" else []
                train, checked = _choose_validation(splits["train"].get(task, []), valid, seed)
                key = _key(config, train, checked, asked, seed)
                ledger.counts["tasks taken over" if key in known else "tasks answered"] += 1
                one = known.get(key) or _answer(config, train, checked, asked, seed=seed, key=key, seconds=seconds)
                lines.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")
                lines.flush()
                scores[task] = _scores(config, one, asked, seed) | {"train_items": len(train)}
        ledger.facts["seconds"] = {name: round(spent, 1) for name, spent in seconds.items()}
        ledger.facts["best"] = {task: found["best"] for task, found in scores.items()}
        write_json(work / SCORES, scores)

    settings = config.model_dump(mode="json", include=_DECIDING | {"bootstrap"})
    return build_stage(
        "baselines", output, build, config=settings, inputs={"instructions": instructions}, seed=seed, code=CODE
    )


def read_baselines(folder: Path) -> dict[str, TaskBaselines]:
    """The baselines of each task in a folder of `run_baselines`.

    Raises:
        ArtifactError: the folder holds none.
    """
    found = {one.task: one for one in _read_lines(folder / ANSWERS)}
    if not found:
        raise ArtifactError(f"{folder}: holds no baselines. Make them with `llama-gene evaluate --baselines-only`.")
    return found


def scores_table(folder: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows: every score of every method in a folder of `run_baselines`."""
    rows = []
    for task, found in json.loads((folder / SCORES).read_text(encoding="utf-8")).items():
        for place, (metric, scores) in enumerate(found["scores"].items()):
            start = (task, str(found["n"])) if place == 0 else ("", "")
            cells = (_cell(scores.get(name), starred=name == found["best"]) for name in BASELINE_NAMES)
            rows.append((*start, metric, *cells))
    return ("task", "n", "score", *BASELINE_NAMES), rows


def _cell(score: Mapping[str, float | None] | None, *, starred: bool) -> str:
    if score is None or score["value"] is None:
        return "–"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]{' *' if starred else ''}"


def answer_all(
    config: EvaluateConfig,
    train: Sequence[Item],
    valid: Sequence[Item],
    asked: Sequence[Item],
    *,
    seed: int,
    seconds: dict[str, float],
) -> tuple[dict[str, Answers], tuple[float, ...] | None]:
    """The answers of every method that suits the task, majority first, and how alike each item is to training.

    Args:
        config: Which methods, and their settings.
        train: Training items of one task.
        valid: Validation items, for penalties and epochs; may be empty.
        asked: Items to answer.
        seed: Of the network.
        seconds: The time of each method is added here.

    Raises:
        DataError: no training items.
    """
    found = {"majority": answer_by_majority(train, asked)}
    if not all(item.sequences and item.kinds == asked[0].kinds for item in (*train, *valid, *asked)):
        return found, None
    neighbours: list[Neighbours] = []

    def align() -> Answers:
        neighbours.append(find_neighbours(train, asked, candidates=config.neighbour_candidates))
        return answer_by_neighbour(train, asked, neighbours[0])

    methods: dict[str, Callable[[], Answers]] = {
        "kmer": lambda: answer_by_kmers(train, valid, asked, kmer_max=config.kmer_max),
        "neighbour": align,
    }
    if asked[0].labels is not None or is_number(asked[0]):
        methods["cnn"] = lambda: answer_by_cnn(train, valid, asked, letters=config.cnn_letters, seed=seed)
    for name in config.baselines:
        if name in methods:
            started = time.monotonic()
            found[name] = methods[name]()
            seconds[name] = seconds.get(name, 0.0) + time.monotonic() - started
    return found, neighbours[0].identities if neighbours else None


def _answer(
    config: EvaluateConfig,
    train: Sequence[Item],
    valid: Sequence[Item],
    asked: Sequence[Item],
    *,
    seed: int,
    key: str,
    seconds: dict[str, float],
) -> TaskBaselines:
    """Answer validation and held-out items together, and part them."""
    answers, nearest = answer_all(config, train, valid, [*valid, *asked], seed=seed, seconds=seconds)
    count = len(valid)
    on_valid = {name: _headline(valid, _part(one, slice(None, count))) for name, one in answers.items()}
    return TaskBaselines(
        task=asked[0].task,
        key=key,
        answers={name: _part(one, slice(count, None)) for name, one in answers.items()},
        valid=on_valid,
        best=choose_best(on_valid),
        nearest=nearest[count:] if nearest is not None else None,
    )


def choose_best(valid: Mapping[str, float | None]) -> str:
    """The method with the greatest score on validation items; of equals the first, which is the simpler.

    >>> choose_best({"majority": 0.0, "kmer": 0.4, "cnn": 0.4, "neighbour": None})
    'kmer'
    """
    known = {name: score for name, score in valid.items() if score is not None}
    # Without validation nothing tells them apart: the k-mer model is the usual one.
    return max(known, key=lambda name: known[name]) if known else "kmer" if "kmer" in valid else "majority"


def _headline(items: Sequence[Item], answers: Answers) -> float | None:
    if not items:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        deciding = next(iter(measure_answers(items, answers).values()))
        value = float(deciding.score(deciding.sums_NK.sum(axis=0, keepdims=True))[0])
    return value if np.isfinite(value) else None


def _part(answers: Answers, part: slice) -> Answers:
    return Answers(answers.method, answers.texts[part], answers.values[part] if answers.values is not None else None)


def _choose_validation(
    train: Sequence[Item], valid: Sequence[Item], seed: int
) -> tuple[Sequence[Item], Sequence[Item]]:
    """Training and validation items; without validation items a fifth of the training groups stands for them."""
    rng = np.random.default_rng(seed)
    if len(valid) > _MOST_VALID:
        return train, [valid[place] for place in np.sort(rng.choice(len(valid), _MOST_VALID, replace=False))]
    groups = sorted({item.group or item.id for item in train})
    if valid or len(groups) < 2 * _HELD_OUT:
        return train, valid
    held = {groups[place] for place in rng.permutation(len(groups))[: len(groups) // _HELD_OUT]}
    kept = [item for item in train if (item.group or item.id) not in held]
    if {item.output for item in kept} != {item.output for item in train} and train[0].labels is not None:
        return train, []
    return kept, [item for item in train if (item.group or item.id) in held]


def _key(config: EvaluateConfig, train: Sequence[Item], valid: Sequence[Item], asked: Sequence[Item], seed: int) -> str:
    """A hash of all that decides the answers: wordings, which only a language model reads, are no part of it."""
    seen = [
        [[item.id, item.sequences, item.kinds, item.output, item.labels, item.value, item.family] for item in items]
        for items in (train, valid, asked)
    ]
    settings = config.model_dump(mode="json", include=_DECIDING - {"split"})
    return stage_key("baselines", {"settings": settings, "items": seen}, {}, seed, CODE)


def _scores(config: EvaluateConfig, one: TaskBaselines, items: Sequence[Item], seed: int) -> dict[str, Any]:
    """Each method's scores with intervals, and what they were measured on."""
    units, drawn_as = unit_of_items([item.group for item in items])
    measured = {
        (name, metric): found
        for name, answers in one.answers.items()
        for metric, found in measure_answers(items, answers).items()
    }
    drawn = draw_scores(measured, units=units, resamples=config.bootstrap, seed=seed)
    scores: dict[str, dict[str, Estimate]] = {}
    for (name, metric), found in drawn.items():
        scores.setdefault(metric, {})[name] = estimate(found)
    return {
        "family": items[0].family,
        "kinds": list(items[0].kinds),
        "n": len(items),
        "drawn_as": drawn_as,
        "best": one.best,
        "valid": dict(one.valid),
        "methods": {name: answers.method for name, answers in one.answers.items()},
        "scores": {metric: {name: asdict(found) for name, found in each.items()} for metric, each in scores.items()},
    }


def _read_lines(path: Path) -> Iterator[TaskBaselines]:
    """The tasks of an `answers.jsonl`; what a kill cut short is passed over, since it is made again."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            record = json.loads(line)
            answers = {name: _answers(found) for name, found in record.pop("answers").items()}
            nearest = record.pop("nearest")
            yield TaskBaselines(**record, answers=answers, nearest=None if nearest is None else tuple(nearest))


def _answers(record: Mapping[str, Any]) -> Answers:
    values = record["values"]
    return Answers(record["method"], tuple(record["texts"]), None if values is None else tuple(values))
