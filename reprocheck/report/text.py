"""The text report, for somebody with a deadline: the verdict first, then what it rests on.

Aligned plain lines, nothing cut to the width of a terminal. Colour repeats what words and `*` say already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from reprocheck.console import Pen, Style, aligned
from reprocheck.findings import DIVERGENCES, UNDIAGNOSED
from reprocheck.model import (
    Audit,
    Divergence,
    Finding,
    RunSummary,
    SeedAudit,
    Settings,
    Status,
    TensorDifference,
    Verdict,
)
from reprocheck.report.json_v1 import flat_memory, shown_path, shown_target

MOST_TENSORS = 10
MOST_LINES = 15
MOST_ITEMS = 20
PREFIX = 8
_DIGEST = re.compile(r"[0-9a-f]{32}")
_INDENT = "  "
_LAST_WORDS = 64_000
_SEVERITIES = {"error": "red", "warning": "yellow", "note": "blue"}


def render_text(audit: Audit, style: Style) -> str:
    """The whole report, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(audit, pen),
        *(_seed(seed, pen) for seed in audit.seeds),
        _divergences(audit, pen),
        *(_finding(finding, pen) for finding in audit.findings if finding.code not in _DIVERGENCE_CODES),
        _metrics(audit, pen),
        _beside(audit, pen),
        _settings(audit, pen),
        _coverage(audit, pen),
        [pen.text(audit.summary), f"evidence: {pen.text(shown_path(audit.directory))}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


_DIVERGENCE_CODES = {code for code, _, _ in DIVERGENCES.values()}


def where(divergence: Divergence) -> str:
    """`at step 3 in gradients`, `in the initial parameters`."""
    if divergence.step is not None:
        return f"at step {divergence.step} in {divergence.kind or divergence.stage}"
    if divergence.stage == "init":
        return f"before the first step in the initial {divergence.kind or 'parameters'}"
    if divergence.stage == "length":
        return "in the number of steps"
    return f"in {divergence.kind or divergence.stage}"


def _opening(audit: Audit, pen: Pen) -> list[str]:
    target = pen.text(shown_target(audit.request.target))
    if audit.verdict is Verdict.NO_VERDICT:
        return [
            pen.paint("fatal: no verdict reached", "red"),
            f"{_INDENT}--> {target}",
            *_why_none(audit, pen),
        ]
    if audit.verdict is Verdict.REPRODUCIBLE:
        return [f"{pen.paint('REPRODUCIBLE', 'green')}  {target}  {_no_difference(audit, pen)}"]
    return [f"{pen.paint('DIFFERENT', 'red')}  {target}  {_first_difference(audit, pen)}"]


def _no_difference(audit: Audit, pen: Pen) -> str:
    runs = sum(len(seed.runs) for seed in audit.seeds)
    varied = pen.text(", ".join(audit.varied)) or "nothing"
    how_many = f"{count(runs, 'run')} of {count(len(audit.seeds), 'seed')}"
    return f"no difference observed in {how_many}; varied: {varied}"


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
    lines += [f"{_INDENT} = why: {pen.text(audit.summary)}"] if not lines else []
    told: set[str] = set()
    for run in (run for seed in audit.seeds for run in seed.runs if run.status is not Status.COMPLETED):
        lines += ["", *_failed_run(run, told, pen)]
    return [*lines, "", *(f"{_INDENT} = help: {hint}" for hint in _what_to_try(audit))]


def _failed_run(run: RunSummary, told: set[str], pen: Pen) -> list[str]:
    lines = [f"{_INDENT}run {pen.text(run.id)} {_words(run.status)}: {pen.text(run.reason) or 'reason unknown'}"]
    # A hostile or huge end of a log is cut before it is looked at.
    words = [line.rstrip() for line in run.last_words[-_LAST_WORDS:].splitlines() if line.strip()]
    if not words:
        return lines
    if run.last_words in told:
        return [*lines, f"{_INDENT}   | the same last words"]
    told.add(run.last_words)
    left_out = len(words) - MOST_LINES
    lines += [f"{_INDENT}   | ({count(left_out, 'line')} left out)"] if left_out > 0 else []
    return lines + [f"{_INDENT}   | {pen.text(line)}" for line in words[-MOST_LINES:]]


def _what_to_try(audit: Audit) -> Iterator[str]:
    statuses = {run.status for seed in audit.seeds for run in seed.runs}
    yield "stdout.txt and stderr.txt in the folder of each run hold all that it said"
    if Status.FAILED in statuses:
        yield "run the target once by itself, from this folder and with these arguments"
    if Status.TIMED_OUT in statuses:
        yield "give it more time with --timeout, or fewer steps with --max-steps"
    if Status.LOST in statuses:
        yield "a run that vanished was often killed for memory: try --jobs 1, or --max-steps"
    if statuses <= {Status.COMPLETED}:
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
        steps = f"{run.steps} {_digest(pen, run.steps_digest, length)}" if run.steps else "-"
        cells = [_digest(pen, run.init, length), steps, _digest(pen, run.output, length)]
        marks = [_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True)]
        for x, marked in enumerate(marks):
            if marked:
                cells[x] += "*"
                colours[y, x + 2] = "red"
        if run.status is not Status.COMPLETED:
            colours[y, 1] = "red"
        status = _words(run.status) + ("" if run.stopped_at is None else f" (stopped after step {run.stopped_at})")
        rows.append([pen.text(run.id), status, *cells, duration(run.seconds), pen.text(_memory(run))])
    return rows, colours


