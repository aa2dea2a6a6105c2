"""vLLM's own server as a peer, where its program is installed: a folder handed over by `llama-gene serve`.

It has the threads it chooses itself: on a CPU one core is kept for the server, the others compute.
"""

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

VLLM = "vllm"
_PATIENCE_S = 600


@contextmanager
def serving_by_vllm(folder: Path, log: Path) -> Iterator[str]:
    """The address of vLLM's server, from when it answers until it is left.

    Args:
        folder: Model folder.
        log: Gets what the server says.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "llama_gene.cli", "serve", str(folder), "--engine", "vllm", "--port", str(port)]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        try:
            while not answers(address):
                if server.poll() is not None:
                    raise SystemExit(f"vLLM's server did not start:\n{log.read_text()}")
                time.sleep(1)
            yield address
        finally:
            server.terminate()
            server.wait()


def answers(address: str) -> bool:
    """Whether a server is ready."""
    try:
        return httpx.get(f"{address}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def answer_by_vllm(
    address: str, model: str, prompts: list[tuple[int, ...]], new_tokens: int, allowed: list[int]
) -> list[list[int]]:
    """A peer: all requests at once, in one call, as token ids; none stops early.

    What its prompts begin with alike vLLM reads once; the salt keeps it from remembering the whole prompts from one
    call to the next, as rounds repeat them and clients do not.

    Args:
        address: Of its server.
        model: Its name there.
        prompts: Token ids.
        new_tokens: Tokens of each answer.
        allowed: Ids that may be written.

    Returns:
        The token ids of each answer.
    """
    body = {
        "model": model, "prompt": prompts, "max_tokens": new_tokens, "temperature": 0, "ignore_eos": True,
        "allowed_token_ids": allowed, "return_token_ids": True, "cache_salt": uuid.uuid4().hex,
    }  # fmt: skip
    answered = httpx.post(f"{address}/v1/completions", json=body, timeout=_PATIENCE_S)
    answered.raise_for_status()
    return [choice["token_ids"] for choice in answered.json()["choices"]]
