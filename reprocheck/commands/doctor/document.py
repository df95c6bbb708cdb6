"""`reprocheck doctor` for a person: findings, then what they rest on: weights, layers, seeds, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.commands.doctor.memory import growth
from reprocheck.commands.doctor.model import DoctorReport, Generator, Memory, Phase, Use, weight_of
from reprocheck.commands.params.document import tensor_table
from reprocheck.commands.params.model import WARNING
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.model.places import place_text
from reprocheck.report.document import (
    Across,
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
    output,
)
from reprocheck.report.sections.diagnostics import finding_blocks
from reprocheck.report.sections.memory import out_of_memory
from reprocheck.report.wording import shown_path, shown_target, size

MOST_LINES = 50


def doctor_document(answer: DoctorReport) -> Document:
    """The whole answer."""
    return document(
        "reprocheck doctor",
        _opening(answer),
        *(finding_blocks(finding) for finding in answer.findings),
        _section("initial weights", _weights(answer)),
        _section("layers, with the first batch", _layers(answer)),
        _section("seeds, as the target itself sets them", _generators(answer.generators)),
        _section("memory", _memory(answer.memory)),
        [f"note: {clip(note)}" for note in answer.notes],
        [f"evidence: {clip(shown_path(answer.directory))}"],
    )


def _opening(answer: DoctorReport) -> list[Block]:
    target = clip(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        body: list[Block] = [Note("why", clip(answer.summary))]
        body += [] if answer.out_of_memory is None else out_of_memory(answer.out_of_memory)
        return [fatal("no examination", target, *body, *output(answer.stderr_tail))]
    warned = any(finding.severity == WARNING for finding in answer.findings)
    word = Span("LOOK AT THIS", Role.WARNING) if warned else Span("HEALTHY", Role.SUCCESS)
    if answer.exit_code is ExitCode.DIFFERENT:
        word = Span("UNHEALTHY", Role.ERROR)
    return [Headline(word, target, clip(answer.summary))]


def _section(name: str, blocks: list[Block]) -> list[Block]:
    return [Heading(f"{name}:"), *indented(blocks)] if blocks else []


def _weights(answer: DoctorReport) -> list[Block]:
    return [
        _shortened(table, "`reprocheck params` shows all") for table in tensor_table(answer.rows, answer.request.seeds)
    ]


def _layers(answer: DoctorReport) -> list[Block]:
    """One row for each layer that was called, with the gradient of its weight."""
    layers = answer.layers
    weights = {(row.tensor.root, row.tensor.name): row for row in answer.rows if row.tensor.kind == "parameter"}
    roots = {one.root for one in layers.activations} | {row.tensor.root for row in answer.rows}
    several = len(roots - {""}) > 1  # named as among the weights
    rows: list[tuple[Text, ...]] = []
    for one in layers.activations:
        key = weight_of(answer.rows, one.root, one.name)
        gradient = layers.gradients.get(key)
        after = layers.followed.get(key, ("", None))[0]
        shown = f"{one.root}.{one.name}".rstrip(".") if several else one.name or one.root
        rows.append(
            (
                Span(clip(shown), Role.CODE),
                clip(one.module),
                "-" if one.std is None and one.finite else _number(one.std),
                _number(gradient) if key in layers.gradients else "none" if key in weights else "-",
                clip(after) or "-",
            )
        )
    head = ("layer", "", "std of its output", "rms of its weight's gradient", "goes into")
    return [_shortened(Table(tuple(rows), head, right=(2, 3)), "--format json has all")] if rows else []


def _shortened(table: Table, where: str) -> Table:
    """Without the middle of a long one."""
    half = MOST_LINES // 2
    left_out = len(table.rows) - 2 * half + 1
    if left_out < 2:
        return table
    gap = Across(f"\u2026 {left_out} more: {where}")
    return replace(table, rows=(*table.rows[: half - 1], gap, *table.rows[-half:]))


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def _generators(generators: Sequence[Generator]) -> list[Block]:
    if not generators:
        return []
    rows = []
    for one in generators:
        first = one.seeded[:1]
        more = f" and {len(one.seeded) - 1} more" if len(one.seeded) > 1 else ""
        seeded = "".join(_use(use, value=True) for use in first) + more or "-"
        rows.append((clip(one.name), one.seed_text, seeded, "-" if one.drawn is None else _use(one.drawn)))
    return [Table(tuple(rows), ("generator", "", "seeded by", "first used by"))]


def _use(use: Use, *, value: bool = False) -> str:
    given = f"({clip(use.value)})" if value and use.value else ""
    where = f" in {clip(use.library)}" if use.library else ""
    if use.location is not None:
        where += f" at {place_text(clip(shown_path(use.location.path)), use.location.line)}"
    return f"{clip(use.call)}{given}{where}"


def _memory(memory: Memory) -> list[Block]:
    if not memory.phases:
        return []
    devices = sorted({one.device for phase in memory.phases for one in phase.devices})
    head = ["phase", "process", "its peak"]
    for device in devices:
        head += [f"cuda:{device} allocated", "peak", "reserved", "peak", "in pieces"]
    rows = tuple(tuple(_phase(phase, devices)) for phase in memory.phases)
    blocks: list[Block] = [Table(rows, tuple(head), right=tuple(range(1, len(head))))]
    grown = growth(memory.heap)
    added = [] if grown is None else [f"the process {_signed(grown)}"]
    added += [
        f"cuda:{device} {_signed(grown)}"
        for device, sizes in memory.allocated.items()
        if (grown := growth(sizes)) is not None
    ]
    blocks += [f"a further step adds: {', '.join(added)}"] if added else []
    blocks += [
        f"torch.cuda.empty_cache() gives back {size(given)} of cuda:{device} at the end"
        for device, given in memory.given_back.items()
    ]
    return blocks


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
