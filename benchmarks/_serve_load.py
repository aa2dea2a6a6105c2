"""Locust's clients for `serve.py`: each streams one chat after the other and notes what it saw."""

import json
import os
import random
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from locust import HttpUser, events, task

NEW_TOKENS = 32
_FIRST: list[float] = []
_WHOLE: list[float] = []
_ANSWERS: Counter[int] = Counter()
_ERRORS: Counter[str] = Counter()


class Client(HttpUser):
    """Asks without pause."""

    def on_start(self) -> None:
        """A number and chance of its own."""
        self.number = len(_ANSWERS)
        self.random = random.Random(self.number)
        _ANSWERS[self.number] = 0

    @task
    def chat(self) -> None:
        """Stream one answer; the time to its first text and to its end."""
        letters = "".join(self.random.choices("ACGT", k=self.random.randint(20, 80)))
        body = {
            "model": os.environ["LOAD_MODEL"], "stream": True, "max_tokens": NEW_TOKENS, "temperature": 1,
            "seed": self.random.randint(0, 10**6),
            "messages": [{"role": "user", "content": f"Is it a promoter?\n\n### Input:\n{letters}"}],
        }  # fmt: skip
        started = time.perf_counter()
        with self.client.post("/v1/chat/completions", json=body, stream=True, catch_response=True) as answer:
            lines = [line for line in _timed(answer, started) if line]
            if answer.status_code != 200 or not lines or lines[-1] != b"data: [DONE]" or b'"error"' in lines[-2]:
                _ERRORS[str(answer.status_code)] += 1
                answer.failure("no whole answer")
                return
            _WHOLE.append(time.perf_counter() - started)
            _ANSWERS[self.number] += 1


def _timed(answer: Any, started: float) -> Any:
    """The lines of a stream; notes when the first comes."""
    for number, line in enumerate(answer.iter_lines()):
        if number == 0:
            _FIRST.append(time.perf_counter() - started)
        yield line


@events.quitting.add_listener
def write(**_: Any) -> None:
    """What all clients saw."""
    found = {
        "answers": sum(_ANSWERS.values()),
        "errors": dict(_ERRORS),
        "first_text_s": _percentiles(_FIRST),
        "whole_answer_s": _percentiles(_WHOLE),
        "fairness": round(min(_ANSWERS.values()) / max(*_ANSWERS.values(), 1), 3),
    }
    Path(os.environ["LOAD_FILE"]).write_text(json.dumps(found), encoding="utf-8")


def _percentiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100)
    return {name: round(cuts[place], 3) for name, place in (("p50", 49), ("p95", 94), ("p99", 98))}
