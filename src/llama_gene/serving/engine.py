"""One model, many requests: a worker thread owns the model, and everything else waits in line.

Written answers are batched (`batch`). Other work on the model (weighing labels, embeddings) is handed over as a
function and runs between two steps, one at a time, so that answers keep flowing.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeVar

from transformers import PreTrainedModel

from llama_gene.errors import LlamaGeneError
from llama_gene.serving.batch import Batch, Piece, Request, Ticket
from llama_gene.serving.cache import RowCache
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tools.calling import settle

T = TypeVar("T")
_log = logging.getLogger(__name__)


class BusyError(LlamaGeneError):
    """The line is full, or the engine is closing: try again later."""


class Load(NamedTuple):
    """Answers being written, and requests that wait."""

    running: int
    waiting: int


@dataclass(frozen=True)
class _Job:
    """Work on the model for somebody who waits for its result."""

    work: Callable[[], Any]
    result: "Future[Any]"

    def run(self) -> None:
        settle(self.result, self.work)


class Engine:
    """Answers requests in a thread of its own until it is closed."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: GeneTokenizer,
        *,
        most_running: int,
        most_waiting: int,
        cache_gib: float,
        step_tokens: int,
    ) -> None:
        """Reserve the cache and start.

        Args:
            model: A LLaMA in evaluation mode, on its device.
            tokenizer: Of the model.
            most_running: Answers written at a time, >= 1; fewer where the cache is too small for them.
            most_waiting: Requests that may wait, >= 1.
            cache_gib: Memory for keys and values.
            step_tokens: Prompt tokens read between two steps of writing.
        """
        cache = RowCache(model, most_rows=most_running, cache_gib=cache_gib)
        self.model, self.tokenizer = model, tokenizer
        self.most_running, self.context = cache.rows, cache.length
        self._batch = Batch(model, tokenizer, cache, step_tokens=step_tokens)
        self._most_waiting = most_waiting
        self._waiting: deque[Ticket] = deque()
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._worker = threading.Thread(target=self._work, name="engine", daemon=True)
        self._worker.start()

    @property
    def load(self) -> Load:
        """How busy the engine is."""
        return Load(len(self._batch), len(self._waiting) + len(self._jobs))

    @property
    def is_alive(self) -> bool:
        """False once the worker is gone."""
        return self._worker.is_alive()

    def submit(self, request: Request, deliver: Callable[[Piece], None]) -> Ticket:
        """Put a request in line.

        Args:
            request: Prompt of at least one token, shorter than the context.
            deliver: Gets every piece, in order, the last with `finish`; called in the worker, so it must be quick.

        Raises:
            BusyError: as many wait as may.
        """
        ticket = Ticket(request, deliver)
        with self._changed:
            self._check_room()
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def call(self, work: Callable[[], T]) -> "Future[T]":
        """Run something that uses the model, in the worker.

        Raises:
            BusyError: as many wait as may.
        """
        result: Future[T] = Future()
        with self._changed:
            self._check_room()
            self._jobs.append(_Job(work, result))
            self._changed.notify()
        return result

    def close(self) -> None:
        """End every answer and the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._worker.join()

    def _check_room(self) -> None:
        if self._is_closing:
            _refuse()
        if self.load.waiting >= self._most_waiting:
            self._forget_those_who_left()
        if self.load.waiting >= self._most_waiting:
            raise BusyError(f"{self._most_waiting} requests wait already. Ask again in a moment.")

    def _forget_those_who_left(self) -> None:
        for ticket in [ticket for ticket in self._waiting if ticket.is_cancelled]:
            self._waiting.remove(ticket)
            ticket.deliver(Piece(finish="cancelled"))
        for job in [job for job in self._jobs if job.result.cancelled()]:
            self._jobs.remove(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._jobs or len(self._batch) or self._is_closing)
                if self._is_closing:
                    break
                self._let_join()
                job = self._jobs.popleft() if self._jobs else None
            if job is not None:
                job.run()
            self._step()
        self._batch.fail()
        for ticket in self._waiting:
            ticket.deliver(Piece(finish="failed"))
        for job in self._jobs:
            settle(job.result, _refuse)

    def _let_join(self) -> None:
        while self._waiting and self._batch.has_room:
            self._batch.join(self._waiting.popleft())

    def _step(self) -> None:
        try:
            self._batch.step()
        except BaseException:  # noqa: BLE001  a server must outlive one bad step, such as a full memory
            _log.exception("the engine failed in a step; its answers end here")
            self._batch.fail()


def _refuse() -> NoReturn:
    raise BusyError("the server is closing. Ask again when it is back.")
