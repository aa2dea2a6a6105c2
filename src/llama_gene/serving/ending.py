"""What becomes of the answers that are in work when a signal ends the server: finished, or cut and told so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_gene.serving.events import last_lines
from llama_gene.serving.refusals import RefusedError, refusal

_CUT = RefusedError(
    503, "the server is closing and cut this answer. Ask again when it is back.", code="overloaded", retry_after_s=1.0
)


@dataclass
class Ending:
    """Answers in work when the signal came: those that were finished, and those that took too long."""

    finished: int = 0
    cut: int = 0


def counting(app: ASGIApp, ending: Ending, is_closing: Callable[[], bool]) -> ASGIApp:
    """The same app, which counts the answers that end after the signal.

    Args:
        app: Any.
        ending: Where they are counted.
        is_closing: True once the signal came.
    """

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
            ending.finished += is_closing() and _is_answer(scope)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            # Nothing but the end of the server cancels a request, and no task waits for this one: the client does.
            ending.cut += _is_answer(scope)
            if has_begun:
                await send({"type": "http.response.body", "body": last_lines(_CUT).encode()})
            else:
                await refusal(_CUT)(scope, receive, send)

    return counted


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
