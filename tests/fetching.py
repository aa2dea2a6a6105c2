"""A real HTTP server with switchable faults, and `fetch` settings that point at it."""

import gzip
import hashlib
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from llama_gene.artifacts import Manifest
from llama_gene.config import FetchConfig
from llama_gene.corpus.fetch.fetch import fetch_corpus

ARCHIVES = (
    "ensembl", "ensembl_genomes", "ncbi_genomes", "ncbi_datasets", "uniprot", "pmc", "pubmed", "semantic_scholar",
    "huggingface",
)  # fmt: skip

# A file as an archive has it, packed, and its checksum.
BODY = random.Random(1).randbytes(200_000)
PACKED = gzip.compress(BODY, mtime=0)
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"


@dataclass
class Faults:
    """What goes wrong with one file.

    Attributes:
        drops: Connections that break.
        drop_after: Bytes before they do.
        ignores_range: Answers 200 with the whole file.
        extra_length: Content-Length is so much too high (or low).
        corrupt: Answers with one wrong byte.
        statuses: Answers before the first good one.
        dies_after: Good answers before it answers 500 for ever.
        retry_after: Header of those answers.
        has_etag: Sends ETag.
        size_unknown: Sends no Content-Length.
        pause_s: Wait before each 4 kB.
        head_refused: HEAD answers 405.
    """

    drops: int = 0
    drop_after: int = 0
    ignores_range: bool = False
    extra_length: int = 0
    corrupt: int = 0
    statuses: list[int] = field(default_factory=list)
    dies_after: int = 10**9
    retry_after: str = ""
    has_etag: bool = True
    size_unknown: bool = False
    pause_s: float = 0.0
    head_refused: bool = False


@dataclass
class Archive:
    """Files by path (with the query where there is one), their faults, and the requests that came."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=dict)
    log: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def requests(self, path: str) -> list[dict[str, str]]:
        """Headers of the GET requests for a path."""
        return [headers for method, asked, headers in self.log if method == "GET" and asked == path]

    def counts(self) -> Counter[str]:
        """GET requests by path."""
        return Counter(asked for method, asked, _ in self.log if method == "GET")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer("HEAD")

    def do_GET(self):
        self._answer("GET")

    def _answer(self, method):
        path = self.path if self.path in self.server.archive.files else urlsplit(self.path).path
        self.server.archive.log.append((method, path, dict(self.headers.items())))
        fault = self.server.archive.faults.get(path, Faults())
        if fault.statuses and method == "GET":
            return self._refuse(fault.statuses.pop(0), fault.retry_after)
        if method == "GET":
            fault.dies_after -= 1
            if fault.dies_after < 0:
                return self._refuse(500)
        if path not in self.server.archive.files:
            return self._refuse(404)
        if method == "HEAD" and fault.head_refused:
            return self._refuse(405)
        return self._send(method, self.server.archive.files[path], fault)

    def _refuse(self, status, retry_after=""):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()

    def _send(self, method, body, fault):
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        start = self._start(etag) if not fault.ignores_range else 0
        if start > len(body) or (start and start == len(body)):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if fault.has_etag:
            self.send_header("ETag", etag)
        if fault.size_unknown:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body) - start + fault.extra_length))
        self.end_headers()
        if method == "GET":
            self._send_body(body, start, fault)

    def _start(self, etag):
        asked = self.headers.get("Range", "")
        if not asked or self.headers.get("If-Range", etag) != etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _send_body(self, body, start, fault):
        end = len(body)
        if fault.drops:
            fault.drops -= 1
            end = min(end, start + fault.drop_after)
            self.close_connection = True
        if fault.extra_length > 0:
            self.close_connection = True
        if fault.extra_length < 0:
            end += fault.extra_length
        if fault.corrupt:
            fault.corrupt -= 1
            body = body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]
        try:
            for at in range(start, end, 4096):
                if self.server.stop.wait(fault.pause_s) if fault.pause_s else False:
                    return
                self.wfile.write(body[at : min(end, at + 4096)])
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving() -> Iterator[Archive]:
    """The server, for as long as the block runs."""
    archive = Archive()
    stop = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.archive, server.stop = archive, stop
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield archive
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def fetch_config(archive: Archive, *entries: dict[str, object], **settings: object) -> FetchConfig:
    """Settings whose every archive is a folder of the server, with no patience."""
    network = {"attempts": 3, "backoff_s": 0.001, "timeout_s": 5, "requests_per_s": 1e6}
    network |= settings.pop("network", {})  # type: ignore[arg-type]
    return FetchConfig.model_validate(
        {
            "entries": entries,
            "addresses": {name: f"{archive.url}/{name}" for name in ARCHIVES},
            "network": network,
            **settings,
        }
    )


def entry(archive: Archive, path: str = "/a.bin", name: str = "mine", **settings: object) -> dict[str, object]:
    """An address of the server to fetch."""
    return {"archive": "url", "name": name, "url": archive.url + path, **settings}


def fetch(archive: Archive, folder: Path, *entries: dict[str, object], seed: int = 1, **settings: object) -> Manifest:
    """Fetch entries into `out` of a folder."""
    return fetch_corpus(fetch_config(archive, *entries, **settings), seed=seed, output=folder / "out")
