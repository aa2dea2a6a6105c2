"""What becomes of requests once a signal came: those in work are finished, or cut and told so; new ones are refused."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Thread

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_gene.serving.events import last_lines
from llama_gene.serving.guard import HEADERS
from llama_gene.serving.refusals import RefusedError, refusal

_refused = partial(RefusedError, 503, code="overloaded", retry_after_s=1.0)
_CUT = _refused("the server is closing and cut this answer. Ask again when it is back.")
_CLOSED = _refused("the server is closing. Ask again when it is back.")
# How soon the end of the last answer is seen.
_LOOK_S = 0.05


@dataclass
class Ending:
    """Whether the signal came, the answers in work, and of those it met how many were finished or took too long."""

    is_closing: bool = False
    in_work: int = 0
    finished: int = 0
    cut: int = 0

    def begin(self, drain_s: float, stop: Callable[[], None]) -> None:
        """Refuse what comes from now on, and stop once nothing is in work, or time is up.

        Args:
            drain_s: Longest time that answers get.
            stop: Ends the server; called in a thread of its own.
        """
        self.is_closing = True
        Thread(target=self._wait, args=(drain_s, stop), name="ending", daemon=True).start()

    def _wait(self, drain_s: float, stop: Callable[[], None]) -> None:
        deadline = time.monotonic() + drain_s
        while self.in_work and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        stop()


def ending_well(app: ASGIApp, ending: Ending) -> ASGIApp:
    """The same app, which counts its answers, refuses new requests once it is closing, and tells who is cut.

    Args:
        app: Any.
        ending: Where they are counted.
    """

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if ending.is_closing and scope["type"] == "http":
            await _refuse(_CLOSED, scope, receive, send)
            return
        has_begun = False
        ending.in_work += _is_answer(scope)

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
            ending.finished += ending.is_closing and _is_answer(scope)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            # Nothing but the end of the server cancels a request, and no task waits for this one: the client does.
            ending.cut += _is_answer(scope)
            if has_begun:
                await send({"type": "http.response.body", "body": last_lines(_CUT).encode()})
            else:
                await _refuse(_CUT, scope, receive, send)
        finally:
            ending.in_work -= _is_answer(scope)

    return counted


async def _refuse(error: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    answer = refusal(error)
    answer.headers.update({**HEADERS, "connection": "close"})
    await answer(scope, receive, send)


def _is_answer(scope: Scope) -> bool:
    # A GET is answered at once, or is the open ear of an MCP client, which nobody waits for.
    return scope["type"] == "http" and scope["method"] == "POST"


def describe_ending(ending: Ending, drain_s: float) -> str:
    """The last line of a server.

    >>> describe_ending(Ending(), 30)
    'stopped; no answer was in work.'
    >>> describe_ending(Ending(finished=3), 30)
    'stopped; 3 of 3 answers in work were finished.'
    >>> describe_ending(Ending(finished=3, cut=1), 30)
    'stopped; 3 of 4 answers in work were finished, the rest cut after 30 s (serve.drain_s).'
    """
    count = ending.finished + ending.cut
    if not count:
        return "stopped; no answer was in work."
    rest = f", the rest cut after {drain_s:g} s (serve.drain_s)" if ending.cut else ""
    return f"stopped; {ending.finished} of {count} answers in work were finished{rest}."
