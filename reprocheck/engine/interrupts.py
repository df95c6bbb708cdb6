"""Ctrl-C, SIGTERM and SIGHUP in every phase of a command: what is under way is ended in order, and nothing is left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StopRequested(BaseException):
    """The user or the system asked us to stop. No `except Exception` swallows it, nor does the command line's own
    answer to Ctrl-C come first."""


class _State:
    """Of this process, once a command has begun."""

    installed = False
    deferring = 0
    asked = threading.Event()


def install() -> None:
    """From now on a signal ends the command by StopRequested. One that the caller ignores (nohup) stays ignored."""
    if _State.installed or threading.current_thread() is not threading.main_thread():
        return
    _State.installed = True
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def leave() -> None:
    """The command is over: nothing is left that a signal could end."""
    _State.deferring += 1


def _handle(number: int, frame: FrameType | None) -> None:
    first = not _State.asked.is_set()
    _State.asked.set()
    if first and not _State.deferring:  # a second one must not cut off the clearing up after the first
        raise StopRequested


@contextmanager
def deferred() -> Iterator[threading.Event]:
    """Within it no signal interrupts anything; the event is set by one. The caller of a library keeps its own handlers
    outside."""
    if _State.installed:
        _State.deferring += 1
        try:
            yield _State.asked
        finally:
            _State.deferring -= 1
        return
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: asked.set())
    try:
        yield asked
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def check() -> None:
    """Raise StopRequested if a signal came while signals were deferred."""
    if _State.installed and _State.asked.is_set():
        raise StopRequested
