"""The answer for a person: the verdict, what differs, what is arranged in another way, what was not read."""

from __future__ import annotations

from reprocheck.commands.diff.checkpoints.model import Checkpoint, CheckpointDiff, Difference
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.report.document import (
    Block,
    Document,
    Heading,
    Headline,
    Note,
    Role,
    Span,
    Table,
    Text,
    document,
    fatal,
    indented,
)
from reprocheck.report.sections.difference import is_rounding
from reprocheck.report.wording import count, first_of, percent

_MOST = 40
_MOST_UNREAD = 5


def checkpoints_document(diff: CheckpointDiff) -> Document:
    """The whole report."""
    return document(
        "reprocheck diff",
        _opening(diff),
        _differences(diff),
        [Note("note", f"other layout: {clip(text)}", indent=0) for text in diff.layout],
        [
            f"not read in {letter}: {clip(first_of(side.unread, _MOST_UNREAD))}"
            for letter, side in _sides(diff)
            if side.unread
        ],
    )


def _sides(diff: CheckpointDiff) -> tuple[tuple[str, Checkpoint], ...]:
    return (("A", diff.a), ("B", diff.b))


def _opening(diff: CheckpointDiff) -> list[Block]:
    sides = indented([f"{letter}: {_named(side)}" for letter, side in _sides(diff)])
    if diff.exit_code is ExitCode.NO_VERDICT:
        return [fatal("no verdict reached", clip(diff.a.name), Note("why", clip(diff.summary))), *sides]
    word = Span("SAME", Role.SUCCESS)
    if diff.differences:
        word = Span("DIFFERENT", Role.ERROR)
    elif diff.layout:
        word = Span("SAME VALUES, OTHER LAYOUT", Role.SUCCESS)
    unread = sum(len(side.unread) for _, side in _sides(diff))
    return [Headline(word, "", clip(diff.summary), f"not read: {count(unread, 'item')}" if unread else ""), *sides]


def _named(side: Checkpoint) -> str:
    held = f"{count(len(side.tensors), 'tensor')}, {count(len(side.values), 'other value')}"
    return f"{clip(side.name)} ({side.kind}, {held})"


def _differences(diff: CheckpointDiff) -> list[Block]:
    rows: list[tuple[Text, ...]] = [_row(one) for one in diff.differences[:_MOST]]
    if not rows:
        return []
    left_out = len(diff.differences) - _MOST
    head = ("name", "A", "B", "elements that differ", "max abs", "ulp")
    more = [f"and {left_out} more that differ"] if left_out > 0 else []
    return [Heading("what differs"), *indented([Table(tuple(rows), head, right=(4, 5)), *more])]


def _row(one: Difference) -> tuple[Text, ...]:
    name = Span(clip(one.name) or "(the array)", Role.CODE)
    sides = (clip(one.a) or "absent", clip(one.b) or "absent")
    if one.values is None:
        return (name, *sides, clip(one.reason) or "-", "-", "-")
    values = one.values
    differing = f"{values.different} of {values.total} ({percent(values.different, values.total)})"
    greatest = "-" if values.max_abs is None else f"{values.max_abs:.3g}"
    return (name, *sides, differing, greatest, f"{values.max_ulp}" if is_rounding(values.max_ulp) else "-")
