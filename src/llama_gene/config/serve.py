"""Settings of `serve` and `mcp`."""

from typing import Literal

from pydantic import Field

from llama_gene.config.section import Section


class ServeConfig(Section):
    """Answer many clients at a time over HTTP."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 opens it to the network.")
    port: int = Field(8000, ge=0, le=65535, description="Port; 0: any free one.")
    engine: Literal["auto", "batch", "vllm"] = Field(
        "auto", description="What computes; auto: our batch loop, on GPU or CPU. vllm: vLLM's own server."
    )
    keys: str = Field("", description="File of hashed API keys; none: no key is asked for.")
    requests_per_minute: int = Field(600, ge=1, description="Of one key; more are answered with 429.")
    hosts: tuple[str, ...] = Field((), description="Names clients may use for this server besides those it listens on.")
    max_running: int = Field(32, ge=1, le=1024, description="Most answers written at a time.")
    max_waiting: int = Field(256, ge=1, description="Most requests that wait; more are answered with 503.")
    cache_gib: float = Field(2.0, gt=0, description="Memory for keys and values; bounds the answers at a time.")
    step_tokens: int = Field(1024, ge=16, description="Prompt tokens read between two steps of writing.")
    max_new_tokens: int = Field(256, ge=1, description="Longest answer where the request does not say.")
    max_inputs: int = Field(256, ge=1, description="Most texts or items of one request.")
    max_letters: int = Field(100_000, ge=1, description="Longest sequence of an item.")
    max_body_mb: float = Field(4.0, gt=0, description="Largest request body; more are answered with 413.")
    body_timeout_s: float = Field(20.0, gt=0, description="Time a client has to send its request.")
    answer_timeout_s: float = Field(300.0, gt=0, description="Longest time from a request to the end of its answer.")
    drain_s: float = Field(30.0, ge=0, description="Time that running answers get after SIGTERM.")
