"""The three runs → the answer. The only place that decides."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.resume.compare import Ran, first_difference
from reprocheck.commands.resume.model import Compared, Difference, History
from reprocheck.errors import ExitCode
from reprocheck.model import Outcome, Status, Verdict
from reprocheck.report.wording import count

CODES = {
    Verdict.REPRODUCIBLE: ExitCode.OK,
    Verdict.DIFFERENT: ExitCode.DIFFERENT,
    Verdict.NO_VERDICT: ExitCode.NO_VERDICT,
}


class NoAnswer(Exception):
    """No verdict can be reached: a slug, why in one sentence, and what to try."""

    def __init__(self, slug: str, reason: str, *hints: str) -> None:
        super().__init__(reason)
        self.slug = slug
        self.reason = reason
        self.hints = hints


def refuse_failed(outcome: Outcome, who: str) -> None:
    """Raises NoAnswer for a run without complete evidence."""
    if outcome.status is Status.COMPLETED:
        return
    reason = f"{who} {outcome.status.value.replace('-', ' ')}: {outcome.reason}"
    hint = "stdout.txt and stderr.txt in the folder of the run hold all its output"
    raise NoAnswer("run-failed" if who != "the resumed run" else "resumed-run-failed", reason, hint)


def refuse_cut(through: History, cut: History, outcome: Outcome, at: int) -> None:
    """Raises NoAnswer where run B was not ended as meant, or is not run A up to there."""
    found = [path for path in cut.loads if path not in through.loads]
    if found:
        reason = (
            f"run B loaded {found[0]} before it was stopped, which run A had left outside the folder that it works in"
        )
        raise NoAnswer(
            "not-fresh", reason, "let it save to a relative path: every run works in its own copy of the folder"
        )
    if not cut.handler:
        reason = f"run B {outcome.reason or outcome.status.value} after {count(len(cut.steps), 'step')}, before the cut"
        raise NoAnswer("not-reproducible", reason, "`reprocheck run` says whether it reproduces when it is not stopped")
    has_diverged = _starts_part(through, cut) or first_difference(through.steps[:at], cut.steps[:at], 0)
    if has_diverged is not None:
        reason = f"two runs differ before anything is stopped: first at step {has_diverged.step} in {has_diverged.kind}"
        raise NoAnswer("not-reproducible", reason, "`reprocheck run` finds the cause")
    if len(cut.steps) >= len(through.steps):
        hint = "end it for good with --kill, or earlier with --at"
        raise NoAnswer("went-on", "run B got SIGTERM and still ran to its end: there is nothing to resume", hint)


def _starts_part(a: History, b: History) -> Difference | None:
    if a.starts[:1] and b.starts[:1] and a.starts[0] != b.starts[0]:
        return Difference(step=0, kind="initial parameters")
    return None


def refuse_restart(resumed: History, files: Sequence[tuple[str, int]], cut: History, same: bool) -> None:
    """Raises NoAnswer: the resumed run began with the parameters that every run begins with."""
    equal = "repeats run A from its first step" if same else "begins with the parameters that every run begins with"
    if not files and not cut.saves:
        reason = f"it did not resume: run B had saved nothing when it was ended, and the restarted run {equal}"
        raise NoAnswer("never-saved", reason, "let it save before the step of --at, in or below its folder")
    if not resumed.loads:
        seen = f"{files[0][0]} was there" if files else "it had called torch.save"
        reason = f"it did not resume: {seen}, torch.load was not called, and the restarted run {equal}"
    else:
        reason = f"it did not resume: it loaded {resumed.loads[0]}, and still {equal}"
    raise NoAnswer("did-not-resume", reason, "give the argument that makes it resume, as in --resume-arg=--resume")


def control_difference(a: Ran, control: Ran) -> Difference | None:
    """Where two uninterrupted runs differ."""
    has_diverged = first_difference(a.history.steps, control.history.steps, 0)
    if has_diverged is not None:
        return has_diverged
    if len(a.history.steps) != len(control.history.steps):
        steps = min(len(a.history.steps), len(control.history.steps))
        return Difference(step=steps, kind="number of steps")
    left, right = ({leaf.name: leaf.digest for leaf in ran.evidence.outputs} for ran in (a, control))
    off = [name for name, digest in left.items() if right.get(name) != digest]
    return Difference(step=None, kind="outputs", detail=", ".join(off[:3])) if off else None


def is_earlier(control: Difference, found: Difference) -> bool:
    """Whether what differs anyway comes no later than what was found."""
    if control.step is None:
        return found.step is None
    return found.step is None or control.step <= found.step


def where_resumed(at: int, step: int, again: int) -> str:
    """Where it was stopped and where it went on."""
    redone = f"; {count(again, 'step')} {'was' if again == 1 else 'were'} done again" if again else ""
    return f"stopped after {count(at, 'step')}, resumed from the state before step {step}{redone}"


def what_was_found(found: Compared, first: int, steps: int) -> str:
    """The answer in half a sentence."""
    if found.difference is not None:
        return f"differs first {place_of(found.difference)}"
    others = [what for what in found.compared if what != "steps"]
    span = f"step {first} is" if steps == 1 else f"steps {first} to {first + steps - 1} are"
    return f"{span} equal" + (f", and so are {' and '.join(others)}" if others else "")


def place_of(difference: Difference) -> str:
    """Where a difference is, as text."""
    detail = f" ({difference.detail})" if difference.detail else ""
    if difference.step is None:
        return f"in the {difference.kind.removeprefix('the ')}{detail}"
    return f"at step {difference.step} in the {difference.kind}{detail}"
