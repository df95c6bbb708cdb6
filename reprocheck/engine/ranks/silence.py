"""Ranks that do nothing any more: nobody can tell a long wait from an endless one, so time decides, and what the ranks
say when they are asked."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

from reprocheck.engine.processes import has_ended
from reprocheck.evidence.silent import Standing, standings, told
from reprocheck.protocol.rank_folders import RANKS_FOLDER, all_over
from reprocheck.protocol.rank_places import PLACE_FILE, ask, folders_asked, listens

LOOK_SECONDS = 1.0
IDLE = 0.05
"""Part of one processor that all processes of a run use together while none of them does anything."""
SILENT_SECONDS = 120.0
"""So long all ranks of a run may do nothing."""
GONE_SECONDS = 15.0
"""The same where one of them has ended."""
ANSWER_SECONDS = 2.0


class Silence:
    """Looks whether the ranks of a run still do something. Asked again and again."""

    def __init__(self, pid: int, run: Path, folder: Path) -> None:
        """`folder`: of the target."""
        self._pid = pid
        self._run = run
        self._folder = folder
        self._looked = time.monotonic()
        self._used: dict[int, float] = {}
        self._since: float | None = None

    def look(self) -> str | None:
        """Why the run need not go on; None while it may. Empty: all ranks are over."""
        now = time.monotonic()
        passed = now - self._looked
        if passed < LOOK_SECONDS:
            return None
        self._looked = now
        if not (self._run / RANKS_FOLDER).is_dir():
            return None
        used = _processor_seconds(self._pid)
        grown = sum(seconds - self._used.get(pid, 0.0) for pid, seconds in used.items())
        self._used = used
        if grown > IDLE * passed:
            self._since = None
            return None
        self._since = self._since or now
        idle = now - self._since
        if idle < min(GONE_SECONDS, SILENT_SECONDS):
            return None
        if all_over(self._run):
            return ""
        if idle < SILENT_SECONDS and not any(one.gone and not one.closed for one in self._standings()):
            return None
        return self.told()

    def told(self) -> str:
        """What the ranks say of where they are; empty where there are none."""
        asked = [folder for folder in folders_asked(self._run) if listens(folder)]
        for folder in asked:
            ask(folder)
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until and not all((folder / PLACE_FILE).exists() for folder in asked):
            time.sleep(0.05)
        found = self._standings()
        return told(found, self._folder) if found else ""

    def _standings(self) -> list[Standing]:
        return standings(self._run, has_ended)


def _processor_seconds(pid: int) -> dict[int, float]:
    """Of a process and all below it."""
    found = {}
    with suppress(psutil.Error):
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                found[one.pid] = times.user + times.system
    return found
