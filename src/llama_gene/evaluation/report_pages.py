"""`report.html` and a page for each task: self-contained, no script, no outside request, plots as inline SVG."""

import re
from pathlib import Path

from markupsafe import Markup

from llama_gene.artifacts import write_json, write_text
from llama_gene.evaluation.baselines import BASELINE_NAMES
from llama_gene.evaluation.calls import OUTCOMES
from llama_gene.evaluation.controls_report import controls_section, controls_sentence
from llama_gene.evaluation.plots import bars, confusion, curve, number, profile_plot, reliability_plot
from llama_gene.evaluation.report import (
    AGAINST,
    SYNTHETIC,
    UNITS,
    VERDICTS,
    Report,
    report_record,
    setting_line,
    signed,
    summary,
)
from llama_gene.evaluation.report_markdown import report_markdown
from llama_gene.evaluation.summaries import BEST
from llama_gene.evaluation.tasks import TaskReport, side_of_zero
from llama_gene.pages.render import render_page
from llama_gene.tasks.score_names import METRIC_NAMES

TASK_PAGES = "tasks"
_REPORT = Path(__file__).with_name("report_page.html")
_TASK = Path(__file__).with_name("task_page.html")
_MOST_CLASSES_DRAWN = 16


def write_report(report: Report, folder: Path) -> None:
    """Write report.json, report.md, report.html and tasks/*.html into a folder."""
    write_json(folder / "report.json", report_record(report))
    write_text(folder / "report.md", report_markdown(report))
    write_text(folder / "report.html", report_page(report))
    (folder / TASK_PAGES).mkdir(exist_ok=True)
    for place, task in enumerate(report.tasks):
        write_text(folder / page_of(place, task), task_page(report, task))


def page_of(place: int, task: TaskReport) -> str:
    """Path of a task's page beside `report.html`; the name is made safe, the number makes it unique."""
    return f"{TASK_PAGES}/{place + 1:02d}-{re.sub('[^a-z0-9]+', '-', task.task.lower()).strip('-')}.html"


def report_page(report: Report) -> str:
    """The page of all tasks."""
    return render_page(
        _REPORT,
        report=report,
        synthetic_words=SYNTHETIC,
        summary=summary(report),
        verdicts=VERDICTS,
        against=AGAINST,
        side_of_zero=side_of_zero,
        signed=signed,
        metric_names=METRIC_NAMES,
        baseline_names=report.baselines,
        outcomes=OUTCOMES,
        best_name=BEST,
        number=number,
        units=UNITS,
        pages={task.task: page_of(place, task) for place, task in enumerate(report.tasks)},
        bars=[(family, Markup(bars(tasks))) for family, tasks in report.families.items()],
        curves=[(one, Markup(curve(one.steps, one.losses, one.stage)) if one.steps else "") for one in report.curves],
        controls=controls_section(report.controls) if report.controls else "",
        controls_told=controls_sentence(report.controls) if report.controls else "",
        setting=setting_line(report),
    )


def task_page(report: Report, task: TaskReport) -> str:
    """The page of one task."""
    return render_page(
        _TASK,
        report=report,
        task=task,
        synthetic_words=SYNTHETIC,
        verdicts=VERDICTS,
        against=AGAINST,
        side_of_zero=side_of_zero,
        signed=signed,
        metric_names=METRIC_NAMES,
        baseline_names=BASELINE_NAMES,
        number=number,
        confusion=Markup(confusion(task)) if task.closed and len(task.classes) <= _MOST_CLASSES_DRAWN else "",
        reliability=Markup(reliability_plot(task.reliability, task.task, task.uncalibrated))
        if task.reliability
        else "",
        profiles=[(one, Markup(profile_plot(one, task))) for one in task.profiles],
        setting=setting_line(report),
    )
