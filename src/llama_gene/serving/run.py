"""Open a model and serve it until a signal comes: running answers are finished first, within `serve.drain_s`."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from llama_gene.assistant.agent import Planner
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.toolbox import make_toolbox
from llama_gene.config import AgentConfig, ChatConfig, ServeConfig
from llama_gene.errors import ConfigError, StoppedError
from llama_gene.retrieval.several import AnyIndex
from llama_gene.serving.answering import Service
from llama_gene.serving.app import build_app
from llama_gene.serving.ending import Ending, describe_ending, ending_well
from llama_gene.serving.engine import Engine
from llama_gene.serving.guard import LOOPBACK
from llama_gene.serving.keys import KeyRing, RateLimit, read_keys
from llama_gene.serving.metrics import Metrics
from llama_gene.serving.vllm import become_vllm
from llama_gene.serving.workplace import SharedWorkplace


@dataclass(frozen=True)
class Equipment:
    """What a server has beside its model: an index to search, folders of specialists, and how tools are called.

    `planner` None: the model itself plans the calls.
    """

    index: AnyIndex | None = None
    specialists: tuple[Path, ...] = ()
    agent: AgentConfig = field(default_factory=AgentConfig)
    planner: Planner | None = None


_BARE = Equipment()


def open_service(
    folder: Path,
    config: ServeConfig,
    chat: ChatConfig,
    definitions: Sequence[Path] = (),
    *,
    equipment: Equipment = _BARE,
) -> Service:
    """Load a model and start its engine.

    Args:
        folder: Tuned model folder; its name is the model's name in the API.
        config: How to serve.
        chat: How the model is loaded and tasks are asked.
        definitions: Folders of further task definitions.
        equipment: What is there beside the model.

    Raises:
        ModelError: no such model, or no LLaMA.
        ArtifactError: a folder holds no specialist.
        ConfigError: the cache holds not even one answer.
    """
    assistant = Assistant.open(folder, chat, definitions, index=equipment.index)
    assistant.tokenizer.remember_nothing()
    engine = Engine(
        assistant.model, assistant.tokenizer, most_running=config.max_running, most_waiting=config.max_waiting,
        cache_gib=config.cache_gib, step_tokens=config.step_tokens,
    )  # fmt: skip
    metrics = Metrics(engine)
    workplace = SharedWorkplace(engine, metrics, timeout_s=config.answer_timeout_s)
    toolbox = make_toolbox(assistant, equipment.specialists, equipment.agent, equipment.planner)
    return Service(
        folder.resolve().name, assistant, engine, config, metrics, int(time.time()), toolbox, workplace,
        conversations=asyncio.Semaphore(config.max_running + config.max_waiting),
    )  # fmt: skip


def open_keys(config: ServeConfig) -> KeyRing:
    """The keys of the settings; none where no file is named."""
    owners = read_keys(Path(config.keys)) if config.keys else {}
    return KeyRing(owners, RateLimit(config.requests_per_minute))


def serve(
    folder: Path,
    config: ServeConfig,
    chat: ChatConfig,
    definitions: Sequence[Path] = (),
    *,
    equipment: Equipment = _BARE,
    announce: Callable[[str], None],
) -> None:
    """Serve a model over HTTP until SIGTERM or Ctrl-C.

    Args:
        folder: Tuned model folder.
        config: How to serve.
        chat: How the model is loaded and tasks are asked.
        definitions: Folders of further task definitions.
        equipment: What is there beside the model.
        announce: Gets the address once it is open.

    Raises:
        ConfigError: the address is in use; or vLLM is asked for, and is not installed or cannot have what is named.
        StoppedError: a signal ended it.
    """
    listening = listen(config)
    if config.engine == "vllm":
        if definitions or equipment.index or equipment.specialists:
            raise ConfigError(
                "serve.engine = 'vllm': its server knows no tasks, indexes or tools. Leave out --definitions, --index "
                "and --specialist, or --engine vllm."
            )
        become_vllm(folder, config, chat, listening, announce=announce)
    keys = open_keys(config)
    service = open_service(folder, config, chat, definitions, equipment=equipment)
    if config.host not in LOOPBACK and not config.keys:
        announce(f"note: whoever reaches {config.host} may ask, as no keys are set (--keys FILE).")
    run_app(build_app(service, keys), listening, config, announce=announce)


def listen(config: ServeConfig) -> socket.socket:
    """The open port, before the model is loaded: a wrong address is told at once.

    Raises:
        ConfigError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"{config.host}:{config.port}: {error.strerror or error}. Choose another --host or --port."
        ) from None
    return listening


def run_app(app: ASGIApp, listening: socket.socket, config: ServeConfig, *, announce: Callable[[str], None]) -> None:
    """Run an app on an open port until a signal comes.

    Raises:
        StoppedError: one came; it says what became of the answers in work.
    """
    host, port = listening.getsockname()[:2]
    ending = Ending()
    settings = uvicorn.Config(
        ending_well(app, ending), log_level="warning", access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=1, timeout_keep_alive=30,
    )  # fmt: skip
    server = uvicorn.Server(settings)
    signals: list[int] = []

    def stop() -> None:
        server.should_exit = True

    def on_signal(number: int, _frame: object) -> None:
        """The first one lets answers end, with the door open to refuse who comes; another one is in a hurry."""
        signals.append(number)
        if ending.is_closing:
            stop()
        else:
            ending.begin(config.drain_s, stop)

    # While the server runs it takes signals itself: by this.
    server.handle_exit = on_signal  # type: ignore[method-assign, assignment]
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    listening.listen()  # who reads the address may connect at once
    announce(f"serving on http://{f'[{host}]' if ':' in host else host}:{port}")
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals:
        raise StoppedError(signals[0], describe_ending(ending, config.drain_s))
