"""The kept audits of an evidence folder → the history of each target. Reads reports; executes nothing in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.commands.report.kept import read_kept
from reprocheck.commands.report.model import Entry, History, Index, Results
from reprocheck.compare.baseline.numerical import known_class
from reprocheck.diagnosis.rules.difference_pages import MOVED
from reprocheck.engine.store import AUDITS, kept_audits
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Finding, Verdict
from reprocheck.model.kinds import Severity
from reprocheck.report.headline import headline
from reprocheck.report.sections.difference import DIVERGENCE_CODES, where
from reprocheck.report.wording import shown_path, shown_target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One audit on its way into the index."""

    name: str
    audit: Audit
    target: str
    asked: str
    """What has to be equal for results to be comparable."""
    results: Mapping[int, tuple[str, str, str]]
    """Seed → digests of the run that stands for it."""


def make_index(evidence: Path) -> Index:
    """Every kept audit. Raises UsageError if there is none."""
    folder = evidence / AUDITS
    found, unreadable = [], []
    for path in kept_audits(folder):
        try:
            found.append(_kept(path))
        except UsageError as error:
            unreadable.append((path.name, error.message))
    if not found and not unreadable:
        raise UsageError(f"{folder} holds no audit", "--evidence DIR names another folder")
    found.sort(key=lambda kept: (kept.audit.started, kept.name))
    targets = dict.fromkeys(kept.target for kept in reversed(found))
    histories = (_history(target, [kept for kept in found if kept.target == target]) for target in targets)
    return Index(folder=folder, histories=tuple(histories), unreadable=tuple(unreadable))


def _kept(path: Path) -> _Kept:
    audit = read_kept(path)
    request = audit.request
    target = " ".join([shown_target(request.target), *request.target.argv])
    asked = [request.settings, request.target.arguments, known_class(audit.manifest), request.ignore]
    firsts = ((seed.seed, seed.runs[0]) for seed in audit.seeds if seed.runs)
    return _Kept(
        name=path.name,
        audit=audit,
        target=target,
        asked=json.dumps([str(item) for item in asked]),
        results={seed: (run.init, run.steps_digest, run.output) for seed, run in firsts},
    )


def _history(target: str, kept: Sequence[_Kept]) -> History:
    entries = [_entry(one, earlier) for one, earlier in zip(kept, [None, *kept], strict=False)]
    return History(target=target, entries=tuple(reversed(entries)))


def _entry(kept: _Kept, before: _Kept | None) -> Entry:
    audit = kept.audit
    git = audit.manifest.get("git")
    known: Mapping[str, Any] = git if isinstance(git, Mapping) else {}
    return Entry(
        name=kept.name,
        started=audit.started,
        verdict=audit.verdict,
        headline=headline(audit),
        where="" if audit.divergence is None else where(audit.divergence),
        causes=tuple(_causes(audit)),
        seeds=len(audit.seeds),
        commit=str(known.get("revision") or ""),
        changed=bool(known.get("dirty")),
        numerical_class=known_class(audit.manifest),
        results=_results(kept, before),
    )


def _causes(audit: Audit) -> Iterator[str]:
    for finding in audit.findings:
        if finding.severity == Severity.ERROR and finding.code not in (*DIVERGENCE_CODES, MOVED):
            yield f"{finding.code} {finding.cause}{_at(finding)}"


def _at(finding: Finding) -> str:
    place = finding.location
    return "" if place is None else f" at {shown_path(place.path)}:{place.line}"


def _results(kept: _Kept, before: _Kept | None) -> Results:
    if before is None or before.asked != kept.asked:
        return Results.FIRST
    shared = kept.results.keys() & before.results.keys()
    if not shared or not all(one.audit.verdict is Verdict.REPRODUCIBLE for one in (kept, before)):
        return Results.UNKNOWN
    return Results.SAME if all(kept.results[seed] == before.results[seed] for seed in shared) else Results.CHANGED
