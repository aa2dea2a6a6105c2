"""What the demo shows at its end: the table of results and one answer of the chat."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_gene.assistant.ask import ask
from llama_gene.assistant.conversation import Assistant, find_task
from llama_gene.evaluation.items import read_items
from llama_gene.evaluation.report import VERDICTS
from llama_gene.tasks.score_names import METRIC_NAMES

_COLUMNS = (
    "task", "family", "metric", "n", "model", "95 % interval", "majority", "best baseline", "model's interval"
)  # fmt: skip


def results_table(evaluation: Path) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows: each task's deciding score beside its baselines."""
    report = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    return _COLUMNS, [_row(task) for task in report["tasks"]]


def _row(task: dict[str, Any]) -> tuple[Any, ...]:
    deciding = task["comparisons"][0]
    ours = deciding["ours"]
    return (
        task["task"],
        task["family"],
        METRIC_NAMES[deciding["metric"]],
        ours["n"] if ours else task["n"],
        _number(ours),
        f"{ours['low']:.3f} to {ours['high']:.3f}" if ours else "",
        _number(deciding["majority"]),
        f"{_number(deciding[task['best_baseline']])} {task['best_baseline']}",
        VERDICTS[deciding["verdict"]],
    )


def _number(estimate: dict[str, float] | None) -> str:
    return f"{estimate['value']:.3f}" if estimate else "undefined"


def ask_one_question(model: Path, instructions: Path) -> Iterator[str]:
    """The first held-out item, asked as a chat would, and its true answer."""
    item = next(read_items(instructions / "test.jsonl"))
    assistant = Assistant.open(model)
    yield f"\nYou: {item.instruction}\n     {' '.join(item.sequences)}"
    yield f"Model: {ask(assistant, task=find_task(assistant, item.task), sequences=item.sequences)}"
    yield f"(true answer: {item.output})\n"
