"""Server-sent events: one JSON object each, an error as the last one where something fails midway."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse

from llama_gene.errors import LlamaGeneError
from llama_gene.serving.refusals import as_refusal, error_body, server_failed

T = TypeVar("T")
_log = logging.getLogger(__name__)
_DONE = "data: [DONE]\n\n"


async def first_piece(pieces: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The same pieces, once the first is there: what fails before it is still answered with its status."""
    first = await anext(pieces)

    async def all_pieces() -> AsyncGenerator[T]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()

    return all_pieces()


def send_events(events: AsyncIterator[Mapping[str, Any]]) -> StreamingResponse:
    """Stream events and close with `[DONE]`."""
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(events), media_type="text/event-stream", headers=headers)


async def _lines(events: AsyncIterator[Mapping[str, Any]]) -> AsyncGenerator[str]:
    try:
        async for event in events:
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
    except LlamaGeneError as error:
        yield last_lines(error)
    except Exception:  # noqa: BLE001  the status is sent: a bug can be told here alone
        _log.exception("an answer failed in the middle of its stream")
        yield last_lines(server_failed())
    else:
        yield _DONE


def last_lines(error: LlamaGeneError) -> str:
    """The end of a stream that failed midway."""
    return f"data: {json.dumps(error_body(as_refusal(error)), ensure_ascii=False)}\n\n{_DONE}"
