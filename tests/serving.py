"""A tiny model served for tests: its folder, the service, and a real server on a port of its own."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from chatting import make_chat_model
from llama_gene.config import ChatConfig, ServeConfig
from llama_gene.model.folders import write_card
from llama_gene.serving.answering import Service
from llama_gene.serving.app import build_app
from llama_gene.serving.engine import Engine
from llama_gene.serving.run import Equipment, listen, open_keys, open_service

# A one-sequence task of DNA, and one of two proteins; both are registered.
DNA_TASK, PAIR_TASK = "promoter-core", "ppi-yeast"
DNA = "TATAAAGCTAGCGCATTTGACATCTAGCTAGG"
_CHAT, _BARE = ChatConfig(), Equipment()
PROTEIN = "MKVLAAGIVGLLLAQPSFWYENDTRHCKM"


def make_served_model(place: Path) -> Path:
    """A model folder whose card names two tasks."""
    folder = make_chat_model(place)
    write_card(folder, {"synthetic": True, "tasks": {DNA_TASK: {}, PAIR_TASK: {}}})
    return folder


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    with serving_engine(folder, **settings) as (address, _):
        yield address


@contextmanager
def serving_engine(
    folder: Path,
    chat: ChatConfig = _CHAT,
    equipment: Equipment = _BARE,
    **settings: Any,
) -> Iterator[tuple[str, Engine]]:
    """The address of a server that runs meanwhile, and its engine."""
    with serving_service(folder, chat, equipment, **settings) as (address, service):
        yield address, service.engine


@contextmanager
def serving_service(
    folder: Path,
    chat: ChatConfig = _CHAT,
    equipment: Equipment = _BARE,
    change: Callable[[Service], Service] = lambda service: service,
    **settings: Any,
) -> Iterator[tuple[str, Service]]:
    """The address of a server that runs meanwhile, and what it serves, changed before it starts."""
    config = ServeConfig(port=0, **{"cache_gib": 0.1, "max_running": 8, **settings})
    listening = listen(config)
    service = change(open_service(folder, config, chat, equipment=equipment))
    app = build_app(service, open_keys(config))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", service
    server.should_exit = True
    thread.join()


def events_of(answer: httpx.Response) -> list[Any]:
    """The JSON values of a stream, which must have come to its end."""
    lines = answer.text.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]", answer.text
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
