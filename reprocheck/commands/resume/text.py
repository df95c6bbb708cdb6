"""The answer of `reprocheck resume` for a person: the verdict, the runs, what was restored, and why they part."""

from __future__ import annotations

from reprocheck.commands.resume.model import Answer, Cause, ResumeRun
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.model import Status, Verdict
from reprocheck.report.wording import count, duration, shown_path, shown_target, size

MOST_FILES = 5
MOST_LINES = 15
_INDENT = "  "
_STATES = {True: "restored", False: "NOT restored", None: "not seen"}
_OBSERVED = {True: "same", False: "DIFFERS", None: "not seen"}
_OF_THE_DATA = ("batch", "generators", "steps left")
"""What is not a state that is loaded, but what follows from one."""


def render_resume_text(answer: Answer, style: Style) -> str:
    """The whole report, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(answer, pen),
        _runs(answer, pen),
        _table(answer, pen),
        *(_cause(cause, pen) for cause in answer.found.causes),
        _coverage(answer, pen),
        [f"evidence: {pen.text(shown_path(answer.directory))}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _opening(answer: Answer, pen: Pen) -> list[str]:
    target = pen.text(shown_target(answer.order.request.target))
    if answer.verdict is Verdict.NO_VERDICT:
        lines = [pen.paint("fatal: no verdict reached", "red"), f"{_INDENT}--> {target}"]
        lines.append(f"{_INDENT} = why: {pen.text(answer.summary)}")
        lines += _stderr_tail(answer, pen)
        return [*lines, *(f"{_INDENT} = help: {pen.text(hint)}" for hint in answer.help)]
    tail, colour = ("RESUMES EXACTLY", "green") if answer.verdict is Verdict.REPRODUCIBLE else ("DIFFERENT", "red")
    return [f"{pen.paint(tail, colour)}  {target}  {pen.text(answer.headline)}", f"{_INDENT}{pen.text(answer.where)}"]


def _stderr_tail(answer: Answer, pen: Pen) -> list[str]:
    """Of the run that gave no evidence; that of the cut is meant to have none."""
    for run in answer.runs:
        if run.name != "cut" and run.outcome.status is not Status.COMPLETED:
            tail = [line.rstrip() for line in run.outcome.stderr_tail.splitlines() if line.strip()]
            return ["", *(f"{_INDENT}   | {pen.text(line)}" for line in tail[-MOST_LINES:]), ""] if tail else []
    return []


def _runs(answer: Answer, pen: Pen) -> list[str]:
    rows = [["run", "", "steps", "time"]]
    named = {
        "through": "A, not stopped",
        "cut": "B, stopped",
        "resumed": "B, resumed",
        "control": "A once more",
    }
    for run in answer.runs:
        rows.append([named[run.name], pen.text(run.how), _span(run), duration(run.outcome.seconds)])
    lines = aligned(rows, right=(3,), colours={}, pen=pen) if answer.runs else []
    if answer.files:
        shown = [f"{pen.text(name)} ({size(number)})" for name, number in answer.files[:MOST_FILES]]
        more = f" and {len(answer.files) - MOST_FILES} more" if len(answer.files) > MOST_FILES else ""
        lines.append(f"written before it was stopped: {', '.join(shown)}{more}")
    if answer.loads:
        lines.append(f"loaded when it was resumed: {pen.text(', '.join(answer.loads[:MOST_FILES]))}")
    return lines


def _span(run: ResumeRun) -> str:
    if not run.steps:
        return "none"
    if run.first is None:
        return count(run.steps, "step")
    return f"{run.first} to {run.first + run.steps - 1}"


def _table(answer: Answer, pen: Pen) -> list[str]:
    if not answer.found.restored or answer.alignment is None:
        return []
    rows, colours = [], {}
    for y, item in enumerate(answer.found.restored):
        word = (_OBSERVED if item.what in _OF_THE_DATA else _STATES)[item.same]
        if item.same is not None:
            colours[y, 1] = "green" if item.same else "red"
        rows.append([item.what, word, pen.text(item.detail)])
    table = [_INDENT + line for line in aligned(rows, colours=colours, pen=pen)]
    return [f"at step {answer.alignment.step}, the first after the resumption, against run A", *table]


def _cause(cause: Cause, pen: Pen) -> list[str]:
    severity = pen.paint(f"error[{cause.code}]", "red")
    lines = [f"{severity}: {pen.text(cause.message)}"]
    lines += [f"   | {pen.text(line)}" for line in cause.evidence]
    lines.append(f"   = note: cause: {cause.slug}, confidence: {cause.confidence}")
    return [*lines, f"   = help: {pen.text(cause.help)}"]


def _coverage(answer: Answer, pen: Pen) -> list[str]:
    found = answer.found
    if answer.verdict is Verdict.NO_VERDICT:
        return []
    lines = [f"compared: {pen.text(', '.join(found.compared)) or 'nothing'}"]
    if found.not_compared:
        lines.append("not compared:")
        lines += [f"{_INDENT}{pen.text(item.what)}: {pen.text(item.reason)}" for item in found.not_compared[:20]]
    return lines + [f"note: {pen.text(note)}" for note in found.notes]
