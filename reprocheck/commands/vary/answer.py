"""`reprocheck vary`, as one page: control pair → environment factors → settings → all at once → text and exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reprocheck.commands.vary.experiment import ControlDiffers, Experiment, NoControl, peak
from reprocheck.commands.vary.model import Answer, Row, Status, Variation
from reprocheck.commands.vary.resumed import resumed
from reprocheck.commands.vary.runs import Runs
from reprocheck.commands.vary.summary import summarize
from reprocheck.commands.vary.variations import VARIATIONS
from reprocheck.commands.vary.variations.again import RESUME
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import session
from reprocheck.errors import ExitCode
from reprocheck.model import AmbientMode, NotCompared, Request

VARIED = "variations"
"""The folder for evidence of these runs: they are no audits, and `diff latest` does not mean them."""
NOT_TOGETHER = ("same-folder", "same-process", RESUME)
"""They need a folder or a process of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaryOrder:
    """A question as asked for: names that were checked."""

    request: Request
    only: frozenset[str] = frozenset()
    """Nothing: all."""
    skip: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    """That the result must not depend on."""


def vary(order: VaryOrder, progress: Progress) -> Answer:
    """Make the runs and the answer. Raises UsageError, NoVerdictError or Interrupted."""
    request = replace(order.request, ambient=AmbientMode.FIXED)
    with session(request, progress, VARIED) as one:
        runs = Runs(one)
        try:
            progress.started(2 + len(_chosen(order)))
            answer = _answer(order, runs, progress)
        except ControlDiffers as found:
            answer = Answer(
                request=request,
                exit_code=ExitCode.DIFFERENT,
                summary="two runs with nothing varied differ, so no variation can be judged: `reprocheck run` "
                "finds the cause",
                control=found.divergence,
            )
        except NoControl as found:
            answer = Answer(
                request=request,
                exit_code=ExitCode.NO_VERDICT,
                summary=found.reason,
                reason=found.reason,
                stderr_tail=found.stderr_tail,
            )
        return replace(answer, runs=runs.count, directory=one.folder, seconds=one.seconds)


def _chosen(order: VaryOrder) -> list[Variation]:
    usual = frozenset(one.name for one in VARIATIONS) - {RESUME}
    wanted = (order.only or usual) | order.required
    return [one for one in VARIATIONS if one.name in wanted - order.skip]


def _answer(order: VaryOrder, runs: Runs, progress: Progress) -> Answer:
    experiment = Experiment(runs, replace(order.request, ambient=AmbientMode.FIXED), order.request.explain)
    reasons = {one.name: one.why_not(experiment.facts) for one in _chosen(order)}
    left_out = tuple(NotCompared(what=name, reason=reason) for name, reason in reasons.items() if reason)
    possible = [one for one in _chosen(order) if not reasons[one.name]]
    # A second run in one folder needs the folder as the control left it.
    settings = sorted((one for one in possible if not one.is_environment), key=lambda one: one.name != "same-folder")
    by_name = {one.name: experiment.setting(one) for one in settings if one.name != RESUME}
    if any(one.name == RESUME for one in settings):
        by_name[RESUME] = resumed(experiment.facts.request, progress)
    environment = experiment.environment([one for one in possible if one.is_environment])
    rows = [*environment, *(by_name[one.name] for one in possible if one.name in by_name)]
    joint = experiment.together(_without_effect(possible, rows))
    control = experiment.control
    broken = _broken(order, rows, left_out)
    answer = Answer(
        request=order.request,
        exit_code=_code(rows, joint, broken),
        summary="",
        rows=tuple(rows),
        joint=tuple(joint),
        not_varied=left_out,
        required=tuple(one.name for one in VARIATIONS if one.name in order.required),
        seconds_of_control=experiment.seconds,
        memory_of_control=peak(control),
        spread=experiment.spread,
        seeds=len(order.request.seeds),
    )
    return replace(answer, summary=summarize(answer, broken))


def _without_effect(possible: Sequence[Variation], rows: Sequence[Row]) -> list[Variation]:
    """One of each group that changes nothing alone."""
    same = {name for row in rows if row.status is Status.SAME for name in row.names}
    found = {
        one.group: one for one in possible if one.name in same and one.group not in ("same-folder", "same-process")
    }
    return list(found.values())


def _broken(order: VaryOrder, rows: Sequence[Row], left_out: Sequence[NotCompared]) -> list[str]:
    """Required variations that the result depends on."""
    bad = (Status.DIFFERS, Status.FAILED)
    return [name for row in rows if row.status in bad for name in row.names if name in order.required]


def _code(rows: Sequence[Row], joint: Sequence[Row], broken: Sequence[str]) -> ExitCode:
    if broken:
        return ExitCode.DIFFERENT
    answered = any(row.status in (Status.SAME, Status.DIFFERS, Status.FAILED) for row in rows)
    return ExitCode.OK if answered else ExitCode.NO_VERDICT
