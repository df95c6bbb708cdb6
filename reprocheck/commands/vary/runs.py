"""The runs of `reprocheck vary`: each is the control's with something changed, one after the other.

All work in a copy of the folder, made again at the same path: no path and no file of an earlier run distinguishes them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.commands.vary.model import Change
from reprocheck.commands.vary.variations.environment import HOME
from reprocheck.commands.vary.variations.ranks import with_ranks
from reprocheck.engine.session import Session
from reprocheck.engine.workdir import too_much
from reprocheck.evidence.run import Ran
from reprocheck.model import Instruments, Interventions, Location, Outcome, RunSpec, TraceWindow

PLAIN = Change()


class Runs:
    """Makes the runs of one question."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._planner = planner = session.planner
        self._work = planner.tmp / "work"
        self._folders = tuple(self._work / part / planner.cwd.name for part in ("folder", "elsewhere/another folder"))
        self.is_copied = not too_much(planner.cwd)
        self.count = 0
        """Runs made so far."""

    def run(
        self, name: str, changes: Sequence[Change] = (PLAIN,), seed: int | None = None, trace: TraceWindow | None = None
    ) -> Ran:
        """A run with all these changes. Raises UsageError where the target cannot be run at all, or Interrupted."""
        spec = self._spec(name, changes, seed, trace)
        if spec.copy_of is not None:
            shutil.rmtree(self._work, ignore_errors=True)
        (self._work / "tmp").mkdir(parents=True, exist_ok=True)
        (self._planner.tmp / "home").mkdir(exist_ok=True)
        (ran,) = self._session.run([spec])
        self.count += 1
        if isinstance(ran, Outcome):
            return replace(ran, reason=self._own(ran.reason), stderr_tail=self._own(ran.stderr_tail))
        return ran

    def place(self, location: Location) -> Location:
        """Where a line of a copy stands in the user's own folder."""
        for folder in self._folders:
            if Path(location.path).is_relative_to(folder):
                return replace(location, path=str(self._planner.cwd / Path(location.path).relative_to(folder)))
        return location

    def _own(self, text: str) -> str:
        for folder in self._folders:
            text = text.replace(str(folder), str(self._planner.cwd))
        return text

    def _spec(self, name: str, changes: Sequence[Change], seed: int | None, trace: TraceWindow | None) -> RunSpec:
        request = self._planner.request
        merged = merge(changes)
        environment = {
            variable: value.replace(HOME, str(self._planner.tmp / "home")) for variable, value in merged.environment
        }
        settings = replace(request.settings, **dict[str, Any](merged.settings))
        settings = replace(settings, env=(*settings.env, *environment.items()))
        ambient = replace(self._planner.ambient(0), **dict[str, Any](merged.ambient))
        spec = self._planner.spec(
            name,
            request.seeds[0] if seed is None else seed,
            0,
            ambient,
            settings=settings,
            instruments=Instruments(override_points=True, trace=trace),
            interventions=Interventions(**dict[str, Any](merged.overrides)),
            fresh=self.is_copied,
            work=self._folders[merged.elsewhere],
        )
        given = dict(spec.target.arguments) | dict(merged.arguments)
        words = None if merged.ranks is None else with_ranks(spec.target.module, spec.target.argv, merged.ranks)
        argv = spec.target.argv if words is None else words
        spec = replace(spec, target=replace(spec.target, arguments=tuple(given.items()), argv=argv))
        if merged.again:
            spec = replace(spec, copy_of=None)
        if not ambient.own_tmpdir and "TMPDIR" not in dict(settings.env):
            spec = replace(spec, environment={**spec.environment, "TMPDIR": str(self._work / "tmp")})
        return spec


def merge(changes: Sequence[Change]) -> Change:
    """All of them at once; of two that change the same thing the later one counts."""

    def of(field: str) -> tuple[tuple[str, Any], ...]:
        found: Mapping[str, Any] = dict(pair for change in changes for pair in getattr(change, field))
        return tuple(found.items())

    return Change(
        settings=of("settings"),
        environment=of("environment"),
        overrides=of("overrides"),
        ambient=of("ambient"),
        arguments=of("arguments"),
        ranks=next((change.ranks for change in reversed(changes) if change.ranks is not None), None),
        elsewhere=any(change.elsewhere for change in changes),
        again=any(change.again for change in changes),
    )
