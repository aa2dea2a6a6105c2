"""Answers per second of the batch engine against two ways of transformers, and a load test of the whole server.

Throughput: a LLaMA of 10 million parameters and 40,000 rows with random weights, so that no answer stops early; many
requests at a time go through our engine, one by one through transformers' `generate`, greedy, batch 1, and together
through its continuous batching (`generate_batch`; a quarter of the requests, with a cache as large as they need). Where
vLLM is installed, its own server is asked for all of them in one call. All write the same answers.

Load: locust's clients stream chats from a server of their own process (`llama-gene serve`) without pause: errors,
latency, fairness (answers of the slowest client by those of the fastest) and the server's memory, looked at ten times.
Before it, clients of the assistant (`NAME:assistant`) ask the same server free questions, all at a time and one after
the other.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from _data import make_model, make_tokenizer
from _harness import (
    DEMO_ROWS,
    DEMO_SHAPE,
    REAL_ROWS,
    REAL_SHAPE,
    Arguments,
    Pair,
    read_arguments,
    report,
    summary,
    take_turns,
)
from _serve_vllm import VLLM, answer_by_vllm, serving_by_vllm
from _serving import CONTINUOUS, ONE_BY_ONE, answer_continuously, answer_each, answer_together, greedy, make_prompts
from llama_gene.config import ServeConfig
from llama_gene.model.folders import save_model
from llama_gene.serving.choose import forbidden_ids
from llama_gene.serving.engine import Engine
from llama_gene.tokenizer.load import GeneTokenizer

UNIT = "tokens_per_second"
_LOAD_FILE = Path(__file__).parent / "_serve_load.py"
_LOOKS = 10
_ASSISTANT_CLIENTS = 16
_WRITTEN = re.compile(r'^llama_gene_tokens_total\{side="written"\} (\S+)', re.MULTILINE)


@dataclass(frozen=True)
class Sizes:
    """How much is asked."""

    requests: int
    new_tokens: int
    rounds: int
    clients: int
    seconds: int


QUICK = Sizes(requests=24, new_tokens=16, rounds=2, clients=8, seconds=5)
FULL = Sizes(requests=96, new_tokens=48, rounds=3, clients=50, seconds=300)


def main() -> None:
    """Run, print, write."""
    model = {"type": Path, "help": "model folder of the load test (a demo's); none: its shape with random weights"}
    arguments = read_arguments(__doc__, {"--model": model})
    sizes = QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(Path(folder))
        pairs = measure(sizes, tokenizer, Path(folder))
        load = load_server(sizes, arguments, tokenizer, Path(folder))
    ours = summary(pairs[ONE_BY_ONE].ours, UNIT)
    peers = {name: summary(pair.peer, UNIT) for name, pair in pairs.items()}
    table = [
        ("what", "value"),
        ("ours, tokens/s", f"{ours[UNIT]:.0f}"),
        *((f"{name.replace('_', ' ')}, tokens/s", f"{peer[UNIT]:.0f}") for name, peer in peers.items()),
        *((f"ratio to {name.replace('_', ' ')}", f"{pair.ratio:.2f}") for name, pair in pairs.items()),
        *((name.replace("_", " "), str(value)) for name, value in load.items()),
    ]
    report(
        arguments,
        work={
            "requests": sizes.requests, "new_tokens": sizes.new_tokens, "rounds": sizes.rounds,
            "at_a_time": ServeConfig().max_running, "clients": sizes.clients, "seconds": sizes.seconds,
        },
        ours={**ours, "load": load},
        peers=peers,
        ratios={name: pair.ratio for name, pair in pairs.items()},
        table=table,
    )  # fmt: skip


def measure(sizes: Sizes, tokenizer: GeneTokenizer, work: Path) -> dict[str, Pair]:
    """Ours beside each peer, on one model; `work` is a folder for files."""
    model = make_model(REAL_SHAPE, REAL_ROWS, tokenizer).eval()
    prompts = make_prompts(sizes.requests, tokenizer)
    config = ServeConfig()
    engine = Engine(
        model, tokenizer, most_running=config.max_running, most_waiting=sizes.requests, cache_gib=config.cache_gib,
        step_tokens=config.step_tokens,
    )  # fmt: skip
    settings = greedy(tokenizer, REAL_ROWS, sizes.new_tokens)
    few = prompts[: sizes.requests // 4]
    try:
        pairs = {
            ONE_BY_ONE: take_turns(
                lambda: answer_together(engine, prompts, sizes.new_tokens),
                lambda: answer_each(model, prompts, settings),
                units=len(prompts) * sizes.new_tokens, rounds=sizes.rounds,
            ),
            CONTINUOUS: take_turns(
                lambda: answer_together(engine, few, sizes.new_tokens),
                lambda: answer_continuously(model, few, settings, config.max_running),
                units=len(few) * sizes.new_tokens, rounds=1,
            ),
        }  # fmt: skip
        if shutil.which("vllm"):
            save_model(model, tokenizer.folder, work / "served")
            allowed = sorted(set(range(tokenizer.size)) - set(forbidden_ids(tokenizer, REAL_ROWS)))
            with serving_by_vllm(work / "served", work / "vllm.log") as address:
                pairs[VLLM] = take_turns(
                    lambda: answer_together(engine, prompts, sizes.new_tokens),
                    lambda: answer_by_vllm(address, "served", prompts, sizes.new_tokens, allowed),
                    units=len(prompts) * sizes.new_tokens, rounds=sizes.rounds,
                )  # fmt: skip
        return pairs
    finally:
        engine.close()


def load_server(sizes: Sizes, arguments: Arguments, tokenizer: GeneTokenizer, work: Path) -> dict[str, Any]:
    """Locust against a server of its own process."""
    folder = arguments.options.model or work / "model"
    if arguments.options.model is None:
        save_model(make_model(DEMO_SHAPE, DEMO_ROWS, tokenizer), tokenizer.folder, folder)
    command = [sys.executable, "-m", "llama_gene.cli", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip().removeprefix("serving on ")
            assistant = ask_assistant(address, folder.resolve().name, sizes.new_tokens)
            # Once at full width, so that what the server keeps is there before its memory is noted.
            run_clients(address, folder.resolve().name, sizes.clients, max(2, sizes.seconds // 10), work / "warm.json")
            with ThreadPoolExecutor(1) as pool:
                held = pool.submit(watch_memory, server.pid, sizes.seconds)
                found = run_clients(address, folder.resolve().name, sizes.clients, sizes.seconds, work / "load.json")
        finally:
            server.terminate()
            server.wait()
    return {**found, "memory_mb_each_tenth": held.result(), **assistant}


def watch_memory(process: int, seconds: int) -> list[int]:
    """Memory of a process in MB, at the start of that time and at the end of each tenth of it."""
    held = [resident_mb(process)]
    for _ in range(_LOOKS):
        time.sleep(seconds / _LOOKS)
        held.append(resident_mb(process))
    return held


def ask_assistant(address: str, model: str, new_tokens: int) -> dict[str, float]:
    """Tokens per second that clients of the assistant get for free questions, at a time and one after the other."""
    questions = [f"What is known about gene number {number}?" for number in range(_ASSISTANT_CLIENTS)]

    def ask(question: str) -> None:
        messages = [{"role": "user", "content": question}]
        body = {"model": f"{model}:assistant", "max_tokens": new_tokens, "messages": messages}
        httpx.post(f"{address}/v1/chat/completions", json=body, timeout=600).raise_for_status()

    def speed(answers: Iterable[None]) -> float:
        before, started = written(address), time.perf_counter()
        list(answers)
        return round((written(address) - before) / (time.perf_counter() - started), 1)

    ask(questions[0])  # what is worked out once is not timed
    with ThreadPoolExecutor(_ASSISTANT_CLIENTS) as pool:
        together = speed(pool.map(ask, questions))
    return {
        "assistant_clients": _ASSISTANT_CLIENTS,
        "assistant_tokens_per_second": together,
        "assistant_one_by_one_tokens_per_second": speed(map(ask, questions)),
    }


def written(address: str) -> float:
    """Tokens that the server has written so far."""
    found = _WRITTEN.search(httpx.get(f"{address}/metrics", timeout=60).text)
    return float(found[1]) if found else 0.0


def run_clients(address: str, model: str, clients: int, seconds: int, file: Path) -> dict[str, Any]:
    """What the clients saw."""
    command = [
        sys.executable, "-m", "locust", "--locustfile", str(_LOAD_FILE), "--headless", "--host", address, "--users",
        str(clients), "--spawn-rate", str(clients), "--run-time", f"{seconds}s", "--stop-timeout", "60",
        "--only-summary", "--exit-code-on-error", "0",
    ]  # fmt: skip
    environment = {**os.environ, "LOAD_MODEL": model, "LOAD_FILE": str(file)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not file.is_file():
        raise SystemExit(f"locust wrote nothing:\n{done.stderr}")
    return json.loads(file.read_text(encoding="utf-8"))


def resident_mb(process: int) -> int:
    """Memory of a process, MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


if __name__ == "__main__":
    main()
