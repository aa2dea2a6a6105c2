"""What this machine has, and how fast it multiplies: the ground of time estimates."""

import ctypes
import os
import platform
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_PARTS = (
    "llama-gene", "torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "sentencepiece", "biopython",
    "scikit-learn",
)  # fmt: skip
# Numbers of the parameters in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_OPTIONAL = ("deepspeed", "ray", "vllm", "liger-kernel", "bitsandbytes")


def examine(folder: Path) -> dict[str, Any]:
    """Versions, accelerators, memory in GiB, free disk of `folder` in GiB, multiply rate in GFLOP/s."""
    found: dict[str, Any] = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    found |= {name: _version(name) for name in _PARTS}
    found |= {name: _version(name) for name in _OPTIONAL}
    found["cores"] = len(os.sched_getaffinity(0))
    found["memory_GiB"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    found["free_disk_GiB"] = round(shutil.disk_usage(folder).free / 2**30, 1)
    found["accelerators"] = ", ".join(accelerators()) or "none"
    found["bf16_on_cpu"] = torch.cpu._is_avx512_bf16_supported()
    found["multiply_GFLOPs"] = round(multiply_rate() / 1e9)
    return found


def accelerators() -> list[str]:
    """Name and memory of each GPU."""
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [f"{device.name} ({device.total_memory / 2**30:.0f} GiB)" for device in devices]


def best_device() -> torch.device:
    """Where models are trained and asked: the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def multiply_rate(dtype: torch.dtype = torch.float32, seconds: float = 0.5) -> float:
    """Measured matrix-multiply rate of `best_device`, in FLOP per second, on matrices large enough to fill it."""
    device = best_device()
    rows, inner = (8192, 8192) if device.type == "cuda" else (1024, 512)
    left = torch.randn(rows, inner, dtype=dtype, device=device)
    right = torch.randn(inner, rows, dtype=dtype, device=device)
    left @ right
    rounds, started = 0, time.monotonic()
    while time.monotonic() - started < seconds:
        for _ in range(10):
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        rounds += 10
    return 2 * rows * inner * rows * rounds / (time.monotonic() - started)


def reuse_memory() -> bool:
    """Let this process keep the memory it frees; True where the C library can.

    A training step on a CPU frees and asks again for the same large blocks (the logits above all). glibc gives such
    blocks back to the system each time, and touching fresh pages then costs more than the arithmetic: kept blocks
    made a step 1.7 times as fast in processor time (`benchmarks/train_cpu.py` measures whole runs).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_M_TOP_PAD, 2**28))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
