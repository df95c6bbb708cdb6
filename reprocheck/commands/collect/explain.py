"""Why planned runs differ, or what those that agree depend on: further runs, made here. They are of use only if this
machine is of the numerical class on which the runs were made; what is not explained here says where it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck.commands.run.explained import Explained, why_different, why_equal
from reprocheck.commands.run.manifest import make_manifest
from reprocheck.compare.baseline.numerical import class_differences, class_name
from reprocheck.engine.launch import launch
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress, SilentProgress
from reprocheck.engine.templates import Templates
from reprocheck.evidence.run import read_run
from reprocheck.model import Divergence, Evidence, NotCompared, Outcome, SelfSeeding
from reprocheck.model.plan import PlannedRun
from reprocheck.protocol.plain_json import plain
from reprocheck.report.wording import shown_path

MOST_STEPS_HELD = 2_000_000
"""Optimizer steps of all runs whose evidence is held for an explanation: seeds beyond that are judged alone."""
_MOST_FACTS = 3


@dataclass(frozen=True, slots=True)
class Class:
    """The numerical class of the runs that are explained."""

    name: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What an explanation begins with."""

    of_class: Class
    divergence: Divergence | None
    """Of the first seed that differs."""
    runs: tuple[PlannedRun, ...]
    """The two that differ; else the first and the last run of each seed, in turn."""
    equal: tuple[tuple[int, int], ...]
    """Pairs of seeds that agree."""


def _nothing(judged: Judged) -> str:
    return ""


Reload = Callable[[Sequence[PlannedRun]], list[Evidence]]
Explain = Callable[[Judged, Reload], Explained]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Makes the further runs."""

    planner: Planner
    progress: Progress
    folder: Path
    """Of the plan, as a person names it."""
    made_here: bool = False
    """All runs were made on this machine: its class is theirs."""
    why_not: Callable[[Judged], str] = _nothing
    """Why it cannot be done here; empty where it can."""

    def __call__(self, judged: Judged, reload: Reload) -> Explained:
        """Raises Interrupted."""
        why_not = self.why_not(judged) or ("" if self.made_here else self._of_another_class(judged))
        evidence = [] if why_not else reload(judged.runs)
        if len(evidence) < len(judged.runs):
            return self._not_explained(why_not or "the evidence of a run can no longer be read", judged)
        with Templates(self.planner.request.isolation) as templates:
            if judged.divergence is not None:
                first, other = evidence
                return why_different(self.planner, self.progress, templates, first, other, judged.divergence)
            return why_equal(self.planner, self.progress, templates, evidence[::2], evidence[1::2], judged.equal)

    def _of_another_class(self, judged: Judged) -> str:
        """A short run here tells the class of this machine, as the target finds it."""
        planner = self.planner
        settings = replace(planner.request.settings, max_steps=1)
        spec = planner.spec("class", judged.runs[0].seed, 0, planner.ambient(0), settings=settings)
        self.progress.stage("of which numerical class is this machine?")
        ran = read_run(launch([spec], 1, SilentProgress())[0])
        if isinstance(ran, Outcome):
            return f"a run on this machine {ran.reason or ran.status.value}"
        own = plain(make_manifest(planner.request.target, Path.cwd(), ran.manifest)["numerical_class"])
        other = class_differences(judged.of_class.facts, own)
        if not other:
            return ""
        facts = "; ".join(f"{name} {here[:60]}, not {there[:60]}" for name, there, here in other[:_MOST_FACTS])
        return f"this machine is of another one: {facts}"

    def _not_explained(self, why: str, judged: Judged) -> Explained:
        """What is missing, and where it can be had."""
        one = judged.of_class
        made = f"the runs were made on numerical class {one.name} ({class_name(one.facts)})"
        where = f"`reprocheck collect {shown_path(self.folder)} --explain` on a machine of class {one.name}"
        if judged.divergence is None:
            return Explained(self_seeding=SelfSeeding(seeds_itself=None, reason=f"{made}; {why}; it takes {where}"))
        reason = f"not explained here: {made}; {why}"
        return Explained(not_done=(NotCompared(what="explanation", reason=reason, help=f"run {where}"),))
