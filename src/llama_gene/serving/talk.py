"""One turn of a conversation beside the answers of others: the engine's thread makes it, an event at a time."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.turn import Conversation, Event, Manner, converse
from llama_gene.serving.answering import Service
from llama_gene.serving.engine import BusyError
from llama_gene.serving.refusals import RefusedError


async def talk(
    service: Service, assistant: Assistant, message: str, before: Conversation, manner: Manner
) -> AsyncGenerator[Event]:
    """The events of `converse`. Closing the generator stops the model.

    Args:
        service: Whose model, limits and line count.
        assistant: The one of the service, or the same with other settings.
        message: As it was sent.
        before: What the turn before left.
        manner: What the message may do.

    Raises:
        BusyError: as many conversations are answered as may be, or the engine's line is full.
        RefusedError: it takes too long.
        DataError: what was said cannot be asked.
    """
    if service.conversations.locked():
        raise BusyError(f"{service.config.max_running} conversations are being answered. Ask again in a moment.")
    deadline = asyncio.get_running_loop().time() + service.config.answer_timeout_s
    events = converse(assistant, message, before, manner)
    async with service.conversations:
        try:
            while (event := await _step(service, events, deadline)) is not None:
                yield event
        finally:
            # Closed where it runs, so after the step in work; a closing engine has ended its answers already.
            with suppress(BusyError):
                service.engine.call(events.close)


async def _step(service: Service, events: Generator[Event], deadline: float) -> Event | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await asyncio.wrap_future(service.engine.call(lambda: next(events, None)))
    except TimeoutError:
        raise RefusedError(
            504, f"no whole answer within {service.config.answer_timeout_s:g} s.", code="timeout"
        ) from None
