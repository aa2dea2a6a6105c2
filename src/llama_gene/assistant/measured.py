"""What an evaluation measured of a model on a task: how often it is right, and how far its probabilities go.

The numbers come from the `report.json` of `llama-gene evaluate`. Where none is known, that is said, and nothing is
guessed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_gene.artifacts import MANIFEST, read_manifest
from llama_gene.errors import DataError
from llama_gene.evaluation.calibration import Calibration
from llama_gene.evaluation.reliability import Confidence
from llama_gene.tasks.score_names import MCC_OF, METRIC_NAMES

REPORT = "report.json"
_FEWEST_ALIKE = 10
UNKNOWN = (
    "How often this model is right on this task is unknown: no evaluation of it is at hand. Run `llama-gene evaluate`, "
    "or name its folder with chat.report."
)


@dataclass(frozen=True)
class Score:
    """A score with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Measured:
    """What was measured on the held-out items of one task.

    `scores` holds each score by name, the one that decides first; `majority`: that score of always giving the most
    frequent answer. `decide_by` and `calibration` say how log-likelihoods became probabilities; `bins`: how often
    answers of like probability were right.
    """

    task: str
    split: str
    items: int
    scores: Mapping[str, Score]
    majority: float | None
    decide_by: str
    calibration: Calibration | None
    bins: tuple[Confidence, ...]


def find_report(model: Path, named: str = "") -> Path | None:
    """The report that tells of a model: the one that is named, else one in its folder, else that of its run.

    The folder `evaluation` beside the model's counts only where its manifest says that this very model was evaluated.

    Args:
        model: Model folder.
        named: report.json or its folder; "": look for it.

    Raises:
        DataError: the named one is not there.
    """
    if named:
        place = Path(named).expanduser()
        file = place / REPORT if place.is_dir() else place
        if not file.is_file():
            raise DataError(
                f"{file}: no such report. Expected report.json of `llama-gene evaluate`; check chat.report."
            )
        return file
    for folder in (model, model / "evaluation"):
        if (folder / REPORT).is_file():
            return folder / REPORT
    beside = model.absolute().parent / "evaluation"
    return beside / REPORT if (beside / REPORT).is_file() and _is_of(beside, model) else None


def _is_of(evaluation: Path, model: Path) -> bool:
    if not (evaluation / MANIFEST).is_file() or not (model / MANIFEST).is_file():
        return False
    return read_manifest(evaluation).inputs.get("model") == read_manifest(model).key


def read_measured(report: Path | None) -> dict[str, Measured]:
    """What a report says of each task, by name; nothing where there is no report.

    Raises:
        DataError: the file is no report.
    """
    if report is None:
        return {}
    try:
        values = json.loads(report.read_text(encoding="utf-8"))
        return {task["task"]: _measured(task, values) for task in values["tasks"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{report}: not the report of an evaluation ({error!r}). Expected report.json of `llama-gene evaluate`; "
            "evaluate again, or name another with chat.report."
        ) from None


def _measured(task: Mapping[str, Any], report: Mapping[str, Any]) -> Measured:
    found = {one["metric"]: one for one in task["comparisons"]}
    order = sorted(found, key=lambda metric: metric != task["headline"])
    fitted = (task.get("calibration") or {}).get("fitted")
    return Measured(
        task=task["task"],
        split=report["split"],
        items=task["n"],
        scores={name: Score(*(found[name]["ours"][part] for part in ("value", "low", "high"))) for name in order},
        majority=found[task["headline"]]["majority"]["value"],
        decide_by=report["config"].get("decide_by", "sum"),
        calibration=Calibration(fitted["temperature"], tuple(fitted["bias"]), fitted["items"]) if fitted else None,
        bins=tuple(Confidence(**one) for one in (task.get("reliability") or {}).get("bins", ())),
    )


def describe_measured(measured: Measured | None, probability: float | None = None) -> str:
    """How the model did on a task, in plain sentences.

    Args:
        measured: None: nothing is known.
        probability: That of the answer, to say how often answers of like probability were right; None: leave it out.

    >>> known = Measured("boxes", "test", 200, {"mcc": Score(0.8, 0.7, 0.9)}, 0.0, "sum", None, ())
    >>> describe_measured(known)
    'On 200 test items of this task it scored MCC 0.800 [0.700, 0.900] (95 % interval), where the most frequent
    answer has 0.000.'
    """
    if measured is None:
        return UNKNOWN
    first, *rest = measured.scores
    others = [name for name in rest if MCC_OF.get(name) == first]
    shown = [_shown(name, measured.scores[name]) for name in dict.fromkeys((first, *others))]
    base = ""
    if measured.majority is not None:
        of = f" of {METRIC_NAMES.get(first, first)}" if len(shown) > 1 else ""
        base = f", where the most frequent answer has {measured.majority:.3f}{of}"
    intervals = "95 % intervals" if len(shown) > 1 else "95 % interval"
    fitted = measured.calibration
    said = (
        f"On {measured.items:,} {measured.split} items of this task it scored {' and '.join(shown)} "
        f"({intervals}){base}." + (f" Probabilities are calibrated on {fitted.items:,} other items." if fitted else "")
    )
    alike = _alike(measured, probability)
    return f"{said} {alike}" if alike else said


def _alike(measured: Measured, probability: float | None) -> str:
    """How often answers of like probability were right."""
    if probability is None:
        return ""
    found = next(
        (one for one in measured.bins if one.low <= probability < one.high or one.high == probability == 1), None
    )
    if found is None or found.n < _FEWEST_ALIKE:
        return "Hardly any of these items had an answer of like probability."
    return (
        f"Of the {found.n:,} whose answer had a probability of {found.low:.0%} to {found.high:.0%}, "
        f"{found.right:.0%} were right."
    ).replace("%", " %")


def _shown(name: str, score: Score) -> str:
    called = METRIC_NAMES.get(name, name)
    if score.value is None or score.low is None or score.high is None:
        return f"{called} undefined"
    return f"{called} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
