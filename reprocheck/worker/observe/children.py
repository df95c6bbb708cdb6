"""Child processes of the target that use torch: each leaves marks in the folder of the run.

A forked child has the observer's patches, and says so itself when it calls a model or trains. One that multiprocessing
starts in a fresh interpreter unpickles an entry of ours first, which runs this very file by its path. Any other program
says nothing: the process that started the run looks at what is mapped into it (reprocheck.children).
"""

from __future__ import annotations

import functools
import json
import os
import runpy
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

CHILDREN_FILE = "children.jsonl"
FOLLOWED, CALLED, TRAINED, MAPPED = "followed", "called", "trained", "mapped"
"""Marks: a child that tells of itself; that called a model; that trained; a program that has torch."""
_MOST_READ = 1 << 20
_SPAWN = ("multiprocessing.spawn", "joblib.externals.loky.backend.spawn", "loky.backend.spawn")


def mark(path: str, pid: int, how: str) -> None:
    """One line, whole or not at all, through a file that nobody else has open."""
    with suppress(OSError):
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            os.write(number, json.dumps({"pid": pid, "how": how}).encode() + b"\n")
        finally:
            os.close(number)


class Children:
    """Heard of in every process of a run; `is_child`: this one was started by the target."""

    def __init__(self, folder: Path, *, is_child: bool = False) -> None:
        self._path = os.path.abspath(folder / CHILDREN_FILE)
        self._own = None if is_child else os.getpid()
        self._told: set[tuple[int, str]] = set()

    def used(self, how: str) -> None:
        """Torch is used here. In the run itself, and in workers of a DataLoader, that is seen otherwise."""
        pid = os.getpid()
        if pid == self._own or (pid, how) in self._told or _is_loader_worker():
            return
        self._told.add((pid, how))
        mark(self._path, pid, how)

    def have_trained(self) -> bool:
        """Whether a child of the run has told that it trains."""
        with suppress(OSError):
            number = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return f'"how": "{TRAINED}"'.encode() in os.read(number, _MOST_READ)
            finally:
                os.close(number)
        return False


def follow_children(folder: Path) -> None:
    """Children that multiprocessing starts from now on in fresh interpreters tell of themselves."""
    from reprocheck.worker.bootstrap.importing import after_import

    for name in _SPAWN:
        after_import(name, functools.partial(_prepare_children, name, os.path.abspath(folder)))


class _Follow:
    """Unpickles as a run of this file in the child."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return runpy.run_path, (os.path.abspath(__file__), {"RUN_FOLDER": self.folder}, "reprocheck_marks")


def _prepare_children(name: str, folder: str) -> None:
    module: Any = sys.modules[name]
    original: Callable[..., dict[str, Any]] = module.get_preparation_data

    @functools.wraps(original)
    def get_preparation_data(*args: Any, **kwargs: Any) -> Any:
        return {**original(*args, **kwargs), "reprocheck_marks": _Follow(folder)}

    module.get_preparation_data = get_preparation_data


def _is_loader_worker() -> bool:
    """What such a worker makes arrives in the batches."""
    module = sys.modules.get("torch.utils.data._utils.worker")
    return getattr(module, "_worker_info", None) is not None


def _install_in_child(folder: str) -> None:
    path = list(sys.path)
    try:
        sys.path.insert(0, os.path.abspath(os.path.join(__file__, *[os.pardir] * 4)))
        from reprocheck.worker.bootstrap.importing import after_import
        from reprocheck.worker.observe.observe import children
    finally:
        sys.path[:] = path
    children.mark(os.path.join(folder, CHILDREN_FILE), os.getpid(), FOLLOWED)
    watcher = children.Children(Path(folder), is_child=True)
    after_import("torch", lambda: children.watch_torch(watcher))
    children.follow_children(Path(folder))


def watch_torch(children: Children) -> None:
    """In a fresh interpreter: hear of backward passes and optimizer steps."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    def trains() -> None:
        if not torch.compiler.is_compiling():
            children.used(TRAINED)

    backward = torch.autograd.backward

    @functools.wraps(backward)
    def heard(*args: Any, **kwargs: Any) -> Any:
        trains()
        return backward(*args, **kwargs)

    torch.autograd.backward = heard
    register_optimizer_step_pre_hook(lambda *_: trains())


if __name__ == "reprocheck_marks":
    try:
        _install_in_child(globals()["RUN_FOLDER"])
    except Exception as error:  # a child that does not tell of itself is still the user's child
        print(f"reprocheck: this child is not followed: {error}", file=sys.stderr)
