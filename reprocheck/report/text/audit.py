"""The text report, for somebody with a deadline: the verdict first, then what it rests on.

Aligned plain lines, nothing cut to the width of a terminal. Colour repeats what the text and `*` say already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reprocheck.diagnosis.rules.difference import MOVED
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.model import Audit, Finding, RunSummary, SeedAudit, Settings, Status, Verdict
from reprocheck.model.kinds import Severity
from reprocheck.report.headline import qualification
from reprocheck.report.text.against import against_lines, moved_lines, opening
from reprocheck.report.text.baseline import baseline_lines
from reprocheck.report.text.diagnostics import finding_lines
from reprocheck.report.text.difference import DIVERGENCE_CODES, difference_lines, where
from reprocheck.report.text.explanation import closing_lines, trial_lines, why_notes
from reprocheck.report.text.memory import out_of_memory
from reprocheck.report.text.metrics import metrics_lines
from reprocheck.report.text.reused import reused_lines
from reprocheck.report.wording import (
    count,
    duration,
    first_of,
    flat_memory,
    prefix_length,
    short,
    shown_path,
    shown_target,
    size,
)

MOST_LINES = 15
MOST_ITEMS = 20
_INDENT = "  "
_STDERR_TAIL = 64_000
_LONGEST_MESSAGE = 200
"""Characters of an error's last line by which it is known again."""


