"""The report of an audit, for somebody with a deadline: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from reprocheck.diagnosis.rules.difference_pages import MOVED
from reprocheck.diagnosis.rules.support import attribution_notes
from reprocheck.engine.console import clip
from reprocheck.model import Audit, Finding, Verdict
from reprocheck.model.kinds import Severity, SummaryKind
from reprocheck.report.document import Block, Document, Headline, Role, Span, Steps, document, fatal
from reprocheck.report.headline import qualification
from reprocheck.report.sections.against import against_blocks, moved_blocks, opening
from reprocheck.report.sections.baseline import baseline_blocks
from reprocheck.report.sections.classes import classes_blocks
from reprocheck.report.sections.coverage import coverage_blocks, informational_blocks, settings_blocks
from reprocheck.report.sections.diagnostics import finding_blocks
from reprocheck.report.sections.difference import DIVERGENCE_CODES, difference_blocks, where
from reprocheck.report.sections.drift import drift_blocks
from reprocheck.report.sections.explanation import closing_lines, trial_blocks, why_notes
from reprocheck.report.sections.made_with import about_lines, made_with_blocks
from reprocheck.report.sections.metrics import metrics_blocks
from reprocheck.report.sections.no_verdict import why_none
from reprocheck.report.sections.reused import reused_blocks
from reprocheck.report.sections.runs import MOST_ITEMS, seed_blocks, seeds_blocks
from reprocheck.report.wording import count, shown_path, shown_target

_SAID_ABOVE = (SummaryKind.RUNS, SummaryKind.VARIED)
"""Parts of the summary that other lines have; so have they the number of seeds, where there is one."""


def audit_document(audit: Audit) -> Document:
    """The whole report."""
    return document(
        "reprocheck run",
        [*_opening(audit), *reused_blocks(audit)],
        *_diagnoses(audit),
        _steps(audit),
        *seeds_blocks(audit),
        against_blocks(audit, seed_blocks),
        *_other_findings(audit),
        baseline_blocks(audit.baseline),
        metrics_blocks(audit),
        informational_blocks(audit),
        settings_blocks(audit),
        classes_blocks(audit.classes),
        coverage_blocks(audit),
        [*_summary(audit), *made_with_blocks(audit), f"evidence: {clip(shown_path(audit.directory))}"],
        about=about_lines(audit),
    )


def _opening(audit: Audit) -> list[Block]:
    target = clip(shown_target(audit.request.target))
    against = opening(audit)
    if audit.verdict is Verdict.NO_VERDICT:
        return [fatal("no verdict reached", target, *why_none(audit))]
    if audit.verdict is Verdict.REPRODUCIBLE:
        limits = clip(qualification(audit))
        word = Span("REPRODUCIBLE", Role.WARNING if limits else Role.SUCCESS)
        return [Headline(word, target, against or _no_difference(audit), limits)]
    return [Headline(Span("DIFFERENT", Role.ERROR), target, against or _first_difference(audit))]


def _summary(audit: Audit) -> list[Block]:
    """What no other line says. Without a verdict the first lines have said it."""
    if audit.verdict is Verdict.NO_VERDICT:
        return []
    said = _SAID_ABOVE if len(audit.seeds) > 1 else (*_SAID_ABOVE, SummaryKind.SEEDS)
    left = [part.text for part in audit.summary_parts if part.kind not in said]
    return [clip("; ".join(left))] if left else []


def _no_difference(audit: Audit) -> str:
    runs = sum(len(seed.runs) for seed in audit.seeds)
    return f"no difference observed in {count(runs, 'run')} of {count(len(audit.seeds), 'seed')}"


def _first_difference(audit: Audit) -> str:
    seed = next((seed for seed in audit.seeds if seed.divergence), None)
    if seed is None or seed.divergence is None:
        return clip(audit.summary)
    return f"{count(len(seed.runs), 'run')} of seed {seed.seed} differ first {clip(where(seed.divergence))}"


def _diagnoses(audit: Audit) -> Iterator[list[Block]]:
    """The causes with their fixes, then the first difference; without a cause the difference comes first."""
    explanation = audit.explanation
    causes = _causes(audit)
    trials = () if explanation is None else explanation.trials
    whys = [] if explanation is None else why_notes(explanation)
    attribution = None if explanation is None else explanation.attribution
    said = () if attribution is None else attribution_notes(attribution)
    for index, finding in enumerate(causes):
        yield finding_blocks(finding, notes=() if index else whys, trials=trials, said=() if index else said)
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
