"""Do one thing to many tasks: in this process, in one process per core, or on a Ray cluster.

A task is a small value that says what to read and what to write; its result is what JSON can hold. Results come in the
order of the tasks, whatever is finished first, and a task's files depend on nothing but the task, so every engine gives
the same bytes. Each result is kept as a file: a run that was stopped goes on behind the last finished tasks.
"""

import json
import logging
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import joblib
from joblib.externals.loky import process_executor

from llama_gene.artifacts import write_json
from llama_gene.config import LOCAL, EngineConfig
from llama_gene.errors import ArtifactError
from llama_gene.progress import show_progress

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Found = TypeVar("Found")
Result = dict[str, Any]
# A function, its task, and the file that keeps the result.
_Call = tuple[Callable[[Any], Result], Any, Path]
# Below so many bytes of input, more processes take longer to start than they save.
_WORTH_IT = 64_000_000


@dataclass(frozen=True)
class Work:
    """Where the results of tasks are kept, and how large the whole is: bytes of input, to choose the engine by."""

    folder: Path
    size: int
    engine: EngineConfig = LOCAL


def run_tasks(function: Callable[[Task], Result], tasks: Sequence[Task], work: Work, what: str) -> Iterator[Result]:
    """The result of each task, in order; those kept from an earlier run are not computed again.

    Args:
        function: Found by name in a module, so that other processes can import it.
        tasks: What it is called with.
        work: Where results are kept, and the engine.
        what: Name of these tasks: of the progress bar, and of the folder of results.

    Raises:
        ArtifactError: a worker was killed.
        LlamaGeneError: what the function raises.
    """
    kept = work.folder / what.replace(" ", "-")
    kept.mkdir(parents=True, exist_ok=True)
    calls = [(function, task, kept / f"{number:06d}.json") for number, task in enumerate(tasks)]
    return iter(show_progress(_results(calls, work), what, len(calls)))


def _results(calls: Sequence[_Call], work: Work) -> Iterable[Result]:
    workers = count_workers(work, sum(not kept.is_file() for _, _, kept in calls))
    if work.engine.name == "ray":
        from llama_gene.corpus.cluster import run_on_ray

        return run_on_ray(_remember, calls, work.engine)
    return map_in_order(_remember, calls, workers)


def count_workers(work: Work, waiting: int) -> int:
    """Processes of this machine that run so many tasks.

    >>> count_workers(Work(Path(), size=1000), 8), count_workers(Work(Path(), 1000, EngineConfig(workers=3)), 8)
    (1, 3)
    """
    asked = work.engine.workers
    if asked is None:
        asked = joblib.cpu_count() if work.size > _WORTH_IT else 1
    return max(1, min(asked, waiting))


def map_in_order(function: Callable[[Task], Found], tasks: Iterable[Task], workers: int) -> Iterator[Found]:
    """What the function makes of each task, in order, in so many processes; in this one where that is 1.

    At most two tasks per process are under way, so that memory does not grow with their number.

    Args:
        function: Found by name in a module, so that other processes can import it.
        tasks: What it is called with; read as they are needed.
        workers: Processes, >= 1.

    Raises:
        ArtifactError: a worker was killed.
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    pool = joblib.Parallel(workers, return_as="generator", pre_dispatch="2 * n_jobs", batch_size=1)
    with warnings.catch_warnings(), joblib.parallel_config("loky", inner_max_num_threads=1):
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        try:
            yield from pool(joblib.delayed(_stay_and_do)(function, task) for task in tasks)
        except process_executor.TerminatedWorkerError as error:
            raise ArtifactError(
                "a worker process was killed, perhaps for want of memory. What is finished is kept: run the same "
                "command again, with fewer engine.workers where memory is short."
            ) from error


def _stay_and_do(function: Callable[[Task], Found], task: Task) -> Found:
    """What the function gives, by a process that stays.

    One that has grown by 300 MB since its first task leaks, says loky, and puts another in its place. Ours grow by a
    tokenizer and its tables, which the other would have to open again: four seconds of two cores.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    return function(task)


def _remember(call: _Call) -> Result:
    function, task, kept = call
    if kept.is_file():
        found: Result = json.loads(kept.read_text(encoding="utf-8"))
        return found
    result = function(task)
    write_json(kept, result)
    return result
