"""`reprocheck resume`, as one page: run A through → end run B → start it again → align → compare → judge."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reprocheck.commands.resume.align import align
from reprocheck.commands.resume.causes import cause
from reprocheck.commands.resume.compare import Ran, compare_resumed, first_difference
from reprocheck.commands.resume.history import main_history
from reprocheck.commands.resume.judge import (
    CODES,
    NoAnswer,
    control_difference,
    is_earlier,
    place_of,
    refuse_cut,
    refuse_failed,
    refuse_restart,
    what_was_found,
    where_resumed,
)
from reprocheck.commands.resume.model import Answer, Compared, Difference, History, ResumeOrder, ResumeRun
from reprocheck.commands.resume.ranks import with_other_ranks
from reprocheck.commands.resume.runs import Runs, read_ranks, read_whole
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import session
from reprocheck.errors import UsageError
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.model import Outcome, Status, Verdict
from reprocheck.report.wording import count

RESUMES = "resumes"
"""The folder for evidence of these runs: they are no audits, and `diff latest` does not mean them."""


def resume(order: ResumeOrder, progress: Progress) -> Answer:
    """Make the runs and compare them. Raises UsageError, NoVerdictError or Interrupted."""
    with session(order.request, progress, RESUMES) as one:
        seen = _Seen()
        try:
            progress.started(3)
            answer = _ask(order, Runs(one, order), seen)
        except (NoAnswer, EvidenceUnreadable) as error:
            slug, reason = (
                ("run-failed", error.message) if isinstance(error, EvidenceUnreadable) else (error.slug, error.reason)
            )
            answer = Answer(
                order=order,
                verdict=Verdict.NO_VERDICT,
                exit_code=CODES[Verdict.NO_VERDICT],
                summary=reason,
                reason=slug,
                help=() if isinstance(error, EvidenceUnreadable) else error.hints,
            )
        return replace(
            answer,
            runs=tuple(seen.runs),
            at=seen.at,
            files=seen.files,
            loads=seen.loads,
            directory=one.folder,
            seconds=one.seconds,
        )


@dataclass
class _Seen:
    """What there is to report, however far it goes."""

    runs: list[ResumeRun] = field(default_factory=list)
    at: int | None = None
    files: tuple[tuple[str, int], ...] = ()
    loads: tuple[str, ...] = ()

    def add(self, name: str, outcome: Outcome, history: History, first: int | None, how: str = "") -> None:
        how = how or outcome.status.value.replace("-", " ")
        one = ResumeRun(name=name, outcome=outcome, how=how, first=first, steps=len(history.steps))
        self.runs.append(one)


def _ask(order: ResumeOrder, runs: Runs, seen: _Seen) -> Answer:
    outcome = runs.through()
    seen.add("through", outcome, main_history(outcome.spec.directory), 0)
    refuse_failed(outcome, "run A, which was not stopped,")
    through = read_ranks(outcome)
    a = next(iter(through.values()))
    at = seen.at = _place_of_cut(order, a.history)
    outcome = runs.cut(at, len(a.history.steps) - at)
    cut = main_history(outcome.spec.directory)
    seen.add("cut", outcome, cut, 0, _how_it_ended(outcome, cut))
    if outcome.status is Status.TIMED_OUT:
        refuse_failed(outcome, "run B")
    refuse_cut(a.history, cut, outcome, at)
    seen.files = runs.files()
    outcome = runs.resumed()
    resumed = main_history(outcome.spec.directory)
    seen.loads = resumed.loads
    seen.add("resumed", outcome, resumed, None)
    refuse_failed(outcome, "the resumed run")
    if not resumed.steps:
        return _nothing_more(order, a.history, cut)
    again_ranks = read_ranks(outcome)
    c = next(iter(again_ranks.values()))
    alignment = align(a.history, resumed, len(cut.steps))
    if alignment is None:
        return _unknown_state(order, at)
    if alignment.step == 0:
        same = first_difference(a.history.steps, resumed.steps, 0) is None
        refuse_restart(resumed, seen.files, cut, same)
    seen.runs[-1] = replace(seen.runs[-1], first=alignment.step)
    found = with_other_ranks(compare_resumed(a, c, alignment, order.request), through, again_ranks, alignment, order)
    if found.difference is not None and (found.difference.step is None or found.difference.step >= at):
        _check_control(runs, seen, a, found.difference)
    verdict = Verdict.REPRODUCIBLE if found.difference is None else Verdict.DIFFERENT
    again = max(0, len(cut.steps) - alignment.step)
    where = where_resumed(len(cut.steps), alignment.step, again)
    result = what_was_found(found, alignment.step, min(len(resumed.steps), len(a.history.steps) - alignment.step))
    return Answer(
        order=order,
        verdict=verdict,
        exit_code=CODES[verdict],
        summary=f"{where}; {result}",
        headline=result,
        where=where,
        alignment=alignment,
        again=again,
        found=found,
    )


def _place_of_cut(order: ResumeOrder, through: History) -> int:
    steps = len(through.steps)
    if not steps:
        hint = "only trainings that step an optimizer in their own process, or in ranks, can be followed"
        raise NoAnswer("no-steps", "no optimizer step was seen", hint)
    at = order.at or steps // 2
    if not 0 < at < steps:
        raise UsageError(f"--at {at}: the run takes {count(steps, 'step')}", f"give a number from 1 to {steps - 1}")
    return at


def _how_it_ended(outcome: Outcome, cut: History) -> str:
    if outcome.status is Status.TIMED_OUT or not cut.handler:
        return outcome.reason or outcome.status.value
    if outcome.spec.interventions.cut is not None and outcome.spec.interventions.cut.kill:
        return "killed (SIGKILL)"
    if cut.killed_after:
        return f"continued after SIGTERM, killed after {cut.killed_after}"
    if cut.handler == "ignored":
        return "ignores SIGTERM: killed (SIGKILL)"
    if cut.handler == "own":
        return "ended on SIGTERM in its own way"
    return "ended by SIGTERM"


def _nothing_more(order: ResumeOrder, through: History, cut: History) -> Answer:
    left = len(through.steps) - len(cut.steps)
    detail = f"it took none, where {left} were left"
    where, result = (
        f"stopped after {count(len(cut.steps), 'step')}",
        f"the resumed run took no step, where {left} were left",
    )
    found = Compared(
        difference=Difference(step=len(cut.steps), kind="number of steps", detail=detail),
        causes=(cause("epoch-counter", "medium", "the resumed run believes that it is at its end", detail),),
        compared=("number of steps",),
    )
    return _different(order, where, result, found)


def _unknown_state(order: ResumeOrder, at: int) -> Answer:
    shown = "they are those of no step of the run that was not stopped, up to the cut"
    where, result = f"stopped after {count(at, 'step')}", "it resumed with parameters that the other run never had"
    found = Compared(
        difference=Difference(step=None, kind="parameters right after the resumption", detail=shown),
        causes=(cause("parameters", "high", "the parameters are not restored as they were", shown),),
        compared=("parameters right after the resumption",),
    )
    return _different(order, where, result, found)


def _different(order: ResumeOrder, where: str, result: str, found: Compared) -> Answer:
    return Answer(
        order=order,
        verdict=Verdict.DIFFERENT,
        exit_code=CODES[Verdict.DIFFERENT],
        summary=f"{where}; {result}",
        headline=result,
        where=where,
        found=found,
    )


def _check_control(runs: Runs, seen: _Seen, a: Ran, found: Difference) -> None:
    """A difference beyond the cut may be the target's own: one more run that nobody stops."""
    outcome = runs.through("control")
    seen.add("control", outcome, main_history(outcome.spec.directory), 0)
    refuse_failed(outcome, "the control run, which was not stopped,")
    has_diverged = control_difference(a, read_whole(outcome))
    if has_diverged is not None and is_earlier(has_diverged, found):
        reason = f"two uninterrupted runs differ, too, {place_of(has_diverged)}"
        raise NoAnswer("not-reproducible", reason, "`reprocheck run` finds the cause")
