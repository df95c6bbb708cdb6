"""The answer of `reprocheck vary` for a person: what the result depends on, as text and as a table."""

from __future__ import annotations

from reprocheck.commands.vary.model import Answer, Row, Shift, Status
from reprocheck.commands.vary.variations import VARIATIONS
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.errors import ExitCode
from reprocheck.model import Divergence
from reprocheck.report.text.difference import where
from reprocheck.report.wording import count, duration, first_of, shown_path, shown_target, size

MOST_LINES = 15
SURROUNDING_GROUPS = {one.group for one in VARIATIONS if one.is_environment}
_INDENT = "  "
_COLOURS = {Status.SAME: "green", Status.DIFFERS: "red", Status.FAILED: "red"}
_HEAD = ["variation", "", "first difference", "metric that moves most", "time", "peak memory"]


def render_vary_text(answer: Answer, style: Style) -> str:
    """The whole report, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(answer, pen),
        _table(answer, pen),
        _joint(answer, pen),
        _remarks(answer, pen),
        [
            f"{count(answer.runs, 'run')} in {duration(answer.seconds)}",
            f"evidence: {pen.text(shown_path(answer.directory))}",
        ],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def render_list_text(style: Style) -> str:
    """Every variation with what it stands for."""
    rows = [["variation", "group", "meaning"]]
    rows += [[one.name, one.group, one.emulates] for one in VARIATIONS]
    return "\n".join(aligned(rows, colours={}, pen=Pen(style))) + "\n"


def _opening(answer: Answer, pen: Pen) -> list[str]:
    target = pen.text(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        lines = [pen.paint("fatal: no verdict reached", "red"), f"{_INDENT}--> {target}"]
        lines.append(f"{_INDENT} = why: {pen.text(answer.summary)}")
        tail = [line.rstrip() for line in answer.stderr_tail.splitlines() if line.strip()]
        return [*lines, *(f"{_INDENT}   | {pen.text(line)}" for line in tail[-MOST_LINES:])]
    if answer.control is not None:
        at = _place(answer.control, pen)
        return [f"{pen.paint('DIFFERENT', 'red')}  {target}  {pen.text(answer.summary)}", f"{_INDENT}{at}"]
    depends = any(row.status in (Status.DIFFERS, Status.FAILED) for row in (*answer.rows, *answer.joint))
    word = pen.paint("DEPENDS", "yellow") if depends else pen.paint("INDEPENDENT", "green")
    if answer.exit_code is ExitCode.DIFFERENT:
        word = pen.paint("DEPENDS", "red")
    return [f"{word}  {target}  {pen.text(answer.summary)}"]


def _table(answer: Answer, pen: Pen) -> list[str]:
    if not answer.rows:
        return []
    rows, colours = [_HEAD], {}
    together = _cleared_together(answer)
    shown = [*together[:1], *(row for row in answer.rows if row not in together)]
    for y, row in enumerate(shown, start=1):
        colours[y, 1] = _COLOURS.get(row.status, "yellow")
        cells = _cells(row, answer, pen)
        rows.append([f"environment factors ({len(together)})", *cells[1:]] if row in together[:1] else cells)
    control = ["(control)", "", "", "", duration(answer.seconds_of_control), _size(answer.memory_of_control)]
    return [_INDENT + line.rstrip() for line in aligned([*rows, control], right=(4, 5), colours=colours, pen=pen)]


def _cleared_together(answer: Answer) -> list[Row]:
    """Rows of one run in which all of them were varied and nothing changed: shown as one."""
    same = [row for row in answer.rows if row.status is Status.SAME and row.group in SURROUNDING_GROUPS]
    return [row for row in same if row.runs == same[0].runs] if len(same) > 1 else []


def _cells(row: Row, answer: Answer, pen: Pen) -> list[str]:
    ratio = row.seconds / answer.seconds_of_control if answer.seconds_of_control else 0.0
    memory = row.memory / answer.memory_of_control if row.memory and answer.memory_of_control else None
    first = "" if row.divergence is None else _place(row.divergence, pen)
    return [
        " + ".join(row.names),
        row.status.value,
        first or pen.text(row.reason[:80]),
        _shift(row.shift, pen),
        f"x{ratio:.2f}" if ratio else "",
        "" if memory is None else f"x{memory:.2f}",
    ]


def _place(divergence: Divergence, pen: Pen) -> str:
    text = where(divergence)
    if divergence.op:
        text += f", `{divergence.op}`"
    if divergence.location is not None:
        text += f" ({shown_path(divergence.location.path)}:{divergence.location.line})"
    return pen.text(text)


def _shift(shift: Shift | None, pen: Pen) -> str:
    if shift is None:
        return ""
    amount = abs(shift.here - shift.control)
    in_std = "" if shift.in_std is None else f", {shift.in_std:.2g} std over seeds"
    return f"{pen.text(shift.metric)} {amount:.3g}{in_std}"


def _size(number: int | None) -> str:
    return "" if number is None else size(number)


def _joint(answer: Answer, pen: Pen) -> list[str]:
    if not answer.joint:
        return []
    row = answer.joint[0]
    if row.status is Status.DIFFERS:
        names = ", ".join(row.names)
        place = "" if row.divergence is None else f" {_place(row.divergence, pen)}"
        return [f"together {names} make a difference{place}, though none of them does alone"]
    tail = {Status.SAME: "changes no bit", Status.FAILED: f"could not be seen: {pen.text(row.reason)}"}
    return [f"all at once of what changes nothing alone ({len(row.names)}): {tail.get(row.status, row.status.value)}"]


def _remarks(answer: Answer, pen: Pen) -> list[str]:
    together = [row.names[0] for row in _cleared_together(answer)]
    reasons: dict[str, list[str]] = {}
    for item in answer.not_varied:
        reasons.setdefault(item.reason, []).append(item.what)
    lines = [f"not varied: {first_of(names, 6)}: {pen.text(reason)}" for reason, names in reasons.items()]
    if together:
        lines.insert(0, f"environment factors, varied in one run: {', '.join(together)}")
    for row in answer.rows:
        lines += [
            f"{row.names[0]}: {pen.text(item.what)} not compared: {pen.text(item.reason)}" for item in row.not_compared
        ]
    if answer.seeds < 2 and any(row.shift for row in answer.rows):
        lines.append("no spread over seeds: give --seeds 3 or more to compare the metrics with")
    if answer.rows:
        lines.append("time and memory are from one run each, start-up included: `reprocheck cost` measures settings")
    return lines
