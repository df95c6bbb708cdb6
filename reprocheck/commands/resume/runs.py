"""The runs of `reprocheck resume`: A goes through; B is ended on the way and started again where it was.

All work at the same path, one after the other, so that no path distinguishes them: A in a copy of the folder, B in a
fresh copy. Every environment factor is equal.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reprocheck.commands.resume.compare import Ran
from reprocheck.commands.resume.history import histories
from reprocheck.commands.resume.model import ResumeOrder
from reprocheck.engine.session import Session
from reprocheck.engine.workdir import LEFT_OUT
from reprocheck.evidence.run import load_evidence
from reprocheck.model import Cut, EnvironmentFactors, Instruments, Interventions, Outcome, RunSpec, Status, as_rank
from reprocheck.model.run_spec import UNCHANGED

MORE_STEPS = 20
"""That a run may take after SIGTERM before it is killed."""


class Runs:
    """Makes the runs of one question."""

    def __init__(self, session: Session, order: ResumeOrder) -> None:
        self._session = session
        self._planner = planner = session.planner
        self._order = order
        self._work = planner.tmp / "work"
        self._folder = self._work / "folder" / planner.cwd.name
        self._temporary = self._work / "tmp"
        self._before: Mapping[str, tuple[int, int]] = {}
        """The files of the user right before they were copied."""

    def through(self, name: str = "through") -> Outcome:
        """A run that nobody stops, in a fresh copy."""
        return self._run(self._spec(name))

    def cut(self, at: int, left: int) -> Outcome:
        """A run in a fresh copy that is ended after `at` optimizer steps, when `left` are left."""
        steps = max(1, min(MORE_STEPS, left // 2))
        cut = Cut(after=at, kill=self._order.kill, grace=self._order.grace, steps=steps)
        return self._run(self._spec("cut", Interventions(cut=cut)))

    def resumed(self) -> Outcome:
        """The same command again, where the last run was ended."""
        spec = self._spec("resumed")
        target = spec.target
        given = dict(target.arguments) | dict(self._order.arguments)
        target = replace(target, argv=(*target.argv, *self._order.extra_argv), arguments=tuple(given.items()))
        return self._run(replace(spec, target=target, copy_of=None))

    def files(self) -> tuple[tuple[str, int], ...]:
        """What runs have written since the folder was copied: path, bytes; the newest first."""
        before, now = self._before, _walk(self._planner.cwd)
        found = {
            name: seen
            for name, seen in _walk(self._folder).items()
            if not _was_there(seen, before.get(name), now.get(name))
        }
        found |= {f"TMPDIR/{name}": seen for name, seen in _walk(self._temporary).items()}
        newest = sorted(found.items(), key=lambda entry: (-entry[1][1], entry[0]))
        return tuple((name, size) for name, (size, _) in newest)

    def _spec(self, name: str, interventions: Interventions = UNCHANGED) -> RunSpec:
        ambient = EnvironmentFactors(hash_seed=self._planner.ambient(0).hash_seed)
        seed = self._order.request.seeds[0]
        spec = self._planner.spec(
            name,
            seed,
            0,
            ambient,
            instruments=Instruments(states=True),
            interventions=interventions,
            fresh=True,
            work=self._folder,
        )
        return replace(spec, environment={**spec.environment, "TMPDIR": str(self._temporary)})

    def _run(self, spec: RunSpec) -> Outcome:
        if spec.copy_of is not None:
            self._before = _walk(self._planner.cwd)
            shutil.rmtree(self._work, ignore_errors=True)
            self._temporary.mkdir(parents=True)
        (outcome,) = self._session.launch([spec])
        return outcome


def read_whole(outcome: Outcome) -> Ran:
    """Evidence and states of a run that went to its end: of its process, or of its lowest rank. Raises
    EvidenceUnreadable."""
    return next(iter(read_ranks(outcome).values()))


def read_ranks(outcome: Outcome) -> dict[int | None, Ran]:
    """The same of the process of the run (None) and of every rank, where they took steps."""
    evidence = load_evidence(outcome)
    found = histories(outcome.spec.directory)
    return {rank: Ran(evidence=as_rank(evidence, rank), history=history) for rank, history in found.items()}


def is_whole(outcome: Outcome) -> bool:
    """Whether it has complete evidence."""
    return outcome.status is Status.COMPLETED


def _was_there(seen: tuple[int, int], before: tuple[int, int] | None, now: tuple[int, int] | None) -> bool:
    """Whether a file of the copy was copied as it is: from before the run, or from while a shell wrote to it."""
    if seen in (before, now):
        return True
    if now is None or before == now:
        return False
    return seen[0] <= now[0] and (before is None or before[1] <= seen[1]) and seen[1] <= now[1]


def _walk(root: Path) -> Mapping[str, tuple[int, int]]:
    """Size and time of every file below a folder, by relative path."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in files:
            path = os.path.join(folder, name)
            try:
                seen = os.lstat(path)
            except OSError:
                continue
            found[os.path.relpath(path, root)] = (seen.st_size, seen.st_mtime_ns)
    return found
