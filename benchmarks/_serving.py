"""How many requests are answered on one model: together by our engine, and in the two ways of transformers."""

import random
import threading

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from _data import make_questions
from llama_gene.evaluation.answering import prompt_ids
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.engine import Engine
from llama_gene.tokenizer.load import GeneTokenizer

ONE_BY_ONE, CONTINUOUS = "one_by_one", "transformers_continuous_batching"
_PAGE, _BATCH_TOKENS = 32, 2048


def make_prompts(count: int, tokenizer: GeneTokenizer) -> list[tuple[int, ...]]:
    """Questions about promoters of 40 to 100 bp, as token ids."""
    rng = random.Random(5)
    questions = [make_questions(1, length_bp=rng.randint(40, 100))[0] for _ in range(count)]
    return [tuple(prompt_ids(question, tokenizer)) for question in questions]


def greedy(tokenizer: GeneTokenizer, rows: int, new_tokens: int) -> GenerationConfig:
    """How transformers is asked; a model's rows beyond the vocabulary are never written."""
    return GenerationConfig(
        do_sample=False, max_new_tokens=new_tokens, eos_token_id=tokenizer.eos_id, pad_token_id=tokenizer.eos_id,
        suppress_tokens=list(range(tokenizer.size, rows)),
    )  # fmt: skip


def answer_together(engine: Engine, prompts: list[tuple[int, ...]], new_tokens: int) -> None:
    """Ours: all requests at once."""
    ended = [threading.Event() for _ in prompts]

    def listen(place: int, piece: Piece) -> None:
        if piece.finish:
            ended[place].set()

    for place, prompt in enumerate(prompts):
        engine.submit(Request(prompt, new_tokens), lambda piece, place=place: listen(place, piece))
    for event in ended:
        event.wait()


def answer_each(model: PreTrainedModel, prompts: list[tuple[int, ...]], settings: GenerationConfig) -> None:
    """A peer: one request after the other."""
    with torch.inference_mode():
        for prompt in prompts:
            ids_1T = torch.tensor([prompt], device=model.device)
            model.generate(input_ids=ids_1T, attention_mask=torch.ones_like(ids_1T), generation_config=settings)


def answer_continuously(
    model: PreTrainedModel, prompts: list[tuple[int, ...]], settings: GenerationConfig, most: int
) -> None:
    """A peer: transformers' continuous batching, with room for `most` requests at a time."""
    pages = sum(-(-(len(prompt) + settings.max_new_tokens) // _PAGE) for prompt in prompts)
    page = "page_size" if "page_size" in ContinuousBatchingConfig.__dataclass_fields__ else "block_size"  # until 5.17
    room = ContinuousBatchingConfig(
        num_blocks=pages, max_batch_tokens=_BATCH_TOKENS, max_requests_per_batch=most, **{page: _PAGE}
    )
    model.generate_batch(
        [list(prompt) for prompt in prompts], generation_config=settings, continuous_batching_config=room, warmup=False
    )
