"""What every request passes before it reaches the API: known host, same origin, key, rate, size, time.

CORS stays closed: no page of another site may ask, or read an answer. A server that listens on this machine alone also
refuses names it does not know, so that a page cannot reach it through a name of its own (DNS rebinding).
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_gene.config import ServeConfig
from llama_gene.serving.keys import KeyRing
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.refusals import RefusedError, refusal

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOCKED = ("/v1/", "/page/", "/metrics", "/mcp")
_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
# What is read and thrown away so that a client with too large a body gets to see the answer.
_DRAINED_TIMES = 16
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


@dataclass(frozen=True)
class Limits:
    """Of a request: bytes of its body, seconds to send it, and the host names it may use (empty: any)."""

    body_bytes: int
    body_timeout_s: float
    hosts: Collection[str] = ()


class Guard:
    """An ASGI app around another."""

    def __init__(
        self, app: ASGIApp, *, keys: KeyRing, limits: Limits, metrics: Metrics, paths: Collection[str]
    ) -> None:
        """Wrap an app.

        Args:
            app: What is guarded.
            keys: Who may ask.
            limits: Of a request.
            metrics: Where requests are counted.
            paths: Addresses counted by name; all others count as "other".
        """
        self._app, self._keys, self._limits, self._metrics = app, keys, limits, metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_headers(message.get("headers", ()))
                self._metrics.requests.labels(path, message["status"]).inc()
            await send(message)

        try:
            self._check(scope)
            receive = await self._with_body(scope, receive)
        except RefusedError as error:
            await refusal(error)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
        self._metrics.seconds.labels(path).observe(time.perf_counter() - started)

    def _check(self, scope: Scope) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin", "")
        if self._limits.hosts and _name_of(f"//{host}") not in self._limits.hosts:
            raise RefusedError(403, "this server does not go by that name. Use its address, or add it to serve.hosts.")
        if origin and origin.partition("://")[2] != host:
            raise RefusedError(403, "requests from pages of other sites are refused.")
        if not self._keys.owners or not scope["path"].startswith(_LOCKED):
            return
        owner = self._keys.owner_of(headers.get(b"authorization", ""))
        if owner is None:
            raise RefusedError(
                401, "no valid API key. Send one in the header `Authorization: Bearer KEY`.", code="invalid_api_key"
            )
        if wait_s := self._keys.limit.take(owner):
            raise RefusedError(
                429, f"more than {self._keys.limit.per_minute} requests a minute. Ask again later.",
                code="rate_limit_exceeded", retry_after_s=wait_s,
            )  # fmt: skip

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the whole body within its limits, and give it again."""
        if scope["method"] not in _WITH_BODY:
            return receive
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                body = await self._read(receive)
        except TimeoutError:
            raise RefusedError(
                408, f"the request did not arrive within {self._limits.body_timeout_s:g} s. Send it again."
            ) from None
        waiting: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return waiting.popleft() if waiting else await receive()

        return replay

    async def _read(self, receive: Receive) -> bytes:
        most, size, kept = self._limits.body_bytes, 0, []
        while size <= most * _DRAINED_TIMES:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= most:
                kept.append(chunk)
            if not message.get("more_body", False):
                break
        if size > most:
            raise RefusedError(413, f"the body is larger than {most / 1e6:g} MB. Send less at a time.")
        body = b"".join(kept)
        _check_characters(body)
        return body


def _with_headers(own: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Ours beside those of an answer, which may say how long it keeps."""
    said = list(own)
    names = {name.lower() for name, _ in said}
    return [*said, *((name, value) for name, value in _HEADERS if name not in names)]


def _name_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _check_characters(body: bytes) -> None:
    """Half a character is no text: nothing behind could write it. JSON can spell one too (a lone surrogate).

    Raises:
        RefusedError: the body holds one. What is no JSON at all is told later.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(
            400, f"the body is no whole UTF-8 at byte {error.start:,}. Expected a whole character; send it in UTF-8."
        ) from None
    if b"\\ud" not in body and b"\\uD" not in body:
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RefusedError(
            400, "the body spells half a character (\\ud800 to \\udfff alone). Send whole ones."
        ) from None
    except (ValueError, RecursionError):
        return


def limits_of(config: ServeConfig) -> Limits:
    """The limits that the settings set."""
    return Limits(int(config.max_body_mb * 1e6), config.body_timeout_s, own_names(config.host, config.hosts))


def own_names(host: str, more: Collection[str]) -> frozenset[str]:
    """Names a server answers to: on this machine alone, those of this machine; else any, unless some are given.

    >>> sorted(own_names("127.0.0.1", ()))
    ['127.0.0.1', '::1', 'localhost']
    >>> own_names("0.0.0.0", ())
    frozenset()
    """
    if host not in LOOPBACK and not more:
        return frozenset()
    return frozenset({*LOOPBACK, host, *more})
