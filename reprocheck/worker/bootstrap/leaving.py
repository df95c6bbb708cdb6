"""The ways out of a process that Python's own end never sees: `os._exit`, and another program in its place.

A script that starts itself again (to pin its hash seed, say) is still the target: its run begins again.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from reprocheck.model import RunSpec, TargetKind
from reprocheck.protocol.package import WORKER_FILE

_threads = threading.enumerate
_SCRIPTS = (TargetKind.SCRIPT, TargetKind.MODULE)
_WORKER = str(WORKER_FILE)


def watch_exits(
    spec: RunSpec, is_ours: Callable[[], bool], ended: Callable[[int, str], None], starts_again: Callable[[], None]
) -> None:
    """Call `ended` (exit status, error) right before this process ends or becomes another program, `starts_again`
    before it becomes another run of the same script.

    Only for scripts: a function that never comes back has not ended well. `is_ours` distinguishes this process from its
    forked children.
    """
    if spec.target.kind not in _SCRIPTS:
        return
    watch_exit(is_ours, ended)
    originals = {name: getattr(os, name) for name in ("execv", "execve")}

    def replace(name: str, path: Any, args: Sequence[Any], *env: Any) -> None:
        if is_ours():
            restarted = _restarted(spec, path, args)
            if restarted is None and _can_run(path):
                ended(1, f"it became another program ({os.path.basename(os.fsdecode(path))})")
            if restarted is not None:
                starts_again()
            args = restarted or args
        originals[name](path, args, *env)

    def execv(path: Any, argv: Sequence[Any]) -> None:
        replace("execv", path, argv)

    def execve(path: Any, argv: Sequence[Any], env: Any) -> None:
        replace("execve", path, argv, env)

    for ours in (execv, execve):
        _put(ours, originals[ours.__name__])
    os.supports_fd.add(execve)


def watch_exit(is_ours: Callable[[], bool], ended: Callable[[int, str], None]) -> None:
    """Call `ended` (exit status, error) right before `os._exit` ends this process."""
    original: Callable[[int], NoReturn] = os._exit

    def _exit(status: int) -> None:
        if is_ours():
            ended(status, f"exited with status {status}")
        original(status)

    _put(_exit, original)


def _put(ours: Any, original: Callable[..., Any]) -> None:
    """In the place of a function of `os`. It can be pickled: a child takes its own original by this name."""
    ours.__module__, ours.__qualname__ = "os", ours.__name__
    ours.__doc__ = original.__doc__
    setattr(os, ours.__name__, ours)


def command_line(spec: RunSpec) -> list[str]:
    """The arguments after `python` that would start the target."""
    argv = [argument.replace("{seed}", str(spec.seed)) for argument in spec.target.argv]
    head = ["-m", str(spec.target.module)] if spec.target.kind is TargetKind.MODULE else [spec.target.text]
    return [*head, *argv]


def _restarted(spec: RunSpec, path: Any, args: Sequence[Any]) -> list[str] | None:
    """The command line that starts this run again, where `args` start its target again; else None."""
    if isinstance(path, int) or not os.path.basename(os.fsdecode(path)).startswith("python"):
        return None
    command = [os.fsdecode(word) for word in args]
    own = command_line(spec)
    at = len(command) - len(own)
    flags = command[1:at]
    if at < 1 or command[at + 1 :] != own[1:] or any(not flag.startswith("-") for flag in flags):
        return None
    if spec.target.kind is TargetKind.MODULE:
        same = command[at] == own[0]
    else:
        same = os.path.realpath(command[at]) == os.path.realpath(str(spec.target.path))
    return [*command[:at], _WORKER, str(spec.directory)] if same else None


def _can_run(path: Any) -> bool:
    """Whether the call will work: `execvp` tries one folder after the other."""
    return isinstance(path, int) or (os.path.isfile(path) and os.access(path, os.X_OK))


def show_command_line(spec: RunSpec) -> None:
    """`sys.orig_argv` as plain Python would have it: scripts start themselves again with it."""
    if spec.target.kind in _SCRIPTS:
        sys.orig_argv[1:] = command_line(spec)


def join_threads(timeout: float | None = None) -> bool:
    """Wait for the target's threads, as the interpreter does before it ends: they may still be training.

    With a timeout, so many seconds at most. Whether all have ended.
    """
    until = None if timeout is None else time.monotonic() + timeout
    for thread in _threads():
        # Idle threads of a pool wait for a signal that the interpreter ends.
        is_pooled = getattr(getattr(thread, "_target", None), "__module__", "") == "concurrent.futures.thread"
        if thread is not threading.current_thread() and not thread.daemon and not is_pooled:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
            if thread.is_alive():
                return False
    return True
