"""How a run ended: by what its evidence says, whatever its exit status is."""

from __future__ import annotations

import shutil
import signal

from reprocheck.evidence.out_of_memory import reason as why_out_of_memory
from reprocheck.evidence.records import out_of_memory
from reprocheck.evidence.run import read_end, read_tail
from reprocheck.evidence.silent import told_of_failure
from reprocheck.model import Outcome, RunSpec, Status
from reprocheck.protocol import STDERR_FILE, STDOUT_FILE
from reprocheck.protocol.rank_folders import all_stopped

DISK_FULL = 1 << 16
"""Free bytes below which a lost run is put down to the disk."""


def conclude(spec: RunSpec, code: int, seconds: float, *, is_over: bool = False) -> Outcome:
    """A run succeeded when its evidence is complete, whatever its exit status says. `is_over`: all its ranks came to
    their ends, and it was ended for that."""
    end = read_end(spec.directory)
    status, reason, usage, memory = Status.LOST, "", False, None
    if (end is None or end["status"] == "failed") and (is_over or (spec.is_cut and all_stopped(spec.directory))):
        status = Status.COMPLETED  # without what its ranks do later, it fails or waits for it
    elif end is None:
        ended = f"ended by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
        reason = f"{ended} without closing its evidence"
        reason += _why_no_end(spec)
    elif end["status"] == "unusable":
        status, reason, usage = Status.FAILED, str(end["error"]), True
    elif end["status"] == "failed":
        status, reason = Status.FAILED, str(end["error"])
        memory = out_of_memory(end)
        reason = reason if memory is None else why_out_of_memory(memory)
    else:
        status = Status.COMPLETED
        if code < 0:
            reason = f"ended by {_signal_name(-code)} after its last observation"
    if status is not Status.COMPLETED and not usage and memory is None:
        of_ranks = told_of_failure(spec.directory, stderr_tail(spec))
        reason = f"{of_ranks}; {reason}" if of_ranks else reason
    return Outcome(
        spec=spec,
        status=status,
        reason=reason,
        stderr_tail=stderr_tail(spec),
        seconds=seconds,
        usage=usage,
        out_of_memory=memory,
    )


def _why_no_end(spec: RunSpec) -> str:
    try:
        if shutil.disk_usage(spec.directory).free < DISK_FULL:
            return f": the disk that holds {spec.directory.parent} is full"
    except OSError as error:
        return f": {spec.directory} cannot be read ({error.strerror or error})"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def stderr_tail(spec: RunSpec) -> str:
    """The end of what it said of errors, or else of what it printed."""
    return read_tail(spec.directory / STDERR_FILE) or read_tail(spec.directory / STDOUT_FILE)
