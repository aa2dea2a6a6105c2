"""Where turns are made beside the answers of others: the one rule of what the engine does, and what runs apart from it.

A turn runs in a thread of its own, whoever asked for it. Free answers are written in the engine's batch, many at a
time. The labels of an item are weighed in the engine's thread, between two of its steps. Searches and tools stay apart
in the turn's thread, a few of them at a time; what a tool asks the model comes to the engine in pieces as short as
these, so that others are answered in between. Whoever is left ends at the next thing that it asks.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock, Semaphore
from typing import TypeVar

from llama_gene.assistant.workplace import Finish
from llama_gene.config import ChatConfig
from llama_gene.serving.batch import Piece, Request
from llama_gene.serving.choose import Sampling
from llama_gene.serving.engine import Engine
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.refusals import client_left, engine_failed, out_of_time

T = TypeVar("T")
_MOST_APART = 2
# How soon one who waits for a place apart sees that it was left.
_LOOK_S = 0.1


class SharedWorkplace:
    """The `Workplace` of a model that an engine owns."""

    def __init__(
        self, engine: Engine, metrics: Metrics, *, timeout_s: float, most_apart: Semaphore | None = None,
        stops: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Nothing is done yet.

        Args:
            engine: Writes and weighs.
            metrics: Count the tokens.
            timeout_s: Longest time of one piece of work.
            most_apart: Lets that many searches and tools through at a time; None: two.
            stops: Where free answers end.
        """
        self._engine, self._metrics, self._timeout_s, self._stops = engine, metrics, timeout_s, stops
        self._most_apart = most_apart or Semaphore(_MOST_APART)
        self._lock, self._is_left = Lock(), False
        self._under_way: list[Callable[[], object]] = []

    def for_turn(self, stops: tuple[str, ...] = ()) -> "SharedWorkplace":
        """The same for one turn, which can be left, with stop strings of its own."""
        return SharedWorkplace(
            self._engine, self._metrics, timeout_s=self._timeout_s, most_apart=self._most_apart, stops=stops
        )

    def leave(self) -> None:
        """Nobody waits any more: what the turn is at in the engine is given up, and it begins nothing new."""
        with self._lock:
            self._is_left = True
            under_way = tuple(self._under_way)
        for give_up in under_way:
            give_up()

    def write(self, prompt: Sequence[int], config: ChatConfig) -> Generator[str, None, Finish]:
        """As `Workplace.write`.

        Raises:
            BusyError: the line is full.
            RefusedError: it takes too long, the client left, or the engine failed.
        """
        sampling = Sampling(config.temperature, config.top_p, config.seed)
        box, started = SimpleQueue[Piece](), time.monotonic()
        ticket = self._engine.submit(Request(tuple(prompt), config.max_new_tokens, sampling, self._stops), box.put)
        self._metrics.tokens.labels("read").inc(len(prompt))
        piece = Piece()
        try:
            with self._unless_left(ticket.cancel):
                piece = self._next(box, started)
                self._metrics.first_token.observe(time.monotonic() - started)
                while not piece.finish:
                    yield piece.text
                    piece = self._next(box, started)
                yield piece.text
        finally:
            ticket.cancel()
            self._metrics.tokens.labels("written").inc(piece.tokens)
        return "length" if piece.finish == "length" else "stop"

    def _next(self, box: "SimpleQueue[Piece]", started: float) -> Piece:
        try:
            piece = box.get(timeout=max(0.0, started + self._timeout_s - time.monotonic()))
        except Empty:
            raise out_of_time(self._timeout_s) from None
        if piece.finish == "cancelled":
            raise client_left()
        if piece.finish == "failed":
            raise engine_failed()
        return piece

    def on_model(self, work: Callable[[], T]) -> T:
        """As `Workplace.on_model`.

        Raises:
            BusyError: the line is full.
            RefusedError: it takes too long, or the client left.
        """
        result = self._engine.call(work)
        try:
            with self._unless_left(result.cancel):
                return result.result(timeout=self._timeout_s)
        except CancelledError:
            raise client_left() from None
        except TimeoutError:
            raise out_of_time(self._timeout_s) from None
        finally:
            result.cancel()

    def apart(self, work: Callable[[], T]) -> T:
        """As `Workplace.apart`.

        Raises:
            RefusedError: it cannot begin in time, or the client left.
        """
        deadline = time.monotonic() + self._timeout_s
        while not self._most_apart.acquire(timeout=min(_LOOK_S, self._timeout_s)):
            if self._is_left:
                raise client_left()
            if time.monotonic() > deadline:
                raise out_of_time(self._timeout_s)
        try:
            with self._unless_left(bool):
                return work()
        finally:
            self._most_apart.release()

    @contextmanager
    def _unless_left(self, give_up: Callable[[], object]) -> Iterator[None]:
        """While something is under way, `leave` gives it up.

        Raises:
            RefusedError: the client left already.
        """
        with self._lock:
            if self._is_left:
                raise client_left()
            self._under_way.append(give_up)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(give_up)
