"""Experiments: further runs of one seed within a budget, their evidence read and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.leftovers import known_of
from reprocheck.engine.launch import Watch, launch
from reprocheck.engine.plan import Planner, given_by
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import Templates
from reprocheck.evidence.run import Ran, read_run
from reprocheck.model import (
    EnvironmentFactors,
    Evidence,
    Instruments,
    Interventions,
    Isolation,
    Nudge,
    Outcome,
    RunSpec,
    Settings,
    as_rank,
)
from reprocheck.model.explanation import Hold
from reprocheck.model.run_spec import PLAIN
from reprocheck.protocol.rank_folders import folder_of_rank


class ExperimentRunner:
    """Makes runs for an explanation. Every experiment says how it differs from a run of the audit, its reference."""

    def __init__(
        self,
        planner: Planner,
        progress: Progress,
        budget: int,
        base: Planner | None = None,
        templates: Templates | None = None,
    ) -> None:
        """`templates`: to fork runs from, those of the audit; else every run is an interpreter of its own."""
        self._planner = planner
        self._base = base
        self._templates = templates or Templates(Isolation.PROCESS)
        self.request = planner.request
        self.rank: int | None = None
        """The rank from which runs are looked at; None: the process of the run."""
        self.hold = Hold()
        """Causes that are known are held constant in every run, unless it says otherwise."""
        self.not_needed: dict[str, int | None] = {}
        """Experiments that hold constant what runs agree without, as far as that was looked at (steps; None: to the
        end): to ask that again in a later round shows nothing."""
        self.spent = 0
        self._progress = progress
        self._budget = budget

    @property
    def left(self) -> int:
        """Runs that may still be made."""
        return self._budget - self.spent

    def ambient(self, repeat: int) -> EnvironmentFactors:
        """The environment factors of one repeat of the audit."""
        return self._planner.ambient(repeat)

    def tell(self, message: str) -> None:
        """Say what is certain by now."""
        self._progress.found(message)

    def spec(
        self,
        reference: Evidence,
        *,
        limit: int | None = None,
        ambient: EnvironmentFactors | None = None,
        settings: Settings | None = None,
        instruments: Instruments = PLAIN,
        fresh: bool | None = None,
        against: Sequence[Ran] | None = None,
        home_without: Sequence[str] | None = None,
        home_copies: bool = False,
        copy_without: Sequence[str] = (),
        hold: Hold | None = None,
        nudge: Nudge | None = None,
    ) -> RunSpec:
        """A run like `reference`; what is given is otherwise. `limit`: steps after which it ends. `home_without`: in a
        home folder of its own, without these files (`leftovers.Leftover.path`), or with copies of them. `copy_without`:
        files that its copy of the folder lacks. `hold`: what is held constant, if not the causes that are known.
        `against`: what it is compared with, besides the runs that are made with it (None: any run of its seed), so that
        they do not come from one template. `nudge`: every parameter is moved by one ULP."""
        hold = self.hold if hold is None else hold
        settings = held_settings(settings or self.request.settings, hold)
        interventions = held_interventions(Interventions(calls=reference.spec.interventions.calls, nudge=nudge), hold)
        if limit is not None:
            limit = limit if settings.max_steps is None else min(limit, settings.max_steps)
            settings = replace(settings, max_steps=limit)
        self.spent += 1
        of_base = self._base is not None and reference.spec.id.startswith(self._base.prefix)
        planner = self._base if of_base and self._base is not None else self._planner
        without = (*(home_without or ()), *hold.home_without)
        spec = planner.spec(
            f"x{self.spent:02d}",
            reference.spec.seed,
            reference.spec.repeat,
            given_by(dict(hold.environment), replace(ambient or reference.spec.ambient, **dict(hold.ambient))),
            settings=settings,
            instruments=instruments,
            interventions=interventions,
            fresh=True if hold.fresh else fresh,
            tmpdir=hold.tmpdir or tmpdir_of(reference),
            home_without=without if without or home_without is not None else None,
            home_copies=home_copies or bool(hold.home_without),
            known=None if reference.spec.copy_of is not None else known_of(reference),
        )
        compared_with = None if against is None else tuple(one.spec.id for one in against)
        return replace(spec, compared_with=compared_with, copy_without=tuple(copy_without))

    def run(self, question: str, specs: Sequence[RunSpec], watch: Watch | None = None) -> list[Ran]:
        """Make the runs; those under way when `watch` says so are STOPPED. Raises Interrupted."""
        self._progress.stage(question)
        specs = [_apart(spec, specs) for spec in specs]
        # Runs with one temporary directory go one after the other.
        shared = len({spec.environment.get("TMPDIR") for spec in specs}) < len(specs)
        jobs = 1 if shared else self.request.jobs
        outcomes = launch(specs, jobs, self._progress, watch, self._templates)
        return [seen_from(read_run(outcome), self.rank) for outcome in outcomes]

    def folder_of(self, spec: RunSpec) -> Path:
        """Where what is looked at of a run is written."""
        return spec.directory if self.rank is None else folder_of_rank(spec.directory, self.rank)

    def run_in_turn(self, question: str, specs: Sequence[RunSpec], goes_on: Callable[[list[Ran]], bool]) -> list[Ran]:
        """Make runs one after the other as long as what there is says so. Raises Interrupted."""
        specs = [_apart(spec, specs) for spec in specs]
        self._templates.place(specs)  # what they are forked from is warmed up together
        ran: list[Ran] = []
        try:
            for spec in specs:
                ran += self.run(question, [spec])
                if not goes_on(ran):
                    break
        finally:
            for spec in specs[len(ran) :]:
                self._templates.ended(spec)
        return ran

    def agree(self, a: Ran, b: Ran, limit: int | None) -> bool | None:
        """Whether two runs agree in their first `limit` steps; None when one of them gave no evidence, or when they may
        agree because they came from one template."""
        if isinstance(a, Outcome) or isinstance(b, Outcome):
            return None
        if first_difference(a, b, self.request, limit) is not None:
            return False
        return None if self._templates.share(a.spec.id, b.spec.id) else True


def seen_from(ran: Ran, rank: int | None) -> Ran:
    """A run as it is seen from one of its ranks. None: from its own process."""
    if rank is None:
        return ran
    if isinstance(ran, Evidence):
        return as_rank(ran, rank)
    return replace(ran, spec=replace(ran.spec, directory=folder_of_rank(ran.spec.directory, rank)))


def _apart(spec: RunSpec, made_with: Sequence[RunSpec]) -> RunSpec:
    """Runs that are made together are compared with one another."""
    if spec.compared_with is None:
        return spec
    return replace(spec, compared_with=(*spec.compared_with, *(one.id for one in made_with if one.id != spec.id)))


def tmpdir_of(run: Evidence) -> str:
    """The run whose temporary directory this one had; a run that repeats another one has it from there."""
    path = run.spec.environment.get("TMPDIR", "")
    return Path(path).parent.name if run.spec.ambient.own_tmpdir and path else run.spec.id


def held_settings(settings: Settings, hold: Hold) -> Settings:
    """Settings with what is held."""
    settings = replace(settings, **dict(hold.settings))
    return replace(settings, env=(*settings.env, *hold.environment)) if hold.environment else settings


def held_interventions(changes: Interventions, hold: Hold) -> Interventions:
    """Interventions with what is held."""
    changes = replace(changes, **dict(hold.overrides))
    known = {(edit.path, edit.line) for edit in changes.edits}
    edits = tuple(edit for edit in hold.edits if (edit.path, edit.line) not in known)
    return replace(changes, edits=(*changes.edits, *edits), frozen=(*changes.frozen, *hold.frozen))


def why_failed(*ran: Ran) -> str:
    """The first reason why a run gave no evidence; empty when all did."""
    return next((one.reason or one.status.value for one in ran if isinstance(one, Outcome)), "")
