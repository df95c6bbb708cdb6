"""An audit and switches → the exit code, and why, as text. The decision is pure; only `load_known` reads a file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.commands.report.ledger import read_ledger
from reprocheck.commands.report.record import Runs, target_name
from reprocheck.compare.rates import wilson
from reprocheck.compare.verdict import open_questions, unjudged
from reprocheck.config.checks import nearest
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model import Audit, Finding, SummaryPart, Target, Verdict
from reprocheck.model.kinds import Severity, SummaryKind
from reprocheck.protocol.reading import parse_json, read_whole
from reprocheck.report.identity import DIFFERENCES, Identities, NotAReport, identify, repository_path
from reprocheck.report.json.v1 import VERSION, to_plain
from reprocheck.report.wording import first_of, shown_target

LARGEST_REPORT = 256 * 2**20
"""Bytes of an earlier report that are read."""
_MOST = 3
"""Names in one note: reports show only the beginning of a long summary."""


class FailOn(str, Enum):
    """The least that fails."""

    DIFFERENCE = "difference"
    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier report holds already."""

    name: str
    """The file, as the user wrote it."""
    findings: frozenset[str]
    differences: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """What was said of this target with --quarantine."""

    until: datetime.date
    in_force: bool
    text: str
    """What the history says of it, or why it has no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What the user says of failing."""

    fail_on: FailOn = FailOn.ERROR
    exit_zero: bool = False
    strict: bool = False
    """What was not compared of the result is no pass."""
    known: Known | None = None
    quarantine: Quarantine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How the command ends."""

    exit_code: int
    notes: tuple[str, ...] = ()
    """What the switches did, each a clause."""


def read_switches(options: Mapping[str, Any], target: Target | None = None) -> Switches:
    """The switches in merged options. Raises UsageError for an earlier report or a history that cannot be used."""
    path = options["only_new"]
    return Switches(
        fail_on=FailOn(options["fail_on"]),
        exit_zero=options["exit_zero"],
        strict=options["strict"],
        known=None if path is None else load_known(path),
        quarantine=None if target is None else _quarantine(options["quarantine"], options["history"], target),
    )


def _quarantine(given: Sequence[tuple[str, datetime.date]], folder: Path | None, target: Target) -> Quarantine | None:
    """Only what was seen to differ is excused: a target that nobody knows as flaky is judged as ever."""
    if not given:
        return None
    if folder is None:
        hint = "give --history FOLDER: what the history does not know to differ is not excused"
        raise UsageError("--quarantine needs a history", hint)
    own = (target_name(target), shown_target(target))
    records = read_ledger(folder).records if folder.is_dir() else ()
    until = next((day for name, day in given if name in own), None)
    if until is None:
        names = {record.target for record in records} | {record.target.split(" ")[0] for record in records}
        unknown = [name for name, _ in given if name not in names]
        if not unknown:
            return None
        near = nearest(unknown[0], [*names, *own])
        why = f"no audit of {unknown[0]} is in the history {folder}" + (f": {near}" if near else "")
        return Quarantine(until=_today(), in_force=False, text=f"--quarantine has no effect: {why}")
    judged = [one for one in records if one.target in own and one.runs is not Runs.UNKNOWN]
    differed = sum(one.runs is Runs.DIFFER for one in judged)
    if until < _today():
        return Quarantine(until=until, in_force=False, text=f"the quarantine of {own[1]} ended on {until}")
    if not differed:
        why = f"the history {folder} knows no audit of {own[1]} whose runs differed"
        return Quarantine(until=until, in_force=False, text=f"--quarantine has no effect: {why}")
    low, high = wilson(differed, len(judged))
    rate = f"runs differed in {differed} of {len(judged)} audits before, {100 * low:.1f} % to {100 * high:.1f} %"
    return Quarantine(until=until, in_force=True, text=f"in quarantine until {until} ({rate})")


def _today() -> datetime.date:
    return datetime.date.today()


def load_known(path: Path) -> Known:
    """The findings of an earlier JSON report. Nothing in it is executed or believed. Raises UsageError."""
    hint = "give a report that `reprocheck run --output json=FILE` wrote"
    try:
        data = read_whole(path, LARGEST_REPORT, follow=True)
    except OSError as error:
        raise UsageError(f"--only-new: cannot read {path}: {error.strerror or error}", hint) from error
    try:
        report = parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"--only-new {path}: not valid JSON", hint) from error
    if not isinstance(report, dict) or type(report.get("schema_version")) is not int:
        raise UsageError(f"--only-new {path}: not a JSON report of reprocheck", hint)
    if report["schema_version"] != VERSION:
        message = f"--only-new {path}: a report of another version of the contract, not of version {VERSION}"
        raise UsageError(message, hint)
    try:
        found = identify(report)
    except (NotAReport, RecursionError) as error:
        raise UsageError(f"--only-new {path}: not a JSON report of reprocheck: {error}", hint) from error
    return Known(name=str(path), findings=frozenset(found.findings), differences=frozenset(found.differences.values()))


def ruled(audit: Audit, switches: Switches) -> Audit:
    """The audit with the exit code that the switches give it, and with their reasons in its summary."""
    decision = decide(audit, switches)
    notes = (SummaryPart(kind=SummaryKind.EXIT_CODE, text=note) for note in decision.notes)
    return replace(audit, exit_code=decision.exit_code, summary_parts=(*audit.summary_parts, *notes))


def decide(audit: Audit, switches: Switches) -> Decision:
    """The exit code. Only a difference or a finding is ever softened: what has no verdict never passes."""
    quarantine = switches.quarantine
    remarks = (quarantine.text,) if quarantine is not None and not quarantine.in_force else ()
    if audit.exit_code not in (ExitCode.OK, ExitCode.DIFFERENT):
        return Decision(exit_code=audit.exit_code, notes=remarks)
    differs = audit.exit_code == ExitCode.DIFFERENT
    fails, notes = _fails(audit, switches, differs)
    notes = (*notes, *remarks)
    if fails and quarantine is not None and quarantine.in_force and _is_flaky_alone(audit):
        fails, notes = False, (*notes, f"not failing: {quarantine.text}")
    if fails and not switches.exit_zero:
        return Decision(exit_code=int(ExitCode.DIFFERENT), notes=notes)
    if fails:
        notes = (*notes, "not failing: --exit-zero")
    without_verdict = unjudged(audit)
    if without_verdict:
        return Decision(exit_code=int(ExitCode.NO_VERDICT), notes=(*notes, f"no pass either: {without_verdict[0]}"))
    unanswered = open_questions(audit) if switches.strict else []
    if unanswered:
        return Decision(exit_code=int(ExitCode.NO_VERDICT), notes=(*notes, f"no pass with --strict: {unanswered[0]}"))
    return Decision(exit_code=int(ExitCode.OK), notes=notes)


def _fails(audit: Audit, switches: Switches, differs: bool) -> tuple[bool, tuple[str, ...]]:
    """Whether the audit fails before --exit-zero, and why or why not where that is not plain."""
    if switches.fail_on is FailOn.NEVER:
        return False, ("not failing: --fail-on never",) if differs else ()
    counted = [finding for finding in audit.findings if _counts(finding, switches.fail_on)]
    if switches.known is not None:
        return _fails_as_new(audit, counted, switches.known, differs)
    if not counted and not differs and _is_unseeded_script(audit) and switches.fail_on is not FailOn.DIFFERENCE:
        return True, (f"failing: --fail-on {switches.fail_on.value}: it reproduces only with reprocheck's seeds",)
    if counted and not differs:
        return True, (f"failing: --fail-on {switches.fail_on.value}: {_names(counted)}",)
    return differs or bool(counted), ()


def _is_flaky_alone(audit: Audit) -> bool:
    """Runs of one seed differ, and results have not moved since a revision or a baseline."""
    moved = [answer for answer in (audit.against, audit.baseline) if answer is not None]
    return any(seed.verdict is Verdict.DIFFERENT for seed in audit.seeds) and not any(
        answer.verdict is Verdict.DIFFERENT for answer in moved
    )


def _is_unseeded_script(audit: Audit) -> bool:
    """A function may leave seeding to its caller; a script has none."""
    known = audit.self_seeding
    return audit.request.target.function is None and known is not None and known.seeds_itself is False


def _counts(finding: Finding, fail_on: FailOn) -> bool:
    if fail_on is FailOn.DIFFERENCE:
        return finding.severity == Severity.ERROR and finding.code.startswith(DIFFERENCES)
    return finding.severity in (Severity.ERROR, Severity.WARNING)[: 2 if fail_on is FailOn.WARNING else 1]


def _fails_as_new(
    audit: Audit, counted: Sequence[Finding], known: Known, differs: bool
) -> tuple[bool, tuple[str, ...]]:
    """Whether something counts that the earlier report does not hold. A difference is known by the finding that shows
    of it; those of further seeds, which have none, by themselves."""
    found = identify(to_plain(audit))
    pairs = zip(audit.findings, found.findings, strict=True)
    old = [finding for finding, identity in pairs if identity in known.findings]
    new = [_name(finding) for finding in counted if not any(finding is one for one in old)]
    new += [f"the difference of seed {seed}" for seed in _new_seeds(audit, found, known)]
    if differs and not any(finding.code.startswith(DIFFERENCES) for finding in counted):
        new.append("the difference")
    notes = [f"not known from {known.name}: {first_of(new, _MOST)}"] if new else []
    notes += [f"known from {known.name}: {_names(old)}"] if old else []
    return bool(new), tuple(notes)


def _new_seeds(audit: Audit, found: Identities, known: Known) -> list[int]:
    """Of the seeds that differ after the first one."""
    differing = [seed.seed for seed in audit.seeds if seed.divergence is not None]
    return [seed for seed in differing[1:] if found.differences[seed] not in known.differences]


def _names(findings: Sequence[Finding]) -> str:
    return first_of([_name(finding) for finding in findings], _MOST)


def _name(finding: Finding) -> str:
    return finding.code if finding.location is None else f"{finding.code} {repository_path(finding.location.path)}"
