"""The report of an audit, for somebody with a deadline: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from reprocheck.diagnosis.rules.difference_pages import MOVED
from reprocheck.engine.console import clip
from reprocheck.model import Audit, Finding, RunSummary, SeedAudit, Settings, Status, Verdict
from reprocheck.model.kinds import Severity
from reprocheck.report.document import (
    MOST_TAIL_LINES,
    Block,
    Document,
    Fold,
    Gap,
    Heading,
    Headline,
    Note,
    Output,
    Role,
    Span,
    Steps,
    Table,
    Text,
    document,
    fatal,
    indented,
)
from reprocheck.report.headline import qualification
from reprocheck.report.sections.against import against_blocks, moved_blocks, opening
from reprocheck.report.sections.baseline import baseline_blocks
from reprocheck.report.sections.diagnostics import finding_blocks
from reprocheck.report.sections.difference import DIVERGENCE_CODES, difference_blocks, where
from reprocheck.report.sections.drift import drift_blocks
from reprocheck.report.sections.explanation import closing_lines, trial_blocks, why_notes
from reprocheck.report.sections.made_with import made_with_blocks
from reprocheck.report.sections.memory import out_of_memory
from reprocheck.report.sections.metrics import metrics_blocks
from reprocheck.report.sections.ranks import ranks_lines
from reprocheck.report.sections.reused import reused_blocks
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

MOST_ITEMS = 20
_STDERR_TAIL = 64_000
_LONGEST_MESSAGE = 200
"""Characters of an error's last line by which it is known again."""


def audit_document(audit: Audit) -> Document:
    """The whole report."""
    return document(
        "reprocheck run",
        [*_opening(audit), *reused_blocks(audit)],
        *_diagnoses(audit),
        _steps(audit),
        *_seeds(audit),
        against_blocks(audit, _seed),
        *_other_findings(audit),
        baseline_blocks(audit.baseline),
        metrics_blocks(audit),
        _informational(audit),
        _settings(audit),
        _coverage(audit),
        [*_summary(audit), *made_with_blocks(audit), f"evidence: {clip(shown_path(audit.directory))}"],
    )


def _opening(audit: Audit) -> list[Block]:
    target = clip(shown_target(audit.request.target))
    against = opening(audit)
    if audit.verdict is Verdict.NO_VERDICT:
        return [fatal("no verdict reached", target, *_why_none(audit))]
    if audit.verdict is Verdict.REPRODUCIBLE:
        limits = clip(qualification(audit))
        word = Span("REPRODUCIBLE", Role.WARNING if limits else Role.SUCCESS)
        return [Headline(word, target, against or _no_difference(audit), limits)]
    return [Headline(Span("DIFFERENT", Role.ERROR), target, against or _first_difference(audit))]


def _summary(audit: Audit) -> list[Block]:
    """What no other line says. Without a verdict the first lines have said it."""
    if audit.verdict is Verdict.NO_VERDICT:
        return []
    said = {_no_difference(audit), _varied(audit), "1 of 1 seed differs between runs"}
    left = [part for part in audit.summary.split("; ") if part not in said]
    return [clip("; ".join(left))] if left else []


def _no_difference(audit: Audit) -> str:
    runs = sum(len(seed.runs) for seed in audit.seeds)
    return f"no difference observed in {count(runs, 'run')} of {count(len(audit.seeds), 'seed')}"


def _first_difference(audit: Audit) -> str:
    seed = next((seed for seed in audit.seeds if seed.divergence), None)
    if seed is None or seed.divergence is None:
        return clip(audit.summary)
    return f"{count(len(seed.runs), 'run')} of seed {seed.seed} differ first {clip(where(seed.divergence))}"


