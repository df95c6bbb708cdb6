"""The SARIF 2.1.0 report, for code scanning: a result for each finding.

Nothing in it depends on when or where it was made, so that alerts stay the same from one commit to the next. An audit
without a verdict is an invocation that failed, never just an empty list of results.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from reprocheck import __version__
from reprocheck.diagnosis.rules import find_page
from reprocheck.diagnosis.rules.page_text import as_text
from reprocheck.engine.console import Style, harmless
from reprocheck.errors import EXIT_CODE_MEANINGS, ExitCode
from reprocheck.model import Audit, Edit, Finding, Location, NotCompared
from reprocheck.model.kinds import Severity
from reprocheck.model.places import is_notebook
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.file_lines import line_of_file
from reprocheck.report.finding_text import FindingText, finding_texts, unjudged
from reprocheck.report.headline import headline, qualification
from reprocheck.report.identity import identify, repository_path
from reprocheck.report.json.v1 import to_plain
from reprocheck.report.wording import shown_target

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "reprocheckFinding/v1"
_ROOT = "%SRCROOT%"

Plain = dict[str, Any]


def render_sarif(audit: Audit, style: Style) -> str:
    """The report as ASCII JSON."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(audit)]}
    return json.dumps(Scrub(audit.directory).clean(plain(log)), indent=2, allow_nan=False) + "\n"


def _run(audit: Audit) -> Plain:
    found = finding_texts(audit)
    codes = list(dict.fromkeys(one.finding.code for one in found))
    rules = [_rule(next(one.finding for one in found if one.finding.code == code)) for code in codes]
    identities = identify(to_plain(audit)).findings
    results = [_result(audit, one, codes.index(one.finding.code), identities[one.index]) for one in found]
    return {
        "tool": {"driver": {"name": "reprocheck", "semanticVersion": __version__, "rules": rules}},
        "automationDetails": {"id": f"reprocheck/{harmless(shown_target(audit.request.target))}/"},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "utf16CodeUnits",
        "invocations": [_invocation(audit)],
        "results": results,
        "properties": {
            "verdict": audit.verdict.value,
            "headline": harmless(headline(audit)),
            "summary": harmless(audit.summary),
        },
    }


def _invocation(audit: Audit) -> Plain:
    """Successful only when everything that was asked has a verdict."""
    failures = unjudged(audit)
    notes = [_not_compared(item) for item in audit.not_compared]
    limits = [harmless(headline(audit))] if qualification(audit) else []
    code = ExitCode(audit.exit_code)
    return {
        "executionSuccessful": not failures,
        "exitCode": int(code),
        "exitCodeDescription": EXIT_CODE_MEANINGS[code],
        "toolExecutionNotifications": [
            *({"level": "warning", "message": _message(text)} for text in limits),
            *({"level": "error", "message": _message(text)} for text in failures),
            *({"level": "note", "message": _message(text)} for text in notes),
        ],
    }


def _not_compared(item: NotCompared) -> str:
    help = f"; help: {harmless(item.help)}" if item.help else ""
    return f"{harmless(item.what)} not compared: {harmless(item.reason)}{help}"


def _rule(finding: Finding) -> Plain:
    page = find_page(finding.code)
    level = _level(finding)
    if page is None:
        text = {"text": harmless(finding.message)}
        return {"id": finding.code, "shortDescription": text, "defaultConfiguration": {"level": level}}
    return {
        "id": finding.code,
        "name": "".join(word.capitalize() for word in page.slug.split("-")),
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.checks},
        "help": {"text": as_text(page)},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["reproducibility", page.slug]},
    }


def _result(audit: Audit, one: FindingText, rule: int, identity: str) -> Plain:
    finding = one.finding
    result: Plain = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "kind": "fail",
        "level": _level(finding),
        "message": _message("\n".join([one.head, *one.lines])),
        "locations": _locations(audit, one),
        "partialFingerprints": {FINGERPRINT: identity},
        "properties": {"cause": finding.cause, "confidence": finding.confidence},
    }
    related = _related(audit, one)
    if related:
        result["relatedLocations"] = related
    if finding.edit is not None and not is_notebook(finding.edit.path):  # there a line is no line of the file
        result["fixes"] = [_fix(finding.edit)]
    return result


def _level(finding: Finding) -> str:
    return finding.severity if finding.severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE) else "warning"


def _locations(audit: Audit, one: FindingText) -> list[Plain]:
    """The line; where none is known the target's file, without one."""
    if one.location is not None:
        return [_location(one.location, one.source)]
    path = audit.request.target.path
    return [] if path is None else [{"physicalLocation": {"artifactLocation": _artifact(str(path))}}]


def _location(location: Location, source: str) -> Plain:
    region: Plain = {"startLine": line_of_file(location.path, location.line)}
    if source:
        region["snippet"] = {"text": source}
    return {"physicalLocation": {"artifactLocation": _artifact(location.path), "region": region}}


def _related(audit: Audit, one: FindingText) -> list[Plain]:
    """Of the first difference: the lines of its operation, from the innermost outwards."""
    origin = None if audit.explanation is None else audit.explanation.origin
    if origin is None or audit.divergence is None or one.location != audit.divergence.location:
        return []
    found = []
    for frame in origin.call.frames:
        if frame.location != one.location:
            place = _location(frame.location, harmless(frame.code))
            found.append({**place, "message": _message(f"`{harmless(origin.call.op)}` in {harmless(frame.function)}")})
    return found


def _fix(edit: Edit) -> Plain:
    """The suggested line in place of the present one."""
    width = len(edit.before.encode("utf-16-le", "surrogatepass")) // 2
    region = {"startLine": edit.line, "startColumn": 1, "endLine": edit.line, "endColumn": width + 1}
    replacement = {"deletedRegion": region, "insertedContent": {"text": edit.after}}
    change = {"artifactLocation": _artifact(edit.path), "replacements": [replacement]}
    return {
        "description": _message("a suggestion; see the message for whether it was tried"),
        "artifactChanges": [change],
    }


def _artifact(path: str) -> Plain:
    """Relative to the repository; a file elsewhere by its whole path."""
    shown = repository_path(path)
    uri = quote(shown.encode("utf-8", "surrogateescape"))
    return {"uri": f"file://{uri}"} if os.path.isabs(shown) else {"uri": uri, "uriBaseId": _ROOT}


def _message(text: str) -> Plain:
    """Plain text: braces are placeholders to SARIF, and brackets before a parenthesis a link."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "] (")}
