"""The most memory a process has held."""

import resource
from pathlib import Path


def peak_mebibytes() -> float:
    """Of this process alone: what the operating system counts otherwise includes what it had before `exec`."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return (int(found) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