def _why_none(audit: Audit) -> list[Block]:
    blocks: list[Block] = []
    for seed in audit.seeds:
        if seed.verdict is Verdict.NO_VERDICT and seed.reason:
            blocks.append(Note("why", f"seed {seed.seed}: {clip(seed.reason)}"))
    reason = audit.summary if audit.against is None or not audit.against.reason else audit.against.reason
    blocks += [] if blocks else [Note("why", clip(reason))]
    above = " ".join(seed.reason for seed in audit.seeds)
    failed = [run for seed in _all_seeds(audit) for run in seed.runs if run.status is not Status.COMPLETED]
    for alike in _alike(failed):
        blocks += [Gap(), *_failed_runs(alike, above)]
    return [*blocks, Gap(), *(Note("help", hint) for hint in _what_to_try(audit))]


def _all_seeds(audit: Audit) -> tuple[SeedAudit, ...]:
    """Those of the other revision, too."""
    return audit.seeds if audit.against is None else (*audit.seeds, *audit.against.seeds)


def _alike(runs: Sequence[RunSummary]) -> list[list[RunSummary]]:
    """Runs that failed for one reason with one last output, together."""
    groups: dict[tuple[Status, str, str], list[RunSummary]] = {}
    for run in runs:
        groups.setdefault((run.status, run.reason, run.stderr_tail), []).append(run)
    return list(groups.values())


def _failed_runs(runs: Sequence[RunSummary], above: str) -> list[Block]:
    """`above`: what the report says already."""
    run = runs[0]
    names = ("run " if len(runs) == 1 else "runs ") + ", ".join(clip(one.id) for one in runs[:MOST_ITEMS])
    more = f" and {len(runs) - MOST_ITEMS} more" if len(runs) > MOST_ITEMS else ""
    is_new = not run.reason or run.reason not in above
    reason = f": {clip(run.reason) or 'reason unknown'}" if is_new else ""
    blocks = indented([f"{names}{more} {_status_text(run.status)}{reason}"])
    # A hostile or huge end of a log is cut before it is looked at.
    tail = [line.rstrip() for line in run.stderr_tail[-_STDERR_TAIL:].splitlines() if line.strip()]
    if run.out_of_memory is not None:
        blocks += out_of_memory(run.out_of_memory)
    if tail and run.reason.startswith(tail[-1].strip()[:_LONGEST_MESSAGE]):  # it stands in a line above
        tail.pop()
    if not tail:
        return blocks
    left_out = len(tail) - MOST_TAIL_LINES
    shown = [f"({count(left_out, 'line')} left out)"] if left_out > 0 else []
    return blocks + indented([Output((*shown, *map(clip, tail[-MOST_TAIL_LINES:])))])


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


def _seeds(audit: Audit) -> Iterator[list[Block]]:
    """The runs of each seed. Of many seeds only the first that differs is shown, and those without a verdict."""
    is_explained = audit.verdict is Verdict.NO_VERDICT
    alike = [seed for seed in audit.seeds if seed.verdict is Verdict.REPRODUCIBLE and not seed.notes]
    if len(audit.seeds) == 1 or not any(seed.runs for seed in audit.seeds):
        yield from (_seed(seed, is_explained) for seed in audit.seeds)
        return
    first = next((seed for seed in audit.seeds if seed.verdict is Verdict.DIFFERENT), None)
    folded = [seed for seed in audit.seeds if seed.verdict is Verdict.DIFFERENT and seed is not first]
    yield from (_seed(seed, is_explained) for seed in audit.seeds if seed not in (*folded, *alike))
    folds = [Fold(_in_short(seed), tuple(_seed(seed))) for seed in folded]
    if alike:
        shown = [block for seed in alike for block in (Gap(), *_seed(seed))]
        folds.append(Fold(_agreeing(alike), tuple(shown[1:])))
    yield [replace(fold, blocks=(Gap(), *fold.blocks)) if place else fold for place, fold in enumerate(folds)]


def _agreeing(seeds: Sequence[SeedAudit]) -> str:
    """`seeds 0, 1 and 2: reproducible in 6 runs`."""
    names = first_of([str(seed.seed) for seed in seeds], MOST_ITEMS)
    runs = sum(len(seed.runs) for seed in seeds)
    return f"seed{'s' if len(seeds) > 1 else ''} {names}: reproducible, {count(runs, 'run')}"


