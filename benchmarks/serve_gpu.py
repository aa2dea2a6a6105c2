"""Tokens written per second on one GPU, a model of LLaMA-2 7B's size: our batch engine and transformers' two ways.

Weights are random and in bfloat16, rows 92,000 and the context 1,024 tokens, as gene tasks need. Many requests at a
time go through our engine, some of them one by one through transformers' `generate`, greedy, batch 1, and all together
through its continuous batching with a cache as large as they need. All write the same number of tokens. Quick: a
small model, on whatever device there is.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from _data import make_tokenizer
from _harness import Pair, read_arguments, report, summary
from _serving import CONTINUOUS, ONE_BY_ONE, answer_continuously, answer_each, answer_together, greedy, make_prompts
from _training import SHAPE_7B, SHAPE_QUICK, random_model
from llama_gene.serving.engine import Engine
from llama_gene.tokenizer.load import GeneTokenizer

UNIT = "tokens_per_second"
CONTEXT = 1024


@dataclass(frozen=True)
class Sizes:
    """How much is asked: all requests of us and of continuous batching, the first few of them one by one."""

    requests: int
    one_by_one: int
    new_tokens: int
    rounds: int
    running: int
    cache_gib: float


QUICK = Sizes(requests=8, one_by_one=2, new_tokens=8, rounds=1, running=4, cache_gib=0.1)
FULL = Sizes(requests=128, one_by_one=6, new_tokens=128, rounds=2, running=64, cache_gib=34.0)


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    sizes, shape = (QUICK, SHAPE_QUICK) if arguments.quick else (FULL, SHAPE_7B)
    model = random_model(shape, context=CONTEXT).eval()
    with tempfile.TemporaryDirectory() as folder:
        pairs, alone = measure(sizes, model, make_tokenizer(Path(folder)))
    ours = summary(pairs[CONTINUOUS].ours, UNIT)
    peers = {name: summary(pair.peer, UNIT) for name, pair in pairs.items()}
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    table = [
        ("what", "value"),
        ("ours, tokens/s", f"{ours[UNIT]:,.0f}"),
        *((f"{name.replace('_', ' ')}, tokens/s", f"{peer[UNIT]:,.0f}") for name, peer in peers.items()),
        *((f"ratio to {name.replace('_', ' ')}", f"{pair.ratio:.2f}") for name, pair in pairs.items()),
        ("ours, one request alone, tokens/s", f"{alone:,.0f}"),
        ("peak memory, GiB", f"{peak:.1f}"),
    ]
    report(
        arguments,
        work={
            "requests": sizes.requests, "requests_one_by_one": sizes.one_by_one, "new_tokens": sizes.new_tokens,
            "rounds": sizes.rounds, "at_a_time": sizes.running, "context": CONTEXT,
            "parameters": sum(weights.numel() for weights in model.parameters()),
        },
        ours={**ours, "alone_tokens_per_second": round(alone, 1), "peak_GiB": round(peak, 1)},
        peers=peers,
        ratios={name: pair.ratio for name, pair in pairs.items()},
        table=table,
    )  # fmt: skip


def measure(sizes: Sizes, model: PreTrainedModel, tokenizer: GeneTokenizer) -> tuple[dict[str, Pair], float]:
    """Ours beside each peer, round by round, and the speed of our engine with a single request."""
    prompts = make_prompts(sizes.requests, tokenizer)
    few = prompts[: sizes.one_by_one]
    settings = greedy(tokenizer, model.config.vocab_size, sizes.new_tokens)
    engine = Engine(
        model, tokenizer, most_running=sizes.running, most_waiting=sizes.requests, cache_gib=sizes.cache_gib,
        step_tokens=CONTEXT,
    )  # fmt: skip
    ways: dict[str, Callable[[list[tuple[int, ...]]], None]] = {
        "ours": lambda asked: answer_together(engine, asked, sizes.new_tokens),
        ONE_BY_ONE: lambda asked: answer_each(model, asked, settings),
        CONTINUOUS: lambda asked: answer_continuously(model, asked, settings, sizes.running),
    }
    try:
        for name, answer in ways.items():  # what is compiled and reserved once is not timed
            answer(few[:1] if name == ONE_BY_ONE else prompts[: sizes.running])
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(sizes.rounds):
            for name in list(ways)[:: 1 if number % 2 else -1]:
                asked = few if name == ONE_BY_ONE else prompts
                speeds[name].append(speed(ways[name], asked, sizes.new_tokens))
        alone = statistics.median(speed(ways["ours"], few[:1], sizes.new_tokens) for _ in range(3))
    finally:
        engine.close()
    return {name: Pair(tuple(speeds["ours"]), tuple(speeds[name])) for name in (ONE_BY_ONE, CONTINUOUS)}, alone


def speed(answer: Callable[[list[tuple[int, ...]]], None], asked: list[tuple[int, ...]], new_tokens: int) -> float:
    """Tokens written per second."""
    started = time.perf_counter()
    answer(asked)
    return len(asked) * new_tokens / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
