"""The metrics of an audit: with one seed their spread within it, with more what the seed does and what remains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reprocheck.engine.console import clip
from reprocheck.model import Audit, MetricSummary
from reprocheck.report.document import Block, Heading, Note, Plots, Role, Span, Table, Text, indented
from reprocheck.report.wording import count

MOST_METRICS = 20
MOST_NOTES = 10
ONE_SEED = ("metric", "seeds", "mean", "std over seeds", "spread within a seed")
SEEDS = (
    "metric",
    "mean",
    "std",
    "min",
    "max",
    "95 % interval of the mean",
    "std from the seed",
    "std within a seed",
)


def metrics_blocks(audit: Audit) -> list[Block]:
    """The section, or nothing where one seed gave no metric."""
    metrics = audit.metrics[:MOST_METRICS]
    over_seeds = len(audit.seeds) > 1
    if not metrics:
        seeds = count(len(audit.seeds), "seed")
        return (
            [f"metrics over {seeds}: none were seen; numbers that a function returns are metrics"] if over_seeds else []
        )
    title = f"metrics over {count(len(audit.seeds), 'seed')}" if over_seeds else "metrics"
    blocks: list[Block] = [metrics_table(metrics, over_seeds)]
    if len(audit.metrics) > MOST_METRICS:
        blocks.append(f"and {len(audit.metrics) - MOST_METRICS} more")
    blocks += [Note("note", note, indent=0) for note in _notes(metrics)]
    blocks += [Plots(metrics)] if over_seeds else []
    return [Heading(title), *indented(blocks)]


def metrics_table(metrics: Sequence[MetricSummary], over_seeds: bool) -> Table:
    """A row each."""
    head, cells = (SEEDS, over_seeds_cells) if over_seeds else (ONE_SEED, one_seed_cells)
    rows: list[tuple[Text, ...]] = [(Span(clip(metric.name), Role.CODE), *cells(metric)) for metric in metrics]
    return Table(tuple(rows), head, right=tuple(range(1, len(head))))


def one_seed_cells(metric: MetricSummary) -> list[str]:
    """next to the name, under ONE_SEED."""
    return [str(metric.seeds), f"{metric.mean:.6g}", number(metric.std), f"{metric.within:.4g}"]


def over_seeds_cells(metric: MetricSummary) -> list[str]:
    """next to the name, under SEEDS."""
    interval = "-" if metric.interval is None else " to ".join(f"{end:.6g}" for end in metric.interval)
    return [
        f"{metric.mean:.6g}",
        number(metric.std),
        number(metric.minimum, 6),
        number(metric.maximum, 6),
        interval,
        number(metric.seed_std),
        number(metric.within_std),
    ]


def number(value: float | None, digits: int = 4) -> str:
    """A number, or that there is none."""
    return "-" if value is None else f"{value:.{digits}g}"


def _notes(metrics: Sequence[MetricSummary]) -> list[str]:
    """Each once, with the metrics that it is of; of all of them: without their names."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        for note in metric.notes:
            found.setdefault(note, []).append(clip(metric.name))
    notes = list(_named(found, len(metrics)))
    left_out = len(notes) - MOST_NOTES
    return notes[:MOST_NOTES] + ([f"and {left_out} more"] if left_out > 0 else [])


def _named(found: dict[str, list[str]], metrics: int) -> Iterator[str]:
    for note, names in found.items():
        if len(names) == metrics:
            yield note
        else:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"{', '.join(names[:3])}{more}: {note}"
