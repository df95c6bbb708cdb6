"""The runs of each seed, one row a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reprocheck.engine.console import clip
from reprocheck.model import Audit, RunSummary, SeedAudit, Status, Verdict
from reprocheck.report.document import Block, Fold, Gap, Heading, Note, Role, Span, Table, Text, indented
from reprocheck.report.sections.ranks import ranks_lines
from reprocheck.report.wording import count, duration, first_of, flat_memory, prefix_length, short, size

MOST_ITEMS = 20
NO_CLASSES: Mapping[str, str] = {}
_SMALL_CHILD = 10
"""A child with less than one part in so many is no part of the training."""


def seeds_blocks(audit: Audit) -> Iterator[list[Block]]:
    """The runs of each seed. Of many seeds only the first that differs is shown, and those without a verdict."""
    is_explained = audit.verdict is Verdict.NO_VERDICT
    classes = {} if audit.classes is None else {run: one.name for one in audit.classes.classes for run in one.runs}
    alike = [seed for seed in audit.seeds if seed.verdict is Verdict.REPRODUCIBLE and not seed.notes]
    if len(audit.seeds) == 1 or not any(seed.runs for seed in audit.seeds):
        yield from (seed_blocks(seed, is_explained, classes) for seed in audit.seeds)
        return
    first = next((seed for seed in audit.seeds if seed.verdict is Verdict.DIFFERENT), None)
    folded = [seed for seed in audit.seeds if seed.verdict is Verdict.DIFFERENT and seed is not first]
    yield from (seed_blocks(seed, is_explained, classes) for seed in audit.seeds if seed not in (*folded, *alike))
    folds = [Fold(_in_short(seed, classes), tuple(seed_blocks(seed, classes=classes))) for seed in folded]
    if alike:
        shown = [block for seed in alike for block in (Gap(), *seed_blocks(seed, classes=classes))]
        folds.append(Fold(_agreeing(alike), tuple(shown[1:])))
    yield [replace(fold, blocks=(Gap(), *fold.blocks)) if place else fold for place, fold in enumerate(folds)]


def _agreeing(seeds: Sequence[SeedAudit]) -> str:
    """`seeds 0, 1 and 2: reproducible in 6 runs`."""
    names = first_of([str(seed.seed) for seed in seeds], MOST_ITEMS)
    runs = sum(len(seed.runs) for seed in seeds)
    return f"seed{'s' if len(seeds) > 1 else ''} {names}: reproducible, {count(runs, 'run')}"


def _in_short(seed: SeedAudit, classes: Mapping[str, str]) -> str:
    """`seed 1: different: s1r1 differs from s1r0`, and where, as far as digests say."""
    first = _baseline(seed.runs)
    others = []
    for run in (run for run in seed.runs if classes.get(run.id) == classes.get(first.id)):
        marks = (_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True))
        parts = [name for name, mark in zip(("init", "steps", "output"), marks, strict=True) if mark]
        others += [f"{clip(run.id)} differs from {clip(first.id)} in {' and '.join(parts)}"] if parts else []
    return f"seed {seed.seed}: different" + (f": {first_of(others, 3)}" if others else "")


def seed_blocks(seed: SeedAudit, is_explained: bool = False, classes: Mapping[str, str] = NO_CLASSES) -> list[Block]:
    """The runs of one seed. `is_explained`: the first lines give the reasons of seeds without a verdict. `classes`: run
    → its numerical class, where there are several."""
    if not seed.runs:
        return []
    verdict = seed.verdict.value.replace("_", " ")
    heading = f"seed {seed.seed}: {verdict}" + (f" ({clip(seed.reason)})" if seed.reason and not is_explained else "")
    rows, differs = _run_rows(seed.runs, classes)
    head = ("run", "status", "init", "steps", "output", "time", "peak memory", *(("class",) if classes else ()))
    blocks: list[Block] = [Table(rows, head, right=(5,))]
    if differs:
        blocks.append(f"* differs from {'the first run of its class' if classes else clip(_baseline(seed.runs).id)}")
    blocks += ranks_lines(seed)
    blocks += [Note("note", clip(note), indent=0) for note in seed.notes]
    return [Heading(heading), *indented(blocks)]


def _run_rows(runs: Sequence[RunSummary], classes: Mapping[str, str]) -> tuple[tuple[tuple[Text, ...], ...], bool]:
    """The rows, and whether one has a mark."""
    length = prefix_length(digest for run in runs for digest in (run.init, run.steps_digest, run.output))
    rows: list[tuple[Text, ...]] = []
    differs = False
    firsts: dict[str, RunSummary] = {}
    for run in runs:
        if run.status is Status.COMPLETED:
            firsts.setdefault(classes.get(run.id, ""), run)
    for run in runs:
        first = firsts.get(classes.get(run.id, "")) or _baseline(runs)
        steps = f"{run.steps} {short(run.steps_digest, length)}" if run.steps else "-"
        cells = (short(run.init, length), steps, short(run.output, length))
        marks = [_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True)]
        differs = differs or any(marks)
        marked = (Span(f"{cell}*", Role.ERROR) if mark else cell for cell, mark in zip(cells, marks, strict=True))
        status = status_text(run.status) + ("" if run.stopped_at is None else f" (stopped after step {run.stopped_at})")
        shown = status if run.status is Status.COMPLETED else Span(status, Role.ERROR)
        of_class = (classes.get(run.id, "-"),) if classes else ()
        rows.append((clip(run.id), shown, *marked, duration(run.seconds), clip(_memory(run)), *of_class))
    return tuple(rows), differs


def _digests(run: RunSummary) -> tuple[str, str, str]:
    return run.init, f"{run.steps} {run.steps_digest}" if run.steps_digest else "", run.output


def _differs(one: str, other: str) -> bool:
    """Between two observed things; what was not observed is shown as such."""
    return bool(one and other) and one != other


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


def status_text(status: Status) -> str:
    """How a run ended."""
    return status.value.replace("-", " ")


def _baseline(runs: Sequence[RunSummary]) -> RunSummary:
    """The run that the others are marked against: the first with complete evidence."""
    return next((run for run in runs if run.status is Status.COMPLETED), runs[0])
