"""POST /v1/completions: a text goes on, without any template. Special tokens in it are spelled out as plain text."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from llama_gene.errors import DataError
from llama_gene.serving.answering import Service, check_model, collect_all, stream, to_request, unless_gone
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.bodies import CompletionBody
from llama_gene.serving.chat import token_text, usage_of
from llama_gene.serving.choose import Choice
from llama_gene.serving.events import first_piece, send_events
from llama_gene.serving.limits import check_number, check_size
from llama_gene.tokenizer.load import GeneTokenizer


async def complete(service: Service, body: CompletionBody, http: HttpRequest) -> Response:
    """The continuation of each prompt, or the stream of the one.

    Raises:
        RefusedError: another model, too many or too long prompts, or no time.
        DataError: a prompt is empty, or a stream is asked for several.
        BusyError: the line is full.
    """
    check_model(service, body.model)
    requests = await asyncio.to_thread(_check, service, body)
    head = {
        "id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()),
        "model": service.name,
    }  # fmt: skip
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        pieces = await unless_gone(http, first_piece(stream(service, requests[0])))
        return send_events(_chunks(service, requests[0], head, pieces, usage))
    answers = await unless_gone(http, collect_all(service, requests))
    choices = [
        _choice(service, request, answered.text, answered.choices, answered.finish, place)
        for place, (request, answered) in enumerate(zip(requests, answers, strict=True))
    ]
    usage_all = usage_of(sum(len(one.prompt) for one in requests), sum(one.tokens for one in answers))
    return JSONResponse({**head, "choices": choices, "usage": usage_all})


def with_begin(service: Service, text: str, where: str) -> tuple[int, ...]:
    """Ids of a text as training showed it: after the begin token, where there is one.

    Raises:
        DataError: the text is empty.
        RefusedError: it is far longer than the model reads.
    """
    if not text.strip():
        raise DataError(f"{where}: the text is empty. Give some.")
    check_size(service, len(text), where)
    tokenizer = service.assistant.tokenizer
    begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    return (*begin, *tokenizer.encode(text))


def _check(service: Service, body: CompletionBody) -> list[Request]:
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    check_number(service, prompts, "prompt")
    if body.stream and len(prompts) > 1:
        raise DataError(f"stream: {len(prompts)} prompts, but one is streamed at a time. Send several requests.")
    return [
        to_request(
            service,
            with_begin(service, prompt, f"prompt.{place}"),
            body,
            most=body.max_tokens,
            top_logprobs=body.logprobs,
        )
        for place, prompt in enumerate(prompts)
    ]


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
    service: Service, request: Request, text: str, choices: Sequence[Choice], finish: str | None, place: int = 0
) -> dict[str, Any]:
    told = None if request.top_logprobs is None else _logprobs(service.assistant.tokenizer, choices)
    return {"index": place, "text": text, "logprobs": told, "finish_reason": finish}


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
