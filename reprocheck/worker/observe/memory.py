"""How much memory a training takes, phase by phase: before its first step, in it, in further ones, in evaluations.

On a GPU what PyTorch's allocator counts; of the process what the system counts. Nothing here waits for a device.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path
from typing import Any, ClassVar

import torch

from reprocheck.protocol import MEMORY_RECORD
from reprocheck.worker.bootstrap.memory_limit import resident, status_bytes
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.top_models import TopModel, is_main_thread
from reprocheck.worker.recorder import Recorder

Line = dict[str, Any]

INIT, FIRST, STEADY, EVALUATION = "init", "first step", "further steps", "evaluation"
MOST_LEVELS = 10_000
"""Steps after which memory is taken down."""
SNAPSHOT_ENTRIES = 100_000
_RESET_PEAK = "5"
"""To /proc/self/clear_refs: forget the peak of the resident memory."""


class Memory(Listener):
    """Watches one run."""

    in_all_threads = True

    def __init__(self, recorder: Recorder, snapshot: Path | None = None) -> None:
        self._recorder = recorder
        self._snapshot = snapshot
        self._phases: dict[str, Line] = {}
        self._phase = INIT
        self._steps = 0
        self._levels: list[Line] = []
        self._knows_peaks = _reset_peaks()
        if snapshot is not None:
            cuda: Any = torch.cuda
            cuda._lazy_call(lambda: cuda.memory._record_memory_history(max_entries=SNAPSHOT_ENTRIES))

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """Before a forward pass."""
        if is_main_thread():
            self._computes(with_gradients)

    def lost(self, losses: list[torch.Tensor]) -> None:
        """Before a backward pass."""
        self._computes(True)

    def _computes(self, with_gradients: bool) -> None:
        if not with_gradients:
            self._enter(EVALUATION)
        elif self._phase in (INIT, EVALUATION):
            self._enter(STEADY if self._steps else FIRST)

    def step_taken(self, count: int, own_seconds: float) -> None:
        """After each step."""
        self._steps += 1
        if len(self._levels) < MOST_LEVELS:
            self._levels.append(_level())
        if self._steps == 1:
            self._enter(STEADY)

    def finish(self, was_stopped: bool = False) -> None:
        """At the end of the run, while all that the target holds is there."""
        self._close()
        kept: list[Line] = []
        for device in _devices():
            before = torch.cuda.memory_reserved(device)
            with torch.cuda.device(device):
                torch.cuda.empty_cache()
            kept.append({"device": device, "before": before, "after": torch.cuda.memory_reserved(device)})
        self._recorder.line(
            MEMORY_RECORD, phases=self._phases, steps=self._levels, empty_cache=kept, peaks=self._knows_peaks
        )
        self.dump()

    def dump(self) -> None:
        """PyTorch's own snapshot, for its viewer."""
        cuda: Any = torch.cuda
        if self._snapshot is not None and cuda.is_initialized():
            cuda.memory._dump_snapshot(str(self._snapshot))

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._close()
            self._phase = phase
            _reset_peaks()

    def _close(self) -> None:
        """Take down what the phase that ends came to; of a phase that comes again, its greatest peak."""
        now = _figures()
        before = self._phases.get(self._phase)
        if before is not None:
            now["rss_peak"] = _most(before["rss_peak"], now["rss_peak"])
            peaks = {one["device"]: one for one in before["cuda"]}
            for one in now["cuda"]:
                for name in ("allocated_peak", "reserved_peak"):
                    one[name] = max(one[name], peaks.get(one["device"], one)[name])
        self._phases[self._phase] = now


def _most(one: int | None, other: int | None) -> int | None:
    return max((size for size in (one, other) if size is not None), default=None)


def _devices() -> list[int]:
    """GPUs on which something was allocated."""
    cuda: Any = torch.cuda
    if not cuda.is_initialized():
        return []
    return [device for device in range(cuda.device_count()) if cuda.max_memory_reserved(device)]


def _level() -> Line:
    return {
        "rss": resident(),
        "heap": _in_use(),
        "cuda": [[device, torch.cuda.memory_allocated(device)] for device in _devices()],
    }


def _figures() -> Line:
    return {"rss": resident(), "rss_peak": status_bytes("VmHWM") or _peak(), "cuda": [*map(_on, _devices())]}


def _on(device: int) -> Line:
    stats = torch.cuda.memory_stats(device)
    return {
        "device": device,
        "allocated": torch.cuda.memory_allocated(device),
        "reserved": torch.cuda.memory_reserved(device),
        "allocated_peak": torch.cuda.max_memory_allocated(device),
        "reserved_peak": torch.cuda.max_memory_reserved(device),
        "split": int(stats.get("inactive_split_bytes.all.current", 0)),
        "retries": int(stats.get("num_alloc_retries", 0)),
    }


class _Mallinfo(ctypes.Structure):
    """struct mallinfo2 of glibc."""

    _fields_: ClassVar[Any] = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _find_mallinfo() -> Any:
    try:
        found = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError, TypeError):
        return None
    found.restype = _Mallinfo
    return found


_mallinfo = _find_mallinfo()


def _in_use() -> int | None:
    """Bytes that the process has asked for and not given back: what it holds grows without a leak, in pieces."""
    if _mallinfo is None:
        return None
    found = _mallinfo()
    return int(found.uordblks + found.hblkhd)


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _reset_peaks() -> bool:
    """Count the next phase again. Whether the process's own peak can be."""
    for device in _devices():
        torch.cuda.reset_peak_memory_stats(device)
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True
