"""One HTTP session for all archives: retries with back-off, rate limits, keys, and errors that say what to do."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from llama_gene.config import FetchConfig, NetworkConfig
from llama_gene.errors import MissingError, NetworkError

logger = logging.getLogger(__name__)

_LONGEST_WAIT_S = 120.0
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_RANGE_REFUSED = 416


@dataclass
class Pace:
    """Holds back whoever goes faster than so much a second; None: nobody."""

    per_s: float | None
    _due: float = field(default_factory=time.monotonic)

    def wait(self, amount: float) -> None:
        """Wait until this amount may pass."""
        if self.per_s is None:
            return
        now = time.monotonic()
        if self._due > now:
            time.sleep(self._due - now)
        self._due = max(self._due, now) + amount / self.per_s


@dataclass(frozen=True)
class Client:
    """A session with its manners, and the headers that some addresses need."""

    session: requests.Session
    network: NetworkConfig
    requests_pace: Pace
    bytes_pace: Pace
    headers: Mapping[str, Mapping[str, str]]

    def read(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A small document: a listing, a table of checksums.

        Raises:
            MissingError: there is no such document.
            NetworkError: the server cannot be reached or refuses.
        """
        with self.open(url, headers or {}) as response:
            try:
                content: bytes = response.content
            except requests.RequestException as error:
                raise NetworkError(_unreachable(url, error)) from None
            return content

    def read_text(self, url: str) -> str:
        """A small document as UTF-8."""
        return self.read(url).decode("utf-8", errors="replace")

    def read_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """A small document as JSON.

        Raises:
            NetworkError: it is no JSON.
        """
        try:
            return requests.models.complexjson.loads(self.read(url, headers))
        except ValueError:
            raise NetworkError(
                f"{url}: the answer is not JSON. Expected the archive's own; check the address."
            ) from None

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], method: str = "GET") -> Iterator[requests.Response]:
        """An answer whose body is not read yet: 200, 206 or 416.

        Raises:
            MissingError: 404 or 410.
            NetworkError: the server cannot be reached, or answers otherwise after all tries.
        """
        self.requests_pace.wait(1)
        logger.info("%s %s %s", method, url, headers.get("Range", ""))
        sent = {**self._headers_of(url), **headers}
        try:
            response = self.session.request(
                method, url, headers=sent, stream=True, allow_redirects=True, timeout=self.network.timeout_s
            )
        except requests.RequestException as error:
            raise NetworkError(_unreachable(url, error)) from None
        with response:
            _refuse_failure(url, response)
            yield response

    def sleep(self, failures: int) -> None:
        """Wait longer after each failure in a row."""
        time.sleep(min(_LONGEST_WAIT_S, self.network.backoff_s * 2 ** max(0, failures - 1)))

    def _headers_of(self, url: str) -> Mapping[str, str]:
        return next((headers for address, headers in self.headers.items() if url.startswith(address + "/")), {})


def open_client(config: FetchConfig) -> Client:
    """A client for the archives of these settings."""
    network = config.network
    retry = Retry(
        total=network.attempts - 1,
        backoff_factor=network.backoff_s,
        status_forcelist=_TRY_AGAIN,
        allowed_methods=("GET", "HEAD"),
        raise_on_status=False,
    )
    session = requests.Session()
    session.headers["User-Agent"] = f"llama-gene/{version('llama-gene')}"
    session.headers["Accept-Encoding"] = "identity"  # the stored bytes are those of the checksum
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    token = os.environ.get(network.huggingface_token, "")
    # requests drops this header where the hub redirects to another host.
    headers = {config.addresses.huggingface: {"Authorization": f"Bearer {token}"}} if token else {}
    return Client(session, network, Pace(network.requests_per_s), Pace(network.bytes_per_s), headers)


def _refuse_failure(url: str, response: requests.Response) -> None:
    shown, status = url.partition("?")[0], response.status_code
    if status in (404, 410):
        raise MissingError(f"{shown}: not there ({status}). Check the name, or set fetch.on_missing = 'skip'.")
    if status in (401, 403):
        raise NetworkError(
            f"{shown}: access refused ({status}). Accept the terms at the archive and give its key or token in the "
            "environment variable that fetch.network names."
        )
    if status in _TRY_AGAIN:
        raise NetworkError(
            f"{shown}: the server still answers {status} after all tries. Run again later; what came is kept."
        )
    if status not in (200, 206, _RANGE_REFUSED):
        raise NetworkError(f"{shown}: the server answers {status}. Expected the file; check the address.")


def _unreachable(url: str, error: Exception) -> str:
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return (
        f"{url.partition('?')[0]}: cannot be reached ({cause}). Check the connection and the address, and run again: "
        "what came is kept."
    )
