"""The bytes of one remote file in order, over as many connections as it takes.

A connection that breaks is opened again from the byte reached, by Range with If-Range (RFC 9110, sections 13 and 14).
Where the server sends the whole file instead, what is known is passed over. Where the file has changed meanwhile,
ChangedError says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import requests
import urllib3

from llama_gene.corpus.fetch.checks import Check
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.remote import Remote
from llama_gene.errors import DataError, NetworkError

_CHUNK_BYTES = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_BROKEN = (urllib3.exceptions.HTTPError, requests.RequestException, OSError)


class ChangedError(DataError):
    """The remote file is not the one whose beginning is here."""


@dataclass(frozen=True)
class Version:
    """What a server says of the file it sends."""

    etag: str = ""
    last_modified: str = ""
    size: int | None = None

    @property
    def validator(self) -> str:
        """What If-Range may carry: a strong entity tag, else the date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def differs_from(self, other: "Version") -> bool:
        """True where two versions cannot be the same file."""
        pairs = ((self.etag, other.etag), (self.last_modified, other.last_modified), (self.size, other.size))
        return any(ours not in ("", None) and theirs not in ("", None) and ours != theirs for ours, theirs in pairs)


@dataclass
class Transfer:
    """A download under way; `position` is the number of bytes that came, earlier runs included."""

    client: Client
    remote: Remote
    check: Check
    position: int = 0
    version: Version = Version()

    def chunks(self) -> Iterator[bytes]:
        """The bytes from `position` on.

        Raises:
            ChangedError: the file is another one now; start again.
            MissingError: there is no such file.
            NetworkError: no progress in all tries.
        """
        failures = 0
        while not self._is_whole():
            before = self.position
            try:
                yield from self._receive()
                if self.version.size is None:
                    return
                reason = "the connection closed"
            except _BROKEN as error:
                reason = str(error)
            if self._is_whole() or self.check.agrees():
                return
            failures = 0 if self.position > before else failures + 1
            if failures >= self.client.network.attempts:
                size = "unknown" if self.version.size is None else f"{self.version.size:,}"
                raise NetworkError(
                    f"{self.remote.address}: stuck at byte {self.position:,} of {size} after "
                    f"{failures} tries ({reason}). Expected the whole file; run again, what came is kept."
                )
            self.client.sleep(failures)

    def _is_whole(self) -> bool:
        return self.position == self.version.size

    def _receive(self) -> Iterator[bytes]:
        headers = {}
        if self.position:
            headers["Range"] = f"bytes={self.position}-"
            if self.version.validator:
                headers["If-Range"] = self.version.validator
        with self.client.open(self.remote.url, headers) as response:
            known = self._accept(response)
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                self.client.bytes_pace.wait(len(chunk))
                new = chunk[known:]
                known -= len(chunk) - len(new)
                if new:
                    self.position += len(new)
                    self.check.update(new)
                    yield new

    def _accept(self, response: requests.Response) -> int:
        """Check that the answer continues what is here; give the number of its bytes that are known already."""
        length = response.headers.get("Content-Length", "")
        start, size = 0, int(length) if length.isdecimal() else None
        if response.status_code != requests.codes.ok:
            match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
            size = int(match[2]) if match and match[2] != "*" else None
            start = int(match[1]) if match and match[1] else (size or 0)
        found = Version(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""), size)
        if self.position and self._is_another(found, start):
            raise ChangedError(f"{self.remote.address}: the file changed while it was downloaded.")
        self.version = found
        return self.position - start

    def _is_another(self, found: Version, start: int) -> bool:
        proven = self.version.validator or self.check.expected
        beyond = found.size is not None and found.size < self.position
        return not proven or start > self.position or beyond or self.version.differs_from(found)
