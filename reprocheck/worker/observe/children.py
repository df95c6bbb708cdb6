"""Child processes of the target that use torch: each leaves marks in the folder of the run.

A forked child has the observer's patches, and says so itself when it calls a model or trains. Every Python that is
started in a fresh interpreter comes by an entry of ours (`worker/ranks/`), where it becomes a rank or, started by
multiprocessing, says that it is followed. Any other program says nothing: the process that started the run looks at
what is mapped into it (reprocheck.engine.children).
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprocheck.protocol.child_marks import (
    AGAIN,
    CHILDREN_FILE,
    LATE,
    LATE_FILE,
    STARTED,
    TRAINED,
    WROTE,
    mark,
    rank_in,
)
from reprocheck.protocol.package import PACKAGE_FOLDER
from reprocheck.protocol.rank_folders import FOLDER_VARIABLE
from reprocheck.worker.bootstrap.importing import after_import, before_import
from reprocheck.worker.ranks.groups import GROUPS, watch_groups
from reprocheck.worker.ranks.hash_seeds import watch_starts
from reprocheck.worker.ranks.seeders import watch_seeds

_ENTRY = os.path.join(PACKAGE_FOLDER, "worker", "ranks", "entry")
_MOST_READ = 1 << 20
LAUNCHER = "torch.distributed.launcher.api"
_PORT = "PET_MASTER_PORT"
"""Where torchrun takes `--master-port` from."""


class Children:
    """Heard of in every process of a run; `is_child`: this one was started by the target."""

    def __init__(self, folder: Path, *, is_child: bool = False) -> None:
        self._path = os.path.abspath(folder / CHILDREN_FILE)
        self._own = None if is_child else os.getpid()
        self._reported: set[tuple[int, str]] = set()
        self._programs = 0
        self.is_over = False
        """The run itself has reached its end, and its evidence is closed."""

    def used(self, how: str) -> None:
        """Torch is used here. In the run itself, and in workers of a DataLoader, that is seen otherwise.

        The run itself comes here only when its evidence is closed.
        """
        pid = os.getpid()
        if pid == self._own:
            if how != TRAINED or not self.is_over:
                return
            how = LATE
        if (pid, how) in self._reported or _is_loader_worker():
            return
        self._reported.add((pid, how))
        mark(self._path, pid, how, _rank())

    def wrote(self) -> None:
        """A file outside of the folder was opened for writing."""
        if os.getpid() != self._own:
            self.used(WROTE)

    def wrote_late(self) -> None:
        """The run itself opened one when its evidence was closed."""
        if self.is_over and os.getpid() == self._own and (self._own, LATE_FILE) not in self._reported:
            self._reported.add((self._own, LATE_FILE))
            mark(self._path, self._own, LATE_FILE)

    def started(self) -> None:
        """The target starts a Python program."""
        self._programs += 1
        own = os.getpid()
        mark(self._path, own if own != self._own else -self._programs, STARTED)  # its number is not known yet

    def starts_again(self) -> None:
        """The run trained, and becomes another run of the same script."""
        mark(self._path, os.getpid(), AGAIN)

    def have_trained(self) -> bool:
        """Whether a child of the run has registered that it trains."""
        with suppress(OSError):
            number = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return f'"how": "{TRAINED}"'.encode() in os.read(number, _MOST_READ)
            finally:
                os.close(number)
        return False


def follow_children(folder: Path) -> None:
    """Every Python that this process starts from now on, and what that starts, comes by the entry of ours."""
    path = os.environ.get("PYTHONPATH")
    if path is None or path.split(os.pathsep)[0] != _ENTRY:
        os.environ["PYTHONPATH"] = _ENTRY if not path else _ENTRY + os.pathsep + path
    os.environ[FOLDER_VARIABLE] = os.path.abspath(folder)
    before_import(LAUNCHER, give_port)
    watch_starts(folder)
    os.register_at_fork(after_in_child=lambda: after_import("torch", watch_seeds))
    own = os.getpid()
    after_import(GROUPS, lambda: watch_groups(folder, lambda: os.getpid() == own))


def give_port() -> None:
    """Before torchrun looks at its arguments: where they name no port it takes one of the run's own, and not the same
    in runs side by side."""
    if _PORT not in os.environ:
        with suppress(OSError), socket.socket() as listening:
            listening.bind(("", 0))
            os.environ[_PORT] = str(listening.getsockname()[1])


def _rank() -> int | None:
    """Of a distributed training, once it has begun here."""
    distributed: Any = sys.modules.get("torch.distributed")
    with suppress(Exception):
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    return rank_in(os.environ)


def _is_loader_worker() -> bool:
    """What such a worker makes arrives in the batches."""
    module = sys.modules.get("torch.utils.data._utils.worker")
    return getattr(module, "_worker_info", None) is not None


def watch_torch(children: Children) -> None:
    """In a fresh interpreter: count backward passes and optimizer steps."""
    import torch
    from torch.compiler import is_compiling
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    def trains() -> None:
        if not is_compiling():
            children.used(TRAINED)

    backward = torch.autograd.backward

    @functools.wraps(backward)
    def counted_backward(*args: Any, **kwargs: Any) -> Any:
        trains()
        return backward(*args, **kwargs)

    torch.autograd.backward = counted_backward
    register_optimizer_step_pre_hook(lambda *_: trains())
