"""`reprocheck doctor` for a person: findings, then what they rest on: weights, layers, seeds, memory."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.doctor.memory import growth
from reprocheck.commands.doctor.model import DoctorReport, Generator, Memory, Phase, Use
from reprocheck.commands.params.model import WARNING
from reprocheck.commands.params.text import table_lines
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.errors import ExitCode
from reprocheck.report.text.diagnostics import finding_lines
from reprocheck.report.text.memory import out_of_memory
from reprocheck.report.wording import shown_path, shown_target, size

MOST_TAIL_LINES = 15
MOST_LINES = 50
_INDENT = "  "


def render_doctor_text(answer: DoctorReport, style: Style) -> str:
    """The whole answer, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(answer, pen),
        *(finding_lines(finding, pen) for finding in answer.findings),
        _section("initial weights", _weights(answer, pen), pen),
        _section("layers, with the first batch", _layers(answer, pen), pen),
        _section("seeds, as the target itself sets them", _generators(answer.generators, pen), pen),
        _section("memory", _memory(answer.memory, pen), pen),
        [f"note: {pen.text(note)}" for note in answer.notes],
        [f"evidence: {pen.text(shown_path(answer.directory))}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _opening(answer: DoctorReport, pen: Pen) -> list[str]:
    target = pen.text(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        lines = [pen.paint("fatal: no examination", "red"), f"{_INDENT}--> {target}"]
        lines.append(f"{_INDENT} = why: {pen.text(answer.summary)}")
        lines += [] if answer.out_of_memory is None else out_of_memory(answer.out_of_memory, pen)
        tail = [line.rstrip() for line in answer.stderr_tail.splitlines() if line.strip()]
        return [*lines, *(f"{_INDENT}   | {pen.text(line)}" for line in tail[-MOST_TAIL_LINES:])]
    warned = any(finding.severity == WARNING for finding in answer.findings)
    word, colour = ("LOOK AT THIS", "yellow") if warned else ("HEALTHY", "green")
    if answer.exit_code is ExitCode.DIFFERENT:
        word, colour = "UNHEALTHY", "red"
    return [f"{pen.paint(word, colour)}  {target}  {pen.text(answer.summary)}"]


def _section(name: str, lines: list[str], pen: Pen) -> list[str]:
    return [f"{name}:", *lines] if lines else []


def _weights(answer: DoctorReport, pen: Pen) -> list[str]:
    return _shortened(table_lines(answer.rows, answer.request.seeds, pen), "`reprocheck params` shows all", pen)


def _layers(answer: DoctorReport, pen: Pen) -> list[str]:
    """One row for each layer that was called, with the gradient of its weight."""
    layers = answer.layers
    weights = {(row.tensor.root, row.tensor.name): row for row in answer.rows if row.tensor.kind == "parameter"}
    several = len({one.root for one in layers.activations}) > 1
    rows = [["layer", "", "std of its output", "rms of its weight's gradient", "goes into"]]
    for one in layers.activations:
        own = f"{one.name}.weight" if one.name else "weight"
        key = (one.root, own)
        gradient = layers.gradients.get(key)
        after = layers.followed.get(key, ("", None))[0]
        shown = f"{one.root}.{one.name}".rstrip(".") if several else one.name or one.root
        rows.append(
            [
                pen.text(shown),
                pen.text(one.module),
                _number(one.std),
                _number(gradient) if key in layers.gradients else "none" if key in weights else "-",
                pen.text(after) or "-",
            ]
        )
    if len(rows) == 1:
        return []
    lines = [_INDENT + line for line in aligned(rows, right=range(2, 4), colours={}, pen=pen)]
    return _shortened(lines, "--format json has all", pen)


def _shortened(lines: list[str], where: str, pen: Pen) -> list[str]:
    """Without the middle of a long table."""
    half = MOST_LINES // 2
    left_out = len(lines) - 2 * half
    return [*lines[:half], f"{_INDENT}{pen.dots} {left_out} more: {where}", *lines[-half:]] if left_out > 1 else lines


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def _generators(generators: Sequence[Generator], pen: Pen) -> list[str]:
    if not generators:
        return []
    rows = [["generator", "", "seeded by", "first used by"]]
    for one in generators:
        first = one.seeded[:1]
        more = f" and {len(one.seeded) - 1} more" if len(one.seeded) > 1 else ""
        seeded = "".join(_use(use, pen, value=True) for use in first) + more or "-"
        rows.append([pen.text(one.name), one.seed_text, seeded, "-" if one.drawn is None else _use(one.drawn, pen)])
    return [_INDENT + line for line in aligned(rows, right=(), colours={}, pen=pen)]


def _use(use: Use, pen: Pen, *, value: bool = False) -> str:
    given = f"({pen.text(use.value)})" if value and use.value else ""
    where = f" in {pen.text(use.library)}" if use.library else ""
    if use.location is not None:
        where += f" at {pen.text(shown_path(use.location.path))}:{use.location.line}"
    return f"{pen.text(use.call)}{given}{where}"


def _memory(memory: Memory, pen: Pen) -> list[str]:
    if not memory.phases:
        return []
    devices = sorted({one.device for phase in memory.phases for one in phase.devices})
    head = ["phase", "process", "its peak"]
    for device in devices:
        head += [f"cuda:{device} allocated", "peak", "reserved", "peak", "in pieces"]
    rows = [head, *(_phase(phase, devices) for phase in memory.phases)]
    lines = [_INDENT + line for line in aligned(rows, right=range(1, len(head)), colours={}, pen=pen)]
    grown = growth(memory.heap)
    added = [] if grown is None else [f"the process {_signed(grown)}"]
    added += [
        f"cuda:{device} {_signed(grown)}"
        for device, sizes in memory.allocated.items()
        if (grown := growth(sizes)) is not None
    ]
    lines += [f"{_INDENT}a further step adds: {', '.join(added)}"] if added else []
    lines += [
        f"{_INDENT}torch.cuda.empty_cache() gives back {size(given)} of cuda:{device} at the end"
        for device, given in memory.given_back.items()
    ]
    return lines


def _phase(phase: Phase, devices: Sequence[int]) -> list[str]:
    row = [phase.name, *("-" if amount is None else size(amount) for amount in (phase.resident, phase.resident_peak))]
    by_device = {one.device: one for one in phase.devices}
    for device in devices:
        one = by_device.get(device)
        if one is None:
            row += ["-"] * 5
        else:
            row += [
                size(amount)
                for amount in (one.allocated, one.allocated_peak, one.reserved, one.reserved_peak, one.split)
            ]
    return row


def _signed(amount: int) -> str:
    return f"-{size(-amount)}" if amount < 0 else size(amount)
