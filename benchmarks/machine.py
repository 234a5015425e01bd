"""The machine that a benchmark ran on."""

import platform
import re
from importlib.metadata import version
from pathlib import Path

import torch

from gan.core import hardware


def describe() -> dict[str, str | int]:
    """The hardware and the libraries, for the head of a record."""
    from gan.data.cache import usable_cores  # imports Lightning, which not every contestant should import

    facts: dict[str, str | int] = {
        "processor": processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "capability": str(hardware.processor()),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "pytorch-lightning")},
    }
    if torch.cuda.is_available():
        facts |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda or ""}
    return facts


def processor() -> str:
    """The processor's name if the system knows it, else its architecture."""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory() -> int:
    """The peak memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss starts at the value of the parent process
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
