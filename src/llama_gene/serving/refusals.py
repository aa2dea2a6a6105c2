"""Every way to say no, in OpenAI's error format: `{"error": {"message", "type", "param", "code"}}`."""

import math
from collections.abc import Iterator, Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from llama_gene.errors import LlamaGeneError, NetworkError, TooLargeError
from llama_gene.serving.engine import BusyError

_RETRY_S = 1.0
_MOST_SHOWN = 80


class RefusedError(LlamaGeneError):
    """A request that is not answered, with its HTTP status and OpenAI's error code."""

    def __init__(
        self, status: int, message: str, *, code: str = "", param: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after_s = status, code, param, retry_after_s


def out_of_time(timeout_s: float) -> RefusedError:
    """The refusal of a request that takes too long."""
    return RefusedError(504, f"no whole answer within {timeout_s:g} s. Ask for fewer tokens.", code="timeout")


def engine_failed() -> RefusedError:
    """The refusal of a request whose answer the engine gave up."""
    return RefusedError(500, "the engine could not go on; the operator's log says why.")


def client_left() -> RefusedError:
    """What ends the work for a client that is gone; nobody reads it."""
    return RefusedError(499, "the client left.")


def server_failed() -> RefusedError:
    """The refusal of a request that met a bug; the details are the operator's, not the client's."""
    return RefusedError(500, "the server failed; the operator's log says why.")


def refusal(error: RefusedError) -> JSONResponse:
    """The answer to a refused request."""
    headers: Mapping[str, str] = {}
    if error.retry_after_s is not None:
        headers = {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if error.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(error_body(error), status_code=error.status, headers=dict(headers))


def error_body(error: RefusedError) -> dict[str, dict[str, str | None]]:
    """The JSON of an error.

    >>> error_body(RefusedError(404, "no model 'x'.", code="model_not_found"))["error"]["type"]
    'invalid_request_error'
    """
    return {
        "error": {
            "message": str(error),
            "type": _type(error.status),
            "param": error.param or None,
            "code": error.code or None,
        }
    }


def as_refusal(error: LlamaGeneError) -> RefusedError:
    """What the library raised, as an answer: a full line is 503, a planner that fails 502, too much 413, else 400."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, BusyError):
        return RefusedError(503, str(error), code="overloaded", retry_after_s=_RETRY_S)
    if isinstance(error, NetworkError):
        return RefusedError(502, str(error), code="planner_failed")
    return RefusedError(413 if isinstance(error, TooLargeError) else 400, str(error), code="invalid_value")


def add_refusals(app: FastAPI) -> None:
    """Answer every failure in the one format."""
    app.add_exception_handler(LlamaGeneError, _on_library_error)
    app.add_exception_handler(RequestValidationError, _on_bad_body)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)


async def _on_library_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LlamaGeneError)
    return refusal(as_refusal(error))


async def _on_bad_body(_request: Request, error: Exception) -> JSONResponse:
    """One problem of a body, with the place it is at."""
    assert isinstance(error, RequestValidationError)
    # Where a value may be of several kinds, each tells its problem: the one that came deepest was meant.
    problem = max(error.errors(), key=lambda one: (len(one["loc"]), not one["type"].endswith("_type")))
    where = ".".join(_place(problem["loc"][1:], error.body))[:_MOST_SHOWN]
    if problem["type"] == "extra_forbidden":
        message = f"{where}: not a parameter of this server. Leave it out; /docs lists what is."
    elif problem["type"] == "json_invalid" or not where:
        message, where = "the body is no JSON object. Send one in UTF-8, as Content-Type: application/json.", ""
    else:
        message = f"{where}: {problem['msg']}. See /docs."
    return refusal(RefusedError(400, message, code="invalid_value", param=where))


def _place(parts: Sequence[str | int], body: object) -> Iterator[str]:
    """The names and numbers on the way to a value, without the kinds that were tried there.

    >>> list(_place(["messages", 0, "content", "list[TextPart]", 1, "text"], {"messages": [{"content": ["a", {}]}]}))
    ['messages', '0', 'content', '1', 'text']
    """
    for number, part in enumerate(parts, 1):
        is_there = isinstance(body, list) if isinstance(part, int) else isinstance(body, dict) and part in body
        if is_there:
            body = body[part]  # type: ignore[index]
        # What is missing is named last, and is not there.
        if is_there or (number == len(parts) and isinstance(body, dict)):
            yield str(part)


async def _on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = {
        404: "no such address. See /docs.",
        405: "this address does not take this method. See /docs.",
    }.get(error.status_code, f"{error.detail}. Expected one JSON object in UTF-8; see /docs.")
    answer = refusal(RefusedError(error.status_code, said))
    answer.headers.update(error.headers or {})
    return answer


async def _on_bug(_request: Request, _error: Exception) -> JSONResponse:
    return refusal(server_failed())


def _type(status: int) -> str:
    known = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return known.get(status, "server_error" if status >= 500 else "invalid_request_error")
