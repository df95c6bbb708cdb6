"""The parent of a run: it ends with the run whatever that started, and ends the run when nobody waits for it any more.

Children of a run that hide (a session and an environment of their own, a parent that has gone) become children of
this process (Linux: it is a subreaper), so none can get away. When the process that started it dies, even by SIGKILL,
the run ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

from reprocheck.protocol import GRACE_SECONDS

LAST_SECONDS = 5.0
"""For the end of everything that was killed."""
LOOK_SECONDS = 1.0
"""Between two looks at whether the parent still lives, where no signal reports its end."""
_ROUND_SECONDS = 0.01
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def supervise(parent: int) -> None:
    """Fork. Returns in the child, which is the run; the caller's process looks after it and ends as the run did.

    `parent`: the process that waits for the run.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    try:
        run = os.fork()
    except OSError:  # no room for one more process: the run goes on without
        return
    if run:
        _look_after(run, parent)
    with suppress(OSError):
        os.setsid()
    end_with_parent(own, signal.SIGKILL)


def end_with_parent(parent: int, number: signal.Signals) -> None:
    """Get a signal when the parent dies (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before
        os.kill(os.getpid(), number)


def _look_after(run: int, parent: int) -> None:
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, {*awaited, signal.SIGINT, signal.SIGHUP})
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    while (status := _reap(run)) is None and os.getppid() == parent:
        if _next_signal(awaited, LOOK_SECONDS) == signal.SIGTERM:
            break
    if status is None:
        _signal_group(run, signal.SIGTERM)
        _signal_group(run, signal.SIGCONT)
        until = time.monotonic() + GRACE_SECONDS
        while (status := _reap(run)) is None and time.monotonic() < until:
            _next_signal({signal.SIGCHLD}, _ROUND_SECONDS)
    _end_all(run)
    _end_like(status)


def _next_signal(numbers: set[signal.Signals], seconds: float) -> int:
    if not hasattr(signal, "sigtimedwait"):  # macOS
        time.sleep(min(seconds, 0.05))
        pending = signal.sigpending() & {signal.SIGTERM} & numbers
        return signal.SIGTERM if pending else 0
    info = signal.sigtimedwait(numbers, seconds)
    return 0 if info is None else info.si_signo


def _reap(run: int) -> int | None:
    """Let everything go that has ended. How the run did; None while it runs."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == run:
                status = ended[1]
    return status


def _end_all(run: int) -> None:
    """Kill what is left of the run; what its parents leave behind comes to this process."""
    _signal_group(run, signal.SIGKILL)
    until = time.monotonic() + LAST_SECONDS
    rounds = 0
    while time.monotonic() < until:
        below = _descendants()
        for number in [signal.SIGSTOP] * (rounds > 2) + [signal.SIGKILL]:  # what forks faster than it is killed
            for pid in below:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_ROUND_SECONDS)
        rounds += 1


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _descendants() -> list[int]:
    """Everything below this process (Linux), children before theirs."""
    if not sys.platform.startswith("linux"):
        return []
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as file:
                children.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(entry))
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _end_like(status: int | None) -> None:
    code = 1 if status is None else os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the run has dumped its own
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
        code = 128 - code
    os._exit(code)


def _prctl(option: int, value: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
