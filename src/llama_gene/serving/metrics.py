"""What Prometheus reads: requests, tokens, times and the length of the line."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from llama_gene.serving.engine import Engine

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self, engine: Engine | None = None) -> None:
        """All at zero.

        Args:
            engine: Whose load is told.
        """
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("llama_gene_requests", "Requests answered.", ["path", "status"], registry=self.registry)
        self.seconds = Histogram(
            "llama_gene_request_seconds", "From request to end of answer.", ["path"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.first_token = Histogram(
            "llama_gene_first_token_seconds", "From request to first text.", buckets=_SECONDS, registry=self.registry
        )
        self.tokens = Counter("llama_gene_tokens", "Tokens read and written.", ["side"], registry=self.registry)
        if engine is not None:
            gauges = {"running": "Answers being written.", "waiting": "Requests that wait."}
            for name, what in gauges.items():
                gauge = Gauge(f"llama_gene_{name}", what, registry=self.registry)
                gauge.set_function(partial(_load, engine, name))


def _load(engine: Engine, name: str) -> float:
    return float(getattr(engine.load, name))
