"""The English controls in `report.md` and `report.html`: a gauge of what was forgotten, and every plain answer."""

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from llama_gene.evaluation.controls import ControlScore, ControlsReport
from llama_gene.evaluation.plots import number
from llama_gene.evaluation.report import interval, signed
from llama_gene.pages.render import render_page

NAMES = {
    "bits_per_byte": "bits per byte", "word_perplexity": "perplexity per word", "mcc": "MCC", "accuracy": "accuracy",
    "macro_f1": "macro F1", "share_right": "share right",
}  # fmt: skip
_SECTION = Path(__file__).with_name("controls_section.html")
_SIDES = {"lost": "below", "gained": "above"}


def controls_sentence(found: ControlsReport) -> str:
    """What became of the model's English, in one sentence.

    >>> from llama_gene.evaluation.metrics import Estimate
    >>> half = Estimate(0.5, 0.4, 0.6, 32)
    >>> score = ControlScore("plain questions", "share_right", 32, None, half, None, "no model before")
    >>> controls_sentence(ControlsReport("", "tuned", (score,), (), ()))
    'English: plain questions share right 0.500.'
    """
    first = {score.control: score for score in reversed(found.scores)}
    parts = [
        f"{score.control} {NAMES[score.metric]} {_change(score)}{number(score.after.value)}{_verdict(score)}"
        for score in reversed(first.values())
    ]
    return f"English: {'; '.join(parts)}."


def _change(score: ControlScore) -> str:
    return f"{number(score.before.value)} → " if score.before else ""


def _verdict(score: ControlScore) -> str:
    return f" ({score.told})" if score.before else ""


def controls_lines(found: ControlsReport) -> Iterator[str]:
    """The table of the controls as text."""
    yield "Natural language kept:"
    yield ""
    yield f"| control | score | n | before ({found.before or 'none'}) | after ({found.after}) | change | told |"
    yield "|---|---|--:|---|---|---|---|"
    for score in found.scores:
        cells = [score.control, NAMES[score.metric], str(score.n), interval(score.before), _after(score)]
        yield f"| {' | '.join([*cells, signed(score.change) if score.change else '–', score.told])} |"
    yield ""
    yield " ".join(found.notes)


def _after(score: ControlScore) -> str:
    chance = "" if score.by_chance is None else f", most frequent answer {number(score.by_chance)}"
    return f"{interval(score.after)}{chance}"


def controls_section(found: ControlsReport) -> Markup:
    """The section of the page: the table, and the plain questions with their answers."""
    return Markup(
        render_page(_SECTION, found=found, names=NAMES, sides=_SIDES, interval=interval, signed=signed, number=number)
    )
