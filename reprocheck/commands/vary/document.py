"""The answer of `reprocheck vary` for a person: what the result depends on, as text and as a table."""

from __future__ import annotations

from reprocheck.commands.vary.model import Answer, Row, Shift, Status
from reprocheck.commands.vary.variations import VARIATIONS
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.model import Divergence
from reprocheck.model.places import place_text
from reprocheck.report.document import (
    Block,
    Document,
    Headline,
    Role,
    Span,
    Table,
    Text,
    document,
    indented,
    no_verdict,
)
from reprocheck.report.sections.difference import where
from reprocheck.report.wording import count, duration, first_of, shown_path, shown_target, size

ENVIRONMENT_GROUPS = {one.group for one in VARIATIONS if one.is_environment}
_ROLES = {Status.SAME: Role.SUCCESS, Status.DIFFERS: Role.ERROR, Status.FAILED: Role.ERROR}
_LEAST_RATIO = 1.25
"""A ratio of times nearer to 1 is none: there is one run of each."""
_HEAD = ("variation", "", "first difference", "metric that moves most", "time", "peak memory")


def vary_document(answer: Answer) -> Document:
    """The whole report."""
    return document(
        "reprocheck vary",
        _opening(answer),
        _table(answer),
        _joint(answer),
        _remarks(answer),
        [
            f"{count(answer.runs, 'run')} in {duration(answer.seconds)}",
            f"evidence: {clip(shown_path(answer.directory))}",
        ],
    )


def list_document(_: None) -> Document:
    """Every variation with what it stands for."""
    rows = tuple((one.name, one.group, one.emulates) for one in VARIATIONS)
    return document("reprocheck vary --list", [Table(rows, ("variation", "group", "meaning"))])


def _opening(answer: Answer) -> list[Block]:
    target = clip(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        return [no_verdict(target, clip(answer.summary), answer.stderr_tail)]
    if answer.control is not None:
        word = Span("DIFFERENT", Role.ERROR)
        return [Headline(word, target, clip(answer.summary)), *indented([_place(answer.control)])]
    depends = any(row.status in (Status.DIFFERS, Status.FAILED) for row in (*answer.rows, *answer.joint))
    word = Span("DEPENDS", Role.WARNING) if depends else Span("INDEPENDENT", Role.SUCCESS)
    if answer.exit_code is ExitCode.DIFFERENT:
        word = Span("DEPENDS", Role.ERROR)
    return [Headline(word, target, clip(answer.summary))]


def _table(answer: Answer) -> list[Block]:
    if not answer.rows:
        return []
    rows: list[tuple[Text, ...]] = []
    together = _cleared_together(answer)
    shown = [*together[:1], *(row for row in answer.rows if row not in together)]
    for row in shown:
        cells = _cells(row, answer)
        rows.append((f"environment factors ({len(together)})", *cells[1:]) if row in together[:1] else cells)
    control = ("(control)", "", "", "", duration(answer.seconds_of_control), _size(answer.memory_of_control))
    return indented([Table((*rows, control), _HEAD, right=(4, 5))])


def _cleared_together(answer: Answer) -> list[Row]:
    """Rows of one run in which all of them were varied and nothing changed: shown as one."""
    same = [row for row in answer.rows if row.status is Status.SAME and row.group in ENVIRONMENT_GROUPS]
    return [row for row in same if row.runs == same[0].runs] if len(same) > 1 else []


def _cells(row: Row, answer: Answer) -> tuple[Text, ...]:
    ratio = row.seconds / answer.seconds_of_control if answer.seconds_of_control else 1.0
    memory = row.memory / answer.memory_of_control if row.memory and answer.memory_of_control else None
    first = "" if row.divergence is None else _place(row.divergence)
    return (
        " + ".join(row.names),
        Span(row.status.value, _ROLES.get(row.status, Role.WARNING)),
        first or clip(row.reason[:80]),
        _shift(row.shift),
        f"x{ratio:.2f}" if ratio and max(ratio, 1 / ratio) > _noise(answer) else "",
        "" if memory is None else f"x{memory:.2f}",
    )


def _noise(answer: Answer) -> float:
    """How far apart the times of equal work are: only environment factors were changed there."""
    equal = [row.seconds for row in answer.rows if row.status is Status.SAME and row.group in ENVIRONMENT_GROUPS]
    times = [time for time in (*equal, answer.seconds_of_control) if time > 0]
    return max(_LEAST_RATIO, (max(times) / min(times)) ** 2 if times else 1.0)


def _place(divergence: Divergence) -> str:
    text = where(divergence)
    if divergence.op:
        text += f", `{divergence.op}`"
    if divergence.location is not None:
        text += f" ({place_text(shown_path(divergence.location.path), divergence.location.line)})"
    return clip(text)


def _shift(shift: Shift | None) -> str:
    if shift is None:
        return ""
    amount = abs(shift.here - shift.control)
    in_std = "" if shift.in_std is None else f", {shift.in_std:.2g} std over seeds"
    return f"{clip(shift.metric)} {amount:.3g}{in_std}"


def _size(number: int | None) -> str:
    return "" if number is None else size(number)


def _joint(answer: Answer) -> list[str]:
    if not answer.joint:
        return []
    row = answer.joint[0]
    if row.status is Status.DIFFERS:
        names = ", ".join(row.names)
        place = "" if row.divergence is None else f" {_place(row.divergence)}"
        return [f"together {names} make a difference{place}, though none of them does alone"]
    tail = {Status.SAME: "changes no bit", Status.FAILED: f"could not be seen: {clip(row.reason)}"}
    return [f"all at once of what changes nothing alone ({len(row.names)}): {tail.get(row.status, row.status.value)}"]


def _remarks(answer: Answer) -> list[str]:
    together = [row.names[0] for row in _cleared_together(answer)]
    reasons: dict[str, list[str]] = {}
    for item in answer.not_varied:
        reasons.setdefault(item.reason, []).append(item.what)
    lines = [f"not varied: {first_of(names, 6)}: {clip(reason)}" for reason, names in reasons.items()]
    if together:
        lines.insert(0, f"environment factors, varied in one run: {', '.join(together)}")
    for row in answer.rows:
        lines += [f"{row.names[0]}: {clip(item.what)} not compared: {clip(item.reason)}" for item in row.not_compared]
    if answer.seeds < 2 and any(row.shift for row in answer.rows):
        lines.append("no spread over seeds: give --seeds 3 or more to compare the metrics with")
    if answer.rows:
        lines.append(
            "time, where it is clear of noise, and memory are from one run each, start-up included: "
            "`reprocheck cost` measures settings"
        )
    return lines
