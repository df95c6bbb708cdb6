"""`reprocheck cost` for a person: the cheapest setting that reproduces, then every price with its noise."""

from __future__ import annotations

from reprocheck.commands.cost.model import CostReport, Price, Ratio
from reprocheck.commands.cost.rows import AGAIN, UNFILLED
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.report.document import (
    Block,
    Document,
    Gap,
    Heading,
    Headline,
    KeyValues,
    Role,
    Span,
    Table,
    Text,
    document,
    indented,
    no_verdict,
)
from reprocheck.report.sections.difference import where
from reprocheck.report.wording import shown_path, shown_target, size

ENOUGH = 0.9
"""Coverage below which an interval says little."""


def cost_document(costs: CostReport) -> Document:
    """The whole report."""
    return document(
        "reprocheck cost",
        _opening(costs),
        _table(costs),
        _worth_knowing(costs),
        _presets(costs),
        _legend(costs) if costs.exit_code is ExitCode.OK else [],
        [f"{item.what}: not run: {clip(item.reason)}" for item in costs.not_run],
        [f"evidence: {clip(shown_path(costs.directory))}"],
    )


def _opening(costs: CostReport) -> list[Block]:
    target = clip(shown_target(costs.request.target))
    if costs.exit_code is not ExitCode.OK:
        return [no_verdict(target, clip(costs.summary), costs.stderr_tail)]
    found = Span("REPRODUCES", Role.SUCCESS) if costs.cheapest else Span("NEVER REPRODUCES", Role.ERROR)
    return [Headline(found, target, clip(costs.summary))]


def _table(costs: CostReport) -> list[Block]:
    if costs.exit_code is not ExitCode.OK:
        return []
    rows: list[tuple[Text, ...]] = []
    for price in costs.prices:
        reproduces = Span(_reproduces(price), Role.SUCCESS if price.reproduces else Role.ERROR)
        time, memory = price.time_ratio, price.memory_ratio
        seconds = "-" if price.seconds is None else _seconds(price.seconds)
        peak = "-" if price.memory is None else size(price.memory)
        rows.append((price.row.name, reproduces, seconds, _ratio(time), peak, _ratio(memory)))
    head = ("setting", "reproduces", f"time of a {costs.per}", "", "peak memory", "")
    return [*indented([Table(tuple(rows), head, right=(2, 4))]), *_remarks(costs)]


def _remarks(costs: CostReport) -> list[Block]:
    lines = []
    for price in costs.prices:
        if price.divergence is not None:
            lines.append(f"{price.row.name} differs first {clip(where(price.divergence))}")
        elif price.reason:
            lines.append(f"{price.row.name}: {clip(price.reason)}")
    return [*([Gap()] if lines else []), *lines]


def _worth_knowing(costs: CostReport) -> list[str]:
    """The noise, and the fill apart from deterministic algorithms."""
    if costs.exit_code is not ExitCode.OK:
        return []
    again = next(price for price in costs.prices if price.row == AGAIN)
    found = [("time", again.time_ratio), ("peak memory", again.memory_ratio)]
    seen = [f"x{ratio.high:.3f} in {what}" for what, ratio in found if ratio is not None]
    lines = [f"noise: two plain runs of one round come out up to {' and '.join(seen)} apart"] if seen else []
    if costs.fill is not None:
        lines.append(f"fill of uninitialized memory alone: {_ratio(costs.fill)} in time, on top of {UNFILLED}")
    return lines


def _presets(costs: CostReport) -> list[Block]:
    """What stands behind the names."""
    rows = tuple((price.row.name, price.row.what + (" (preset)" if price.row.preset else "")) for price in costs.prices)
    if costs.exit_code is not ExitCode.OK:
        return []
    return [Heading("what each setting is"), *indented([KeyValues(rows)])]


def _legend(costs: CostReport) -> list[str]:
    held = f"the median over {costs.rounds} rounds against both plain runs, and an interval that holds it"
    lines = [f"ratios: {held} with {100 * costs.coverage:.0f} %"]
    lines.append("no difference: the interval contains 1, or it is within the noise of two plain runs")
    lines.append("every setting but plain comes on top of seeded generators, as in `reprocheck run`")
    if costs.coverage < ENOUGH:
        lines.append(f"note: {costs.rounds} rounds are too few: try --rounds 5 or more")
    return lines


def _reproduces(price: Price) -> str:
    tail = {True: f"yes, {price.runs} runs", False: "no", None: "not known"}
    return "failed" if price.reproduces is None and price.seconds is None else tail[price.reproduces]


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    interval = f"({ratio.low:.2f} to {ratio.high:.2f})"
    return f"x{ratio.middle:.2f} {interval}" if ratio.differs else f"no difference {interval}"


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s"
