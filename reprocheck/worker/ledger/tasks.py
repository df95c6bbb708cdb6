"""Tasks of process pools: constant answers begin anew with each, whichever process of the pool takes it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from reprocheck.worker.ledger.replacer import Replacer


class _Tasks:
    """The queue that a process of a pool takes its tasks from."""

    def __init__(self, queue: Any, begin: Callable[[], None]) -> None:
        self._queue = queue
        self._begin = begin

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """The next task."""
        task = self._queue.get(*args, **kwargs)
        self._begin()
        return task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def install(replacer: Replacer) -> None:
    """For the pools of multiprocessing and of concurrent.futures."""
    for module, name in (("multiprocessing.pool", "worker"), ("concurrent.futures.process", "_process_worker")):
        replacer.once_imported(module, functools.partial(_watch, replacer, name))


def _watch(replacer: Replacer, name: str, module: Any) -> None:
    original = getattr(module, name)

    def work(queue: Any, *args: Any, **kwargs: Any) -> Any:
        return original(_Tasks(queue, replacer.ledger.begin_task), *args, **kwargs)

    replacer.replace(module, name, work)