def _in_short(seed: SeedAudit) -> str:
    """`seed 1: different: s1r1 differs from s1r0`, and where, as far as digests say."""
    first = _baseline(seed.runs)
    others = []
    for run in seed.runs:
        marks = (_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True))
        parts = [name for name, mark in zip(("init", "steps", "output"), marks, strict=True) if mark]
        others += [f"{clip(run.id)} differs from {clip(first.id)} in {' and '.join(parts)}"] if parts else []
    return f"seed {seed.seed}: different" + (f": {first_of(others, 3)}" if others else "")


def _seed(seed: SeedAudit, is_explained: bool = False) -> list[Block]:
    """`is_explained`: the first lines give the reasons of seeds without a verdict."""
    if not seed.runs:
        return []
    verdict = seed.verdict.value.replace("_", " ")
    heading = f"seed {seed.seed}: {verdict}" + (f" ({clip(seed.reason)})" if seed.reason and not is_explained else "")
    rows, differs = _run_rows(seed.runs)
    blocks: list[Block] = [Table(rows, ("run", "status", "init", "steps", "output", "time", "peak memory"), right=(5,))]
    if differs:
        blocks.append(f"* differs from {clip(_baseline(seed.runs).id)}")
    blocks += ranks_lines(seed)
    blocks += [Note("note", clip(note), indent=0) for note in seed.notes]
    return [Heading(heading), *indented(blocks)]


def _run_rows(runs: Sequence[RunSummary]) -> tuple[tuple[tuple[Text, ...], ...], bool]:
    """The rows, and whether one has a mark."""
    length = prefix_length(digest for run in runs for digest in (run.init, run.steps_digest, run.output))
    rows: list[tuple[Text, ...]] = []
    differs = False
    first = _baseline(runs)
    for run in runs:
        steps = f"{run.steps} {short(run.steps_digest, length)}" if run.steps else "-"
        cells = (short(run.init, length), steps, short(run.output, length))
        marks = [_differs(one, other) for one, other in zip(_digests(run), _digests(first), strict=True)]
        differs = differs or any(marks)
        marked = (Span(f"{cell}*", Role.ERROR) if mark else cell for cell, mark in zip(cells, marks, strict=True))
        status = _status_text(run.status) + (
            "" if run.stopped_at is None else f" (stopped after step {run.stopped_at})"
        )
        shown = status if run.status is Status.COMPLETED else Span(status, Role.ERROR)
        rows.append((clip(run.id), shown, *marked, duration(run.seconds), clip(_memory(run))))
    return tuple(rows), differs


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


def _diagnoses(audit: Audit) -> Iterator[list[Block]]:
    """The causes with their fixes, then the first difference; without a cause the difference comes first."""
    explanation = audit.explanation
    causes = _causes(audit)
    trials = () if explanation is None else explanation.trials
    whys = [] if explanation is None else why_notes(explanation)
    for index, finding in enumerate(causes):
        yield finding_blocks(finding, notes=() if index else whys, trials=trials)
    shown = tuple(finding.location for finding in causes if finding.location is not None)
    edits = tuple(finding.edit for finding in causes if finding.edit is not None)
    tried = [] if explanation is None else trial_blocks(explanation, edits)
    moved = any(finding.code == MOVED for finding in audit.findings)
    difference = moved_blocks(audit, whys) if moved else difference_blocks(audit, causes, whys, shown)
    yield from (tried, difference) if causes and not moved else (difference, tried)
    yield drift_blocks(audit)
    if explanation is not None:
        code = next((finding.code for finding in (*causes, *audit.findings)), "")
        yield closing_lines(explanation, code)


def _steps(audit: Audit) -> list[Block]:
    grids = tuple(grid for seed in audit.seeds for grid in seed.grids)
    return [Steps(grids[:MOST_ITEMS])] if grids else []


