"""One turn of a conversation beside the answers of others, its events as they come to a waiting client."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing
from dataclasses import replace

from llama_gene.assistant.events import Conversation, Event, Manner
from llama_gene.assistant.turn import converse
from llama_gene.config import ChatConfig
from llama_gene.serving.answering import Service, hand_over, take_seat
from llama_gene.serving.engine import BusyError
from llama_gene.serving.refusals import out_of_time
from llama_gene.tools.calling import as_failure

_Told = Event | Exception | None


async def talk(
    service: Service,
    message: str,
    before: Conversation,
    manner: Manner,
    *,
    config: ChatConfig | None = None,
    stops: tuple[str, ...] = (),
) -> AsyncGenerator[Event]:
    """The events of `converse`, made in a thread of their own as `SharedWorkplace` has it. Closing it stops the model.

    Args:
        service: Whose model, limits and line count.
        message: As it was sent.
        before: What the turn before left.
        manner: What the message may do; its tools and the longest sequence are the server's.
        config: How to answer; None: as the server's settings say.
        stops: Where free answers end.

    Raises:
        BusyError: as many conversations are answered as may be, or the engine's line is full.
        RefusedError: it takes too long.
        DataError: what was said cannot be asked.
        TooLargeError: the message or one of its sequences is too long.
    """
    if service.conversations.locked():
        raise BusyError("as many conversations are being answered as may be. Ask again in a moment.")
    loop, box = asyncio.get_running_loop(), asyncio.Queue[_Told]()
    deadline = loop.time() + service.config.answer_timeout_s

    def tell(told: _Told) -> None:
        hand_over(loop, box, told)

    async with service.conversations:
        with take_seat(service, config, stops) as seat:
            served = replace(manner, toolbox=seat.toolbox, longest=service.config.max_letters)
            events = converse(seat.assistant, message, before, served)
            threading.Thread(target=_tell_all, args=(events, tell), name="turn", daemon=True).start()
            try:
                while (told := await _next(box, deadline)) is not None:
                    if isinstance(told, Exception):
                        raise told
                    yield told
            except TimeoutError:
                raise out_of_time(service.config.answer_timeout_s) from None


async def _next(box: asyncio.Queue[_Told], deadline: float) -> _Told:
    # Entered anew for each event: a generator's steps may run in different tasks.
    async with asyncio.timeout_at(deadline):
        return await box.get()


def _tell_all(events: Generator[Event], tell: Callable[[_Told], None]) -> None:
    """Every event, and at last None, or what went wrong."""
    try:
        with closing(events):
            for event in events:
                tell(event)
    except BaseException as error:  # noqa: BLE001  whoever waits gets it, whatever it is
        tell(as_failure(error))
    else:
        tell(None)
