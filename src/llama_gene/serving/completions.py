"""POST /v1/completions: a text goes on, without any template. Special tokens in it are spelled out as plain text."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from llama_gene.errors import DataError
from llama_gene.serving.answering import Service, check_model, collect, stream, to_request, unless_gone
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.bodies import CompletionBody
from llama_gene.serving.chat import token_text, usage_of
from llama_gene.serving.choose import Choice
from llama_gene.serving.events import first_piece, send_events
from llama_gene.tokenizer.load import GeneTokenizer


async def complete(service: Service, body: CompletionBody, http: HttpRequest) -> Response:
    """The continuation, or its stream.

    Raises:
        RefusedError: another model, too long a prompt, or no time.
        DataError: the prompt is empty.
        BusyError: the line is full.
    """
    check_model(service, body.model)
    request = await asyncio.to_thread(_check, service, body)
    head = {
        "id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()),
        "model": service.name,
    }  # fmt: skip
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        pieces = await unless_gone(http, first_piece(stream(service, request)))
        return send_events(_chunks(service, request, head, pieces, usage))
    answered = await unless_gone(http, collect(service, request))
    choice = _choice(service, request, answered.text, answered.choices, answered.finish)
    return JSONResponse({**head, "choices": [choice], "usage": usage_of(len(request.prompt), answered.tokens)})


def with_begin(tokenizer: GeneTokenizer, text: str, where: str) -> tuple[int, ...]:
    """Ids of a text as training showed it: after the begin token, where there is one.

    Raises:
        DataError: the text is empty.
    """
    if not text.strip():
        raise DataError(f"{where}: the text is empty. Give some.")
    begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    return (*begin, *tokenizer.encode(text))


def _check(service: Service, body: CompletionBody) -> Request:
    prompt = with_begin(service.assistant.tokenizer, body.prompt, "prompt")
    return to_request(service, prompt, body, most=body.max_tokens, top_logprobs=body.logprobs)


async def _chunks(
    service: Service, request: Request, head: Mapping[str, Any], pieces: AsyncGenerator[Piece], usage: bool
) -> AsyncGenerator[dict[str, Any]]:
    tokens = 0
    async for piece in pieces:
        tokens = piece.tokens
        if piece.text or piece.choices or piece.finish:
            choice = _choice(service, request, piece.text, piece.choices, piece.finish or None)
            yield {**head, "choices": [choice]}
    if usage:
        yield {**head, "choices": [], "usage": usage_of(len(request.prompt), tokens)}


def _choice(
    service: Service, request: Request, text: str, choices: Sequence[Choice], finish: str | None
) -> dict[str, Any]:
    told = None if request.top_logprobs is None else _logprobs(service.assistant.tokenizer, choices)
    return {"index": 0, "text": text, "logprobs": told, "finish_reason": finish}


def _logprobs(tokenizer: GeneTokenizer, choices: Sequence[Choice]) -> dict[str, Any]:
    texts = [token_text(tokenizer, choice.token) for choice in choices]
    return {
        "tokens": texts,
        "token_logprobs": [choice.log_probability for choice in choices],
        "top_logprobs": [
            {token_text(tokenizer, token): nats for token, nats in choice.likeliest} for choice in choices
        ],
        "text_offset": [sum(map(len, texts[:place])) for place in range(len(texts))],
    }
