"""An audit → what the history of its target keeps of it: one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from xxhash import xxh3_64_hexdigest

from reprocheck.compare.baseline.numerical import known_class
from reprocheck.diagnosis.rules.difference_pages import MOVED
from reprocheck.engine.console import clip
from reprocheck.model import Audit, Finding, SeedAudit, Target, Verdict
from reprocheck.model.kinds import Severity
from reprocheck.model.places import place_text
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.secrets import mask_arguments, mask_argv
from reprocheck.report.headline import headline
from reprocheck.report.sections.difference import DIVERGENCE_CODES, where
from reprocheck.report.sections.made_with import command_of
from reprocheck.report.wording import shown_path, shown_target

MOST_CAUSES = 10
MOST_SEEDS = 100
"""Of which the results are kept."""


class Runs(str, Enum):
    """Whether the runs of one seed agree. A verdict may be about another revision or a baseline."""

    AGREE = "agree"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One audit. Texts are cut to what a reader reads."""

    id: str
    """The same wherever it is read from: evidence, JSON report or history."""
    name: str
    """Of its folder."""
    started: str
    """ISO 8601."""
    target: str
    """With the target's own arguments; secrets are masked."""
    command: str
    verdict: Verdict
    runs: Runs
    headline: str
    where: str
    """The first difference in words; empty without one."""
    causes: tuple[str, ...] = ()
    """Codes and places of the causes that were found."""
    seeds: int
    commit: str
    """Empty outside of a repository."""
    changed: bool
    """Files of the repository were changed since that commit."""
    numerical_class: str
    """Empty where no run lived to say it."""
    asked: str
    """Digest of all that has to be equal for results to be comparable."""
    results: Mapping[int, str] = field(default_factory=dict)
    """Seed → digest of the results of the run that stands for it."""


def record_of(audit: Audit, name: str = "") -> Record:
    """`name`: of the folder, if that is not where the audit was made."""
    git = audit.manifest.get("git")
    known: Mapping[str, Any] = git if isinstance(git, Mapping) else {}
    request, numerical_class = audit.request, known_class(audit.manifest)
    settings = replace(request.settings, env=tuple((name, "") for name in sorted(dict(request.settings.env))))
    arguments = plain(mask_arguments(dict(request.target.arguments)))
    asked = [settings, json.dumps(arguments, sort_keys=True), numerical_class, request.ignore]
    firsts = [(seed.seed, seed.runs[0]) for seed in audit.seeds if seed.runs][:MOST_SEEDS]
    volatile = audit.manifest.get("volatile")
    host = volatile.get("host") if isinstance(volatile, Mapping) else None
    return Record(
        id=_digest([audit.started, audit.directory, host]),
        name=clip(name or audit.directory.name),
        started=clip(audit.started),
        target=clip(target_name(request.target)),
        command=clip(command_of(audit)),
        verdict=audit.verdict,
        runs=_runs(audit.seeds),
        headline=clip(headline(audit)),
        where="" if audit.divergence is None else clip(where(audit.divergence)),
        causes=tuple(map(clip, _causes(audit)))[:MOST_CAUSES],
        seeds=len(audit.seeds),
        commit=clip(str(known.get("revision") or "")),
        changed=bool(known.get("dirty")),
        numerical_class=clip(numerical_class),
        asked=_digest(asked),
        results={seed: _digest([run.init, run.steps_digest, run.output]) for seed, run in firsts},
    )


def target_name(target: Target) -> str:
    """By which a history knows it."""
    return " ".join([shown_target(target), *mask_argv(target.argv)])


def _runs(seeds: tuple[SeedAudit, ...]) -> Runs:
    found = {seed.verdict for seed in seeds}
    if Verdict.DIFFERENT in found:
        return Runs.DIFFER
    return Runs.AGREE if found == {Verdict.REPRODUCIBLE} else Runs.UNKNOWN


def _digest(items: list[Any]) -> str:
    return xxh3_64_hexdigest(json.dumps([str(item) for item in items]).encode())


def _causes(audit: Audit) -> Iterator[str]:
    for finding in audit.findings:
        if finding.severity == Severity.ERROR and finding.code not in (*DIVERGENCE_CODES, MOVED):
            yield f"{finding.code} {finding.cause}{_at(finding)}"


def _at(finding: Finding) -> str:
    place = finding.location
    return "" if place is None else f" at {place_text(shown_path(place.path), place.line)}"