def _causes(audit: Audit) -> list[Finding]:
    return [
        finding
        for finding in audit.findings
        if finding.severity == Severity.ERROR and finding.code not in (*DIVERGENCE_CODES, MOVED)
    ]


def _other_findings(audit: Audit) -> Iterator[list[Block]]:
    """Warnings and notes, which have no part in a difference."""
    causes = _causes(audit)
    others = (finding for finding in audit.findings if finding.code not in (*DIVERGENCE_CODES, MOVED))
    yield from (finding_blocks(finding) for finding in others if finding not in causes)


def _informational(audit: Audit) -> list[Block]:
    rows: dict[bool, list[tuple[str, ...]]] = {True: [], False: []}
    for seed in audit.seeds:
        for item in seed.informational:
            same = "same" if item.same else "differ"
            decides = "decides" if item.decides else "does not decide"
            rows[item.same].append((f"seed {seed.seed}", clip(item.what), same, decides, clip(item.detail)))
    differing, alike = rows[False], rows[True]
    more = [f"and {len(differing) - MOST_ITEMS} more"] if len(differing) > MOST_ITEMS else []
    blocks: list[Block] = [Table(tuple(differing[:MOST_ITEMS])), *more] if differing else []
    if alike:
        names = dict.fromkeys(f"{what} ({decides})" for _, what, _, decides, _ in alike)
        seeds = "" if len(audit.seeds) == 1 else f" in {count(len({seed for seed, *_ in alike}), 'seed')}"
        blocks.append(Fold(f"same{seeds}: {', '.join(names)}", (Table(tuple(alike[:MOST_ITEMS])),)))
    return [Heading("informational"), *indented(blocks)] if blocks else []


def _settings(audit: Audit) -> list[Block]:
    """Settings that were not at the end of a run what was asked for."""
    asked = {name: getattr(audit.request.settings, name) for name in Settings.__dataclass_fields__}
    changed: dict[str, list[str]] = {}
    for run in (run for seed in audit.seeds for run in seed.runs):
        for name, value in sorted(run.settings.items()):
            if asked.get(name) is not None and not _same(asked[name], value):
                before, after = clip(_value(asked[name])), clip(_value(value))
                line = f"{clip(name)}: asked {before}, at the end {after}"
                changed.setdefault(line, []).append(clip(run.id))
    if not changed:
        return []
    lines = [f"{line} ({first_of(runs, 3)})" for line, runs in list(changed.items())[:MOST_ITEMS]]
    return [Heading("settings that the target changed"), *indented(lines)]


def _same(asked: Any, found: Any) -> bool:
    return bool(asked == found) or _value(asked) == _value(found)


def _value(value: Any) -> str:
    plain = getattr(value, "value", value)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def _coverage(audit: Audit) -> list[Block]:
    lines: list[Block] = [f"compared: {clip(', '.join(audit.compared)) or 'nothing'}"]
    lines += _reasons("not compared", audit.not_compared)
    lines.append(clip(_varied(audit)))
    return lines + _reasons("not varied", audit.not_varied)


def _varied(audit: Audit) -> str:
    return f"varied: {', '.join(audit.varied) or 'nothing'}"


def _reasons(title: str, items: Sequence[Any]) -> list[Block]:
    if not items:
        return []
    blocks: list[Block] = []
    for item in sorted(items, key=lambda item: not item.is_result)[:MOST_ITEMS]:
        blocks.append(f"{clip(item.what)}: {clip(item.reason)}")
        blocks += [Note("help", clip(item.help), indent=2)] if item.help else []
    left_out = len(items) - MOST_ITEMS
    return [Heading(f"{title}:"), *indented([*blocks, *([f"and {left_out} more"] if left_out > 0 else [])])]


def _status_text(status: Status) -> str:
    return status.value.replace("-", " ")


def _baseline(runs: Sequence[RunSummary]) -> RunSummary:
    """The run that the others are marked against: the first with complete evidence."""
    return next((run for run in runs if run.status is Status.COMPLETED), runs[0])
