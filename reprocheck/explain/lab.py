"""Experiments: further runs of one seed within a budget, their evidence read and compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from reprocheck.evidence import EvidenceUnreadable, load_evidence
from reprocheck.explain.agree import first_difference
from reprocheck.explain.leftovers import known_of
from reprocheck.launch import Watch, launch
from reprocheck.model import Ambient, Evidence, Outcome, Probe, RunSpec, Settings, Status
from reprocheck.plan import Planner
from reprocheck.progress import Progress
from reprocheck.templates import Templates

Ran = Evidence | Outcome
"""The evidence of a run that completed, or what became of it."""


class Lab:
    """Makes runs for an explanation. Every experiment says how it differs from a run of the audit, its reference."""

    def __init__(
        self,
        planner: Planner,
        progress: Progress,
        budget: int,
        base: Planner | None = None,
        templates: Templates | None = None,
    ) -> None:
        """`templates`: to fork runs from, beside those that an experiment warms up for itself."""
        self._planner = planner
        self._base = base
        self._templates = templates
        self.request = planner.request
        self.spent = 0
        self._progress = progress
        self._budget = budget

    @property
    def left(self) -> int:
        """Runs that may still be made."""
        return self._budget - self.spent

    def ambient(self, repeat: int) -> Ambient:
        """The ambient factors of one repeat of the audit."""
        return self._planner.ambient(repeat)

    def spec(
        self,
        reference: Evidence,
        *,
        limit: int | None = None,
        ambient: Ambient | None = None,
        settings: Settings | None = None,
        probe: Probe | None = None,
        fresh: bool | None = None,
        compared_with: tuple[str, ...] | None = None,
        home_without: Sequence[str] | None = None,
        home_copies: bool = False,
    ) -> RunSpec:
        """A run like `reference`; what is given is otherwise. `limit`: steps after which it ends. `home_without`: in a
        home folder of its own, without these files (`leftovers.Leftover.path`), or with copies of them."""
        settings = settings or self.request.settings
        if reference.spec.probe is not None and reference.spec.probe.calls > 1:
            probe = replace(probe or Probe(ledger=False), calls=reference.spec.probe.calls)
        if limit is not None:
            limit = limit if settings.max_steps is None else min(limit, settings.max_steps)
            settings = replace(settings, max_steps=limit)
        self.spent += 1
        of_base = self._base is not None and reference.spec.id.startswith(self._base.prefix)
        planner = self._base if of_base and self._base is not None else self._planner
        spec = planner.spec(
            f"x{self.spent:02d}",
            reference.spec.seed,
            reference.spec.repeat,
            ambient or reference.spec.ambient,
            settings=settings,
            probe=probe,
            fresh=fresh,
            tmpdir=reference.spec.id,
            home_without=home_without,
            home_copies=home_copies,
            known=None if reference.spec.copy_of is not None else known_of(reference),
        )
        return replace(spec, compared_with=compared_with)

    def run(self, question: str, specs: Sequence[RunSpec], watch: Watch | None = None) -> list[Ran]:
        """Make the runs; those under way when `watch` says so are STOPPED. Raises Interrupted."""
        self._progress.stage(question)
        ran: list[Ran] = []
        # Runs with one temporary directory go one after the other.
        shared = len({spec.environment.get("TMPDIR") for spec in specs}) < len(specs)
        jobs = 1 if shared else self.request.jobs
        with nullcontext(self._templates) if self._templates else Templates(self.request.isolation) as templates:
            ran += [_evidence(outcome) for outcome in launch(specs, jobs, self._progress, watch, templates)]
        return ran

    def agree(self, a: Ran, b: Ran, limit: int | None) -> bool | None:
        """Whether two runs agree in their first `limit` steps; None when one of them gave no evidence."""
        if isinstance(a, Outcome) or isinstance(b, Outcome):
            return None
        return first_difference(a, b, self.request, limit) is None


def _evidence(outcome: Outcome) -> Ran:
    if outcome.status is not Status.COMPLETED:
        return outcome
    try:
        return load_evidence(outcome)
    except EvidenceUnreadable as error:
        return replace(outcome, status=Status.LOST, reason=error.message)


def why_failed(*ran: Ran) -> str:
    """The first reason why a run gave no evidence; empty when all did."""
    return next((one.reason or one.status.value for one in ran if isinstance(one, Outcome)), "")
