"""Between the API and the engine: an answer piece by piece or whole, given up when the client leaves or time is up."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from fastapi import Request as HttpRequest

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.toolbox import Toolbox
from llama_gene.config import ChatConfig, ServeConfig
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.bodies import Writing
from llama_gene.serving.choose import Choice, Sampling
from llama_gene.serving.engine import Engine
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.refusals import RefusedError, client_left, engine_failed, out_of_time
from llama_gene.serving.workplace import SharedWorkplace

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """What the API serves: one model under one name, and under another the assistant that it makes.

    `workplace` is where turns of the assistant are made beside the engine's other work, `conversations` bounds how many
    there are at a time. `toolbox` is what they call. Each request asks both through a seat of its own (`take_seat`).
    """

    name: str
    assistant: Assistant
    engine: Engine
    config: ServeConfig
    metrics: Metrics
    started: int
    toolbox: Toolbox
    workplace: SharedWorkplace
    conversations: asyncio.Semaphore

    @property
    def assistant_name(self) -> str:
        """What the assistant is called in the API."""
        return f"{self.name}:assistant"


class Seat(NamedTuple):
    """The assistant and its tools as one request asks them: at a workplace of its own."""

    assistant: Assistant
    toolbox: Toolbox


@contextmanager
def take_seat(service: Service, config: ChatConfig | None = None, stops: tuple[str, ...] = ()) -> Iterator[Seat]:
    """A seat for one request; when it is given back, whatever still runs for it is given up.

    Args:
        service: Whose assistant is asked.
        config: How to answer; None: as the server's settings say.
        stops: Where free answers end.
    """
    workplace = service.workplace.for_turn(stops)
    assistant = service.assistant.working_at(workplace, config)
    try:
        yield Seat(assistant, service.toolbox.asking(assistant))
    finally:
        workplace.leave()


@dataclass(frozen=True)
class Answered:
    """A whole answer."""

    text: str
    choices: tuple[Choice, ...]
    finish: str
    tokens: int


def check_model(service: Service, name: str) -> None:
    """Raises:
    RefusedError: the request names another model, or the assistant, which only chats.
    """
    if name == service.name:
        return
    if name == service.assistant_name:
        said = f"{name!r} answers /v1/chat/completions alone. Ask {service.name!r} here."
    else:
        said = f"no model {name!r} here. This server has {service.name!r} and {service.assistant_name!r}."
    raise RefusedError(404, said, code="model_not_found", param="model")


def to_request(
    service: Service, prompt: tuple[int, ...], body: Writing, *, most: int | None, top_logprobs: int | None
) -> Request:
    """What the engine is asked.

    Args:
        service: Whose limits count.
        prompt: Token ids.
        body: Says how to write.
        most: Longest answer in tokens; None: the server's.
        top_logprobs: See `Request`.

    Raises:
        RefusedError: no room for an answer of this length after the prompt.
    """
    context = service.engine.context
    room = context - len(prompt)
    if room < 1 or (most is not None and most > room):
        wanted = f" and its answer {most:,}" if most is not None else ""
        raise RefusedError(
            400, f"the prompt has {len(prompt):,} tokens{wanted}; the model reads {context:,} in all. Shorten it.",
            code="context_length_exceeded",
        )  # fmt: skip
    sampling = Sampling(
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=service.assistant.config.seed if body.seed is None else body.seed,
    )
    length = min(room, service.config.max_new_tokens) if most is None else most
    return Request(prompt, length, sampling, body.stops, top_logprobs)


async def stream(service: Service, request: Request) -> AsyncGenerator[Piece]:
    """Pieces of an answer as they come. Closing the generator frees the answer's place.

    Raises:
        BusyError: the line is full.
        RefusedError: it takes too long, or the engine failed.
    """
    loop, box, started = asyncio.get_running_loop(), asyncio.Queue[Piece](), time.perf_counter()
    ticket = service.engine.submit(request, lambda piece: hand_over(loop, box, piece))
    service.metrics.tokens.labels("read").inc(len(request.prompt))
    deadline, tokens = loop.time() + service.config.answer_timeout_s, 0
    is_first = True
    try:
        while True:
            # Entered anew for each piece: a generator's steps may run in different tasks.
            async with asyncio.timeout_at(deadline):
                piece = await box.get()
            if is_first:
                service.metrics.first_token.observe(time.perf_counter() - started)
                is_first = False
            if piece.finish in ("failed", "cancelled"):
                raise engine_failed()
            tokens = piece.tokens
            yield piece
            if piece.finish:
                return
    except TimeoutError:
        raise out_of_time(service.config.answer_timeout_s) from None
    finally:
        ticket.cancel()
        service.metrics.tokens.labels("written").inc(tokens)


def hand_over(loop: asyncio.AbstractEventLoop, box: asyncio.Queue[T], piece: T) -> None:
    """Put something into a queue of a loop that runs in another thread."""
    # A loop that has closed has no clients left.
    if not loop.is_closed():
        loop.call_soon_threadsafe(box.put_nowait, piece)


async def collect(service: Service, request: Request) -> Answered:
    """The whole answer."""
    pieces = [piece async for piece in stream(service, request)]
    return Answered(
        "".join(piece.text for piece in pieces),
        tuple(choice for piece in pieces for choice in piece.choices),
        pieces[-1].finish,
        pieces[-1].tokens,
    )


async def collect_all(service: Service, requests: Sequence[Request]) -> list[Answered]:
    """The whole answers, written side by side; where one fails, all are given up."""
    asked = [asyncio.ensure_future(collect(service, request)) for request in requests]
    try:
        return await asyncio.gather(*asked)
    finally:
        for one in asked:
            one.cancel()


async def on_model(service: Service, work: Callable[[], T]) -> T:
    """Run something that uses the model, in the engine's thread.

    Raises:
        RefusedError: it takes too long.
    """
    try:
        async with asyncio.timeout(service.config.answer_timeout_s):
            return await asyncio.wrap_future(service.engine.call(work))
    except TimeoutError:
        raise out_of_time(service.config.answer_timeout_s) from None


async def unless_gone(http: HttpRequest, work: Awaitable[T]) -> T:
    """The result of some work, which is given up as soon as the client leaves.

    Raises:
        RefusedError: the client left (nobody reads this).
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(http))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise client_left()
        return doing.result()
    finally:
        leaving.cancel()
        doing.cancel()


async def _gone(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass
