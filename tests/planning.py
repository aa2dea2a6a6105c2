"""A larger model behind an OpenAI-compatible address, for tests: a real HTTP server that says what it is given."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar


class _Server(BaseHTTPRequestHandler):
    """Answers with the replies it was given, and keeps what it was asked."""

    replies: ClassVar[list[dict]] = []
    asked: ClassVar[list[dict]] = []

    def do_POST(self):
        type(self).asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": None} | type(self).replies.pop(0)
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@contextmanager
def planning() -> Iterator[HTTPServer]:
    """A server that runs meanwhile; what it is to say goes into `replies` of its handler's class."""
    served = HTTPServer(("127.0.0.1", 0), type("Fresh", (_Server,), {"replies": [], "asked": []}))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        served.shutdown()
        served.server_close()


def environment(port: int) -> dict[str, str]:
    """What names the server as the planner."""
    return {"LLAMA_GENE_PLANNER_URL": f"http://127.0.0.1:{port}/v1", "LLAMA_GENE_PLANNER_MODEL": "big"}


def wants(name: str, arguments: str) -> dict:
    """The turn of a model that asks for a call."""
    return {"tool_calls": [{"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}]}