def render_text(audit: Audit, style: Style) -> str:
    """The whole report, a newline at its end."""
    pen = Pen(style)
    sections = [
        [*_opening(audit, pen), *reused_lines(audit, pen)],
        *_diagnoses(audit, pen),
        *(_seed(seed, pen) for seed in audit.seeds),
        against_lines(audit, pen, _seed),
        *_other_findings(audit, pen),
        baseline_lines(audit.baseline, pen),
        metrics_lines(audit, pen),
        _informational(audit, pen),
        _settings(audit, pen),
        _coverage(audit, pen),
        [pen.text(audit.summary), f"evidence: {pen.text(shown_path(audit.directory))}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _opening(audit: Audit, pen: Pen) -> list[str]:
    target = pen.text(shown_target(audit.request.target))
    against = opening(audit, pen)
    if audit.verdict is Verdict.NO_VERDICT:
        return [
            pen.paint("fatal: no verdict reached", "red"),
            f"{_INDENT}--> {target}",
            *_why_none(audit, pen),
        ]
    if audit.verdict is Verdict.REPRODUCIBLE:
        limits = pen.text(qualification(audit))
        colour = "yellow" if limits else "green"
        return [f"{pen.paint('REPRODUCIBLE', colour)}{limits}  {target}  {against or _no_difference(audit)}"]
    return [f"{pen.paint('DIFFERENT', 'red')}  {target}  {against or _first_difference(audit, pen)}"]


def _no_difference(audit: Audit) -> str:
    runs = sum(len(seed.runs) for seed in audit.seeds)
    return f"no difference observed in {count(runs, 'run')} of {count(len(audit.seeds), 'seed')}"


def _first_difference(audit: Audit, pen: Pen) -> str:
    seed = next((seed for seed in audit.seeds if seed.divergence), None)
    if seed is None or seed.divergence is None:
        return pen.text(audit.summary)
    return f"{count(len(seed.runs), 'run')} of seed {seed.seed} differ first {pen.text(where(seed.divergence))}"


def _why_none(audit: Audit, pen: Pen) -> list[str]:
    lines = []
    for seed in audit.seeds:
        if seed.verdict is Verdict.NO_VERDICT and seed.reason:
            lines.append(f"{_INDENT} = why: seed {seed.seed}: {pen.text(seed.reason)}")
    reason = audit.summary if audit.against is None or not audit.against.reason else audit.against.reason
    lines += [f"{_INDENT} = why: {pen.text(reason)}"] if not lines else []
    already: set[str] = set()
    for run in (run for seed in _all_seeds(audit) for run in seed.runs if run.status is not Status.COMPLETED):
        lines += ["", *_failed_run(run, already, pen)]
    return [*lines, "", *(f"{_INDENT} = help: {hint}" for hint in _what_to_try(audit))]


def _all_seeds(audit: Audit) -> tuple[SeedAudit, ...]:
    """Those of the other revision, too."""
    return audit.seeds if audit.against is None else (*audit.seeds, *audit.against.seeds)


def _failed_run(run: RunSummary, already: set[str], pen: Pen) -> list[str]:
    lines = [f"{_INDENT}run {pen.text(run.id)} {_status_text(run.status)}: {pen.text(run.reason) or 'reason unknown'}"]
    # A hostile or huge end of a log is cut before it is looked at.
    tail = [line.rstrip() for line in run.stderr_tail[-_STDERR_TAIL:].splitlines() if line.strip()]
    if run.out_of_memory is not None and run.stderr_tail not in already:
        lines += out_of_memory(run.out_of_memory, pen)
    if not tail:
        return lines
    if run.reason.startswith(tail[-1].strip()[:_LONGEST_MESSAGE]):  # it stands in the line above
        tail.pop()
    if run.stderr_tail in already:
        return [*lines, f"{_INDENT}   | the same last output"]
    already.add(run.stderr_tail)
    left_out = len(tail) - MOST_LINES
    lines += [f"{_INDENT}   | ({count(left_out, 'line')} left out)"] if left_out > 0 else []
    return lines + [f"{_INDENT}   | {pen.text(line)}" for line in tail[-MOST_LINES:]]


def _what_to_try(audit: Audit) -> Iterator[str]:
    statuses = {run.status for seed in _all_seeds(audit) for run in seed.runs}
    if statuses == {Status.COMPLETED} and audit.against is not None and audit.against.reason:
        yield "compare with a revision that reproduces and whose own code runs, or audit without --against"
        return
    if all(seed.verdict is Verdict.REPRODUCIBLE for seed in audit.seeds) and audit.baseline is not None:
        yield "give the metrics a tolerance, as in --tolerance loss=1%"
        yield "or write down the results of this numerical class, too, with --update-baseline"
        return
    yield "stdout.txt and stderr.txt in the folder of each run hold all its output"
    failed = [run for seed in _all_seeds(audit) for run in seed.runs if run.status is Status.FAILED]
    if any(run.out_of_memory is None for run in failed):
        yield "run the target once without reprocheck, from this folder and with these arguments"
    if Status.TIMED_OUT in statuses:
        yield "give it more time with --timeout, or fewer steps with --max-steps"
    if Status.LOST in statuses:
        yield "a run that vanished was often killed for memory: try --jobs 1, or --max-steps"
    if statuses <= {Status.COMPLETED}:
        helps = dict.fromkeys(item.help for item in audit.not_compared if item.is_result and item.help)
        yield from helps
        if helps:
            return
        yield "let the target step an optimizer or return something, so that there is something to compare"


def _seed(seed: SeedAudit, pen: Pen) -> list[str]:
    if not seed.runs:
        return []
    verdict = seed.verdict.value.replace("_", " ")
    heading = f"seed {seed.seed}: {verdict}" + (f" ({pen.text(seed.reason)})" if seed.reason else "")
    rows, colours = _run_rows(seed.runs, pen)
    lines = [heading, *(_INDENT + line for line in aligned(rows, right=(5,), colours=colours, pen=pen))]
    if any(colour == "red" for (_, x), colour in colours.items() if x > 1):
        lines.append(f"{_INDENT}* differs from {pen.text(_baseline(seed.runs).id)}")
    return lines + [f"{_INDENT}= note: {pen.text(note)}" for note in seed.notes]


def _run_rows(runs: Sequence[RunSummary], pen: Pen) -> tuple[list[list[str]], dict[tuple[int, int], str]]:
    length = prefix_length(digest for run in runs for digest in (run.init, run.steps_digest, run.output))
    rows = [["run", "status", "init", "steps", "output", "time", "peak memory"]]
    colours: dict[tuple[int, int], str] = {}
    first = _baseline(runs)
    for y, run in enumerate(runs, start=1):
        steps = f"{run.steps} {short(pen, run.steps_digest, length)}" if run.steps else "-"
        cells = [short(pen, run.init, length), steps, short(pen, run.output, length)]
        marks = [_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True)]
        for x, marked in enumerate(marks):
            if marked:
                cells[x] += "*"
                colours[y, x + 2] = "red"
        if run.status is not Status.COMPLETED:
            colours[y, 1] = "red"
        status = _status_text(run.status) + (
            "" if run.stopped_at is None else f" (stopped after step {run.stopped_at})"
        )
        rows.append([pen.text(run.id), status, *cells, duration(run.seconds), pen.text(_memory(run))])
    return rows, colours


def _digests(run: RunSummary) -> tuple[str, str, str]:
    return run.init, f"{run.steps} {run.steps_digest}" if run.steps_digest else "", run.output


def _differs(one: str, other: str) -> bool:
    """Between two observed things; what was not observed is shown as such."""
    return bool(one and other) and one != other


_SMALL_CHILD = 10
"""A child with less than one part in so many is no part of the training."""


def _memory(run: RunSummary) -> str:
    flat = {name: value for name, value in flat_memory(run.memory).items() if isinstance(value, (int, float))}
    own, child = flat.get("plain_rss_peak", flat.get("rss_peak")), flat.get("children_rss_peak", 0)
    parts = [] if own is None else [size(own)]
    for name, value in sorted(flat.items()):
        if name.endswith("allocated_peak"):
            device = name.removesuffix("allocated_peak").strip(".").replace(".", ":")
            parts.append(f"{device} {size(value)}")
    if own is not None and child * _SMALL_CHILD > own:
        parts.append(f"largest child {size(child)}")
    return ", ".join(sorted(parts, key=lambda part: not part[0].isdigit())) or "-"


def _diagnoses(audit: Audit, pen: Pen) -> Iterator[list[str]]:
    """The causes with their fixes, then the first difference; without a cause the difference comes first."""
    explanation = audit.explanation
    causes = _causes(audit)
    trials = () if explanation is None else explanation.trials
    whys = [] if explanation is None else why_notes(explanation, pen)
    for index, finding in enumerate(causes):
        yield finding_lines(finding, pen, notes=() if index else whys, trials=trials)
    shown = tuple(finding.location for finding in causes if finding.location is not None)
    edits = tuple(finding.edit for finding in causes if finding.edit is not None)
    tried = [] if explanation is None else trial_lines(explanation, edits, pen)
    moved = any(finding.code == MOVED for finding in audit.findings)
    difference = moved_lines(audit, pen, whys) if moved else difference_lines(audit, pen, causes, whys, shown)
    yield from (tried, difference) if causes and not moved else (difference, tried)
    if explanation is not None:
        code = next((finding.code for finding in (*causes, *audit.findings)), "")
        yield closing_lines(explanation, code, pen)


def _causes(audit: Audit) -> list[Finding]:
    return [
        finding
        for finding in audit.findings
        if finding.severity == Severity.ERROR and finding.code not in (*DIVERGENCE_CODES, MOVED)
    ]


def _other_findings(audit: Audit, pen: Pen) -> Iterator[list[str]]:
    """Warnings and notes, which have no part in a difference."""
    causes = _causes(audit)
    others = (finding for finding in audit.findings if finding.code not in (*DIVERGENCE_CODES, MOVED))
    yield from (finding_lines(finding, pen) for finding in others if finding not in causes)


def _informational(audit: Audit, pen: Pen) -> list[str]:
    rows = []
    for seed in audit.seeds:
        for item in seed.informational:
            same = "same" if item.same else "differ"
            decides = "decides" if item.decides else "does not decide"
            rows.append([f"seed {seed.seed}", pen.text(item.what), same, decides, pen.text(item.detail)])
    left_out = len(rows) - MOST_ITEMS
    lines = aligned(rows[:MOST_ITEMS], colours={}, pen=pen) + ([f"and {left_out} more"] if left_out > 0 else [])
    return ["informational", *(_INDENT + line for line in lines)] if rows else []


def _settings(audit: Audit, pen: Pen) -> list[str]:
    """Settings that were not at the end of a run what was asked for."""
    asked = {name: getattr(audit.request.settings, name) for name in Settings.__dataclass_fields__}
    changed: dict[str, list[str]] = {}
    for run in (run for seed in audit.seeds for run in seed.runs):
        for name, value in sorted(run.settings.items()):
            if asked.get(name) is not None and not _same(asked[name], value):
                before, after = pen.text(_value(asked[name])), pen.text(_value(value))
                line = f"{pen.text(name)}: asked {before}, at the end {after}"
                changed.setdefault(line, []).append(pen.text(run.id))
    if not changed:
        return []
    lines = [f"{_INDENT}{line} ({first_of(runs, 3)})" for line, runs in list(changed.items())[:MOST_ITEMS]]
    return ["settings that the target changed", *lines]


def _same(asked: Any, found: Any) -> bool:
    return bool(asked == found) or _value(asked) == _value(found)


def _value(value: Any) -> str:
    plain = getattr(value, "value", value)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def _coverage(audit: Audit, pen: Pen) -> list[str]:
    lines = [f"compared: {pen.text(', '.join(audit.compared)) or 'nothing'}"]
    lines += _reasons("not compared", audit.not_compared, pen)
    lines.append(f"varied: {pen.text(', '.join(audit.varied)) or 'nothing'}")
    return lines + _reasons("not varied", audit.not_varied, pen)


def _reasons(title: str, items: Sequence[Any], pen: Pen) -> list[str]:
    if not items:
        return []
    lines = []
    for item in sorted(items, key=lambda item: not item.is_result)[:MOST_ITEMS]:
        lines.append(f"{_INDENT}{pen.text(item.what)}: {pen.text(item.reason)}")
        lines += [f"{_INDENT}  = help: {pen.text(item.help)}"] if item.help else []
    left_out = len(items) - MOST_ITEMS
    return [f"{title}:", *lines, *([f"{_INDENT}and {left_out} more"] if left_out > 0 else [])]


def _status_text(status: Status) -> str:
    return status.value.replace("-", " ")


def _baseline(runs: Sequence[RunSummary]) -> RunSummary:
    """The run that the others are marked against: the first with complete evidence."""
    return next((run for run in runs if run.status is Status.COMPLETED), runs[0])
