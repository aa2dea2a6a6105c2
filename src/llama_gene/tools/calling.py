"""Run a tool in a thread of its own for a limited time: one that hangs holds up nothing else.

A call that takes too long is left behind in its thread, since Python cannot stop it; tools bound their work by the
limits of their arguments.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from llama_gene.errors import DataError, LlamaGeneError

T = TypeVar("T")
_log = logging.getLogger(__name__)


def call_within(name: str, work: Callable[[], Any], timeout_s: float, setting: str) -> Any:
    """What a tool gives.

    Args:
        name: Of the tool.
        work: Calls it.
        timeout_s: Longest time, > 0.
        setting: What the time is called, for the error.

    Raises:
        DataError: no result in time, or the tool failed.

    >>> call_within("gc_content", lambda: 0.5, 60, "agent.timeout_s")
    0.5
    """
    try:
        return start_call(name, work).result(timeout=timeout_s)
    except TimeoutError:
        raise too_late(name, timeout_s, setting) from None


def start_call(name: str, work: Callable[[], T]) -> "Future[T]":
    """Begin a call; whatever the tool fails with, the outcome fails with one of our errors, caused by it."""

    def call() -> T:
        try:
            return work()
        except LlamaGeneError:
            raise
        except BaseException as error:
            # One line goes to whoever asked; where it came from is for those who mend the tool.
            _log.warning("tool %s failed", name, exc_info=True)
            raise DataError(
                f"tool {name}: failed with {type(error).__name__}: {error}. Try other arguments."
            ) from error

    return start_thread(f"tool {name}", call)


def start_thread(name: str, work: Callable[[], T]) -> "Future[T]":
    """Begin some work in a thread of its own, which does not keep the program from ending."""
    outcome: Future[T] = Future()
    Thread(target=settle, args=(outcome, work), name=name, daemon=True).start()
    return outcome


def settle(outcome: "Future[T]", work: Callable[[], T]) -> None:
    """Do some work, and leave what it gives or fails with to the one who waits; nothing where nobody waits any more."""
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001  handed on to the one who waits, whatever it is
        outcome.set_exception(as_failure(error))
    else:
        outcome.set_result(value)


def as_failure(error: BaseException) -> Exception:
    """What a piece of work failed with, as the one who waits may raise it.

    A library's SystemExit ends the work alone: raised again in the loop of a server, it would end the server.

    >>> as_failure(SystemExit(3))
    RuntimeError('ended by SystemExit: 3')
    """
    if isinstance(error, Exception):
        return error
    failure = RuntimeError(f"ended by {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def too_late(name: str, timeout_s: float, setting: str) -> DataError:
    """The error of a tool that gave nothing in time."""
    return DataError(f"tool {name}: no result within {timeout_s:g} s ({setting}). Give less to do, or raise it.")
