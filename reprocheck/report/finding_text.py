"""Findings as machines' reports show them: a place, a head and lines of plain text, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reprocheck.compare import verdict as judge
from reprocheck.engine.console import clip, escape, harmless
from reprocheck.errors import ExitCode
from reprocheck.model import Audit, Divergence, Finding, Location, Verdict
from reprocheck.model.places import line_text
from reprocheck.report.identity import has_first_difference
from reprocheck.report.sections.difference import where
from reprocheck.report.sections.explanation import why_notes
from reprocheck.report.wording import count, first_of

SEVERITIES = ("error", "warning", "note")
"""The worst first."""
_MOST_EVIDENCE = 10
_MOST_NAMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingText:
    """One finding, ready to be written down."""

    finding: Finding
    index: int
    """Its place in the audit."""
    location: Location | None
    source: str
    head: str
    """One line."""
    lines: tuple[str, ...]
    """Evidence, cause and advice; every line harmless to a terminal."""


def finding_texts(audit: Audit) -> tuple[FindingText, ...]:
    """Every finding, the worst first, otherwise in the order of the audit."""
    found = [_finding_text(audit, index, finding) for index, finding in enumerate(audit.findings)]
    return tuple(sorted(found, key=lambda one: _rank(one.finding)))


def unjudged(audit: Audit) -> list[str]:
    """Everything that was asked and has no verdict, and why, fit for a terminal; and what --strict stops."""
    found = judge.unjudged(audit)
    if not found and audit.verdict is Verdict.REPRODUCIBLE and audit.exit_code == ExitCode.NO_VERDICT:
        found = judge.open_questions(audit)
    return [harmless(text) for text in found]


def working_fixes(audit: Audit) -> list[str]:
    """The settings that were seen to work."""
    trials = () if audit.explanation is None else audit.explanation.trials
    lines = []
    for trial in trials:
        if trial.works and not any(remedy.hides for remedy in trial.remedies):
            remedies = " and ".join(f"`{harmless(remedy.text)}`" for remedy in trial.remedies)
            lines.append(f"fix that works: {remedies}: {trial.agreed} of {count(trial.runs, 'run')}")
    return lines


def _rank(finding: Finding) -> int:
    known = finding.severity in SEVERITIES
    return SEVERITIES.index(finding.severity) if known else len(SEVERITIES)


def _finding_text(audit: Audit, index: int, finding: Finding) -> FindingText:
    divergence = audit.divergence if has_first_difference(finding.code) else None
    location, source = finding.location, finding.source
    if divergence is not None:
        location = location or divergence.location
        source = source or _source(audit, location)
    lines = [] if divergence is None else list(_difference(audit, divergence))
    lines += [clip(item) for item in finding.evidence[:_MOST_EVIDENCE]]
    if finding.cause:
        lines.append(f"cause: {clip(finding.cause)}, confidence: {clip(finding.confidence)}")
    lines += [f"help: {clip(line)}" for line in finding.help.splitlines() if line.strip()]
    if finding.edit is not None:
        lines.append(
            f"suggestion for {line_text(finding.edit.path, finding.edit.line)}: {clip(finding.edit.after.strip())}"
        )
    if divergence is not None:
        lines += working_fixes(audit)
    return FindingText(
        finding=finding,
        index=index,
        location=location,
        source=harmless(source),
        head=harmless(finding.message),
        lines=tuple(dict.fromkeys(map(escape, lines))),
    )


def _source(audit: Audit, location: Location | None) -> str:
    """The text of a source line, from the operation's frames or another finding."""
    if location is None:
        return ""
    found = [(finding.location, finding.source) for finding in audit.findings]
    if audit.explanation is not None and audit.explanation.origin is not None:
        found += [(frame.location, frame.code) for frame in audit.explanation.origin.call.frames]
    return next((source for place, source in found if place == location and source), "")


def _difference(audit: Audit, divergence: Divergence) -> Iterator[str]:
    op = f", op `{clip(divergence.op)}`" if divergence.op else ""
    yield f"first {clip(where(divergence))}{op}"
    if divergence.names:
        yield f"differing: {first_of([clip(name) for name in divergence.names], _MOST_NAMES)}"
    if divergence.note:
        yield clip(divergence.note)
    if audit.explanation is not None:
        yield from why_notes(audit.explanation)
    for seed in [seed for seed in audit.seeds if seed.divergence is not None][1:]:
        yield f"seed {seed.seed} differs first {clip(where(seed.divergence))}" if seed.divergence else ""
