"""The answers of the simple methods to the held-out items of a task, made once for all models.

They are kept in a folder of files, one for each task and settings, named by a hash of all that decides the answers. So
any number of evaluations may share the folder at the same time, and it may be removed at any time.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import stage_key, write_json
from llama_gene.config import EvaluateConfig
from llama_gene.errors import ArtifactError
from llama_gene.evaluation.baselines import Answers, answer_by_majority
from llama_gene.evaluation.calls import answer_by_wording, are_calls
from llama_gene.evaluation.cnn import answer_by_cnn
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.linear import answer_by_kmers
from llama_gene.evaluation.neighbours import Neighbours, answer_by_neighbour, find_neighbours
from llama_gene.evaluation.numbers import is_number
from llama_gene.evaluation.scorer import measure_answers

# Raise it when a method answers otherwise.
CODE = 3
DECIDING = {"baselines", "kmer_max", "neighbour_candidates", "cnn_letters"}
_MOST_VALID = 1000
_HELD_OUT = 5


@dataclass(frozen=True)
class TaskBaselines:
    """The answers of all methods to the items of one task, by the names in `BASELINE_NAMES`.

    `valid`: each method's headline score on validation items, None where it is undefined; `best`: the method that is
    best there. `nearest`: equal letters of each item and its nearest training item, 0 to 1; None where not searched.
    `train_items`: how many items they were fitted on; `seconds`: what each method took.
    """

    task: str
    answers: Mapping[str, Answers]
    valid: Mapping[str, float | None]
    best: str
    nearest: tuple[float, ...] | None
    train_items: int
    seconds: Mapping[str, float]


def beside(instructions: Path) -> Path:
    """Where the baselines of a folder of instructions are kept unless another folder is named."""
    return instructions.with_name("baselines")


def find_baselines(
    config: EvaluateConfig,
    splits: Mapping[str, Mapping[str, Sequence[Item]]],
    task: str,
    *,
    seed: int,
    kept: Path,
    metric: str = "",
) -> TaskBaselines:
    """The baselines of one task: from the folder where they are kept, or made now and kept there.

    Args:
        config: Which methods, their settings, and which split is asked.
        splits: Items by split and task.
        task: Name of the task.
        seed: Of networks and of samples of validation items.
        kept: Folder of kept answers; made where it is missing.
        metric: The score that decides which one is best; "": the usual one.

    Raises:
        DataError: no training items, or none of them has that score.
        ArtifactError: the folder cannot be written, or a file in it is not ours.
    """
    asked = splits[config.split][task]
    valid = splits["valid"].get(task, []) if config.split == "test" else []
    train, valid = _choose_validation(splits["train"].get(task, []), valid, seed)
    file = kept / f"{_key(config, train, valid, asked, seed, metric)}.json"
    if file.is_file():
        return _read(file)
    made = _answer(config, train, valid, asked, seed=seed, metric=metric)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(made))
    except OSError as error:
        raise ArtifactError(
            f"{kept}: the baselines cannot be kept here ({error}). Name another folder with --baselines."
        ) from error
    return made


def _read(file: Path) -> TaskBaselines:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        answers = {name: _answers(found) for name, found in record.pop("answers").items()}
        nearest = record.pop("nearest")
        return TaskBaselines(**record, answers=answers, nearest=None if nearest is None else tuple(nearest))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{file}: no baselines of ours ({error}). Remove the file; they are made again.") from None


def _answers(record: Mapping[str, Any]) -> Answers:
    values = record["values"]
    return Answers(record["method"], tuple(record["texts"]), None if values is None else tuple(values))


def _answer_all(
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
    if are_calls(asked):
        return found | {"wording": answer_by_wording(train, asked)}, None
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
    metric: str,
) -> TaskBaselines:
    """Answer validation and held-out items together, and part them."""
    seconds: dict[str, float] = {}
    answers, nearest = _answer_all(config, train, valid, [*valid, *asked], seed=seed, seconds=seconds)
    count = len(valid)
    on_valid = {name: _headline(valid, _part(one, slice(None, count)), metric) for name, one in answers.items()}
    return TaskBaselines(
        task=asked[0].task,
        answers={name: _part(one, slice(count, None)) for name, one in answers.items()},
        valid=on_valid,
        best=choose_best(on_valid),
        nearest=nearest[count:] if nearest is not None else None,
        train_items=len(train),
        seconds={name: round(spent, 2) for name, spent in seconds.items()},
    )


def choose_best(valid: Mapping[str, float | None]) -> str:
    """The method with the greatest score on validation items; of equals the first, which is the simpler.

    >>> choose_best({"majority": 0.0, "kmer": 0.4, "cnn": 0.4, "neighbour": None})
    'kmer'
    """
    known = {name: score for name, score in valid.items() if score is not None}
    # Without validation nothing tells them apart: the k-mer model is the usual one.
    return max(known, key=lambda name: known[name]) if known else "kmer" if "kmer" in valid else "majority"


def _headline(items: Sequence[Item], answers: Answers, metric: str) -> float | None:
    if not items:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        deciding = next(iter(measure_answers(items, answers, metric).values()))
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


def _key(
    config: EvaluateConfig,
    train: Sequence[Item],
    valid: Sequence[Item],
    asked: Sequence[Item],
    seed: int,
    metric: str,
) -> str:
    """A hash of all that decides the answers and which are best.

    Wordings are no part of it, where a language model alone reads them.
    """
    by_words = are_calls(asked)
    seen: list[list[list[Any]]] = [
        [
            [item.id, item.sequences, item.kinds, item.output, item.labels, item.value, item.family]
            + ([asdict(item.span)] if item.span else [])
            + [item.words, item.turns] * by_words
            for item in items
        ]
        for items in (train, valid, asked)
    ]
    settings = config.model_dump(mode="json", include=DECIDING)
    return stage_key("baselines", {"settings": settings, "items": seen, "metric": metric}, {}, seed, CODE)