def _digests(run: RunSummary) -> tuple[str, str, str]:
    return run.init, f"{run.steps} {run.steps_digest}" if run.steps_digest else "", run.output


def _differs(one: str, other: str) -> bool:
    """Between two observed things; what was not observed is shown as such."""
    return bool(one and other) and one != other


def _memory(run: RunSummary) -> str:
    flat = flat_memory(run.memory)
    parts = []
    for name, value in sorted(flat.items()):
        if name.endswith(("rss_peak", "allocated_peak")) and isinstance(value, (int, float)):
            device = name.removesuffix("allocated_peak").strip(".").replace(".", ":")
            parts.append(size(value) if name == "rss_peak" else f"{device} {size(value)}")
    return ", ".join(sorted(parts, key=lambda part: not part[0].isdigit())) or "-"


def _divergences(audit: Audit, pen: Pen) -> list[str]:
    """The first difference in full, those of other seeds in a line."""
    lines: list[str] = []
    for seed in audit.seeds:
        if seed.divergence is None:
            continue
        if not lines:
            lines = _divergence(seed.divergence, pen) + _diagnosis(audit, pen)
        else:
            lines.append(f"   = note: seed {seed.seed} differs first {pen.text(where(seed.divergence))}")
    return lines or (_divergence(audit.divergence, pen) if audit.divergence else [])


def _divergence(divergence: Divergence, pen: Pen) -> list[str]:
    one, other = (pen.text(run) for run in divergence.runs)
    what = pen.text(divergence.kind or divergence.stage)
    code = DIVERGENCES[divergence.stage][0] if divergence.stage in DIVERGENCES else "RC300"
    lines = [f"{pen.paint(f'error[{code}]', 'red')}: {what} differ between run {one} and run {other}"]
    place = "first " + pen.text(where(divergence))
    if divergence.location is not None:
        place = f"{pen.text(shown_path(divergence.location.path))}:{divergence.location.line}, {place}"
    if divergence.op:
        place += f", op `{pen.text(divergence.op)}`"
    lines.append(f"  --> {place}")
    names = [f"`{pen.text(name)}`" for name in divergence.names]
    if names and not divergence.tensors:
        lines.append(f"   | {first_of(names, MOST_TENSORS)}")
    lines += [f"   | {line}".rstrip() for line in _tensors(divergence.tensors, pen)]
    return lines + ([f"   = note: {pen.text(divergence.note)}"] if divergence.note else [])


def _diagnosis(audit: Audit, pen: Pen) -> list[str]:
    """What the finding for the first difference adds to it; its head stands there already."""
    for finding in audit.findings:
        if finding.code in _DIVERGENCE_CODES:
            lines = [f"   = note: {pen.text(finding.evidence[0])}"] if finding.evidence else []
            if finding.cause != UNDIAGNOSED:
                lines.append(f"   = note: cause: {pen.text(finding.cause)}, confidence: {pen.text(finding.confidence)}")
            lines += [f"   = help: {pen.text(line)}" for line in finding.help.splitlines() if line.strip()]
            return lines
    return []


def _tensors(tensors: Sequence[TensorDifference], pen: Pen) -> list[str]:
    if not tensors:
        return []
    length = prefix_length(digest for tensor in tensors for digest in (tensor.a, tensor.b))
    rows = [["name", "dtype", "shape", "elements that differ", "max abs", "ulp", "first run", "second run"]]
    for tensor in tensors[:MOST_TENSORS]:
        shape = "x".join(map(str, tensor.shape)) or "-"
        rows.append([pen.text(tensor.name), pen.text(tensor.dtype) or "-", shape, *_values(tensor, length, pen)])
    lines = aligned(rows, right=(4, 5), colours={}, pen=pen)
    left_out = len(tensors) - MOST_TENSORS
    return [*lines, f"and {left_out} more"] if left_out > 0 else lines


