"""Threads of a traced run: each has a stream of its own, named so that scheduling does not matter.

The main thread is `0`; the third thread that it starts is `0.2`. A task of an executor is a stream, too (`0.t5`: the
sixth that the main thread submitted), for which worker takes it depends on scheduling. A backward on a GPU runs in a
thread of autograd's engine while the one that asked for it waits: `0.a1` is that of cuda:1 at work for the main thread.
What cannot be named like this gets a name with `?` in it, and readers claim nothing of its order.
"""

from __future__ import annotations

import concurrent.futures.thread
import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

MAIN = "0"
UNSURE = "?"
FOREIGN = f"{UNSURE}foreign"
"""Threads that Python did not start."""
MOST_STREAMS = 2000
"""Later ones share a name that says so."""

_next_sequence: Callable[[], int] = torch._C._autograd._get_sequence_nr


class Stream:
    """One thread, or one task of a pool, as the trace sees it."""

    def __init__(self, name: str, owner: Stream | None = None) -> None:
        self.name = name
        self.owner = owner
        """Of a thread of autograd's engine: the one that it works for."""
        self.is_foreign = name == FOREIGN or owner is not None
        self.backwards = 0
        """Backward passes that it waits for."""
        self.children = itertools.count()
        self.tasks = itertools.count()
        self.sequence = _next_sequence()
        """The autograd sequence number that came next when the last operation was seen."""
        self.made: dict[int, tuple[int, int]] = {}
        """Sequence number of a node of the autograd graph → site and module of the operation that made it."""
        self.modules: list[int] = []
        self.names: Mapping[int, str] = {}
        """Of the modules in the model that is being called, by their identity."""
        self.optimizers = 0
        """Optimizer steps that are under way."""


class Streams(threading.local):
    """The stream of the current thread, at `here`."""

    def __init__(self) -> None:
        # NOTE: not current_thread(): as long as a thread is only starting, that would make a dummy one.
        ident = threading.get_ident()
        is_main = ident == threading.main_thread().ident
        self.here = Stream(MAIN if is_main else _running.get(ident, FOREIGN))


_running: dict[int, str] = {}
"""Names of the threads that run, by their identifier."""
_names: weakref.WeakKeyDictionary[threading.Thread, str] = weakref.WeakKeyDictionary()
_count = itertools.count()


def _name_for(parent: str, mark: str, number: int) -> str:
    return f"{parent}.{mark}{number}" if next(_count) < MOST_STREAMS else UNSURE


def watch_threads(streams: Streams, enter: Callable[[], None], leave: Callable[[], None]) -> None:
    """Name the threads and tasks of executors that start from now on; call `enter` and `leave` within threads."""
    thread_class: Any = threading.Thread
    thread_class.start = _named_start(thread_class.start, streams)
    thread_class._bootstrap_inner = _entered(thread_class._bootstrap_inner, enter, leave)
    item: Any = getattr(concurrent.futures.thread, "_WorkItem", None)
    if item is not None:
        item.__init__ = _named_task(item.__init__, streams)
        item.run = _own_stream(item.run, streams)


def _named_start(start: Callable[..., Any], streams: Streams) -> Callable[..., Any]:
    @functools.wraps(start)
    def named_start(thread: threading.Thread) -> Any:
        here = streams.here
        _names[thread] = _name_for(here.name, "", next(here.children))
        return start(thread)

    return named_start


def _entered(run: Callable[..., Any], enter: Callable[[], None], leave: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(run)
    def entered(thread: threading.Thread) -> Any:
        _running[threading.get_ident()] = _names.get(thread, UNSURE)
        enter()
        try:
            return run(thread)
        finally:
            leave()
            _running.pop(threading.get_ident(), None)

    return entered


def _named_task(make: Callable[..., Any], streams: Streams) -> Callable[..., Any]:
    @functools.wraps(make)
    def named_task(item: Any, *args: Any, **kwargs: Any) -> None:
        make(item, *args, **kwargs)
        here = streams.here
        item.trace_name = _name_for(here.name, "t", next(here.tasks))

    return named_task


def _own_stream(run: Callable[..., Any], streams: Streams) -> Callable[..., Any]:
    @functools.wraps(run)
    def own_stream(item: Any, *args: Any, **kwargs: Any) -> Any:
        with _stream(streams, getattr(item, "trace_name", UNSURE)):
            return run(item, *args, **kwargs)

    return own_stream


@contextmanager
def _stream(streams: Streams, name: str) -> Iterator[None]:
    before, streams.here = streams.here, Stream(name)
    try:
        yield
    finally:
        streams.here = before
