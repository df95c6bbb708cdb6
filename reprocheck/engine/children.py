"""Programs that a run starts and nobody observes: found while it runs, and marked when they have torch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reprocheck.protocol.child_marks import CHILDREN_FILE, MAPPED, mark, rank_in
from reprocheck.protocol.package import WORKER_FILE

LOOK_SECONDS = 0.1
"""Between two looks: an import of torch takes longer."""
_FORK_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC in the flags of /proc/PID/stat."""
_HELPERS = (
    *(b"torch/_inductor/", b"multiprocessing.forkserver", b"multiprocessing.resource_tracker", b"collect_env"),
    *(b"torch.distributed.run", b"torch.distributed.launch", b"/torchrun", b"accelerate.commands"),
    *(b"/accelerate\0launch", os.fsencode(WORKER_FILE)),
)
"""What stands in the command lines of processes that have torch and train nothing themselves."""


class ChildWatch:
    """Looks at the programs below a run, and marks those that have torch (Linux)."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self._path = str(folder / CHILDREN_FILE)
        self._known: set[int] = set()
        self._looked = 0.0

    def look(self) -> None:
        """Asked again and again, often."""
        now = time.monotonic()
        if now < self._looked + LOOK_SECONDS or not sys.platform.startswith("linux"):
            return
        self._looked = now
        for pid in _below(self._pid):
            if pid not in self._known:
                with suppress(OSError, ValueError, IndexError):
                    self._look_at(pid)

    def _look_at(self, pid: int) -> None:
        flags = int(_read(pid, "stat").rpartition(b")")[2].split()[6])
        if flags & _FORK_WITHOUT_EXEC:  # it registers itself
            return
        if b"libtorch" not in _read(pid, "maps"):
            return
        self._known.add(pid)
        command = _read(pid, "cmdline")
        if not any(word in command for word in _HELPERS):
            mark(self._path, pid, MAPPED, rank_in(_environment(pid)))


def _below(pid: int) -> Iterator[int]:
    """Everything below a process; children of all its threads."""
    todo = [pid]
    while todo:
        parent = todo.pop()
        found: list[int] = []
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                found += [int(child) for child in _read(parent, f"task/{thread}/children").split()]
        yield from found
        todo += found


def _environment(pid: int) -> dict[str, str]:
    pairs = (os.fsdecode(item).partition("=") for item in _read(pid, "environ").split(b"\0"))
    return {name: value for name, _, value in pairs}


def _read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()
