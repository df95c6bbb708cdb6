"""Where two revisions part: a traced pair of runs, one of each, and the lines of both sides."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.explanation.answer import not_done
from reprocheck.diagnosis.follow import follow_drift
from reprocheck.diagnosis.replay import replay
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.revision import Revision
from reprocheck.engine.templates import Templates
from reprocheck.model import Divergence, Evidence
from reprocheck.model.explanation import Explanation, OpCall, Origin
from reprocheck.model.kinds import OriginKind, Stage
from reprocheck.protocol import STEP_KINDS, digest_at, records

HERE = "current state"
"""What this side is called where the other one is called by its revision."""


def explain_revisions(
    planner: Planner,
    base: Planner,
    progress: Progress,
    pair: tuple[Evidence, Evidence],
    divergence: Divergence,
    revision: Revision,
    templates: Templates,
) -> Explanation:
    """Where a run of the revision and a run of the current state part. Raises Interrupted.

    Its worktree is gone when somebody reads of it: paths and runs are named by the name of the revision.
    """
    runner = ExperimentRunner(planner, progress, planner.request.explain_budget, base, templates)
    seen = replay(runner, *pair, divergence, across=True)
    drawn = _generators_part(*pair, divergence)
    if seen.origin is not None and seen.origin.kind == OriginKind.GENERATOR and drawn is not None and runner.left >= 2:
        earlier = replay(runner, *pair, replace(divergence, stage=Stage.STEP, step=drawn), across=True)
        if earlier.origin is not None:
            note = f"from step {drawn} on, PyTorch's generator is in a different state"
            seen = replace(earlier, origin=replace(earlier.origin, note=note))
    asked = runner.request.drift
    drift = None if asked is False else follow_drift(runner, *pair, divergence, None, asked=asked is True)
    return Explanation(
        seed=pair[1].spec.seed,
        attribution=None,
        origin=None if seen.origin is None else _by_side(seen.origin, revision),
        replays=(seen.diverged, seen.pairs),
        runs=runner.spent,
        drift=drift,
        not_done=(*seen.not_done, *not_done(seen, runner)),
    )


def _generators_part(a: Evidence, b: Evidence, divergence: Divergence) -> int | None:
    """The first step after which a generator of PyTorch is in a different state, if that is before the difference."""
    kinds = [STEP_KINDS.index(name) for name in ("rng torch", "rng cuda")]
    pairs = zip(records(a.steps), records(b.steps), strict=False)
    for step, (one, other) in enumerate(islice(pairs, divergence.step or 0)):
        if any(digest_at(one, kind) != digest_at(other, kind) for kind in kinds):
            return step
    return None


def _by_side(origin: Origin, revision: Revision) -> Origin:
    call = _marked(origin.call, revision)
    other = None if origin.other is None else _marked(origin.other, revision)
    if origin.kind != OriginKind.EXTRA and other is not None:
        call, other = other, call
    runs = (revision.text, HERE)
    only_in = runs[origin.runs.index(origin.only_in)] if origin.only_in else ""
    return replace(origin, call=call, other=other, runs=runs, only_in=only_in)


def _marked(call: OpCall, revision: Revision) -> OpCall:
    frames = tuple(
        replace(frame, location=replace(frame.location, path=revision.named(frame.location.path)))
        for frame in call.frames
    )
    return replace(call, frames=frames)
