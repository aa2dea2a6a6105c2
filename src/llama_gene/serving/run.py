"""Open a model and serve it until a signal comes: running answers are finished first, within `serve.drain_s`."""

import asyncio
import os
import shutil
import signal
import socket
import sys
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
        ConfigError: the address is in use, or vLLM is asked for and not installed.
        StoppedError: a signal ended it.
    """
    if config.engine == "vllm":
        _become_vllm(folder, config)
    keys = open_keys(config)
    listening = listen(config)
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


def _become_vllm(folder: Path, config: ServeConfig) -> None:
    """Hand the process over to vLLM's own server: a model folder is a plain one that it reads.

    Raises:
        ConfigError: vLLM is not there, or keys are set, which it would not ask for.
    """
    if config.keys:
        raise ConfigError("serve.keys: vLLM's own server does not read this file. Leave out --keys, or --engine vllm.")
    if shutil.which("vllm") is None:
        raise ConfigError("serve.engine = 'vllm', but vLLM is not installed. Run: pip install vllm")
    sys.stdout.flush()
    command = vllm_command(folder, config)
    os.execvp(command[0], command)


def vllm_command(folder: Path, config: ServeConfig) -> list[str]:
    """The command line of vLLM's own server, as of vLLM 0.30.

    What vLLM does otherwise than we do is set as ours: pages of other sites may not ask (its default lets all of them),
    and an answer is greedy where the request names no temperature.

    Args:
        folder: Tuned model folder.
        config: Address, and how many answers are written at a time.

    >>> vllm_command(Path("runs/demo/finetuned"), ServeConfig(port=9000))[:5]
    ['vllm', 'serve', 'runs/demo/finetuned', '--served-model-name', 'finetuned']
    """
    return [
        "vllm", "serve", str(folder), "--served-model-name", folder.resolve().name, "--host", config.host, "--port",
        str(config.port), "--max-num-seqs", str(config.max_running), "--allowed-origins", "[]",
        "--override-generation-config", '{"temperature": 0}',
    ]  # fmt: skip
