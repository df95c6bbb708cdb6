"""The second half of an audit: why runs differ, or what those that agree depend on. A bug of ours here costs no
verdict."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec

from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import Templates
from reprocheck.errors import Interrupted
from reprocheck.model import Divergence, Evidence, Finding, NotCompared, SelfSeeding
from reprocheck.model.explanation import Explanation
from reprocheck.report.sections.difference import where

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What it came to."""

    explanation: Explanation | None = None
    divergence: Divergence | None = None
    """The first difference with its operation and line."""
    causes: tuple[Finding, ...] = ()
    """Of the first difference, in the order of their effects."""
    findings: tuple[Finding, ...] = ()
    """What else was found."""
    not_done: tuple[NotCompared, ...] = ()
    self_seeding: SelfSeeding | None = None


def costs_no_verdict(function: Callable[P, Explained]) -> Callable[P, Explained]:
    """The same; where it fails, the answer says so."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Explained:
        try:
            return function(*args, **kwargs)
        except Interrupted:
            raise
        except Exception as error:
            reason = f"a bug in reprocheck, please report it: {type(error).__name__}: {error}"
            unknown = SelfSeeding(seeds_itself=None, reason=reason)
            return Explained(not_done=(NotCompared(what="explanation", reason=reason),), self_seeding=unknown)

    return guarded


@costs_no_verdict
def why_different(
    planner: Planner, progress: Progress, templates: Templates, first: Evidence, other: Evidence, divergence: Divergence
) -> Explained:
    """Why two runs of one seed differ."""
    from reprocheck.diagnosis.explain import explain_difference
    from reprocheck.diagnosis.explanation.answer import placed

    progress.found(f"runs {first.spec.id} and {other.spec.id} differ first {where(divergence)}")
    why = explain_difference(planner, progress, first, other, divergence, templates)
    return Explained(
        explanation=why.explanation,
        divergence=placed(divergence, why.explanation, why.causes),
        causes=why.causes,
        findings=why.others,
        not_done=why.explanation.not_done,
    )


@costs_no_verdict
def why_equal(
    planner: Planner,
    progress: Progress,
    templates: Templates,
    firsts: Sequence[Evidence],
    lasts: Sequence[Evidence],
    equal: Sequence[tuple[int, int]],
) -> Explained:
    """What the seeds have to do with it that all runs agree: `firsts` and `lasts` have a run of each seed, `equal` the
    pairs of seeds that agree."""
    from reprocheck.diagnosis.agreement import explain_agreement

    found = explain_agreement(planner, progress, firsts, equal, templates, lasts)
    return Explained(findings=found.findings, not_done=found.not_done, self_seeding=found.self_seeding)
