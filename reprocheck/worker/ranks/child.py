"""In a Python that a run started, before its first import of torch: register, and become a rank where it is one.

A process that multiprocessing started says so in the folder of the run, and again when it trains; what it gives back is
seen where the run uses it. Whatever started it, a process is a rank when a launcher made it one (torchrun), or once it
has joined a process group. So is the one process that `accelerate launch` starts. An elastic agent, a worker of a
DataLoader and a child of a rank are none.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from reprocheck.protocol.child_marks import CHILDREN_FILE, FOLLOWED, mark
from reprocheck.protocol.rank_folders import FOLDER_VARIABLE, RANK_VARIABLE, rank_by_launcher
from reprocheck.worker.bootstrap import compiler_stub
from reprocheck.worker.bootstrap.importing import after_import, before_import
from reprocheck.worker.ranks.groups import GROUPS, watch_groups
from reprocheck.worker.ranks.hash_seeds import watch_starts
from reprocheck.worker.ranks.seeders import watch_seeds

_STARTED = ("--multiprocessing-fork", "multiprocessing.forkserver", "loky.backend")
"""What stands in the command lines of what multiprocessing and its like start."""


def enter() -> None:
    """Called once, early."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    if any(word in argument for argument in sys.orig_argv for word in _STARTED):
        _register(folder)
    else:
        rank = rank_by_launcher(os.environ)
        if rank is not None and _is_none_of_a_rank():
            from reprocheck.worker.ranks.begin import begin_by_launcher

            begin_by_launcher(folder, rank)
    from reprocheck.worker.observe.children import LAUNCHER, give_port

    before_import(LAUNCHER, give_port)
    watch_starts(folder)
    after_import("torch", watch_seeds)
    after_import(GROUPS, functools.partial(watch_groups, folder))


def _register(folder: Path) -> None:
    from reprocheck.worker.observe import children

    mark(str(folder / CHILDREN_FILE), os.getpid(), FOLLOWED)
    watcher = children.Children(folder, is_child=True)
    after_import("torch", compiler_stub.install)
    after_import("torch", lambda: children.watch_torch(watcher))


def _is_none_of_a_rank() -> bool:
    """Its environment names no process that is a rank already, but this one (which became another program)."""
    return os.environ.get(RANK_VARIABLE, f"{os.getpid()}:").startswith(f"{os.getpid()}:")
