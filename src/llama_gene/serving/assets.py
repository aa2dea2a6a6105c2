"""The files of the web page: read once, served with their types, asked again by ETag. No path reaches the disk."""

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response

FOLDER = Path(__file__).parent / "page"
# Written down, since what a system takes a suffix for differs, and browsers run no module of another type.
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file of the page."""

    path: str
    content: bytes
    media_type: str
    etag: str


def read_assets(folder: Path = FOLDER) -> Iterator[Asset]:
    """The files in order of their names; `index.html` is at `/`, the others are at their names.

    >>> [asset.path for asset in read_assets()][:2]
    ['/alignment.js', '/bars.js']
    """
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        path = "/" if file.name == "index.html" else f"/{file.name}"
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        yield Asset(path, content, f"{_TYPES[file.suffix]}; charset=utf-8", etag)


def answer_with(asset: Asset) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """A route that gives a file, or 304 where the browser has it."""
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    return answer
