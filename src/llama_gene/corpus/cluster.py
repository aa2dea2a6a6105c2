"""Run tasks on a Ray cluster: this machine alone, or the one that RAY_ADDRESS or `engine.address` names.

A task that is lost with its worker or its node is run again elsewhere; it writes the same files. All nodes must see
the same folders: a shared disk, or object storage.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llama_gene.config import EngineConfig
from llama_gene.errors import ArtifactError, ConfigError

try:
    import ray
except ImportError:
    ray = None

_TRIES = 5


def run_on_ray(
    function: Callable[[Any], dict[str, Any]], tasks: Sequence[Any], engine: EngineConfig
) -> Iterator[dict[str, Any]]:
    """What the function makes of each task, in order; at most two per core of the cluster are under way.

    Args:
        function: Found by name in a module that every node can import.
        tasks: What it is called with.
        engine: Address, and how many tasks run at once.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at the address.
        ArtifactError: a task was lost again and again.
        LlamaGeneError: what the function raises.
    """
    _connect(engine)
    cores = int(ray.cluster_resources().get("CPU", 1))
    at_once = 2 * min(engine.workers or cores, cores)
    # One core each: the loops compiled by numba, and `tokenizers`, would take all of a node otherwise.
    remote = ray.remote(function).options(
        num_cpus=1, max_retries=_TRIES, runtime_env={"env_vars": {"NUMBA_NUM_THREADS": "1"}}
    )
    waiting = deque(tasks)
    under_way: deque[Any] = deque()
    try:
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                under_way.append(remote.remote(waiting.popleft()))
            yield _get(under_way[0])
            under_way.popleft()
    finally:
        for lost in under_way:
            ray.cancel(lost)


def _connect(engine: EngineConfig) -> None:
    if ray is None:
        raise ConfigError("engine.name = 'ray': Ray is not installed. pip install 'llama-gene[cluster]'.")
    if ray.is_initialized():
        return
    # Ray reports its use to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address=engine.address or None, log_to_driver=False, include_dashboard=None)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"engine.address = {engine.address!r}: no Ray cluster there ({error}). Start one with `ray start --head`, "
            "or leave the address empty to use this machine alone."
        ) from None


def _get(reference: Any) -> dict[str, Any]:
    try:
        result: dict[str, Any] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise ArtifactError(
            f"a task of the cluster was lost {_TRIES + 1} times ({type(error).__name__}). What is finished is kept: "
            "run the same command again, with more memory for each core."
        ) from error
    return result
