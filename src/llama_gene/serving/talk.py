"""One turn of a conversation beside the answers of others: the engine's thread makes it, an event at a time.

What needs no model (a search) or long stretches of it (tools) runs apart from the engine, a few at a time, or it would
hold up the answers of others.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import TypeVar

from llama_gene.assistant.agent import Step
from llama_gene.assistant.found import Searching
from llama_gene.assistant.turn import Event
from llama_gene.serving.answering import Service
from llama_gene.serving.engine import BusyError
from llama_gene.serving.refusals import RefusedError

Told = TypeVar("Told", Event, Event | Step)


def talk(service: Service, events: Generator[Event]) -> AsyncGenerator[Event]:
    """The events of `converse`, searches made apart. Closing the generator stops the model.

    Args:
        service: Whose limits and line count.
        events: A turn that has not begun.

    Raises:
        BusyError: as many conversations are answered as may be, or the engine's line is full.
        RefusedError: it takes too long.
        DataError: what was said cannot be asked.
    """
    return _pass_on(service, events, lambda before: isinstance(before, Searching))


def talk_apart(service: Service, events: Generator[Event | Step]) -> AsyncGenerator[Event | Step]:
    """The events of `converse_with_tools`, all of them made apart; arguments and errors as `talk`."""
    return _pass_on(service, events, lambda _: True)


async def _pass_on(
    service: Service, events: Generator[Told], is_apart: Callable[[Told | None], bool]
) -> AsyncGenerator[Told]:
    """The events as they are made; `is_apart` says from the one before where the next is made."""
    if service.conversations.locked():
        raise BusyError(f"{service.config.max_running} conversations are being answered. Ask again in a moment.")
    deadline = asyncio.get_running_loop().time() + service.config.answer_timeout_s
    event: Told | None = None
    async with service.conversations:
        try:
            while (event := await _step(service, events, deadline, is_apart(event))) is not None:
                yield event
        finally:
            # Closed where it runs, so after the step in work; a closing engine has ended its answers already. What runs
            # apart cannot be closed in the middle of a step, and ends after it, as nobody holds it any more.
            with suppress(BusyError):
                service.engine.call(events.close)


async def _step(service: Service, events: Generator[Told], deadline: float, is_apart: bool) -> Told | None:
    try:
        async with asyncio.timeout_at(deadline):
            if is_apart:
                async with service.apart:
                    return await asyncio.to_thread(next, events, None)
            return await asyncio.wrap_future(service.engine.call(lambda: next(events, None)))
    except TimeoutError:
        raise RefusedError(
            504, f"no whole answer within {service.config.answer_timeout_s:g} s.", code="timeout"
        ) from None
