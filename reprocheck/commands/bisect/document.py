"""The answer of `reprocheck bisect` for a person: the commits, what they changed, and what was audited."""

from __future__ import annotations

from reprocheck.commands.bisect.model import Audited, Bisection, Change, Commit
from reprocheck.diagnosis.rules.difference import shift_text
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.report.document import (
    Block,
    Diagnostic,
    Document,
    Headline,
    Note,
    Place,
    Role,
    Span,
    Table,
    document,
    evidence,
    indented,
    no_verdict,
)
from reprocheck.report.sections.difference import MOST_TENSORS, tensor_blocks, where
from reprocheck.report.sections.made_with import command_line
from reprocheck.report.wording import count, first_of, shown_path, shown_target

_MOST_FILES = 5
_MOST_SHIFTS = 5


def bisect_document(answer: Bisection) -> Document:
    """The whole report."""
    return document(
        "reprocheck bisect",
        _opening(answer),
        *([_diagnostic(answer, change)] for change in answer.changes),
        _audited(answer),
        [f"evidence: {clip(shown_path(answer.directory))}"],
    )


def _opening(answer: Bisection) -> list[Block]:
    target = clip(shown_target(answer.order.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        tail = next((one.tail for one in answer.audited if one.reason), "")
        return [no_verdict(target, clip(answer.reason), tail)]
    word = Span("CHANGED", Role.ERROR) if answer.changes else Span("SAME", Role.SUCCESS)
    return [Headline(word, target, clip(answer.summary))]


def _diagnostic(answer: Bisection, change: Change) -> Diagnostic:
    many = len(change.commits) > 1
    title = f"one of {len(change.commits)} commits changed the results" if many else "this commit changed the results"
    blocks: list[Block] = [(Span("error", Role.ERROR), f": {title}"), Place(_named(change.commit))]
    tensors: list[Block] = []
    if change.divergence is not None:
        seeds = f"{len(change.seeds)} of {count(len(answer.order.request.seeds), 'seed')}"
        tensors = [f"first {clip(where(change.divergence))}, in {seeds}"]
        tensors += tensor_blocks(change.divergence.tensors, MOST_TENSORS)
    blocks += evidence(tensors)
    if many:
        names = [commit.name for commit in change.commits[:-1]]
        it = "that one" if len(names) == 1 else "any of them"
        blocks.append(Note("note", f"{first_of(names, _MOST_FILES)} cannot be compared: it may have been {it} as well"))
    blocks.append(Note("note", f"the last commit with the earlier results is {_named(change.before)}"))
    if change.merged_by is not None:
        blocks.append(Note("note", f"it came with the merge {_named(change.merged_by)}"))
    if change.files:
        blocks.append(Note("note", f"changed files: {clip(first_of(change.files, _MOST_FILES))}"))
    blocks += [Note("note", clip(text)) for text in (*_shifts(change), change.note) if text]
    command = command_line(answer.order.request.target, [f"--against={change.before.name}"])
    blocks.append(Note("help", f"`git checkout {change.commit.name} && {clip(command)}` names the line"))
    return Diagnostic(tuple(blocks))


def _shifts(change: Change) -> list[str]:
    moved = [shift for shift in change.shifts if shift.here != shift.base]
    if change.shifts and not moved:
        return ["no metric moved"]
    return [shift_text(shift) for shift in moved[:_MOST_SHIFTS]]


def _audited(answer: Bisection) -> list[Block]:
    rows = tuple((one.commit.name, clip(one.commit.subject), _state(answer, one)) for one in answer.audited)
    return indented([Table(rows, ("commit", "", "audited"))]) if rows else []


def _state(answer: Bisection, one: Audited) -> str:
    if one.reason:
        return f"cannot be compared: {clip(one.reason)}"
    if answer.order.criterion is not None:
        return f"{answer.order.criterion.metric} {one.metrics[answer.order.criterion.metric]:.6g}"
    return "reproduces"


def _named(commit: Commit) -> str:
    return f"{commit.name} ({clip(commit.subject)})"
