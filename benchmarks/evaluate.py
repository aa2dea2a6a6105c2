"""Closed questions per second: our likelihood of every label, in batches, against one `generate` per question.

The peer is how the paper's scripts answer: greedy decoding of 8 tokens, one question at a time (transformers'
`generate`). Both get the same prompts and the same model with random weights, so no answer stops early; a tuned model
that ends its answer after fewer tokens gains the peer that part. Both run in a process that keeps the memory it frees,
as the stage "evaluate" does. Quick: the demo's shape. Else also 10 million parameters and 40,000 rows, and the memory
that many questions take: what is kept of each (its scores, about 3 kB a question as measured) may grow, no more.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel

from _data import LABELS, make_model, make_questions, make_tokenizer
from _harness import (
    DEMO_ROWS,
    DEMO_SHAPE,
    REAL_ROWS,
    REAL_SHAPE,
    Pair,
    read_arguments,
    report,
    summary,
    take_turns,
)
from _tasks_child import measure as weigh_apart
from llama_gene.config import ModelConfig
from llama_gene.evaluation.answering import prompt_ids
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.model.machine import reuse_memory
from llama_gene.tokenizer.load import GeneTokenizer

NEW_TOKENS = 8
BATCH_ITEMS = 32
MEMORY_ITEMS = (1_000, 16_000)
UNIT = "questions_per_second"
RATIOS = {"demo": "generate_one_by_one", "real-cpu": "generate_one_by_one_real_cpu"}


@dataclass(frozen=True)
class Size:
    """One model shape and how much is asked of it."""

    name: str
    shape: ModelConfig
    rows: int
    items: int
    rounds: int


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    reuse_memory()
    sizes = [Size("demo", DEMO_SHAPE, DEMO_ROWS, items=16 if arguments.quick else 512, rounds=9)]
    if not arguments.quick:
        sizes.append(Size("real-cpu", REAL_SHAPE, REAL_ROWS, items=96, rounds=5))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(Path(folder))
        found = {size.name: measure(size, tokenizer) for size in sizes}
        held = (
            {} if arguments.quick else {items: weigh_apart("weigh", items, tokenizer.folder) for items in MEMORY_ITEMS}
        )
    rows = [("model", "questions", "ours, /s", "generate, /s", "ratio")]
    for size in sizes:
        pair = found[size.name]
        ours, peer = summary(pair.ours, UNIT)[UNIT], summary(pair.peer, UNIT)[UNIT]
        rows.append((size.name, str(size.items), f"{ours:.1f}", f"{peer:.1f}", f"{pair.ratio:.2f}"))
    rows += [("memory", str(items), f"{one['peak_MiB']:,.0f} MiB", "", "") for items, one in held.items()]
    report(
        arguments,
        work={
            "questions": {size.name: size.items for size in sizes},
            "labels": len(LABELS),
            "prompt_tokens": len(prompt_ids(make_questions(1)[0], tokenizer)),
            "new_tokens_of_generate": NEW_TOKENS,
            "batch_items": BATCH_ITEMS,
            "rounds": {size.name: size.rounds for size in sizes},
        },
        ours={name: summary(pair.ours, UNIT) for name, pair in found.items()}
        | {"peak_MiB_by_questions": {str(items): one["peak_MiB"] for items, one in held.items()}},
        peers={"generate_one_by_one": {name: summary(pair.peer, UNIT) for name, pair in found.items()}},
        ratios={RATIOS[name]: pair.ratio for name, pair in found.items()},
        table=rows,
    )


def measure(size: Size, tokenizer: GeneTokenizer) -> Pair:
    """Both ways on one model."""
    model = make_model(size.shape, size.rows, tokenizer).eval()
    prompts = [prompt_ids(item, tokenizer) for item in make_questions(size.items)]
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in LABELS)
    questions = [Question(tuple(prompt), options) for prompt in prompts]
    return take_turns(
        lambda: weigh(model, questions), lambda: generate_each(model, prompts, tokenizer), units=size.items,
        rounds=size.rounds,
    )  # fmt: skip


def weigh(model: PreTrainedModel, questions: list[Question]) -> None:
    """Ours: the probability of each label."""
    score_answers(model, questions, batch_items=BATCH_ITEMS)


def generate_each(model: PreTrainedModel, prompts: list[list[int]], tokenizer: GeneTokenizer) -> None:
    """The peer: a greedy answer to one prompt after the other."""
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=tokenizer.eos_id, pad_token_id=tokenizer.eos_id
    )
    with torch.inference_mode():
        for prompt in prompts:
            ids_1T = torch.tensor([prompt])
            model.generate(input_ids=ids_1T, attention_mask=torch.ones_like(ids_1T), generation_config=settings)


if __name__ == "__main__":
    main()
