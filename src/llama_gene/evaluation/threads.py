"""Batches side by side on a CPU.

A small model is made of small operations. Where all cores share each of them, cores wait for one another thousands of
times a second; where each thread has a batch of its own, hardly ever.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")

# More threads than this would wait for Python instead, and each holds a batch in memory.
_MOST_THREADS = 8


def side_by_side(work: Callable[[Batch], Result], batches: Sequence[Batch], device: torch.device) -> Iterator[Result]:
    """The results of `work` for each batch, in order.

    Args:
        work: Runs the model; it may run in several threads at once.
        batches: What it is called with.
        device: Where the model is; only a CPU works on several batches at a time.

    >>> list(side_by_side(sum, [[1, 2], [3]], torch.device("cpu")))
    [3, 3]
    """
    cores = torch.get_num_threads()
    threads = min(cores, _MOST_THREADS, len(batches)) if device.type == "cpu" else 1
    if threads < 2:
        yield from map(work, batches)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(cores // threads,))
    try:
        yield from pool.map(work, batches)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)
