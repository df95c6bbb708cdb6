"""Cap the memory of a run: by PyTorch's allocator on a GPU, by the operating system where there is none."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from typing import Any

from reprocheck.model import Settings
from reprocheck.worker.bootstrap.execute import TargetUnusable

MIB = 2**20


def cap_cuda(settings: Settings, device: int) -> None:
    """For one device, once CUDA is up."""
    import torch

    fraction = settings.memory_fraction
    if settings.memory_limit is not None:
        fraction = min(1.0, settings.memory_limit / total_of(device))
    if fraction is not None:
        torch.cuda.set_per_process_memory_fraction(fraction, device)


def cap_process(settings: Settings) -> None:
    """Where torch sees no GPU: what the process may write to (data, heap, its own mappings; RLIMIT_DATA).

    Raises TargetUnusable where PyTorch alone takes more.
    """
    limit = settings.memory_limit
    if limit is None or _sees_a_gpu():
        return
    taken = written_to()
    if taken is not None and taken >= limit:
        raise TargetUnusable(
            f"--memory-limit {limit / MIB:.0f}MiB is less than what Python and PyTorch take by themselves "
            f"({taken / MIB:.0f} MiB)"
        )
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def lift() -> None:
    """Let the process report what happened."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def allowed_on(settings: Settings, device: int | None) -> int | None:
    """Bytes that the run may use of a GPU (None: of the process); None where there is no cap."""
    if settings.memory_limit is not None:
        return settings.memory_limit
    if settings.memory_fraction is not None and device is not None:
        return int(settings.memory_fraction * total_of(device))
    return None


def total_of(device: int | None) -> int:
    """Bytes of a GPU, or of the machine."""
    if device is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def written_to() -> int | None:
    """Bytes of what RLIMIT_DATA counts; None where the system does not say."""
    return status_bytes("VmData")


def resident() -> int | None:
    """Bytes of the process that are in memory. On Linux without psutil, which costs the same 15 us a call, but would be
    one more library in the target's process.
    """
    found = status_bytes("VmRSS")
    if found is None:
        import psutil

        with suppress(psutil.Error):
            found = int(psutil.Process().memory_info().rss)
    return found


def status_bytes(name: str) -> int | None:
    """One line of /proc/self/status."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(name.encode() + b":"):
                    return 1024 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return None


def _sees_a_gpu() -> bool:
    """Without starting CUDA, which would break the target's forks."""
    torch: Any = sys.modules["torch"]
    return bool(torch.version.cuda or torch.version.hip) and torch.cuda.device_count() > 0