def _values(tensor: TensorDifference, length: int, pen: Pen) -> list[str]:
    values = tensor.values
    if values is None:
        absent = "absent"
        sides = [_digest(pen, side, length) if side else absent for side in (tensor.a, tensor.b)]
        return [f"unknown: {pen.text(tensor.reason)}" if tensor.reason else "-", "-", "-", *sides]
    differing = f"{values.different} of {values.total} ({_percent(values.different, values.total)})"
    greatest = "-" if values.max_abs is None else f"{values.max_abs:.3g}"
    ulp = "-" if values.max_ulp is None else f"{values.max_ulp}"
    if not values.samples:
        return [differing, greatest, ulp, _digest(pen, tensor.a, length), _digest(pen, tensor.b, length)]
    index, a, b = values.samples[0]
    place = f"[{', '.join(map(str, index))}] " if index else ""
    return [differing, greatest, ulp, place + pen.text(a), pen.text(b)]


def _percent(part: int, whole: int) -> str:
    """Never 0 % of something, never 100 % of less than all."""
    share = 100 * part / whole if whole else 0.0
    if part == whole:
        return "100 %"
    return "<0.1 %" if share < 0.1 else f"{min(share, 99.9):.1f} %"


def _finding(finding: Finding, pen: Pen) -> list[str]:
    head = pen.paint(
        f"{pen.text(finding.severity)}[{pen.text(finding.code)}]", _SEVERITIES.get(finding.severity, "bold")
    )
    lines = [f"{head}: {pen.text(finding.message)}"]
    if finding.location is not None:
        lines.append(f"  --> {pen.text(shown_path(finding.location.path))}:{finding.location.line}")
    lines += [f"   | {pen.text(line)}" for line in finding.evidence[:MOST_ITEMS]]
    if len(finding.evidence) > MOST_ITEMS:
        lines.append(f"   | and {len(finding.evidence) - MOST_ITEMS} more")
    cause = f"cause: {pen.text(finding.cause)}, " if finding.cause else ""
    lines.append(f"   = note: {cause}confidence: {pen.text(finding.confidence)}")
    return lines + [f"   = help: {pen.text(line)}" for line in finding.help.splitlines() if line.strip()]


def _metrics(audit: Audit, pen: Pen) -> list[str]:
    if not audit.metrics:
        return []
    rows = [["metric", "seeds", "mean", "std over seeds", "spread within a seed"]]
    for metric in audit.metrics[:MOST_ITEMS]:
        std = "-" if metric.std is None else f"{metric.std:.4g}"
        rows.append([pen.text(metric.name), str(metric.seeds), f"{metric.mean:.6g}", std, f"{metric.within:.4g}"])
    lines = aligned(rows, right=(1, 2, 3, 4), colours={}, pen=pen)
    if len(audit.metrics) > MOST_ITEMS:
        lines.append(f"and {len(audit.metrics) - MOST_ITEMS} more")
    return ["metrics", *(_INDENT + line for line in lines)]


def _beside(audit: Audit, pen: Pen) -> list[str]:
    rows = []
    for seed in audit.seeds:
        for item in seed.beside:
            same = "same" if item.same else "differ"
            decides = "decides" if item.decides else "does not decide"
            rows.append([f"seed {seed.seed}", pen.text(item.what), same, decides, pen.text(item.detail)])
    left_out = len(rows) - MOST_ITEMS
    lines = aligned(rows[:MOST_ITEMS], colours={}, pen=pen) + ([f"and {left_out} more"] if left_out > 0 else [])
    return ["beside", *(_INDENT + line for line in lines)] if rows else []


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
    lines = [f"{_INDENT}{pen.text(item.what)}: {pen.text(item.reason)}" for item in items[:MOST_ITEMS]]
    left_out = len(items) - MOST_ITEMS
    return [f"{title}:", *lines, *([f"{_INDENT}and {left_out} more"] if left_out > 0 else [])]


def _words(status: Status) -> str:
    return status.value.replace("-", " ")


def prefix_length(digests: Iterable[str]) -> int:
    """The fewest digits, at least PREFIX, with which different digests look different."""
    different = sorted({digest for digest in digests if is_digest(digest)})
    longest = PREFIX - 1
    for one, other in pairwise(different):  # neighbours share the longest prefixes
        same = next(place for place in range(len(one)) if one[place] != other[place])
        longest = max(longest, same)
    return longest + 1


def is_digest(text: str) -> bool:
    """Whether it is a digest rather than a value as text."""
    return _DIGEST.fullmatch(text) is not None


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time as a person reads it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(number: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def first_of(names: Sequence[str], limit: int) -> str:
    """The first few, and how many more."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _digest(pen: Pen, digest: str, length: int) -> str:
    """A digest's prefix; any other text whole; a dash for nothing."""
    if not digest:
        return "-"
    return digest[:length] if is_digest(digest) else pen.text(digest)


def _baseline(runs: Sequence[RunSummary]) -> RunSummary:
    """The run that the others are marked against: the first with complete evidence."""
    return next((run for run in runs if run.status is Status.COMPLETED), runs[0])
