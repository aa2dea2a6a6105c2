"""One turn of a conversation beside the answers of others: the engine's thread makes it, an event at a time.

What needs no model (a search) or long stretches of it (tools) runs apart from the engine, a few at a time, or it would
hold up the answers of others.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.events import Conversation, Event, Manner
from llama_gene.assistant.found import Searching
from llama_gene.assistant.toolbox import uses_tools
from llama_gene.assistant.turn import converse
from llama_gene.serving.answering import Service
from llama_gene.serving.engine import BusyError
from llama_gene.serving.refusals import RefusedError


async def talk(
    service: Service, assistant: Assistant, message: str, before: Conversation, manner: Manner
) -> AsyncGenerator[Event]:
    """The events of `converse`: searches, and turns that may call tools, are made apart. Closing it stops the model.

    Args:
        service: Whose limits and line count.
        assistant: The served one, or as a request changes it.
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
    has_tools = uses_tools(assistant, manner.tools)
    events = converse(assistant, message, before, manner)
    event: Event | None = None
    async with service.conversations:
        try:
            while event := await _step(
                service, events, deadline, apart=service.apart if has_tools or isinstance(event, Searching) else None
            ):
                yield event
        finally:
            # Closed where it runs, so after the step in work; a closing engine has ended its answers already. What runs
            # apart cannot be closed in the middle of a step, and ends after it, as nobody holds it any more.
            with suppress(BusyError):
                service.engine.call(events.close)


async def _step(
    service: Service, events: Generator[Event], deadline: float, *, apart: asyncio.Semaphore | None
) -> Event | None:
    try:
        async with asyncio.timeout_at(deadline):
            if apart is not None:
                async with apart:
                    return await asyncio.to_thread(next, events, None)
            return await asyncio.wrap_future(service.engine.call(lambda: next(events, None)))
    except TimeoutError:
        raise RefusedError(
            504, f"no whole answer within {service.config.answer_timeout_s:g} s.", code="timeout"
        ) from None
