"""POST /v1/embeddings: the mean of the last layer's hidden states over a text's tokens, begin token left out."""

import asyncio
import base64
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from transformers import PreTrainedModel

from llama_gene.evaluation.forward import llama_of
from llama_gene.evaluation.metrics import Array
from llama_gene.serving.answering import Service, check_model, on_model, unless_gone
from llama_gene.serving.bodies import EmbeddingBody
from llama_gene.serving.completions import with_begin
from llama_gene.serving.limits import check_number, check_tokens


async def embed(service: Service, body: EmbeddingBody, http: HttpRequest) -> Response:
    """One vector per text.

    Raises:
        RefusedError: another model, too many texts, one too long, or no time.
        DataError: a text is empty.
    """
    check_model(service, body.model)
    texts = [body.input] if isinstance(body.input, str) else body.input
    check_number(service, texts, "input")
    # Encoding long texts must not hold up the others.
    prompts = await asyncio.to_thread(_encode, service, texts)
    vectors = await unless_gone(http, _embed_each(service, prompts))
    data = [
        {"object": "embedding", "index": place, "embedding": _written(vector, body.encoding_format)}
        for place, vector in enumerate(vectors)
    ]
    tokens = sum(map(len, prompts))
    service.metrics.tokens.labels("read").inc(tokens)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "model": service.name, "data": data, "usage": usage})


def _encode(service: Service, texts: Sequence[str]) -> list[tuple[int, ...]]:
    prompts = [with_begin(service, text, f"input.{place}") for place, text in enumerate(texts)]
    for place, prompt in enumerate(prompts):
        check_tokens(service, len(prompt), f"input.{place}")
    return prompts


async def _embed_each(service: Service, prompts: Sequence[Sequence[int]]) -> list[Array]:
    """One at a time, so that others' answers go on in between."""
    first = 0 if service.assistant.tokenizer.bos_id is None else 1
    return [await on_model(service, partial(mean_state, service.engine.model, prompt, first)) for prompt in prompts]


@torch.inference_mode()
def mean_state(model: PreTrainedModel, ids: Sequence[int], first: int) -> Array:
    """Mean of the final hidden states, (H,), float32.

    Args:
        model: A LLaMA in evaluation mode.
        ids: One text.
        first: The token the mean starts from, 0-based.
    """
    base = llama_of(model)
    hidden_TH = base(input_ids=torch.tensor([list(ids)], device=base.device), use_cache=False).last_hidden_state[0]
    return hidden_TH[first:].float().mean(dim=0).cpu().numpy()


def _written(vector: Array, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return list(_floats(vector))


def _floats(vector: Array) -> Iterator[float]:
    yield from np.asarray(vector, dtype=np.float64).tolist()
